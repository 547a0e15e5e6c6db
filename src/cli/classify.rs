//! `classify`: what the heads read in a message.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use super::filter::{self, Io, history, maybe, subject_and_text, text, together};
use crate::app;
use crate::config::Config;
use crate::nlp::heads::Input;

/// Options of `classify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    io: Io,
    /// Only these outputs (as intent,sentiment).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Another taxonomy file.
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
}

/// `classify`: `{id, text, subject?, history?}`.
pub fn run(config: &Config, a: &Args) -> anyhow::Result<ExitCode> {
    const OUTPUTS: [&str; 6] = ["intent", "sentiment", "urgency", "language", "spam", "injection"];
    if let Some(bad) = a.only.iter().find(|o| !OUTPUTS.contains(&o.as_str())) {
        anyhow::bail!("--only {bad}: expected {}", OUTPUTS.join(", "));
    }
    let mut config = config.clone();
    if let Some(t) = &a.taxonomy {
        config.triage.taxonomy = t.display().to_string();
    }
    let encoder = app::encoder(&config)?;
    let triage = app::triage(&config, &*encoder)?;
    let wanted = |k: &str| a.only.is_empty() || a.only.iter().any(|o| o == k);
    filter::run(a.io.input.as_deref(), |records| {
        together(records, subject_and_text, |records, _| {
            records
                .iter()
                .map(|r| {
                    let history = history(r)?;
                    let turns: Vec<&str> = history.iter().map(|(_, t)| t.as_str()).collect();
                    let input = Input {
                        subject: maybe(r, "subject")?,
                        text: text(r, "text")?,
                        history: &turns,
                    };
                    // Sentence by sentence too: an order to the model hides inside an honest letter.
                    let analysis = triage
                        .read(&input, &*encoder)
                        .ok_or_else(|| "the text can't be encoded".to_owned())?;
                    let Ok(Value::Object(mut found)) = serde_json::to_value(&analysis) else {
                        return Err("the analysis can't be written".to_owned());
                    };
                    found.retain(|k, _| wanted(k) && OUTPUTS.contains(&k.as_str()));
                    let mut r = r.clone();
                    for k in ["text", "subject", "history"] {
                        r.remove(k);
                    }
                    r.append(&mut found);
                    Ok(r)
                })
                .collect()
        })
    })
}
