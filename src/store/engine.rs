//! The overlay: what SQLite and PostgreSQL do differently. Opening, locking, transactions, the
//! database's clock, and the lock that says which process owns a SQLite file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _};

use super::{Error, Result, Tx};
use crate::domain::ids::Micros;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one process.
    Sqlite,
    /// A server, any number of processes.
    Postgres,
}

/// How to open it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite:/path/to/file` or `postgres://…`.
    pub url: String,
    /// Connections for reading (SQLite) or for all (PostgreSQL).
    pub pool: u32,
    /// How long a request waits for a connection before it answers 503.
    pub acquire_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// PostgreSQL: how long a statement may run; zero for no bound.
    pub statement_timeout: Duration,
    /// PostgreSQL: how long a transaction may idle before the server ends it and gives its locks
    /// back; zero for no bound. It bounds what a process that hangs takes from the others.
    pub idle_transaction_timeout: Duration,
    /// Take the exclusive lock of a SQLite file (everything but read-only tools does).
    pub exclusive: bool,
}

impl Options {
    /// The defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool: 8,
            acquire_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            idle_transaction_timeout: Duration::from_secs(30),
            exclusive: true,
        }
    }
}

/// Connections to one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    read: AnyPool,
    write: AnyPool,
    file: Option<PathBuf>,
    // Held until it is closed or the last clone is dropped; the kernel lets go of it when the process dies.
    lock: Option<Arc<File>>,
}

macro_rules! sqlite_now {
    () => {
        "cast(unixepoch('subsec') * 1000000 as bigint)"
    };
}
macro_rules! postgres_now {
    () => {
        "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"
    };
}

impl Db {
    /// Opens the database; creates a SQLite file that isn't there.
    ///
    /// # Errors
    /// [`Error::Open`] for a URL of another kind or a file that another process owns;
    /// [`Error::Unavailable`] when the server doesn't answer.
    pub async fn open(o: &Options) -> Result<Self> {
        install_default_drivers();
        if let Some(path) = sqlite_path(&o.url) {
            return Self::open_sqlite(o, path).await;
        }
        if !o.url.starts_with("postgres://") && !o.url.starts_with("postgresql://") {
            return Err(Error::Open(
                "the database URL must begin with `sqlite:` or `postgres://`".into(),
            ));
        }
        let set = format!(
            "set lock_timeout = {}; set statement_timeout = {}; \
             set idle_in_transaction_session_timeout = {}",
            o.lock_timeout.as_millis(),
            o.statement_timeout.as_millis(),
            o.idle_transaction_timeout.as_millis(),
        );
        let pool = AnyPoolOptions::new()
            .max_connections(o.pool)
            .acquire_timeout(o.acquire_timeout)
            .test_before_acquire(true)
            .after_connect(move |c, _| {
                let set = set.clone();
                Box::pin(async move {
                    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *c).await?;
                    Ok(())
                })
            })
            .connect(&o.url)
            .await?;
        Ok(Self {
            engine: Engine::Postgres,
            read: pool.clone(),
            write: pool,
            file: None,
            lock: None,
        })
    }

    async fn open_sqlite(o: &Options, path: PathBuf) -> Result<Self> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir)
                .map_err(|e| Error::Open(format!("{}: {e}", dir.display())))?;
        }
        let lock = if o.exclusive { Some(Arc::new(lock_file(&path)?)) } else { None };
        let busy = o.lock_timeout.as_millis();
        let options = |max| {
            AnyPoolOptions::new()
                .max_connections(max)
                .min_connections(1)
                .acquire_timeout(o.acquire_timeout.max(o.lock_timeout))
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                // After a write that failed for want of space SQLite has rolled back by itself, and
                // the driver takes the connection for one within a transaction ever after.
                .before_acquire(|c, _| {
                    let clean = !c.is_in_transaction();
                    Box::pin(async move { Ok(clean) })
                })
                .after_connect(move |c, _| {
                    // WAL with FULL: a commit is on the disk when it returns. The log is folded in
                    // beside the writers (`checkpoint`); only if that falls behind, by a commit.
                    let set = format!(
                        "pragma busy_timeout = {busy}; pragma journal_mode = wal; \
                         pragma synchronous = full; pragma foreign_keys = on; \
                         pragma wal_autocheckpoint = 16000; pragma cache_size = -65536;"
                    );
                    Box::pin(async move {
                        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *c).await?;
                        Ok(())
                    })
                })
        };
        // A tool that only looks must not make an empty database of a mistyped path.
        let mode = if o.exclusive { "rwc" } else { "rw" };
        let url = format!("sqlite:{}?mode={mode}", path.display());
        let write = options(1).connect(&url).await?;
        let read = options(o.pool).connect(&url).await?;
        Ok(Self { engine: Engine::Sqlite, read, write, file: Some(path), lock })
    }

    /// Which engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The SQLite file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after the acquire time-out.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Any>> {
        Ok(self.read.acquire().await?)
    }

    /// A transaction for writing: `BEGIN IMMEDIATE` on SQLite, whose one writer connection makes
    /// writers queue up instead of failing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after the acquire time-out.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(match self.engine {
            Engine::Sqlite => self.write.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.write.begin().await?,
        })
    }

    /// A writing connection outside any transaction, for migrations and backups.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after the acquire time-out.
    pub async fn writer(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Any>> {
        Ok(self.write.acquire().await?)
    }

    /// The database's own clock: the only one that leases go by.
    ///
    /// # Errors
    /// Database errors.
    pub async fn now(&self, c: &mut AnyConnection) -> Result<Micros> {
        let sql = match self.engine {
            Engine::Sqlite => concat!("select ", sqlite_now!()),
            Engine::Postgres => concat!("select ", postgres_now!()),
        };
        let (now,): (i64,) = sqlx::query_as(sql).fetch_one(c).await?;
        Ok(Micros(now))
    }

    /// The expression for that clock.
    pub(super) fn now_sql(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => sqlite_now!(),
            Engine::Postgres => postgres_now!(),
        }
    }

    /// Moves what has been committed from SQLite's write-ahead log into the file, as far as nobody
    /// reads it, so that writers need not stop for it. Nothing to do elsewhere.
    ///
    /// # Errors
    /// Database errors.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.engine == Engine::Sqlite {
            let mut c = self.read().await?;
            sqlx::raw_sql("pragma wal_checkpoint(passive)").execute(&mut *c).await?;
        }
        Ok(())
    }

    /// Closes every connection; on SQLite this folds the write-ahead log into the file and lets another
    /// process have it.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
        if let Some(Err(e)) = self.lock.as_ref().map(|file| file.unlock()) {
            tracing::warn!(error = %e, "the lock of the database file is kept until the process ends");
        }
    }
}

fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    Some(PathBuf::from(rest.split('?').next().unwrap_or(rest)))
}

fn lock_file(db: &Path) -> Result<File> {
    let mut name = db.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| Error::Open(format!("{}: {e}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Open(format!(
            "{} is in use by another countersign process. On SQLite one process owns the \
             database: stop it, let the running server do it (--server URL --api-key KEY), or \
             use PostgreSQL for several processes",
            db.display()
        ))),
        Err(std::fs::TryLockError::Error(e)) => {
            Err(Error::Open(format!("{}: {e}", path.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file() {
        assert_eq!(sqlite_path("sqlite:/a/b.db"), Some("/a/b.db".into()));
        assert_eq!(sqlite_path("sqlite://b.db?x=1"), Some("b.db".into()));
        assert_eq!(sqlite_path("postgres://x"), None);
    }

    #[tokio::test]
    async fn a_second_owner_is_refused_and_told_why() {
        let dir = tempfile::tempdir().unwrap();
        let o = Options::new(format!("sqlite:{}/x.db", dir.path().display()));
        let first = Db::open(&o).await.unwrap();
        let e = Db::open(&o).await.unwrap_err();
        assert!(e.to_string().contains("in use by another"), "{e}");
        let kept = first.clone();
        first.close().await;
        assert!(kept.read().await.is_err(), "closed for every clone");
        assert!(Db::open(&o).await.is_ok());
    }
}
