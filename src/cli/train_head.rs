//! `train intent`, `train sentiment` and so on: a head from a team's own labelled messages.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::labelled::{self, Fields, Labelled};
use super::{out, say};
use crate::app;
use crate::config::Config;
use crate::nlp::heads::trained::{self, Figure, Fitted, Metrics, Options, Progress, Task};
use crate::pipeline::learning;

/// Arguments of `train TASK`.
#[derive(Args, Debug)]
pub struct HeadArgs {
    /// Labelled messages: JSON Lines of {text, label, subject?, id?}, or CSV. May be given several times.
    #[arg(long, value_name = "FILE", required_unless_present = "from_store")]
    data: Vec<PathBuf>,
    /// Learn from the corrections in the database, and store a proposal there (`models promote` uses it).
    #[arg(long, conflicts_with_all = ["data", "dev", "out"])]
    pub from_store: bool,
    /// Whose corrections.
    #[arg(long, default_value = app::HOME, requires = "from_store")]
    pub tenant: String,
    /// So many of the latest corrections, at most a third of all, are kept for judging alone.
    #[arg(long, default_value_t = learning::LATEST, requires = "from_store")]
    pub latest: usize,
    /// Labelled messages to judge the head on besides; it isn't fitted on them.
    #[arg(long, value_name = "FILE")]
    dev: Vec<PathBuf>,
    #[command(flatten)]
    fields: Fields,
    /// The folder to write [default: models/heads/TASK-HASH].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs. Status 1 when nothing can be learnt from the data.
pub fn run(config: &Config, task: Task, args: &HeadArgs) -> anyhow::Result<ExitCode> {
    let data = labelled::read(&args.data, &args.fields, task)?;
    let dev = labelled::read(&args.dev, &args.fields, task)?;
    let encoder = app::encoder(config)?;
    let bar = ProgressBar::new((data.examples.len() + dev.examples.len()) as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} texts  {msg}  {elapsed}")
    {
        bar.set_style(style);
    }
    let progress = |p: Progress| match p {
        Progress::Encoded(done, _) => bar.set_position(done as u64),
        Progress::Tried(done, of) => bar.set_message(format!("trying settings, {done} of {of}")),
        Progress::Fitting => bar.set_message("fitting"),
    };
    let options = Options { dev: dev.examples, ..Options::default() };
    let fitted = trained::fit(task, &data.examples, &*encoder, &options, &progress);
    bar.finish_and_clear();
    let fitted = match fitted {
        Ok(fitted) => fitted,
        Err(e) => {
            say(&format!("countersign: nothing can be learnt: {:#}", anyhow::Error::new(e)));
            return Ok(ExitCode::FAILURE);
        }
    };
    let dir = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("models/heads").join(&fitted.head.about().name));
    fitted.head.save(&dir)?;
    for label in &fitted.findings.single {
        say(&format!(
            "the label `{label}` has a single example: it can be neither learnt nor judged"
        ));
    }
    let bad = data.bad + dev.bad;
    if bad > 0 {
        say(&format!("{bad} lines were left out"));
    }
    if std::io::stdout().is_terminal() {
        table(&dir, &fitted, &data);
    } else {
        out(&report(&dir, &fitted, &data, bad).to_string());
    }
    Ok(ExitCode::SUCCESS)
}

fn report(dir: &Path, fitted: &Fitted, data: &Labelled, bad: u64) -> Value {
    let about = fitted.head.about();
    let found = &fitted.findings;
    let ids = |rows: &[usize]| -> Value { rows.iter().map(|row| data.ids[*row].clone()).collect() };
    let doubtful: Vec<Value> = found
        .mislabelled
        .iter()
        .map(|s| {
            json!({"id": data.ids[s.row], "label": s.label, "suggested": s.suggested,
                "confidence": f64::from((s.confidence * 1000.0).round()) / 1000.0})
        })
        .collect();
    json!({
        "model": dir, "name": about.name, "task": about.task, "encoder": about.encoder,
        "rows": about.data.rows, "labels": about.labels.len(), "left_out": bad,
        "data_sha256": about.data.sha256, "threshold": about.threshold,
        "metrics": fitted.metrics, "dev": fitted.dev,
        "confused": found.confused, "overlapping": found.overlapping, "mislabelled": doubtful,
        "duplicates": ids(&found.duplicates),
        "contradictions": found.contradictions.iter().map(|rows| ids(rows)).collect::<Value>(),
        "single": found.single,
    })
}

fn table(dir: &Path, fitted: &Fitted, data: &Labelled) {
    let about = fitted.head.about();
    out(&format!("{}: {} labels from {} texts", about.name, about.labels.len(), about.data.rows));
    figures("each text by a fit without it", &fitted.metrics, about.task);
    if let Some(dev) = &fitted.dev {
        figures("dev", dev, about.task);
    }
    out(&format!("\n{:<40}{:>8}{:>8}{:>8}{:>8}", "label", "texts", "P", "R", "F1"));
    for l in &fitted.metrics.labels {
        out(&format!(
            "{:<40}{:>8}{:>8.3}{:>8.3}{:>8.3}",
            l.label, l.rows, l.precision, l.recall, l.f1
        ));
    }
    let found = &fitted.findings;
    for (title, pairs) in [
        ("most often taken for another", &found.confused),
        ("labels that overlap (nearest neighbours of each other)", &found.overlapping),
    ] {
        if !pairs.is_empty() {
            out(&format!("\n{title}"));
        }
        for p in pairs {
            out(&format!("  {} / {}: {} ({:.0} %)", p.one, p.other, p.rows, p.share * 100.0));
        }
    }
    if !found.mislabelled.is_empty() {
        out("\nlikely mislabelled, the likeliest first");
    }
    for s in found.mislabelled.iter().take(20) {
        let id = labelled::label(data.ids.get(s.row)).unwrap_or_default();
        out(&format!("  {id}: {} → {} ({:.2})", s.label, s.suggested, s.confidence));
    }
    out(&format!(
        "\n{} duplicates, {} texts under unlike labels\nwritten to {}",
        found.duplicates.len(),
        found.contradictions.len(),
        dir.display()
    ));
}

fn figures(title: &str, m: &Metrics, task: Task) {
    let line = |name: &str, f: &Figure| {
        out(&format!("  {name:<28}{:>7.3}   {:.3}–{:.3}", f.value, f.low, f.high));
    };
    out(&format!("\n{title} ({} texts), intervals of 95 %", m.rows));
    line("accuracy", &m.accuracy);
    line("mean F1", &m.macro_f1);
    line("mean recall", &m.macro_recall);
    out(&format!("  {:<28}{:>7.3}", "calibration error", m.ece));
    if task == Task::Intent {
        line("abstains on", &m.abstained);
        line("accuracy where it doesn't", &m.accuracy_kept);
    }
    if let (Some(recall), Some(auroc)) = (&m.outside_recall, m.outside_auroc) {
        line("out of scope, found", recall);
        out(&format!("  {:<28}{auroc:>7.3}", "out of scope, AUROC"));
    }
}
