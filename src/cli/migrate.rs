//! `migrate`: the schema, brought up to date without starting the service.

use std::process::ExitCode;

use serde_json::json;

use super::row;
use crate::config::Config;
use crate::store::engine::Options;
use crate::store::{Db, migrate};

/// `migrate`.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let db = Db::open(&Options::new(config.database.url.clone())).await?;
    migrate::run(&db, None).await?;
    db.close().await;
    row(&json!({"schema": migrate::latest()}));
    Ok(ExitCode::SUCCESS)
}
