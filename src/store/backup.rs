//! A consistent copy of the database while it is in use. SQLite writes one with `vacuum into`;
//! for PostgreSQL the server's own tools are the right ones, and the error says which.

use std::path::Path;

use sqlx::AssertSqlSafe;

use super::{Db, Engine, Error, Result};

/// Writes a copy to `target`, which must not exist.
///
/// # Errors
/// [`Error::Open`] when the target exists, can't be written, or the engine is PostgreSQL.
pub async fn copy(db: &Db, target: &Path) -> Result<()> {
    if db.engine() == Engine::Postgres {
        return Err(Error::Open(
            "on PostgreSQL use `pg_dump --format=custom`, which is consistent while running, \
             and `pg_restore`; keep the master key with it"
                .into(),
        ));
    }
    if target.exists() {
        return Err(Error::Open(format!("{} exists already", target.display())));
    }
    let text = target
        .to_str()
        .ok_or_else(|| Error::Open("the target's path isn't UTF-8".into()))?
        .replace('\'', "''");
    // A read connection: WAL gives it one consistent state while the writer goes on.
    let mut c = db.read().await?;
    sqlx::query(AssertSqlSafe(format!("vacuum into '{text}'"))).execute(&mut *c).await?;
    drop(c);
    sync(target)
}

fn sync(path: &Path) -> Result<()> {
    std::fs::File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(|e| Error::Open(format!("{}: {e}", path.display())))
}

/// Whether a file is a whole database that this binary can open.
///
/// # Errors
/// [`Error::Open`] with what `pragma integrity_check` says.
pub async fn check(db: &Db) -> Result<()> {
    if db.engine() == Engine::Postgres {
        return Ok(());
    }
    let mut c = db.read().await?;
    let (said,): (String,) = sqlx::query_as("pragma integrity_check(1)").fetch_one(&mut *c).await?;
    if said == "ok" { Ok(()) } else { Err(Error::Open(format!("integrity check: {said}"))) }
}
