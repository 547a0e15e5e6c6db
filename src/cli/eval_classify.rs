//! `eval classify`: what `classify` printed, against right labels.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::labelled::label;
use super::out;
use crate::eval::labels::Judged;
use crate::nlp::heads::trained::{Given, Metrics, Task};

/// Arguments of `eval classify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// JSON Lines with right labels.
    #[arg(long, value_name = "FILE")]
    gold: PathBuf,
    /// What `classify` printed for them; `-` is standard input. Lines go together by `id`, without ids by
    /// their order.
    #[arg(long, value_name = "FILE")]
    pred: PathBuf,
    /// Which output is judged: intent, sentiment, urgency, spam, injection.
    #[arg(long, default_value = "intent")]
    task: Task,
    /// The field of the right label.
    #[arg(long, default_value = "label", value_name = "NAME")]
    label_field: String,
}

/// Runs.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let gold = read(&args.gold)?;
    let found = read(&args.pred)?;
    let by_id: HashMap<String, &Map<String, Value>> =
        found.iter().filter_map(|r| Some((label(r.get("id"))?, r))).collect();
    let mut names: Vec<String> = Vec::new();
    let mut place = |name: String| {
        names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    };
    let mut given = Vec::with_capacity(gold.len());
    for (number, row) in gold.iter().enumerate() {
        let right = label(row.get(&args.label_field))
            .with_context(|| format!("{}: row {} has no label", args.gold.display(), number + 1))?;
        let right = args.task.label(&right).with_context(|| format!("row {}", number + 1))?;
        let answer = match label(row.get("id")) {
            Some(id) => by_id.get(&id).copied(),
            None => found.get(number),
        };
        let answer = answer
            .and_then(|answer| answered(args.task, answer))
            .with_context(|| format!("no {} was found for row {}", args.task, number + 1))?;
        let judged = Judged { gold: place(right), found: place(answer.0), confidence: answer.1 };
        given.push(Given { judged, abstained: answer.2 });
    }
    let outside = names.iter().position(|name| args.task.is_outside(name));
    let metrics = Metrics::of("gold", &names, outside, &given);
    out(&serde_json::to_string(&metrics)?);
    Ok(ExitCode::SUCCESS)
}

/// Label, confidence and whether it abstained.
fn answered(task: Task, row: &Map<String, Value>) -> Option<(String, f64, bool)> {
    let output = row.get(task.as_str())?;
    let text = |field: &str| output.get(field).and_then(Value::as_str).map(str::to_owned);
    let number = |field: &str| output.get(field).and_then(Value::as_f64);
    Some(match task {
        Task::Intent => (
            text("label")?,
            number("confidence")?,
            output.get("abstained").and_then(Value::as_bool).unwrap_or_default(),
        ),
        Task::Sentiment => (text("label")?, number("confidence")?, false),
        Task::Urgency => (output.as_str()?.to_owned(), 1.0, false),
        Task::Spam => {
            let (label, score) = (text("label")?, number("score")?);
            let sure = if label == "ham" { 1.0 - score } else { score };
            (label, sure, false)
        }
        Task::Injection => {
            let (flagged, score) = (output.get("flagged")?.as_bool()?, number("score")?);
            let label = if flagged { "attack" } else { "benign" };
            (label.to_owned(), if flagged { score } else { 1.0 - score }, false)
        }
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<Map<String, Value>>> {
    let name = path.display();
    let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(path).with_context(|| name.to_string())?))
    };
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(input.lines()) {
        let line = line?;
        if !line.trim().is_empty() {
            rows.push(
                serde_json::from_str(&line)
                    .map_err(|e| anyhow::anyhow!("{name}, line {number}, column {}", e.column()))?,
            );
        }
    }
    Ok(rows)
}
