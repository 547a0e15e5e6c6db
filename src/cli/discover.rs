//! `discover`: intents that the taxonomy may lack: groups among the messages that the intent head
//! abstained from, by the vectors that are stored with them. Nothing is changed; a support lead reads the
//! groups and writes the taxonomy.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{done, open, out, row, say};
use crate::app;
use crate::config::Config;
use crate::domain::masking::{MaskedText, Numbering};
use crate::nlp::cluster::{Cluster, clusters};
use crate::nlp::lexical::{is_function_word, terms};
use crate::store::chunk::{self, Abstained};

/// Characters of an example.
const SHOWN: usize = 240;
/// Words that are suggested.
const WORDS: usize = 6;

/// Options of `discover`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Two messages belong together when both are at least so near to the middle of their group
    /// (a cosine, 0 to 1).
    #[arg(long, default_value_t = 0.6)]
    threshold: f32,
    /// Smallest group.
    #[arg(long, default_value_t = 5)]
    least: usize,
    /// Examples of each group.
    #[arg(long, default_value_t = 3)]
    examples: usize,
    /// The newest messages that are looked at.
    #[arg(long, default_value_t = 5000)]
    newest: i64,
    /// Whose.
    #[arg(long, default_value = app::HOME)]
    tenant: String,
}

/// One vector a message: the mean of its chunks, of length one.
fn vector(m: &Abstained) -> Vec<f32> {
    let dims = m.vectors.first().map_or(0, Vec::len);
    let mut sum = vec![0.0f32; dims];
    for v in &m.vectors {
        sum.iter_mut().zip(v).for_each(|(s, x)| *s += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::EPSILON);
    sum.into_iter().map(|x| x / length).collect()
}

/// The words of a text that say something, each once.
fn words(stored: &str) -> BTreeSet<String> {
    let telling = |t: &String| t.chars().count() > 2 && !is_function_word(t);
    let text = MaskedText::from_store(stored.to_owned()).as_words();
    terms(&text).into_iter().filter(telling).collect()
}

/// The words that set a group apart: frequent in it and rarer elsewhere.
fn key_words(group: &Cluster, all: &[BTreeSet<String>]) -> Vec<String> {
    let share = |word: &str, of: &mut dyn Iterator<Item = usize>| {
        let (mut n, mut with) = (0u32, 0u32);
        for i in of {
            n += 1;
            with += u32::from(all[i].contains(word));
        }
        f64::from(with) / f64::from(n.max(1))
    };
    let mut scored: BTreeMap<&str, f64> = BTreeMap::new();
    for word in group.members.iter().flat_map(|m| &all[*m]) {
        let inside = share(word, &mut group.members.iter().copied());
        if inside >= 0.3 {
            scored.insert(word, inside - share(word, &mut (0..all.len())) / 2.0);
        }
    }
    let mut best: Vec<(&str, f64)> = scored.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    best.into_iter().take(WORDS).map(|(w, _)| w.to_owned()).collect()
}

fn shown(m: &Abstained) -> Value {
    let text = MaskedText::from_store(m.text.clone()).render(&Numbering::new()).into_string();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    json!({"id": m.message, "text": text.chars().take(SHOWN).collect::<String>()})
}

/// `discover`: `{cluster, size, cohesion, words, examples: [{id, text}]}`, the largest first.
pub async fn run(config: &Config, a: Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!((0.0..=1.0).contains(&a.threshold), "--threshold must lie between 0 and 1");
    anyhow::ensure!((1..=20_000).contains(&a.newest), "--newest must lie between 1 and 20000");
    let (store, t) = open(config, &a.tenant).await?;
    let mut c = store.db.read().await?;
    let messages = chunk::abstained(&mut c, &t.id, a.newest).await?;
    drop(c);
    let vectors: Vec<Vec<f32>> = messages.iter().map(vector).collect();
    let all: Vec<BTreeSet<String>> = messages.iter().map(|m| words(&m.text)).collect();
    let found = clusters(&vectors, a.threshold, a.least);
    let piped = !std::io::IsTerminal::is_terminal(&std::io::stdout());
    for (n, group) in (1..).zip(&found) {
        let examples: Vec<Value> =
            group.members.iter().take(a.examples).map(|m| shown(&messages[*m])).collect();
        let mut line = json!({"cluster": n, "size": group.members.len(),
            "cohesion": (f64::from(group.cohesion) * 1000.0).round() / 1000.0,
            "words": key_words(group, &all)});
        if piped {
            line["examples"] = json!(examples);
            row(&line);
            continue;
        }
        line["words"] = json!(key_words(group, &all).join(", "));
        row(&line);
        for e in &examples {
            out(&format!("    {}", e["text"].as_str().unwrap_or_default()));
        }
    }
    let grouped: usize = found.iter().map(|g| g.members.len()).sum();
    say(&format!(
        "{} messages without an intent, {grouped} of them in {} groups",
        messages.len(),
        found.len()
    ));
    done(store).await
}
