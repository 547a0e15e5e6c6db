//! The command line: one file a command. Flags parse here, work happens in the library. Standard
//! output carries results, standard error everything else.

mod admin;
mod demo;
mod eval;
mod filter;
mod filters;
mod import;
mod kb;
mod mask;
mod serve;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::telemetry;

/// Self-hosted AI triage and RAG: every reply waits for a countersignature.
#[derive(Parser, Debug)]
#[command(name = "countersign", version, max_term_width = 100)]
struct Cli {
    /// Configuration file (default: ./countersign.toml, if it is there).
    #[arg(long, global = true, value_name = "FILE", env = "COUNTERSIGN_CONFIG")]
    config: Option<PathBuf>,
    /// Overrides one setting; may be given several times.
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    sets: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start the service: API, webhooks, page, with workers inside.
    Serve,
    /// Start workers alone (PostgreSQL only: on SQLite one process owns the database).
    Worker,
    /// A demonstration: inbox, knowledge base, page, sandbox channel.
    Demo(demo::Args),
    /// Split messages into visible text, quoted history and signature (JSON Lines).
    Parse(filters::Io),
    /// Mask personal data (JSON Lines).
    Mask(mask::MaskArgs),
    /// The inverse of mask: put values back by the line's spans (JSON Lines).
    Unmask(filters::Io),
    /// Cut texts into chunks (JSON Lines).
    Chunk(filters::Io),
    /// Embed texts (JSON Lines).
    Embed(filters::Io),
    /// Classify messages (JSON Lines).
    Classify(filters::ClassifyArgs),
    /// Search a corpus (JSON Lines).
    Search(filters::SearchArgs),
    /// Draft answers from passages (JSON Lines).
    Draft(filters::Io),
    /// Measure on labelled data.
    #[command(subcommand)]
    Eval(eval::Command),
    /// Fit a head and write it to a file.
    #[command(subcommand)]
    Train(train::Command),
    /// Import mail or JSON Lines: mbox, Maildir, .eml, .jsonl.
    Import(import::Args),
    /// The knowledge base.
    #[command(subcommand)]
    Kb(kb::Command),
    /// API keys.
    #[command(subcommand)]
    Keys(admin::Keys),
    /// People with a login.
    #[command(subcommand)]
    Users(admin::Users),
    /// Channels.
    #[command(subcommand)]
    Channels(admin::Channels),
    /// The audit log.
    #[command(subcommand)]
    Audit(admin::Audit),
    /// Models.
    #[command(subcommand)]
    Models(admin::Models),
    /// Jobs that were given up.
    #[command(subcommand)]
    Jobs(admin::Jobs),
    /// Check the installation and say what is wrong with it.
    Doctor,
    /// Bring the database's schema up to date.
    Migrate,
    /// Write a consistent copy of the database, also while the service runs (SQLite).
    Backup(admin::BackupArgs),
    /// Put a backup in the place of the database; the service must be stopped.
    Restore(admin::RestoreArgs),
    /// Print the default configuration, every key commented.
    Config,
}

/// Parses, runs, and turns what came of it into an exit status: 0 good, 1 some input failed,
/// 2 wrong usage or nothing could be done.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(e) => {
            // A closed pipe is how `| head` ends a command.
            let closed = e.chain().any(|c| {
                c.downcast_ref::<std::io::Error>()
                    .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
            });
            if closed {
                return ExitCode::SUCCESS;
            }
            say(&format!("countersign: {e:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let local = PathBuf::from("countersign.toml");
    let file = cli.config.or_else(|| local.exists().then_some(local));
    let mut config = Config::load(file.as_deref(), &|k| std::env::var(k).ok(), &cli.sets)?;
    if let Command::Demo(args) = &cli.command {
        args.adjust(&mut config)?;
    }
    telemetry::init(&config.log);
    let quiet = match cli.command {
        Command::Parse(a) => return filters::parse(&config, &a),
        Command::Mask(a) => return mask::mask(&config, &a),
        Command::Unmask(a) => return mask::unmask(&a),
        Command::Chunk(a) => return filters::chunk(&a),
        Command::Embed(a) => return filters::embed(&config, &a),
        Command::Classify(a) => return filters::classify(&config, &a),
        Command::Search(a) => return filters::search(&config, &a),
        Command::Draft(a) => return filters::draft(&config, &a),
        Command::Train(c) => return train::run(&config, c),
        Command::Eval(c) => return eval::run(&config, c),
        Command::Config => {
            out(crate::config::DEFAULT.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        match quiet {
            Command::Serve => serve::serve(config).await,
            Command::Worker => serve::worker(config).await,
            Command::Demo(a) => demo::run(config, a).await,
            Command::Import(a) => import::run(&config, a).await,
            Command::Kb(a) => kb::run(&config, a).await,
            Command::Keys(a) => admin::keys(&config, a).await,
            Command::Users(a) => admin::users(&config, a).await,
            Command::Channels(a) => admin::channels(&config, a).await,
            Command::Audit(a) => admin::audit(&config, a).await,
            Command::Models(a) => admin::models(&config, a).await,
            Command::Jobs(a) => admin::jobs(&config, a).await,
            Command::Doctor => admin::doctor(&config).await,
            Command::Migrate => admin::migrate(&config).await,
            Command::Backup(a) => admin::backup(&config, a).await,
            Command::Restore(a) => admin::restore(&config, a).await,
            _ => Ok(ExitCode::SUCCESS),
        }
    })
}

/// A line of results.
#[expect(clippy::print_stdout, reason = "standard output is what a command is for")]
fn out(text: &str) {
    println!("{text}");
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the person at the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
