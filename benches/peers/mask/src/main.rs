//! Engines in Rust that find personal data by patterns, as they come: the peers that ours is
//! measured by.
//!
//! ```text
//! mask-peers MESSAGES.jsonl
//! ```
//!
//! MESSAGES has one JSON string a line. Prints one line of JSON:
//! `{engine: {"docs_per_cpu_second": …, "spans": …}, …}`.

#[path = "../../../masking/cpu.rs"]
mod cpu;

use std::error::Error;

use serde_json::{Map, Value, json};

const LOCK: &str = include_str!("../Cargo.lock");

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("expected a file of messages")?;
    let messages: Vec<String> = std::fs::read_to_string(file)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;

    let redact = redact_core::AnalyzerEngine::new();
    // A text that it gives up on counts as read.
    let by_redact =
        |text: &str| redact.analyze(text, None).map_or(0, |r| r.detected_entities.len());
    let presidio = presidio_analyzer::AnalyzerEngine::new();
    let by_presidio = |text: &str| presidio.analyze(text, "en", None, None).len();

    let mut report = Map::new();
    report.insert(named("redact-core"), measured(&messages, by_redact));
    report.insert(named("presidio-analyzer"), measured(&messages, by_presidio));
    println!("{}", Value::Object(report));
    Ok(())
}

fn measured(messages: &[String], one: impl Fn(&str) -> usize) -> Value {
    // Engines put their automata together when they are first used.
    for text in messages.iter().take(100) {
        std::hint::black_box(one(text));
    }
    let (rate, spans) = cpu::rate(messages, one);
    json!({"docs_per_cpu_second": rate, "spans": spans})
}

/// A crate with the version that was built in.
fn named(package: &str) -> String {
    let version = LOCK
        .split("[[package]]")
        .filter(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))
        .find_map(|entry| entry.lines().find_map(|l| l.strip_prefix("version = ")))
        .unwrap_or("?");
    format!("{package} {} (crate)", version.trim_matches('"'))
}
