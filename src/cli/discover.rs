//! `discover`: [topics](crate::pipeline::topics) that the taxonomy may lack.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{done, open, out, row, say};
use crate::app;
use crate::config::Config;
use crate::pipeline::topics::{self, Options};

/// Options of `discover`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Two messages belong together when both are at least so near to the middle of their group
    /// (a cosine, 0 to 1).
    #[arg(long, default_value_t = Options::default().threshold)]
    threshold: f32,
    /// Smallest group.
    #[arg(long, default_value_t = Options::default().least)]
    least: usize,
    /// Examples of each group.
    #[arg(long, default_value_t = Options::default().examples)]
    examples: usize,
    /// The newest messages that are looked at.
    #[arg(long, default_value_t = Options::default().newest)]
    newest: i64,
    /// Whose.
    #[arg(long, default_value = app::HOME)]
    tenant: String,
}

/// `discover`: `{cluster, size, cohesion, words, examples: [{id, text}]}`, the largest first.
pub async fn run(config: &Config, a: Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!((0.0..=1.0).contains(&a.threshold), "--threshold must lie between 0 and 1");
    anyhow::ensure!((1..=20_000).contains(&a.newest), "--newest must lie between 1 and 20000");
    let (store, t) = open(config, &a.tenant).await?;
    let Args { threshold, least, examples, newest, .. } = a;
    let options = Options { threshold, least, examples, newest };
    let topics = topics::discover(&store, &t.id, options).await?;
    let piped = !std::io::IsTerminal::is_terminal(&std::io::stdout());
    for (n, topic) in (1..).zip(&topics.found) {
        let mut line = json!({"cluster": n, "size": topic.size,
            "cohesion": (f64::from(topic.cohesion) * 1000.0).round() / 1000.0,
            "words": topic.words});
        if piped {
            let example = |e: &topics::Example| json!({"id": e.message, "text": e.text});
            line["examples"] = topic.examples.iter().map(example).collect::<Vec<Value>>().into();
            row(&line);
            continue;
        }
        line["words"] = json!(topic.words.join(", "));
        row(&line);
        for e in &topic.examples {
            out(&format!("    {}", e.text));
        }
    }
    let grouped: usize = topics.found.iter().map(|topic| topic.size).sum();
    say(&format!(
        "{} messages without an intent, {grouped} of them in {} groups",
        topics.messages,
        topics.found.len()
    ));
    done(store).await
}
