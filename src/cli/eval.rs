//! `eval`: measures a part of the program on labelled data, with the metrics of [`crate::eval`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::filter::in_parallel;
use super::{eval_classify, out};
use crate::app;
use crate::config::Config;
use crate::eval::interval::{Interval, bootstrap};
use crate::eval::spans::{Labelled, Outcome, compare, merge_adjacent};
use crate::nlp::detect::Detector;
use crate::nlp::encoder::Embed;
use crate::nlp::mask::{Finding, Hints};

/// Rounds of the bootstrap.
const ROUNDS: usize = 1000;

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Masking, on texts with labelled spans.
    Mask(MaskArgs),
    /// What `classify` printed, against right labels.
    Classify(eval_classify::Args),
}

/// Arguments of `eval mask`.
#[derive(Args, Debug)]
pub struct MaskArgs {
    /// JSON Lines of {text, spans: [{type, start, end}]}, offsets in code points.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Types that are judged; labels of other types are left out of everything.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "PERSON,LOCATION,ORGANIZATION,CREDIT_CARD,\
        PHONE_NUMBER,EMAIL_ADDRESS,IBAN_CODE,US_SSN,IP_ADDRESS,URL"
    )]
    types: Vec<String>,
    /// Names of the data's types, as GPE=LOCATION; a type without one keeps its name.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "GPE=LOCATION,STREET_ADDRESS=LOCATION,\
        location=LOCATION,person=PERSON,corporation=ORGANIZATION,group=ORGANIZATION,\
        PER=PERSON,LOC=LOCATION,ORG=ORGANIZATION,DOMAIN_NAME=URL"
    )]
    map: Vec<String>,
    /// Judge what another program found instead: JSON Lines of {spans: [{type, start, end}]}, one
    /// line for each of the data's, offsets in code points.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_names", "lower"])]
    found: Option<PathBuf>,
    /// Without names.
    #[arg(long)]
    no_names: bool,
    /// On the texts in lower case.
    #[arg(long)]
    lower: bool,
}

#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    spans: Vec<Label>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    spans: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    #[serde(rename = "type")]
    entity: String,
    start: usize,
    end: usize,
}

/// Runs.
pub fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Mask(args) => mask(config, args),
        Command::Classify(args) => eval_classify::run(&args),
    }
}

fn mask(config: &Config, args: MaskArgs) -> anyhow::Result<ExitCode> {
    let map: BTreeMap<&str, &str> = args
        .map
        .iter()
        .map(|m| m.split_once('=').with_context(|| format!("--map {m}: expected THEIRS=OURS")))
        .collect::<Result<_, _>>()?;
    let types: BTreeSet<&str> = args.types.iter().map(String::as_str).collect();
    let rows: Vec<Row> = read(&args.data)?;
    let outcomes: Vec<Outcome> = if let Some(path) = &args.found {
        let found: Vec<Found> = read(path)?;
        anyhow::ensure!(
            found.len() == rows.len(),
            "{} has {} lines, {} has {}: expected as many",
            path.display(),
            found.len(),
            args.data.display(),
            rows.len()
        );
        let judge = |(row, found): (&Row, &Found)| {
            judge(&row.text, &row.spans, labelled(&row.text, &found.spans, &map), &map, &types)
        };
        rows.iter().zip(&found).map(judge).collect()
    } else {
        let encoder: Option<Arc<dyn Embed>> =
            if args.no_names { None } else { Some(app::encoder(config)?) };
        let detector = app::detector(&config.mask, None, encoder)?;
        in_parallel(rows, |row: Row| {
            let text = if args.lower { lowered(&row.text) } else { row.text };
            judge(&text, &row.spans, ours(&detector, &text), &map, &types)
        })
    };
    report(&outcomes, &types);
    Ok(ExitCode::SUCCESS)
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line?;
        if !line.trim().is_empty() {
            let row = serde_json::from_str(&line).map_err(|e| {
                anyhow::anyhow!("{}, line {number}, column {}", path.display(), e.column())
            })?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Spans in code points as spans in bytes, their types under our names; what lies outside the text
/// is left out.
fn labelled(text: &str, spans: &[Label], map: &BTreeMap<&str, &str>) -> Vec<Labelled> {
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let one = |l: &Label| {
        let entity = map.get(l.entity.as_str()).copied().unwrap_or(&l.entity);
        Some(Labelled::new(*bytes.get(l.start)?, *bytes.get(l.end)?, entity))
    };
    spans.iter().filter_map(one).collect()
}

fn ours(detector: &Detector, text: &str) -> Vec<Labelled> {
    let found = detector.explain(text, &Hints::default());
    let span = |f: &Finding| Labelled::new(f.span.start, f.span.end, f.span.entity.as_str());
    found.iter().map(span).collect()
}

fn judge(
    text: &str,
    spans: &[Label],
    found: Vec<Labelled>,
    map: &BTreeMap<&str, &str>,
    types: &BTreeSet<&str>,
) -> Outcome {
    let mut right = labelled(text, spans, map);
    right.retain(|l| types.contains(l.entity.as_str()));
    let right = merge_adjacent(text, right, "LOCATION");
    let found = merge_adjacent(text, found, "LOCATION");
    let mut outcome = compare(text, &right, &found);
    outcome.types.retain(|entity, _| types.contains(entity.as_str()));
    outcome
}

/// Lower case of the same length in bytes, so that the labels still fit.
fn lowered(text: &str) -> String {
    let lower = |c: char| {
        let mut all = c.to_lowercase();
        all.next().filter(|l| all.next().is_none() && l.len_utf8() == c.len_utf8()).unwrap_or(c)
    };
    text.chars().map(lower).collect()
}

fn report(outcomes: &[Outcome], types: &BTreeSet<&str>) {
    let mut all = Outcome::default();
    outcomes.iter().for_each(|o| all.add(o));
    let over = |figure: &dyn Fn(&Outcome) -> f64| -> Interval {
        bootstrap(outcomes.len(), ROUNDS, 1, |drawn| {
            let mut sum = Outcome::default();
            drawn.iter().filter_map(|i| outcomes.get(*i)).for_each(|o| sum.add(o));
            figure(&sum)
        })
    };
    let table = std::io::stdout().is_terminal();
    let round = |v: f64| (v * 1000.0).round() / 1000.0;
    if table {
        out(&format!("{:<18}{:>8}{:>8}{:>8}{:>8}   95 %", "type", "labels", "P", "R", "F2"));
    }
    for entity in types {
        let c = all.of(entity);
        if c.labelled == 0 && c.found == 0 {
            continue;
        }
        let i = over(&|o: &Outcome| o.of(entity).f(2.0));
        let (p, r, f) = (c.precision(), c.recall(), c.f(2.0));
        if table {
            let n = c.labelled;
            out(&format!(
                "{entity:<18}{n:>8}{p:>8.3}{r:>8.3}{f:>8.3}   {:.3}–{:.3}",
                i.low, i.high
            ));
        } else {
            out(
                &json!({"type": entity, "labelled": c.labelled, "found": c.found, "right": c.right,
                "precision": round(p), "recall": round(r), "f1": round(c.f(1.0)), "f2": round(f),
                "f2_low": round(i.low), "f2_high": round(i.high)})
                .to_string(),
            );
        }
    }
    let hit = outcomes.iter().filter(|o| o.types.values().any(|c| c.found > 0)).count();
    let recall = all.character_recall();
    if table {
        out(&format!("labelled characters covered by any span: {recall:.3}"));
        out(&format!("texts with a span: {hit} of {}", outcomes.len()));
    } else {
        out(&json!({"texts": outcomes.len(), "texts_with_span": hit,
            "character_recall": round(recall)})
        .to_string());
    }
}
