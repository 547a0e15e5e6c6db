//! Classification through HTTP, over kept connections: latency of single messages of some 50 tokens at
//! one and at 32 connections, and texts a second in batches of 256.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What was measured.
pub struct Latency {
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// Texts a second.
    pub texts: f64,
}

/// A message of some 50 tokens; no two are the same.
pub fn message(n: usize) -> String {
    format!(
        "Hello, I ordered a pair of running shoes two weeks ago and the parcel, order {n}, has not \
         arrived. The tracking page shows the same place since Monday. Could you tell me where it is \
         and when I can expect it? Thank you."
    )
}

/// The body of a request for messages `from..from + items`.
fn body(from: usize, items: usize, outputs: &[&str]) -> Value {
    match items {
        1 => json!({"text": message(from), "outputs": outputs}),
        _ => {
            let items: Vec<Value> =
                (from..from + items).map(|n| json!({"text": message(n)})).collect();
            json!({"items": items, "outputs": outputs})
        }
    }
}

/// Asks over `connections` connections until the time is over, `items` texts a request. Any server that
/// takes the same body at `url` can be measured.
///
/// # Errors
/// When an answer isn't 200.
pub async fn ask(
    url: &str,
    key: &str,
    connections: usize,
    items: usize,
    time: Duration,
) -> anyhow::Result<Latency> {
    let client =
        reqwest::Client::builder().no_proxy().pool_max_idle_per_host(connections).build()?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in 0..connections {
        let (client, url, key) = (client.clone(), url.to_owned(), key.to_owned());
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut n = connection * 1_000_000;
            while begun.elapsed() < time {
                let body = body(n, items, &["intent", "sentiment", "spam"]);
                let sent = Instant::now();
                let answer = client.post(&url).bearer_auth(&key).json(&body).send().await?;
                anyhow::ensure!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await?;
                times.push(sent.elapsed().as_secs_f64() * 1e3);
                n += items;
            }
            Ok(times)
        });
    }
    let mut times: Vec<f64> = Vec::new();
    while let Some(some) = tasks.join_next().await {
        times.extend(some??);
    }
    let texts = (times.len() * items) as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| {
        let i = (times.len() * share / 100).min(times.len().saturating_sub(1));
        times.get(i).copied().unwrap_or_default()
    };
    Ok(Latency { p50: at(50), p99: at(99), texts })
}
