//! Classification: texts a second of one thread beside ONNX Runtime's pass over the same encoder alone;
//! and through HTTP, over kept connections, beside the service that a team would write itself
//! (`peers/classify_service.py`): latency of single messages at one and at 32 connections, and texts a
//! second in batches of 256. Every message has some 50 tokens.

use std::io::{BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::app::Models;
use countersign::http;
use countersign::lifecycle::Lifecycle;
use countersign::nlp::encoder::{Embed, Encoder, Mode};
use countersign::nlp::heads::{DEFAULT_TAXONOMY, Input, Taxonomy, Triage};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ENCODING, Figure, listen, peer, root, say, theirs, write_lines};

/// Time for each figure of the services.
const ASKING: Duration = Duration::from_secs(8);
/// Messages that one thread reads together.
const TOGETHER: usize = 32;
/// Different messages.
const MESSAGES: usize = 256;

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

/// All heads on one thread, in batches, beside the peer's encoder without any head.
///
/// # Errors
/// When the model can't be loaded.
pub fn alone(models: &Models, dir: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("classification, one thread, 2 × 3 s and the peer");
    let model = root().join("models/all-MiniLM-L6-v2");
    let triage = Triage::load(Taxonomy::parse(DEFAULT_TAXONOMY)?, &*models.encoder, None)?;
    let texts: Vec<String> = (0..MESSAGES).map(message).collect();
    let file = dir.join("messages50.jsonl");
    write_lines(&file, &texts)?;
    let seconds = ENCODING.as_secs().to_string();
    let (folder, lines) = (model.to_string_lossy(), file.to_string_lossy());
    let found =
        peer("onnx_encoder.py", &[&*folder, &*lines, "--seconds", &seconds, "--threads", "1"]);
    for (name, mode) in [("f32", Mode::F32), ("int8", Mode::Int8)] {
        let encoder: Arc<dyn Embed> =
            Arc::new(Encoder::load_with_threads(&model, mode, NonZeroUsize::MIN)?);
        for batch in [1, TOGETHER] {
            let inputs: Vec<Input<'_>> = texts.iter().map(|text| Input::of(text)).collect();
            let rate = rate(&inputs, batch, |some| triage.read_batch(some, &*encoder).len());
            // The peer's 32-bit figure for both: 8 bits are what we can afford at the same accuracy.
            let theirs = found.as_ref().and_then(|v| theirs(v, "f32", batch));
            let peer = theirs.map(|(name, rate)| (format!("{name}, encoder alone"), rate));
            let what = format!("classify {name}, one thread, batch {batch}");
            figures.push(Figure { what, unit: "texts/s", ours: rate, peer });
        }
    }
    Ok(())
}

fn rate(inputs: &[Input<'_>], batch: usize, read: impl Fn(&[Input<'_>]) -> usize) -> f64 {
    for some in inputs.chunks_exact(batch).take(3) {
        std::hint::black_box(read(some));
    }
    let begun = Instant::now();
    let mut done = 0;
    for some in inputs.chunks_exact(batch).cycle() {
        done += std::hint::black_box(read(some));
        if begun.elapsed() >= ENCODING {
            break;
        }
    }
    done as f64 / begun.elapsed().as_secs_f64()
}

/// A service in Python, ended with this.
struct Peer {
    child: Child,
    base: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the peer; none without its interpreter (`COUNTERSIGN_BENCH_SERVICE_PYTHON`), or when it fails.
fn peers_service() -> Option<Peer> {
    let python = std::env::var_os("COUNTERSIGN_BENCH_SERVICE_PYTHON")?;
    let data = |name: &str| root().join("src/nlp/heads/data").join(name);
    let child = Command::new(python)
        .arg(root().join("benches/peers/classify_service.py"))
        .arg(root().join("models/all-MiniLM-L6-v2"))
        .arg(root().join("prompts/taxonomy/default.toml"))
        .args([data("sentiment.toml"), data("spam.toml")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.inspect_err(|e| say(&format!("the peer's service: {e}"))).ok()?;
    let mut port = String::new();
    let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut port));
    let peer = Peer { child, base: format!("http://127.0.0.1:{}", port.trim()) };
    if read.is_none_or(|read| read.is_err()) || port.trim().is_empty() {
        say("the peer's service did not start");
        return None;
    }
    Some(peer)
}

/// Both services, one after the other, asked the same.
///
/// # Errors
/// When ours doesn't start or refuses.
pub async fn service(dir: &Path, models: &Models, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("classification through HTTP, 3 × 8 s, and the peer's service");
    let life = Lifecycle::new();
    let running = super::service(&dir.join("classify.db"), models, &life).await?;
    let base = listen(http::router(running.service.app), &life).await?;
    let url = format!("{base}/v1/classify");
    let peer = tokio::task::spawn_blocking(peers_service).await?;
    for (connections, items) in [(1, 1), (32, 1), (2, 256)] {
        let of = async |url: &str| {
            ask(url, &running.key, connections, items, Duration::from_secs(1)).await?;
            ask(url, &running.key, connections, items, ASKING).await
        };
        let ours = of(&url).await?;
        let path = if items == 1 { "/v1/classify" } else { "/v1/classify/batch" };
        let theirs = match &peer {
            Some(peer) => Some(of(&format!("{}{path}", peer.base)).await?),
            None => None,
        };
        let mut figure = |what: String, unit, value: fn(&Latency) -> f64| {
            let peer = theirs.as_ref().map(|t| ("FastAPI, sentence-transformers".into(), value(t)));
            figures.push(Figure { what, unit, ours: value(&ours), peer });
        };
        let what = match items {
            1 => format!("classify, HTTP, concurrency {connections}"),
            _ => format!("classify, HTTP, batches of {items}"),
        };
        if items == 1 {
            figure(format!("{what}, p50"), "ms", |l| l.p50);
            figure(format!("{what}, p99"), "ms", |l| l.p99);
        }
        figure(what, "texts/s", |l| l.texts);
    }
    life.stop();
    life.finished(Duration::from_secs(20)).await;
    running.store.db.close().await;
    Ok(())
}
