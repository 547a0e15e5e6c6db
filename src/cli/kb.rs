//! `kb add`: Markdown, HTML, text, PDF, and question–answer pairs (CSV, JSON Lines). `kb reembed`: new
//! vectors after a change of the encoder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{out, say};
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::knowledge::{self, Document, Format};
use crate::pipeline::reembed::Batch;
use crate::store::tenant;

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Add files or folders; the same path replaces its article.
    Add {
        /// Files (.md, .html, .txt, .pdf, .jsonl, .csv) or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Whose knowledge.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Embed anew what another model, or another mode of it, has embedded: articles and messages of
    /// every tenant. The service does so by itself when it starts.
    Reembed,
}

/// Runs.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Add { paths, tenant } => add(config, &paths, &tenant).await,
        Command::Reembed => reembed(config).await,
    }
}

async fn reembed(config: &Config) -> anyhow::Result<ExitCode> {
    let store = app::open_store(config).await?;
    let encoder = app::encoder(config)?;
    let tenants = {
        let mut c = store.db.read().await?;
        tenant::all(&mut c).await?
    };
    let mut chunks = 0;
    let bar = ProgressBar::new_spinner();
    for t in tenants {
        while let Some(batch) = Batch::next(&store, &*encoder, &t.id).await? {
            let mut tx = store.db.begin().await?;
            tenant::lock(&mut tx, &t.id).await?;
            batch.keep(&mut tx, &*encoder, &t.id).await?;
            tx.commit().await?;
            chunks += batch.len();
            bar.set_message(format!("{chunks} chunks"));
        }
    }
    bar.finish_and_clear();
    store.db.close().await;
    out(&serde_json::json!({"reembedded": chunks}).to_string());
    Ok(ExitCode::SUCCESS)
}

async fn add(config: &Config, paths: &[PathBuf], tenant: &str) -> anyhow::Result<ExitCode> {
    let store = app::open_store(config).await?;
    let encoder = app::encoder(config)?;
    let t = tenant::ensure(&store, &tenant.parse()?).await?;
    let mut files = Vec::new();
    for p in paths {
        collect(p, &mut files)?;
    }
    let bar = ProgressBar::new(files.len() as u64);
    let (mut added, mut same, mut bad) = (0, 0, 0);
    for f in &files {
        match documents(f) {
            Ok(docs) => {
                for d in docs {
                    let (_, changed) =
                        knowledge::add(&store, &*encoder, &t.id, &Actor::Operator, &d).await?;
                    if changed { added += 1 } else { same += 1 }
                }
            }
            Err(e) => {
                bad += 1;
                say(&format!("{}: {e:#}", f.display()));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    store.db.close().await;
    out(&serde_json::json!({"added": added, "unchanged": same, "failed": bad}).to_string());
    Ok(if bad > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The files below a path, in order.
pub fn collect(path: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let meta = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    if !meta.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for e in entries {
        let known = e.extension().and_then(|x| x.to_str()).is_some_and(|x| {
            matches!(x, "md" | "markdown" | "html" | "htm" | "txt" | "pdf" | "jsonl" | "csv")
        });
        if e.is_dir() || known {
            collect(&e, into)?;
        }
    }
    Ok(())
}

/// What a file holds.
///
/// # Errors
/// When it can't be read or is of an unknown kind.
pub fn documents(path: &Path) -> anyhow::Result<Vec<Document>> {
    let source = path.display().to_string();
    if path.extension().is_some_and(|x| x == "pdf") {
        let text = knowledge::pdf_text(&std::fs::read(path)?)?;
        let title = path.file_stem().map(|n| n.to_string_lossy().replace(['_', '-'], " "));
        return Ok(vec![Document::read(&source, title.as_deref(), &text, Format::Text)?]);
    }
    let body = std::fs::read_to_string(path)?;
    let format = match path.extension().and_then(|x| x.to_str()) {
        Some("md" | "markdown") => Format::Markdown,
        Some("html" | "htm") => Format::Html,
        Some("jsonl") => return pairs(&source, jsonl(&body)?),
        Some("csv") => return pairs(&source, csv(&body)?),
        Some("txt") | None => Format::Text,
        Some(other) => anyhow::bail!("`.{other}` is not a kind of document that is read here"),
    };
    Ok(vec![Document::read(&source, None, &body, format)?])
}

fn pairs(source: &str, rows: Vec<(String, String)>) -> anyhow::Result<Vec<Document>> {
    rows.into_iter()
        .enumerate()
        .map(|(i, (q, a))| {
            Ok(Document::read(&format!("{source}#{}", i + 1), Some(&q), &a, Format::Text)?)
        })
        .collect()
}

fn jsonl(body: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut rows = Vec::new();
    for (i, line) in body.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let v: Value = serde_json::from_str(line).with_context(|| format!("line {}", i + 1))?;
        let s =
            |names: [&str; 2]| names.iter().find_map(|n| v.get(*n)?.as_str().map(str::to_owned));
        match (s(["question", "title"]), s(["answer", "text"])) {
            (Some(q), Some(a)) => rows.push((q, a)),
            _ => anyhow::bail!(
                "line {}: expected `question` and `answer` (or `title` and `text`)",
                i + 1
            ),
        }
    }
    Ok(rows)
}

/// Two columns, question and answer, with a heading line (RFC 4180).
fn csv(body: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body.as_bytes());
    let mut rows = Vec::new();
    for (i, row) in reader.records().enumerate() {
        let row = row.with_context(|| format!("row {}", i + 2))?;
        match (row.get(0), row.get(1)) {
            (Some(q), Some(a)) => rows.push((q.to_owned(), a.to_owned())),
            _ => anyhow::bail!("row {}: expected two columns, question and answer", i + 2),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_with_quotes_commas_and_line_breaks() {
        let rows =
            csv("question,answer\n\"Why, oh \"\"why\"\"?\",\"Because\nof it\"\r\nb,c\n").unwrap();
        assert_eq!(
            rows,
            [("Why, oh \"why\"?".into(), "Because\nof it".into()), ("b".into(), "c".into())]
        );
        assert!(csv("q,a\nonly\n").is_err());
    }
}
