//! All SQL, one file an aggregate, lower case, next to the function that runs it.
//!
//! One set of statements serves SQLite and PostgreSQL through `sqlx::Any`. What only one engine can
//! do stands in [`engine`]: opening, locking, the database's own clock, batch claims. Every function
//! takes the tenant; there is none that reads across tenants except the worker's claim, which
//! returns rows that each carry their tenant.

pub mod approval;
pub mod article;
pub mod audit;
pub mod backup;
mod batch;
pub mod channel;
pub mod chunk;
pub mod contact;
pub mod draft;
pub mod engine;
pub mod event;
pub mod example;
pub mod hook;
pub mod idempotency;
pub mod import;
pub mod inbound;
pub mod job;
pub mod key;
pub mod message;
pub mod migrate;
pub mod model;
pub mod outbox;
pub mod reseal;
pub mod review;
pub mod sealing;
pub mod send;
pub mod session;
pub mod spend;
pub mod tenant;
pub mod thread;
pub mod user;
pub mod vault;
pub mod webhook;

use std::sync::Arc;

pub use engine::{Db, Engine};
use sealing::Keyring;
use sqlx::AnyConnection;

use crate::ports::host::Host;

/// An open transaction.
pub type Tx = sqlx::Transaction<'static, sqlx::Any>;

/// The result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the store. No text of a message goes into any of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no.
    #[error("database: {0}")]
    Db(#[source] sqlx::Error),
    /// No connection within the time-out: busy, restarting or gone.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The disk is full or the file can't grow.
    #[error("the database can't write: no space left")]
    Full(#[source] sqlx::Error),
    /// A row that must be there is not.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A key is missing or a sealed value was altered.
    #[error("{0}")]
    Key(String),
    /// The data subject's key has been destroyed.
    #[error("this person's data has been erased")]
    Erased,
    /// A stored value isn't of the form that the code writes.
    #[error("stored {what} can't be read: {why}")]
    Corrupt {
        /// Which column.
        what: &'static str,
        /// Why, without the value.
        why: String,
    },
    /// The claim was lost: another worker has the job, or its lease ran out.
    #[error("the claim on this job is no longer ours")]
    Fenced,
    /// The row is another one than the one that was read: the work is to be done again.
    #[error("it changed while it was being worked on")]
    Stale,
    /// Migrations failed or don't fit.
    #[error("migration: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The file can't be opened or locked.
    #[error("{0}")]
    Open(String),
    /// Serialisation.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::RowNotFound => Self::NotFound("row"),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::Unavailable(e)
            }
            sqlx::Error::Database(d) => match d.code().as_deref() {
                // SQLITE_FULL, SQLITE_IOERR_WRITE; disk_full.
                Some("13" | "778" | "53100") => Self::Full(e),
                // SQLITE_BUSY and LOCKED; admin shutdown, crash, cannot connect, too many.
                Some("5" | "6" | "57P01" | "57P02" | "57P03" | "53300" | "55P03") => {
                    Self::Unavailable(e)
                }
                // Statement and idle time-outs; a deadlock that we lost.
                Some("57014" | "25P03" | "40P01") => Self::Unavailable(e),
                _ => Self::Db(e),
            },
            _ => Self::Db(e),
        }
    }
}

impl Error {
    /// Whether a unique constraint refused the row.
    pub fn is_unique(&self) -> bool {
        matches!(self, Self::Db(sqlx::Error::Database(d)) if d.is_unique_violation())
    }

    /// Whether a foreign key refused the row.
    pub fn is_foreign_key(&self) -> bool {
        matches!(self, Self::Db(sqlx::Error::Database(d)) if d.is_foreign_key_violation())
    }

    /// Whether the same call may go through in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

/// The database, the keys and the clock: what every part of the service that stores things holds.
#[derive(Clone, Debug)]
pub struct Store {
    /// Connections.
    pub db: Db,
    /// Data keys.
    pub keys: Arc<Keyring>,
    /// Clock and random source.
    pub host: HostRef,
}

/// A shared [`Host`].
#[derive(Clone)]
pub struct HostRef(pub Arc<dyn Host>);

impl std::fmt::Debug for HostRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl std::ops::Deref for HostRef {
    type Target = dyn Host;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A prepared statement that waits for its parameters.
pub(crate) type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

/// A statement of ours; never with anything but our own literals in it.
pub(crate) fn q(sql: &'static str) -> Query {
    sqlx::query(sql)
}

pub(crate) fn is_postgres(c: &AnyConnection) -> bool {
    c.backend_name() == <sqlx::Postgres as sqlx::Database>::NAME
}

/// Most rows that one statement of ours writes or asks for. Sixty-four rows of sixteen values stay far
/// below the parameters that either engine takes.
pub(crate) const ROWS: usize = 64;

/// The placeholders of a statement that inserts several rows: `($1, $2), ($3, $4)`. SQLite takes
/// `$1` for a name and looks each one up in a list, which makes hundreds of them quadratic; there
/// they are plain `?`.
pub(crate) fn rows(c: &AnyConnection, rows: usize, columns: usize) -> String {
    let numbered = is_postgres(c);
    let place = |n: usize| if numbered { format!("${n}") } else { "?".to_owned() };
    let row = |r: usize| {
        let values: Vec<String> = (1..=columns).map(|n| place(r * columns + n)).collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Reads a column that holds one of our own newtypes or enums as text.
pub(crate) fn parse<T>(what: &'static str, text: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| Error::Corrupt { what, why: e.to_string() })
}
