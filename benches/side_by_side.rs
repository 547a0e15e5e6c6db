//! `make bench`: our figures beside those of peers, measured in one run on the same machine with the
//! same texts. Prints a table on a terminal and JSON Lines otherwise.
//!
//! Python peers run in the interpreter that `COUNTERSIGN_BENCH_PYTHON` names; without it their
//! columns stay empty.

mod classify;
mod heads;
mod masking;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::adapters::standard_webhooks;
use countersign::app::{self, Models, Service};
use countersign::config::Config;
use countersign::domain::audit::Actor;
use countersign::domain::ids::{Slug, TenantId};
use countersign::domain::message::ChannelKind;
use countersign::http;
use countersign::knowledge::{self, Document, Format};
use countersign::lifecycle::Lifecycle;
use countersign::nlp::chunk::{self, ChunkOptions};
use countersign::nlp::encoder::{Embed, Encoder, Mode};
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, AdapterKind, Settings};
use countersign::store::{Store, job, key, tenant};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context as Scope, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

const CONNECTIONS: usize = 32;
const INGEST: Duration = Duration::from_secs(10);
const CHUNKED_BYTES: usize = 20_000_000;
const ENCODING: Duration = Duration::from_secs(3);
const TOKENS: usize = 98;
const TEXTS: usize = 128;

fn main() -> anyhow::Result<()> {
    let stages = Stages::default();
    // Only the stages' times are kept; nothing is written.
    let _ = tracing_subscriber::registry().with(LevelFilter::INFO).with(stages.clone()).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut figures = Vec::new();
    let models = Models::load(&config("sqlite::memory:")?)
        .context("the model is needed: `countersign models pull` fetches it")?;
    // `make bench ONLY=ingest` measures one part.
    let only = std::env::var("COUNTERSIGN_BENCH_ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only.split(',').any(|o| o == part);
    if wanted("ingest") {
        runtime.block_on(ingest(dir.path(), &models, &mut figures))?;
    }
    if wanted("pipeline") {
        runtime.block_on(pipeline(dir.path(), &models, &stages, &mut figures))?;
    }
    if wanted("classify") {
        classify::alone(&models, dir.path(), &mut figures)?;
        runtime.block_on(classify::service(dir.path(), &models, &mut figures))?;
    }
    if wanted("mask") {
        masking::masking(&*one_thread()?, dir.path(), &mut figures)?;
    }
    if wanted("heads") {
        heads::heads(&one_thread()?, &mut figures)?;
    }
    drop(models);
    if wanted("chunk") {
        chunking(dir.path(), &mut figures)?;
    }
    if wanted("encode") {
        encoding(dir.path(), &mut figures)?;
    }
    show(&figures);
    Ok(())
}

/// The usual encoder on one thread: time of the processor is then the pass and nothing else.
fn one_thread() -> anyhow::Result<Arc<dyn Embed>> {
    let folder = root().join("models/all-MiniLM-L6-v2");
    Ok(Arc::new(Encoder::load_with_threads(&folder, Mode::Int8, NonZeroUsize::MIN)?))
}

// ---------------------------------------------------------------- figures

/// One line of the table.
struct Figure {
    what: String,
    unit: &'static str,
    ours: f64,
    peer: Option<(String, f64)>,
}

fn alone(what: impl Into<String>, unit: &'static str, ours: f64) -> Figure {
    Figure { what: what.into(), unit, ours, peer: None }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn show(figures: &[Figure]) {
    let table = std::io::stdout().is_terminal();
    if table {
        println!("{:<44} {:>12} {:<8} {:>12} {:>7}  peer", "what", "ours", "unit", "peer", "ratio");
    }
    for f in figures {
        let (name, theirs) = f.peer.as_ref().map_or((None, None), |(n, v)| (Some(n), Some(*v)));
        let ratio = theirs.filter(|v| *v > 0.0).map(|v| f.ours / v);
        if table {
            let number = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.1}"));
            let ratio = ratio.map_or_else(|| "–".to_owned(), |r| format!("{r:.2}"));
            let name = name.map_or("", String::as_str);
            println!(
                "{:<44} {:>12.1} {:<8} {:>12} {:>7}  {name}",
                f.what,
                f.ours,
                f.unit,
                number(theirs),
                ratio
            );
        } else {
            let line = json!({"what": f.what, "unit": f.unit, "ours": f.ours, "peer": name,
                "theirs": theirs, "ratio": ratio});
            println!("{line}");
        }
    }
}

#[expect(clippy::print_stderr, reason = "what is being measured, for the person who waits")]
fn say(text: &str) {
    eprintln!("bench: {text}");
}

// ---------------------------------------------------------------- the service

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn config(url: &str) -> anyhow::Result<Config> {
    let sets = [
        format!("database.url={url}"),
        format!("security.master_key={}", "07".repeat(32)),
        format!("model.folder={}", root().join("models/all-MiniLM-L6-v2").display()),
        "ingest.burst_window_s=0".to_owned(),
    ];
    Ok(Config::load(None, &|_| None, &sets)?)
}

/// A service on a fresh SQLite database with the demonstration's channels.
struct Running {
    service: Service,
    store: Store,
    home: TenantId,
    secret: String,
    key: String,
}

async fn service(file: &Path, models: &Models, life: &Lifecycle) -> anyhow::Result<Running> {
    let config = config(&format!("sqlite:{}", file.display()))?;
    let store = app::open_store(&config).await?;
    let service = app::build(config, store.clone(), models.clone(), life.clone(), None).await?;
    let home = tenant::ensure(&store, &app::HOME.parse::<Slug>()?).await?.id;
    let secret = standard_webhooks::new_secret(&System);
    let kinds = [
        ("mail", ChannelKind::Email),
        ("sms", ChannelKind::Sms),
        ("whatsapp", ChannelKind::Whatsapp),
        ("messenger", ChannelKind::Messenger),
        ("chat", ChannelKind::Chat),
    ];
    let mut tx = store.db.begin().await?;
    for (name, kind) in kinds {
        let slug: Slug = name.parse()?;
        let settings = Settings { sender: "help@larkfield.example".into(), ..Settings::default() };
        let secrets = [secret.clone()];
        channel::put(
            &store,
            &mut tx,
            &home,
            &slug,
            kind,
            AdapterKind::Sandbox,
            &settings,
            &secrets,
        )
        .await?;
    }
    let scopes = ["ingest", "classify"].map(str::to_owned);
    let (_, key) = key::create(&store, &mut tx, &home, "bench", &scopes, None, None).await?;
    tx.commit().await?;
    Ok(Running { service, store, home, secret, key })
}

/// Serves a router on a port of its own, the way the product does.
async fn listen(router: Router, life: &Lifecycle) -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let l = life.clone();
    life.spawn(
        async move { http::server::serve(listener, router, Duration::from_secs(30), l).await },
    );
    Ok(base)
}

// ---------------------------------------------------------------- durable ingest

/// Signed webhooks over kept connections until the time is over; gives those that were accepted.
async fn hammer(url: String, secret: &str, expected: u16) -> anyhow::Result<f64> {
    let client =
        reqwest::Client::builder().no_proxy().pool_max_idle_per_host(CONNECTIONS).build()?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (client, url, secrets) = (client.clone(), url.clone(), [secret.to_owned()]);
        tasks.spawn(async move {
            let mut taken = 0u32;
            let mut n = 0u64;
            while begun.elapsed() < INGEST {
                n += 1;
                let id = format!("b-{connection}-{n}");
                let body = json!({"type": "message.created", "data": {
                    "external_id": id, "thread": format!("t-{connection}-{}", n / 4),
                    "from": {"address": format!("customer-{connection}-{}", n / 4), "name": "Robin Example"},
                    "text": "Hello, my order has not arrived yet. Could you tell me where it is?",
                }})
                .to_string();
                let (at, signature) =
                    standard_webhooks::sign(&secrets, &id, System.now(), body.as_bytes());
                let answer = client
                    .post(&url)
                    .header("webhook-id", id)
                    .header("webhook-timestamp", at)
                    .header("webhook-signature", signature)
                    .body(body)
                    .send()
                    .await;
                let Ok(answer) = answer else { continue };
                let status = answer.status().as_u16();
                // Read to the end, so that the connection is used again.
                let whole = answer.bytes().await.is_ok();
                taken += u32::from(whole && status == expected);
            }
            taken
        });
    }
    let mut all = 0.0;
    while let Some(n) = tasks.join_next().await {
        all += f64::from(n?);
    }
    Ok(all / begun.elapsed().as_secs_f64())
}

async fn ingest(dir: &Path, models: &Models, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("durable ingest, 32 connections, 2 × 10 s");
    let life = Lifecycle::new();
    let running = service(&dir.join("ingest.db"), models, &life).await?;
    // No worker runs: the figure is that of taking in alone.
    let base = listen(http::router(running.service.app), &life).await?;
    let ours = hammer(format!("{base}/v1/hooks/chat"), &running.secret, 202).await?;
    let bare =
        Router::new().route("/v1/hooks/chat", post(|_body: Bytes| async { StatusCode::ACCEPTED }));
    let base = listen(bare, &life).await?;
    let theirs = hammer(format!("{base}/v1/hooks/chat"), &running.secret, 202).await?;
    life.stop();
    life.finished(Duration::from_secs(20)).await;
    running.store.db.close().await;
    figures.push(Figure {
        what: "durable ingest (SQLite, HMAC)".into(),
        unit: "msg/s",
        ours,
        peer: Some(("bare axum handler, nothing stored".into(), theirs)),
    });
    Ok(())
}

// ---------------------------------------------------------------- the pipeline

/// Keeps the `…_us` fields of events.
#[derive(Clone, Default)]
struct Stages(Arc<Mutex<HashMap<&'static str, Vec<u64>>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Stages {
    fn on_event(&self, event: &tracing::Event<'_>, _: Scope<'_, S>) {
        event.record(&mut Keep(self));
    }
}

struct Keep<'a>(&'a Stages);

impl tracing::field::Visit for Keep<'_> {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name().ends_with("_us") {
            let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(field.name()).or_default().push(value);
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

/// The value below which a share of sorted values lies.
fn quantile(sorted: &[u64], per_cent: usize) -> f64 {
    let at = (sorted.len() * per_cent / 100).min(sorted.len().saturating_sub(1));
    let us = sorted.get(at).copied().unwrap_or_default();
    Duration::from_micros(us).as_secs_f64() * 1000.0
}

fn articles() -> anyhow::Result<Vec<(String, String)>> {
    let dir = root().join("fixtures/demo/knowledge");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .with_context(|| dir.display().to_string())?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|x| x == "md"));
    files.sort();
    files
        .iter()
        .map(|f| {
            let name = f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((name, std::fs::read_to_string(f)?))
        })
        .collect()
}

/// The demonstration's inbox as bodies of `POST /v1/messages`.
fn inbox() -> anyhow::Result<Vec<String>> {
    let dir = root().join("fixtures/demo/inbox");
    let mut mails: Vec<PathBuf> = std::fs::read_dir(dir.join("mail"))?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    mails.retain(|f| f.extension().is_some_and(|x| x == "eml"));
    mails.sort();
    let mut all = Vec::new();
    for f in &mails {
        let eml = STANDARD.encode(std::fs::read(f)?);
        all.push(json!({"channel": "mail", "eml_b64": eml}).to_string());
    }
    let lines = std::fs::read_to_string(dir.join("messages.jsonl"))?;
    all.extend(lines.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned));
    Ok(all)
}

async fn pipeline(
    dir: &Path,
    models: &Models,
    stages: &Stages,
    figures: &mut Vec<Figure>,
) -> anyhow::Result<()> {
    say("pipeline, the demonstration's inbox");
    let life = Lifecycle::new();
    let running = service(&dir.join("pipeline.db"), models, &life).await?;
    for (name, text) in articles()? {
        let doc = Document::read(&name, None, &text, Format::Markdown)?;
        knowledge::add(&running.store, &*models.encoder, &running.home, &Actor::Operator, &doc)
            .await?;
    }
    let Service { app, worker, .. } = running.service;
    let base = listen(http::router(app), &life).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut taken = 0u32;
    for body in inbox()? {
        let answer = client
            .post(format!("{base}/v1/messages"))
            .bearer_auth(&running.key)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        taken += u32::from(answer.status().as_u16() == 202);
    }
    let begun = Instant::now();
    worker.start(&life);
    let mut dead: i64;
    loop {
        let mut c = running.store.db.read().await?;
        let counts = job::counts(&mut c).await?;
        drop(c);
        dead = counts.iter().filter(|(_, s, _)| s == "dead").map(|(.., n)| n).sum();
        if counts.iter().all(|(_, s, _)| s == "done" || s == "dead") {
            break;
        }
        anyhow::ensure!(
            begun.elapsed() < Duration::from_secs(600),
            "the pipeline doesn't come to an end"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    life.stop();
    life.finished(Duration::from_secs(20)).await;
    running.store.db.close().await;
    if dead > 0 {
        say(&format!("{dead} jobs were given up"));
    }
    figures.push(alone(
        format!("pipeline, accepted to draft ({taken} messages)"),
        "msg/s",
        f64::from(taken) / seconds,
    ));
    let mut all = stages.0.lock().unwrap_or_else(PoisonError::into_inner);
    for name in ["normalise_us", "mask_us", "read_us", "retrieve_us", "draft_us"] {
        let Some(times) = all.get_mut(name).filter(|t| !t.is_empty()) else { continue };
        times.sort_unstable();
        let stage = name.trim_end_matches("_us");
        figures.push(alone(format!("  {stage}, p50"), "ms", quantile(times, 50)));
        figures.push(alone(format!("  {stage}, p95"), "ms", quantile(times, 95)));
    }
    Ok(())
}

// ---------------------------------------------------------------- peers

/// Runs a peer in Python; none when there is no interpreter or it fails.
fn peer(script: &str, args: &[&str]) -> Option<Value> {
    let python = std::env::var_os("COUNTERSIGN_BENCH_PYTHON")?;
    let script = root().join("benches/peers").join(script);
    report(Command::new(python).arg(script).args(args))
}

/// Runs a peer, which prints one line of JSON; none when it fails.
fn report(command: &mut Command) -> Option<Value> {
    let out = match command.output() {
        Ok(out) => out,
        Err(e) => {
            say(&format!("{}: {e}", command.get_program().display()));
            return None;
        }
    };
    if !out.status.success() {
        let text = String::from_utf8_lossy(&out.stderr);
        let reason = text.lines().last().unwrap_or("failed");
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        say(&format!("{} {}: {reason}", command.get_program().display(), args.join(" ")));
        return None;
    }
    let text = String::from_utf8_lossy(&out.stdout);
    serde_json::from_str(text.lines().last()?).ok()
}

fn write_lines(path: &Path, texts: &[String]) -> anyhow::Result<()> {
    let lines: Vec<String> = texts.iter().map(|t| json!(t).to_string()).collect();
    std::fs::write(path, lines.join("\n")).with_context(|| path.display().to_string())
}

fn megabytes(bytes: usize) -> f64 {
    // Some 20 million: exact in 32 bits.
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6
}

// ---------------------------------------------------------------- chunks

fn chunking(dir: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("chunker, 20 MB of articles");
    let documents: Vec<String> = articles()?.into_iter().map(|(_, text)| text).collect();
    let once: usize = documents.iter().map(String::len).sum();
    let repeats = CHUNKED_BYTES.div_ceil(once.max(1));
    let options = ChunkOptions::default();
    let begun = Instant::now();
    let mut chunks = 0;
    for _ in 0..repeats {
        for text in &documents {
            // The peer gives texts, not offsets: so do we here.
            let cut: Vec<String> =
                chunk::chunk(text, &options).iter().map(|c| c.text(text).to_owned()).collect();
            chunks += std::hint::black_box(cut).len();
        }
    }
    let ours = megabytes(once * repeats) / begun.elapsed().as_secs_f64();
    let file = dir.join("documents.jsonl");
    write_lines(&file, &documents)?;
    let found = peer("langchain_splitter.py", &[&file.to_string_lossy(), &repeats.to_string()]);
    let theirs = found.as_ref().and_then(|v| {
        let name = v.get("peer")?.as_str()?.to_owned();
        Some((name, v.get("mb_per_s")?.as_f64()?))
    });
    let what = format!("chunker, 1,000/200 ({chunks} chunks)");
    figures.push(Figure { what, unit: "MB/s", ours, peer: theirs });
    Ok(())
}

// ---------------------------------------------------------------- encoder

/// Texts of about a hundred tokens, cut from the articles.
fn texts(encoder: &Encoder) -> anyhow::Result<Vec<String>> {
    let all: Vec<String> = articles()?.into_iter().map(|(_, text)| text).collect();
    let all = all.join(" ");
    let words: Vec<&str> = all.split_whitespace().collect();
    let mut texts = Vec::new();
    let mut text = String::new();
    let mut tokens = 0;
    for word in words.iter().cycle().take(TEXTS * 2 * TOKENS) {
        tokens += encoder.tokens(word).len();
        text.push_str(word);
        text.push(' ');
        if tokens >= TOKENS {
            texts.push(std::mem::take(&mut text));
            tokens = 0;
        }
        if texts.len() == TEXTS {
            break;
        }
    }
    anyhow::ensure!(texts.len() == TEXTS, "the articles are too short for the encoder's texts");
    Ok(texts)
}

fn texts_per_second(encoder: &Encoder, texts: &[String], batch: usize) -> f64 {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for some in texts.chunks_exact(batch).take(3) {
        std::hint::black_box(encoder.encode(some));
    }
    let begun = Instant::now();
    let mut done = 0u32;
    loop {
        for some in texts.chunks_exact(batch) {
            done += u32::try_from(std::hint::black_box(encoder.encode(some)).len()).unwrap_or(0);
            if begun.elapsed() >= ENCODING {
                return f64::from(done) / begun.elapsed().as_secs_f64();
            }
        }
    }
}

fn encoding(dir: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("encoder, one thread");
    let model = root().join("models/all-MiniLM-L6-v2");
    let mut ours = Vec::new();
    let mut written = None;
    for (name, mode) in [("f32", Mode::F32), ("int8", Mode::Int8)] {
        let encoder = Encoder::load_with_threads(&model, mode, NonZeroUsize::MIN)?;
        let texts = texts(&encoder)?;
        for batch in [1, 32] {
            ours.push((name, batch, texts_per_second(&encoder, &texts, batch)));
        }
        if written.is_none() {
            let file = dir.join("texts.jsonl");
            write_lines(&file, &texts)?;
            written = Some(file);
        }
    }
    let file = written.context("no texts")?;
    let (model, file) = (model.to_string_lossy(), file.to_string_lossy());
    let seconds = ENCODING.as_secs().to_string();
    let args = [&*model, &*file, "--seconds", seconds.as_str(), "--threads", "1", "--int8"];
    let found = peer("onnx_encoder.py", &args);
    for (name, batch, ours) in ours {
        let theirs = found.as_ref().and_then(|v| theirs(v, name, batch));
        let what = format!("encoder {name}, batch {batch}, ~100 tokens");
        figures.push(Figure { what, unit: "texts/s", ours, peer: theirs });
    }
    Ok(())
}

/// The peer's figure: of its two f32 graphs the faster one.
fn theirs(report: &Value, mode: &str, batch: usize) -> Option<(String, f64)> {
    let name = report.get("peer")?.as_str()?;
    let graphs: &[&str] = if mode == "int8" { &["int8"] } else { &["plain", "fused"] };
    graphs
        .iter()
        .filter_map(|g| {
            let speeds = report.get(format!("texts_per_second_{g}"))?;
            let speed = speeds.get(format!("batch_{batch}"))?.as_f64()?;
            Some((format!("{name} {g}"), speed))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
}
