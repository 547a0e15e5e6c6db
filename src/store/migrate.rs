//! Migrations: one folder for both engines, embedded in the binary, run at start and by
//! `countersign migrate`.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, raw_sql};

use super::{Db, Engine, Error, Result};

/// Version, name, statements.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "thread order", include_str!("../../migrations/0002_thread_order.sql")),
    (3, "access", include_str!("../../migrations/0003_access.sql")),
    (4, "chunk encoder", include_str!("../../migrations/0004_chunk_encoder.sql")),
    (5, "escalated", include_str!("../../migrations/0005_escalated.sql")),
    (6, "key limits", include_str!("../../migrations/0006_key_limits.sql")),
    (7, "events", include_str!("../../migrations/0007_events.sql")),
    (8, "examples", include_str!("../../migrations/0008_examples.sql")),
    (9, "models", include_str!("../../migrations/0009_models.sql")),
];

/// On PostgreSQL the portable type `blob` is a domain over `bytea`.
const POSTGRES_FIRST: &str = "do $$ begin create domain blob as bytea; \
     exception when duplicate_object then null; end $$";

fn migrator(upto: Option<i64>) -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .filter(|(v, ..)| upto.is_none_or(|u| *v <= u))
            .map(|(v, name, sql)| {
                Migration::new(
                    *v,
                    Cow::Borrowed(*name),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}

/// The newest version that this binary knows.
pub fn latest() -> i64 {
    MIGRATIONS.iter().map(|(v, ..)| *v).max().unwrap_or(0)
}

/// Whether this binary has a migration of that version.
pub fn has(version: i64) -> bool {
    MIGRATIONS.iter().any(|(v, ..)| *v == version)
}

/// Brings the schema to the newest version, or to `upto` (for tests of upgrades).
///
/// # Errors
/// [`Error::Migrate`] when a statement fails, when an applied migration differs from ours, or when
/// the database is newer than this binary.
pub async fn run(db: &Db, upto: Option<i64>) -> Result<()> {
    let mut c = db.writer().await?;
    if db.engine() == Engine::Postgres {
        // A migration may take as long as it needs; this connection serves nothing else.
        c.close_on_drop();
        raw_sql("set statement_timeout = 0").execute(&mut *c).await?;
        raw_sql(POSTGRES_FIRST).execute(&mut *c).await?;
    }
    migrator(upto).run(&mut *c).await.map_err(Error::Migrate)
}
