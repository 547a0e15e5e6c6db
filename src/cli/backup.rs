//! `backup` and `restore`: copies of an SQLite database. What is restored is checked first, and what
//! it replaces is kept beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::row;
use crate::config::Config;
use crate::store::engine::Options;
use crate::store::{Db, backup as stored, migrate, tenant};

/// `backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file to write; must not exist. Keep the master key apart from it.
    target: PathBuf,
}

/// Runs `backup`.
pub async fn backup(config: &Config, a: BackupArgs) -> anyhow::Result<ExitCode> {
    let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
    let db = Db::open(&options).await?;
    stored::copy(&db, &a.target).await?;
    db.close().await;
    row(&json!({"backup": a.target, "bytes": std::fs::metadata(&a.target)?.len()}));
    Ok(ExitCode::SUCCESS)
}

/// `restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// A file that `backup` wrote.
    source: PathBuf,
    /// Replace a database that is there (it is kept beside it as `.before-restore`).
    #[arg(long)]
    force: bool,
}

/// Runs `restore`: checks the backup, then puts it in place under the exclusive lock.
pub async fn restore(config: &Config, a: RestoreArgs) -> anyhow::Result<ExitCode> {
    let source = format!("sqlite:{}", a.source.display());
    if !a.source.exists() {
        anyhow::bail!("{} is not there", a.source.display());
    }
    let copy = Db::open(&Options { exclusive: false, ..Options::new(source) }).await?;
    stored::check(&copy).await.context("the backup is damaged")?;
    copy.close().await;
    let here = Db::open(&Options::new(config.database.url.clone())).await?;
    let file =
        here.file().context("restore works on SQLite; for PostgreSQL use pg_restore")?.to_owned();
    let mut conn = here.read().await?;
    let used = tenant::all(&mut conn).await.is_ok_and(|t| !t.is_empty());
    drop(conn);
    here.close().await;
    if used && !a.force {
        anyhow::bail!(
            "{} holds data: add --force to replace it (it is kept beside)",
            file.display()
        );
    }
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    let fresh = beside(".restoring");
    std::fs::copy(&a.source, &fresh)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    if used {
        std::fs::rename(&file, beside(".before-restore"))?;
    }
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(suffix));
    }
    std::fs::rename(&fresh, &file)?;
    let db = Db::open(&Options { exclusive: false, ..Options::new(config.database.url.clone()) })
        .await?;
    migrate::run(&db, None).await?;
    db.close().await;
    row(&json!({"restored": file}));
    Ok(ExitCode::SUCCESS)
}
