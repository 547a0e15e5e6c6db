//! Masking: how many messages a second the patterns read, beside the engines of others, and how
//! the time grows with texts that are made to be slow.

mod cpu;
mod hostile;
mod messages;

use std::path::Path;
use std::process::Command;

use countersign::nlp::encoder::Embed;
use countersign::nlp::mask::{Masker, MaskerConfig};
use countersign::nlp::names::{DEFAULT_BIAS, NamesHead};
use serde_json::Value;

use super::{Figure, alone, megabytes, peer, report, say, write_lines};

/// Ours and the peers in turn, so that neither has the quieter minutes. The best round counts.
const ROUNDS: usize = 3;
/// Rounds of what is compared in per cent: short ones, of which the best is undisturbed.
const TURNS: usize = 12;
/// Megabytes of hostile text.
const SIZES: [usize; 3] = [1, 10, 100];
/// A text ten times as long that is read more slowly than this share of the speed is not worth
/// waiting for: the time is not linear.
const COLLAPSE: f64 = 0.5;

pub fn masking(encoder: &dyn Embed, dir: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let masker = Masker::new(MaskerConfig::default())?;
    patterns(&masker, dir, figures)?;
    names(encoder, figures)?;
    for (name, kind) in hostile::ALL {
        hostile(&masker, name, kind, figures);
    }
    Ok(())
}

fn patterns(masker: &Masker, dir: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let texts = messages::messages();
    let characters: usize = texts.iter().map(|t| t.chars().count()).sum();
    let mean = characters / texts.len().max(1);
    say(&format!("masking by patterns, one thread, {} messages of {mean} characters", texts.len()));
    let file = dir.join("messages.jsonl");
    write_lines(&file, &texts)?;
    let find = |text: &str| masker.find(text, None).len();
    for text in &texts {
        std::hint::black_box(find(text));
    }
    let (mut ours, mut spans) = (0.0, 0);
    let mut peers: Vec<Read> = Vec::new();
    for round in 0..ROUNDS {
        let (rate, found) = cpu::rate(&texts, find);
        (ours, spans) = (f64::max(ours, rate), found);
        merge(&mut peers, engines(in_rust(&file)));
        if round == 0 {
            // Slow enough to time itself for long.
            merge(&mut peers, engines(peer("presidio.py", &[&file.to_string_lossy()])));
        }
    }
    say(&format!("spans found: {spans}"));
    for read in &peers {
        say(&format!("  by {}: {}", read.engine, read.spans));
    }
    let figure = |peer| Figure {
        what: format!("mask, patterns, {mean} characters"),
        unit: "docs/s",
        ours,
        peer,
    };
    if peers.is_empty() {
        figures.push(figure(None));
    }
    figures.extend(peers.into_iter().map(|r| figure(Some((r.engine, r.rate)))));
    Ok(())
}

/// What a peer says of itself.
struct Read {
    engine: String,
    /// Messages per second of the processor.
    rate: f64,
    /// How much it found in all messages.
    spans: u64,
}

/// Runs the package of peers in Rust, if it was built.
fn in_rust(file: &Path) -> Option<Value> {
    let program = std::env::var_os("COUNTERSIGN_BENCH_MASK_PEERS")?;
    report(Command::new(program).arg(file))
}

fn engines(report: Option<Value>) -> Vec<Read> {
    let Some(Value::Object(engines)) = report else { return Vec::new() };
    let read = engines.into_iter().filter_map(|(engine, figures)| {
        let rate = figures.get("docs_per_cpu_second")?.as_f64()?;
        Some(Read { engine, rate, spans: figures.get("spans")?.as_u64()? })
    });
    read.collect()
}

fn merge(best: &mut Vec<Read>, more: Vec<Read>) {
    for read in more {
        match best.iter_mut().find(|b| b.engine == read.engine) {
            Some(known) => known.rate = known.rate.max(read.rate),
            None => best.push(read),
        }
    }
}

fn hostile(masker: &Masker, name: &str, kind: hostile::Hostile, figures: &mut Vec<Figure>) {
    say(&format!("masking, {name}"));
    let mut before = 0.0;
    for size in SIZES {
        let text = hostile::text(kind, size * 1_000_000);
        let seconds = cpu::seconds(|| {
            std::hint::black_box(masker.find(&text, None));
        });
        let rate = megabytes(text.len()) / seconds;
        figures.push(alone(format!("mask, {size} MB of {name}"), "MB/s", rate));
        if rate < before * COLLAPSE {
            say(&format!("{name}: {rate:.2} MB/s after {before:.2}; longer texts are left out"));
            return;
        }
        before = rate;
    }
}

/// What the names head takes above the encoder pass that it reads.
fn names(encoder: &dyn Embed, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let texts: Vec<String> = messages::messages().into_iter().take(100).collect();
    say("names above the encoder pass, 100 messages");
    let head = NamesHead::shipped()?;
    let pass = || texts.iter().for_each(|t| drop(std::hint::black_box(encoder.read(t))));
    let find = || {
        for text in &texts {
            let reading = encoder.read(text);
            let names = reading.map(|r| head.find(text, &r, DEFAULT_BIAS));
            std::hint::black_box(names);
        }
    };
    figures.push(alone("names above the encoder pass", "%", per_cent_above(pass, find)));
    Ok(())
}

/// What `with` takes above `base`, which is a part of it, in per cent of `base`: the best of
/// several interleaved rounds of both.
pub fn per_cent_above(base: impl Fn(), with: impl Fn()) -> f64 {
    let (mut least, mut more) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..TURNS {
        least = least.min(cpu::seconds(&base));
        more = more.min(cpu::seconds(&with));
    }
    (more / least - 1.0) * 100.0
}
