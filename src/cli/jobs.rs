//! `jobs`: how much work waits, and dead letters put back to it.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{done, open, row};
use crate::app;
use crate::config::Config;
use crate::pipeline;
use crate::store::engine::Options;
use crate::store::{Db, job};

/// `jobs`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Count jobs by kind and state.
    Status,
    /// Put dead letters back to work, with fresh attempts: messages that could not be read, answers
    /// that could not be drafted. Replies that could not be sent are in the queue already.
    Replay {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `jobs`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Status => {
            let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
            let db = Db::open(&options).await?;
            let mut conn = db.read().await?;
            for (kind, state, n) in job::counts(&mut conn).await? {
                row(&json!({"kind": kind, "state": state, "jobs": n}));
            }
            drop(conn);
            db.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Replay { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let n = pipeline::replay(&store, &t.id).await?;
            row(&json!({"replayed": n}));
            done(store).await
        }
    }
}
