//! The real binary under more load than it can bear: what is too much is refused with 429, nothing
//! fails, memory stays bounded, and afterwards all is as before.
//!
//! `make soak` runs this for ten minutes on the release binary and writes `docs/soak.md`; `make test` runs
//! a short form. How fast it is is reported and not judged.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign::app;
use countersign::domain::limit::KeyLimits;
use countersign::store::key;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::harness::{Database, Engine, TestTenant, config, eventually, make_tenant, model_folder};

/// Keys that ask: one may fill half of the queue, so it takes several to fill it.
const KEYS: usize = 4;
/// Connections while the capacity is measured.
const CONNECTIONS: usize = 16;
/// Items of a request under load: every fourth request is a batch.
const ITEMS: usize = 16;
/// Texts that may wait.
const QUEUE: usize = 200;
/// Requests on their way at most, so that the test itself stays small.
const ON_THE_WAY: usize = 2000;

/// Some 50 tokens.
const TEXT: &str = "Hello, I ordered a pair of running shoes two weeks ago and the parcel still has \
    not arrived. The tracking page has shown the same place since Monday. Could you please tell me \
    where it is and when I can expect it? Thank you very much.";

/// What came back in a time.
#[derive(Default)]
struct Seen {
    statuses: Mutex<BTreeMap<u16, u64>>,
    /// Milliseconds of what was answered with 200.
    times: Mutex<Vec<f64>>,
    texts: AtomicU64,
    /// Refusals that don't say when to come back.
    silent: AtomicU64,
}

impl Seen {
    async fn quantile(&self, share: f64) -> f64 {
        let mut times = self.times.lock().await;
        times.sort_unstable_by(f64::total_cmp);
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

struct Soak {
    child: Child,
    base: String,
    keys: Vec<String>,
    http: reqwest::Client,
}

impl Drop for Soak {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Soak {
    async fn ask(&self, key: usize, n: usize, items: usize, seen: &Seen) {
        // No two texts are the same, as in life.
        let text = |i: usize| json!({"text": format!("{TEXT} Order {n}-{i}.")});
        let body = match items {
            1 => text(0),
            _ => json!({"items": (0..items).map(text).collect::<Vec<Value>>()}),
        };
        let request = self.http.post(format!("{}/v1/classify", self.base));
        let begun = Instant::now();
        let sent = request.bearer_auth(&self.keys[key % KEYS]).json(&body).send().await;
        let (status, after) = match sent {
            Ok(r) => {
                let (status, after) =
                    (r.status().as_u16(), r.headers().contains_key("retry-after"));
                // Read to the end, so that the connection is used again.
                (if r.bytes().await.is_ok() { status } else { 0 }, after)
            }
            Err(_) => (0, false),
        };
        *seen.statuses.lock().await.entry(status).or_default() += 1;
        if status == 200 {
            seen.texts.fetch_add(items as u64, Ordering::Relaxed);
            seen.times.lock().await.push(begun.elapsed().as_secs_f64() * 1e3);
        } else if status == 429 && !after {
            seen.silent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As many as come back; gives texts a second.
    async fn closed_loop(self: &Arc<Self>, time: Duration, seen: &Arc<Seen>) -> f64 {
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            let (soak, seen) = (self.clone(), seen.clone());
            tasks.spawn(async move {
                let mut n = connection;
                while begun.elapsed() < time {
                    // Each connection has its key, so that what comes back fits into its half of the queue.
                    soak.ask(connection, n, if n % 4 == 0 { ITEMS } else { 1 }, &seen).await;
                    n += CONNECTIONS + 1;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        seen.texts.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
    }

    /// Texts at a fixed pace, whether they come back or not; gives requests that were not even sent
    /// because too many were on their way.
    async fn open_loop(self: &Arc<Self>, time: Duration, pace: f64, seen: &Arc<Seen>) -> u64 {
        let begun = Instant::now();
        let room = Arc::new(tokio::sync::Semaphore::new(ON_THE_WAY));
        let mut tasks = tokio::task::JoinSet::new();
        let (mut n, mut texts, mut kept_back) = (0usize, 0usize, 0);
        while begun.elapsed() < time {
            while (texts as f64) < begun.elapsed().as_secs_f64() * pace {
                let items = if n.is_multiple_of(4) { ITEMS } else { 1 };
                (n, texts) = (n + 1, texts + items);
                let Ok(place) = room.clone().try_acquire_owned() else {
                    kept_back += 1;
                    continue;
                };
                let (soak, seen) = (self.clone(), seen.clone());
                tasks.spawn(async move {
                    // Every key has batches.
                    soak.ask(n / 4, n, items, &seen).await;
                    drop(place);
                });
            }
            while tasks.try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while tasks.join_next().await.is_some() {}
        kept_back
    }

    /// Resident memory, in MiB.
    fn rss(&self) -> f64 {
        let pid = self.child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    /// Samples memory until told to stop; gives the samples.
    fn watch(self: &Arc<Self>, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<f64>> {
        let (soak, stop) = (self.clone(), stop.clone());
        #[expect(clippy::disallowed_methods, reason = "a test's own task, joined below")]
        tokio::spawn(async move {
            let mut samples = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                samples.push(soak.rss());
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            samples
        })
    }

    async fn waiting(&self) -> u64 {
        let metrics = self.http.get(format!("{}/metrics", self.base)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let line = text.lines().find(|l| l.starts_with("countersign_classify_queue ")).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// What is driven, and what kind of build it is.
fn binary() -> (OsString, &'static str) {
    match std::env::var_os("COUNTERSIGN_SOAK_BIN") {
        Some(release) => (release, "release"),
        None => (env!("CARGO_BIN_EXE_countersign").into(), "debug"),
    }
}

async fn start(database: &Database) -> Soak {
    let store = app::open_store(&config(&database.url, &[])).await.unwrap();
    let TestTenant { id, .. } = make_tenant(&store, app::HOME).await;
    let mut keys = Vec::new();
    for n in 0..KEYS {
        let mut tx = store.db.begin().await.unwrap();
        let scopes = ["classify".to_owned()];
        let (key, text) =
            key::create(&store, &mut tx, &id, &format!("k{n}"), &scopes, None, None).await.unwrap();
        key::limit(&mut tx, &id, &key, &KeyLimits::default()).await.unwrap();
        tx.commit().await.unwrap();
        keys.push(text);
    }
    store.db.close().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sets = [
        format!("database.url={}", database.url),
        format!("security.master_key={}", "07".repeat(32)),
        format!("model.folder={}", model_folder().display()),
        format!("server.listen=127.0.0.1:{port}"),
        // Room for what the load opens at once: the queue is to refuse, not the connections.
        "server.max_in_flight=4096".to_owned(),
        format!("classify.queue={QUEUE}"),
        "classify.max_items=32".to_owned(),
        "log.level=warn".to_owned(),
    ];
    let mut command = Command::new(binary().0);
    for set in &sets {
        command.arg("--set").arg(set);
    }
    let child = command.arg("serve").stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
    let soak =
        Soak { child, base: format!("http://127.0.0.1:{port}"), keys, http: http.build().unwrap() };
    let up = eventually(|| async {
        let r = soak.http.get(format!("{}/healthz", soak.base)).send().await.ok()?;
        r.status().is_success().then_some(())
    });
    assert!(up.await.is_some(), "the service did not start");
    soak
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_the_capacity_is_refused_in_part_and_nothing_breaks() {
    let seconds = std::env::var("COUNTERSIGN_SOAK_SECONDS").ok().and_then(|s| s.parse().ok());
    let seconds: u64 = seconds.unwrap_or(10);
    let measured = Duration::from_secs((seconds / 10).clamp(4, 30));
    let database = Database::new(Engine::Sqlite).await;
    let soak = Arc::new(start(&database).await);

    let (before, watching) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    soak.closed_loop(measured / 2, &Arc::default()).await;
    let samples = soak.watch(&watching);
    let capacity = soak.closed_loop(measured, &before).await;
    watching.store(true, Ordering::Relaxed);
    let steady = samples.await.unwrap().into_iter().fold(0.0, f64::max);

    let (under, watching) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let samples = soak.watch(&watching);
    // A short measurement beside other tests may find less than there is; a long one asks for twice.
    let pace = capacity * if seconds < 60 { 4.0 } else { 2.0 };
    let kept_back = soak.open_loop(Duration::from_secs(seconds), pace, &under).await;
    watching.store(true, Ordering::Relaxed);
    let peak = samples.await.unwrap().into_iter().fold(0.0, f64::max);

    // What still waited was answered with the last request; then it is as it was before.
    let empty = eventually(|| async { (soak.waiting().await == 0).then_some(()) });
    assert!(empty.await.is_some(), "the queue doesn't run empty");
    let after = Arc::new(Seen::default());
    let again = soak.closed_loop(measured, &after).await;

    let statuses = under.statuses.lock().await.clone();
    let count = |s: u16| statuses.get(&s).copied().unwrap_or_default();
    let mut report = format!(
        "# Soak\n\n`make soak` drives the release binary with `POST /v1/classify` at twice the capacity \
         that it measured before, every fourth request a batch of {ITEMS}, with {KEYS} keys and a queue of \
         {QUEUE} texts. Written by the test.\n\n| | |\n|---|---|\n"
    );
    let mut line = |what: &str, value: String| {
        writeln!(report, "| {what} | {value} |").unwrap();
    };
    let profile = binary().1;
    line("build, time under load", format!("{profile}, {seconds} s"));
    line("capacity", format!("{capacity:.0} texts/s"));
    line("asked for", format!("{pace:.0} texts/s"));
    let answered = under.texts.load(Ordering::Relaxed);
    line("answered under load", format!("{:.0} texts/s", answered as f64 / seconds as f64));
    line("answers by status", format!("{statuses:?}"));
    line("not sent, too many on their way", format!("{kept_back}"));
    let (p50, p99) = (before.quantile(0.5).await, before.quantile(0.99).await);
    line("latency before, p50 and p99", format!("{p50:.0} ms, {p99:.0} ms"));
    let (p50, p99) = (under.quantile(0.5).await, under.quantile(0.99).await);
    line("latency under load, p50 and p99", format!("{p50:.0} ms, {p99:.0} ms"));
    let (p50, p99) = (after.quantile(0.5).await, after.quantile(0.99).await);
    line("latency after, p50 and p99", format!("{p50:.0} ms, {p99:.0} ms"));
    line("throughput after", format!("{again:.0} texts/s"));
    line("memory (RSS) before, peak under load", format!("{steady:.0} MiB, {peak:.0} MiB"));
    if let Some(path) = std::env::var_os("COUNTERSIGN_SOAK_REPORT") {
        std::fs::write(path, &report).unwrap();
    }

    assert!(count(429) > 0, "twice the capacity was not refused in part:\n{report}");
    assert_eq!(under.silent.load(Ordering::Relaxed), 0, "a refusal without Retry-After:\n{report}");
    assert!(statuses.keys().all(|s| matches!(s, 200 | 429)), "{report}");
    assert!(count(200) > 0, "{report}");
    assert!(peak <= 2.0 * steady, "memory:\n{report}");
    let calm = after.statuses.lock().await.clone();
    assert!(calm.keys().all(|s| *s == 200), "no recovery: {calm:?}\n{report}");
}
