//! The command line: one file a command. Flags parse here, work happens in the library. Standard
//! output carries results, standard error everything else.

mod audit;
mod backup;
mod channels;
mod chunk;
mod classify;
mod demo;
mod discover;
mod doctor;
mod draft;
mod embed;
mod eval;
mod eval_classify;
mod examples;
mod filter;
mod ground;
mod import;
mod jobs;
mod kb;
mod keys;
mod labelled;
mod learnt;
mod mask;
mod mcp;
mod migrate;
mod models;
mod parse;
mod search;
mod serve;
mod train;
mod train_head;
mod users;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::config::Config;
use crate::domain::ids::Slug;
use crate::store::Store;
use crate::store::tenant::{self, Tenant};
use crate::{app, telemetry};

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
    Parse(filter::Io),
    /// Mask personal data (JSON Lines).
    Mask(mask::MaskArgs),
    /// The inverse of mask: put values back by the line's spans (JSON Lines).
    Unmask(filter::Io),
    /// Cut texts into chunks (JSON Lines).
    Chunk(filter::Io),
    /// Embed texts (JSON Lines).
    Embed(filter::Io),
    /// Classify messages (JSON Lines).
    Classify(classify::Args),
    /// Search a corpus (JSON Lines).
    Search(search::Args),
    /// Draft answers from passages (JSON Lines).
    Draft(filter::Io),
    /// Check answers against their passages (JSON Lines).
    Ground(filter::Io),
    /// Measure on labelled data.
    #[command(subcommand)]
    Eval(eval::Command),
    /// Train a head on labelled messages.
    #[command(subcommand)]
    Train(train::Command),
    /// What reviewers said that heads should have said, as lines that `train` takes.
    Examples(examples::Args),
    /// Groups among the messages whose intent is unknown: what the taxonomy may lack.
    Discover(discover::Args),
    /// Import mail or JSON Lines: mbox, Maildir, .eml, .jsonl.
    Import(import::Args),
    /// The knowledge base.
    #[command(subcommand)]
    Kb(kb::Command),
    /// API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// People with a login.
    #[command(subcommand)]
    Users(users::Command),
    /// Channels.
    #[command(subcommand)]
    Channels(channels::Command),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Models: the encoder's files, and heads that were learnt from corrections.
    #[command(subcommand)]
    Models(models::Command),
    /// Jobs that were given up.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// A server of the Model Context Protocol on standard input and output: tools that only read.
    Mcp,
    /// Check the installation and say what is wrong with it.
    Doctor,
    /// Bring the database's schema up to date.
    Migrate,
    /// Write a consistent copy of the database, also while the service runs (SQLite).
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the database; the service must be stopped.
    Restore(backup::RestoreArgs),
    /// Print the default configuration, every key commented.
    Config,
    /// Print the API's description (OpenAPI 3.1).
    Openapi,
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
    if let Command::Mcp = cli.command {
        // The protocol's library logs whole messages, and texts are in them.
        config.log.level.push_str(",rmcp=warn");
    }
    telemetry::init(&config.log);
    let quiet = match cli.command {
        Command::Parse(a) => return parse::run(&config, &a),
        Command::Mask(a) => return mask::mask(&config, &a),
        Command::Unmask(a) => return mask::unmask(&a),
        Command::Chunk(a) => return chunk::run(&a),
        Command::Embed(a) => return embed::run(&config, &a),
        Command::Classify(a) => return classify::run(&config, &a),
        Command::Search(a) => return search::run(&config, &a),
        Command::Draft(a) => return draft::run(&config, &a),
        Command::Ground(a) => return ground::run(&config, &a),
        Command::Train(c) if !c.uses_store() => return train::run(&config, c),
        Command::Eval(c) => return eval::run(&config, c),
        Command::Config => {
            out(crate::config::DEFAULT.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Openapi => {
            out(crate::http::openapi::text().trim_end());
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
            Command::Train(c) => train::from_store(&config, c).await,
            Command::Import(a) => import::run(&config, a).await,
            Command::Discover(a) => discover::run(&config, a).await,
            Command::Examples(a) => examples::run(&config, a).await,
            Command::Kb(a) => kb::run(&config, a).await,
            Command::Keys(a) => keys::run(&config, a).await,
            Command::Users(a) => users::run(&config, a).await,
            Command::Channels(a) => channels::run(&config, a).await,
            Command::Audit(a) => audit::run(&config, a).await,
            Command::Models(a) => models::run(&config, a).await,
            Command::Jobs(a) => jobs::run(&config, a).await,
            Command::Mcp => mcp::run(config).await,
            Command::Doctor => doctor::run(&config).await,
            Command::Migrate => migrate::run(&config).await,
            Command::Backup(a) => backup::backup(&config, a).await,
            Command::Restore(a) => backup::restore(&config, a).await,
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

/// A row: JSON in a pipe, `key value` pairs on a terminal.
fn row(v: &Value) {
    if !std::io::stdout().is_terminal() {
        return out(&v.to_string());
    }
    let pairs: Vec<String> = v
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, v)| format!("{k} {}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    out(&pairs.join("   "));
}

/// The store and the tenant of a name, which is made if need be.
async fn open(config: &Config, name: &str) -> anyhow::Result<(Store, Tenant)> {
    let store = app::open_store(config).await?;
    let slug: Slug = name.parse()?;
    let t = tenant::ensure(&store, &slug).await?;
    Ok((store, t))
}

async fn done(store: Store) -> anyhow::Result<ExitCode> {
    store.db.close().await;
    Ok(ExitCode::SUCCESS)
}
