//! `classify`: what the heads read in a message.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::filter::{self, Io, history, maybe, subject_and_text, text, together};
use crate::app;
use crate::config::Config;
use crate::domain::message::Direction;
use crate::nlp::heads::trained::{self, Alone, Head, Task};
use crate::nlp::heads::{Input, Triage};

/// Options of `classify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    io: Io,
    /// Only these outputs (as intent,sentiment).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Say which words moved each decision, and where dates stand.
    #[arg(long)]
    explain: bool,
    /// Another taxonomy file.
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
    /// A folder that `train` wrote: its head takes the place of the built-in one. May be given several times.
    #[arg(long, value_name = "DIR")]
    model: Vec<PathBuf>,
}

/// `classify`: `{id, text, subject?, history?, vip?}`.
pub fn run(config: &Config, a: &Args) -> anyhow::Result<ExitCode> {
    const OUTPUTS: [&str; 13] = [
        "intent",
        "sentiment",
        "urgency",
        "language",
        "spam",
        "injection",
        "auto_reply",
        "risk",
        "trend",
        "deadlines",
        "entities",
        "summary",
        "versions",
    ];
    if let Some(bad) = a.only.iter().find(|o| !OUTPUTS.contains(&o.as_str())) {
        anyhow::bail!("--only {bad}: expected {}", OUTPUTS.join(", "));
    }
    let mut config = config.clone();
    if let Some(t) = &a.taxonomy {
        config.triage.taxonomy = t.display().to_string();
    }
    config.triage.heads.extend(a.model.iter().cloned());
    let encoder = app::encoder(&config)?;
    let full = || app::triage(&config, &*encoder);
    let wanted = |k: &str| a.only.is_empty() || a.only.iter().any(|o| o == k);
    // Sentence by sentence too: an order to the model hides inside an honest letter.
    let read = |triage: &Triage, inputs: &[Input<'_>]| {
        let analyses = triage.read_batch(inputs, &*encoder);
        let found = analyses.iter().map(|analysis| {
            let mut found = fields(&serde_json::to_value(analysis));
            found.retain(|k, _| {
                let output = k.strip_suffix("_reasons").unwrap_or(k);
                let output = output.strip_suffix("_confidence").unwrap_or(output);
                wanted(output) && OUTPUTS.contains(&output)
            });
            found
        });
        found.collect::<Vec<_>>()
    };
    let heads = heads(&config.triage.heads)?;
    let trained = |k: &String| heads.keys().any(|task| Alone::can(*task) && task.as_str() == k);
    if a.only.is_empty() || a.explain || !a.only.iter().all(trained) {
        let triage = full()?;
        return each_batch(a, |inputs| Ok(read(&triage, inputs)));
    }
    let heads = heads.into_values().filter(|h| wanted(h.task().as_str())).collect();
    let alone = Alone::new(heads, app::taxonomy(&config)?, &*encoder)?;
    // Only what a thread is about needs all heads, and threads may never come.
    let triage = OnceCell::new();
    each_batch(a, |inputs| {
        if wanted(Task::Intent.as_str()) && inputs.iter().any(|i| !i.history.is_empty()) {
            let triage = triage.get_or_init(|| full().map_err(|e| format!("{e:#}")));
            return triage.as_ref().map(|t| read(t, inputs)).map_err(Clone::clone);
        }
        let outputs = alone.read_batch(inputs, &*encoder);
        Ok(outputs.iter().map(|o| fields(&serde_json::to_value(o))).collect())
    })
}

/// The trained heads in these folders; of two for one task the later one.
fn heads(folders: &[PathBuf]) -> anyhow::Result<BTreeMap<Task, Head>> {
    folders
        .iter()
        .map(|folder| {
            let head = trained::load(folder)
                .with_context(|| format!("reading the trained head in {}", folder.display()))?;
            Ok((head.task(), head))
        })
        .collect()
}

fn fields(value: &serde_json::Result<Value>) -> Map<String, Value> {
    value.as_ref().ok().and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Runs the filter: `read` answers for the messages of a batch, in order.
fn each_batch(
    a: &Args,
    read: impl Fn(&[Input<'_>]) -> Result<Vec<Map<String, Value>>, String>,
) -> anyhow::Result<ExitCode> {
    filter::run(a.io.input.as_deref(), |records| {
        together(records, subject_and_text, |records, _| {
            let histories: Vec<Result<Vec<(Direction, String)>, String>> =
                records.iter().map(history).collect();
            let turns: Vec<Vec<&str>> = histories
                .iter()
                .map(|h| h.iter().flatten().map(|(_, text)| text.as_str()).collect())
                .collect();
            // `together` has seen that text and subject are texts.
            let inputs: Vec<Input<'_>> = records
                .iter()
                .zip(&turns)
                .map(|(r, turns)| Input {
                    subject: maybe(r, "subject").unwrap_or_default(),
                    text: text(r, "text").unwrap_or_default(),
                    history: turns,
                    vip: r.get("vip").and_then(Value::as_bool).unwrap_or(false),
                    explain: a.explain,
                    ..Input::default()
                })
                .collect();
            let mut found = match read(&inputs) {
                Ok(found) => found.into_iter(),
                Err(why) => return records.iter().map(|_| Err(why.clone())).collect(),
            };
            let answers = records.iter().zip(&histories).map(|(r, history)| {
                let found = found.next().ok_or("the text can't be encoded")?;
                history.as_ref().map_err(Clone::clone)?;
                let mut r = r.clone();
                for k in ["text", "subject", "history"] {
                    r.remove(k);
                }
                r.extend(found);
                Ok(r)
            });
            answers.collect()
        })
    })
}
