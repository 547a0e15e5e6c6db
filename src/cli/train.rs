//! `train`: rebuilds what the program has learnt, from the same public data and the same seed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::out;
use crate::app;
use crate::config::Config;
use crate::nlp::names::corpus::{self, Example, TRAINING_FILES};
use crate::nlp::names::generate::{Generator, Side};
use crate::nlp::names::train::{self, Data, Progress, Settings};

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The head that finds names of people, places and organisations.
    Names(NamesArgs),
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

/// Runs.
pub fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Names(args) = command;
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
