//! `train`: heads from a team's own labelled messages, and the rebuilding of what the program has learnt.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::train_head::HeadArgs;
use super::{learnt, out, train_head};
use crate::app;
use crate::config::Config;
use crate::nlp::heads::shipped::train::{self as shipped, Row};
use crate::nlp::heads::trained::Task;
use crate::nlp::heads::{DEFAULT_TAXONOMY, Taxonomy};
use crate::nlp::names::corpus::{self, Example, TRAINING_FILES};
use crate::nlp::names::generate::{Generator, Side};
use crate::nlp::names::train::{self, Data, Progress, Settings};

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The head that finds names of people, places and organisations.
    Names(NamesArgs),
    /// What messages are about, by your own labels; `oos` marks what is about none of them.
    Intent(HeadArgs),
    /// The mood: negative, neutral, positive, or five steps.
    Sentiment(HeadArgs),
    /// How soon somebody should look: low, normal, high, critical.
    Urgency(HeadArgs),
    /// Ham or spam (or phishing, or abuse).
    Spam(HeadArgs),
    /// Orders to the model: benign or attack.
    Injection(HeadArgs),
    /// The spam and injection heads that are part of the program.
    Heads(HeadsArgs),
}

/// Arguments of `train heads`.
#[derive(Args, Debug)]
pub struct HeadsArgs {
    /// Folder with sms_spam.train.jsonl and injection.train.jsonl.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to write the heads.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Arguments of `train names`.
#[derive(Args, Debug)]
pub struct NamesArgs {
    /// Folder with ner/wnut17.train.jsonl and ner/btc_*.train.jsonl.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to write the head.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Messages to generate.
    #[arg(long, default_value_t = train::MESSAGES)]
    messages: usize,
    /// Times that each text is seen.
    #[arg(long, default_value_t = Settings::default().epochs)]
    epochs: usize,
    /// Everything random follows from it.
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
}

impl Command {
    fn head(&self) -> Option<(Task, &HeadArgs)> {
        Some(match self {
            Self::Intent(args) => (Task::Intent, args),
            Self::Sentiment(args) => (Task::Sentiment, args),
            Self::Urgency(args) => (Task::Urgency, args),
            Self::Spam(args) => (Task::Spam, args),
            Self::Injection(args) => (Task::Injection, args),
            Self::Names(_) | Self::Heads(_) => return None,
        })
    }

    /// Whether it learns from the corrections in the database.
    pub fn uses_store(&self) -> bool {
        self.head().is_some_and(|(_, args)| args.from_store)
    }
}

/// Learns from the corrections in the database.
pub async fn from_store(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command.head() {
        Some((task, args)) => learnt::train(config, task, &args.tenant, args.latest).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Runs.
pub fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Names(args) => names(config, &args),
        Command::Heads(args) => heads(config, &args),
        head => match head.head() {
            Some((task, args)) => train_head::run(config, task, args),
            None => Ok(ExitCode::SUCCESS),
        },
    }
}

fn heads(config: &Config, args: &HeadsArgs) -> anyhow::Result<ExitCode> {
    let messages = rows(&args.data.join("sms_spam.train.jsonl"), "spam")?;
    let orders = rows(&args.data.join("injection.train.jsonl"), "1")?;
    let encoder = app::encoder(config)?;
    let taxonomy = Taxonomy::parse(DEFAULT_TAXONOMY)?;
    let (file, figures) = shipped::train(&*encoder, &taxonomy, &messages, &orders)?;
    std::fs::write(&args.out, &file).with_context(|| args.out.display().to_string())?;
    out(&json!({"file": args.out, "bytes": file.len(), "figures": figures}).to_string());
    Ok(ExitCode::SUCCESS)
}

/// Rows `{id, text, label, attack?}`; those with this label are the ones to find.
fn rows(path: &Path, positive: &str) -> anyhow::Result<Vec<Row>> {
    let file = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let row = |(number, line): (usize, &str)| -> anyhow::Result<Row> {
        let at = || format!("{} line {}", path.display(), number + 1);
        let value: Value = serde_json::from_str(line).with_context(at)?;
        let field = |key: &str| value[key].as_str().map(str::to_owned);
        let label = field("label").unwrap_or_else(|| value["label"].to_string());
        Ok(Row {
            text: field("text").with_context(at)?,
            positive: label == positive,
            group: field("attack").or_else(|| field("id")).with_context(at)?,
        })
    };
    file.lines().enumerate().map(row).collect()
}

fn names(config: &Config, args: &NamesArgs) -> anyhow::Result<ExitCode> {
    let mut corpora: Vec<Example> = Vec::new();
    for file in TRAINING_FILES {
        corpora.extend(corpus::read(&args.data.join(file))?);
    }
    let encoder = app::encoder(config)?;
    let mut generator = Generator::new(Side::Train, args.seed);
    let messages: Vec<Example> = (0..args.messages).map(|_| generator.message()).collect();
    let settings = Settings { seed: args.seed, epochs: args.epochs, ..Settings::default() };
    let bar = ProgressBar::new((messages.len() + corpora.len()) as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} texts  {msg}  {elapsed}")
    {
        bar.set_style(style);
    }
    let progress = |p: Progress| match p {
        Progress::Encoded(n) => bar.set_position(n as u64),
        Progress::Epoch { number, loss } => {
            bar.set_message(format!("epoch {number} of {}, loss {loss:.4}", args.epochs));
        }
    };
    let texts = messages.len() + corpora.len();
    let data = Data::new(&encoder, messages, corpora, args.seed, &progress);
    let file = data.fit(&settings, &progress);
    bar.finish_and_clear();
    std::fs::write(&args.out, &file).with_context(|| args.out.display().to_string())?;
    out(&json!({"file": args.out, "bytes": file.len(), "texts": texts, "seed": args.seed})
        .to_string());
    Ok(ExitCode::SUCCESS)
}
