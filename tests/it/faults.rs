//! `kill -9`: the real binary, killed at every named place and at random moments under load, on
//! both databases. After the last restart the auditor must find nothing wrong.
#![expect(clippy::print_stdout, reason = "the measured recovery time")]

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use countersign::app;
use countersign::store::engine::Options;
use countersign::store::{Db, Store};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::auditor;
use crate::harness::{Database, Engine, config, make_tenant, message, model_folder};
use crate::on_both;

const POINTS: [&str; 13] = [
    "intake.before",
    "intake.after",
    "job.claimed",
    "understand.before",
    "understand.after",
    "answer.before",
    "answer.after",
    "send.before",
    "send.after",
    "send.begun",
    "send.delivered",
    "send.end.before",
    "send.end.after",
];
/// The points of the short run; the random kills take the rest of its time.
const SHORT: [&str; 8] = [
    "intake.before",
    "intake.after",
    "job.claimed",
    "understand.before",
    "answer.before",
    "send.begun",
    "send.delivered",
    "send.end.before",
];

/// The service as a process; killed with its test.
pub struct Process {
    child: Child,
    pub base: String,
    pub begun: Instant,
}

impl Process {
    /// Starts `serve` on a free port.
    pub fn serve(url: &str, fail: Option<&str>) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("serve");
        for set in [
            format!("database.url={url}"),
            format!("security.master_key={}", "07".repeat(32)),
            format!("model.folder={}", model_folder().display()),
            format!("server.listen=127.0.0.1:{port}"),
            "ingest.burst_window_s=0".to_owned(),
            "review.hold_s=0".to_owned(),
            "worker.lease_s=4".to_owned(),
            "worker.heartbeat_s=1".to_owned(),
            "worker.sweep_s=1".to_owned(),
            // Every kill costs a claimed job an attempt; here that must not make dead letters.
            "worker.max_attempts=200".to_owned(),
            "send.timeout_s=3".to_owned(),
            "log.level=warn".to_owned(),
        ] {
            command.arg("--set").arg(set);
        }
        command.env_remove("COUNTERSIGN_FAIL");
        if let Some(f) = fail {
            command.env("COUNTERSIGN_FAIL", f);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, base: format!("http://127.0.0.1:{port}"), begun: Instant::now() }
    }

    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`, and waits until it is gone.
    async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    /// SIGTERM, and how it ended; none when it took longer than 30 s.
    async fn terminate(&mut self) -> Option<std::process::ExitStatus> {
        let pid = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .ok()
            .map(|s| s.unwrap())
    }

    async fn ready(&mut self, http: &reqwest::Client) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            assert!(self.ended().is_none(), "the service did not start");
            let r = http.get(format!("{}/healthz", self.base)).send().await;
            if r.is_ok_and(|r| r.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("the service did not start within 60 s");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

/// Opens the store, waiting for a dying process to let go of it.
async fn open(url: &str) -> Store {
    let config = config(url, &[]);
    let begun = Instant::now();
    loop {
        match app::open_store(&config).await {
            Ok(s) => return s,
            Err(e) if begun.elapsed() > Duration::from_secs(20) => panic!("{e:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Hands in messages and signs what is pending, whatever happens to the other side.
struct Driver {
    http: reqwest::Client,
    key: String,
    acked: Vec<String>,
    by_external: HashMap<String, String>,
    next: usize,
}

const QUESTIONS: [&str; 3] = [
    "Hi, how long do I have to return an item?",
    "Are returns free in the UK?",
    "When is the refund paid to my card?",
];

impl Driver {
    async fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        let r = request.bearer_auth(&self.key).send().await.ok()?;
        let status = r.status().as_u16();
        Some((status, r.json().await.ok()?))
    }

    async fn post(&self, url: String, body: &Value) -> Option<(u16, Value)> {
        self.send(self.http.post(url).json(body)).await
    }

    async fn teach(&self, base: &str) {
        let text = "You can return any unworn item within 30 days of delivery. Returns are free in \
            the UK. The refund is paid to the card you used within 5 working days.";
        let body = json!({"source": "returns.md", "title": "Returns", "text": text});
        let (status, said) = self.post(format!("{base}/v1/knowledge"), &body).await.unwrap();
        assert!(status == 201 || status == 200, "{said}");
    }

    /// Hands in the next message. One that wasn't acknowledged is handed in again under its id.
    async fn say(&mut self, base: &str) -> bool {
        let n = self.next;
        // Every thread gets two messages, ten messages apart.
        let thread = n / 20 * 10 + n % 10;
        let external = format!("m-{n}");
        let body = message(&external, &format!("t-{thread}"), QUESTIONS[n % 3]);
        let Some((status, said)) = self.post(format!("{base}/v1/messages"), &body).await else {
            return false;
        };
        match status {
            200 | 202 => {
                let id = said["id"].as_str().unwrap().to_owned();
                if let Some(before) = self.by_external.insert(external, id.clone()) {
                    assert_eq!(before, id, "one external id, two messages");
                }
                self.acked.push(id);
                self.next += 1;
                true
            }
            503 => false,
            _ => panic!("{status}: {said}"),
        }
    }

    /// Signs what is pending; returns how many reviews it found, none when nobody answered.
    async fn approve(&self, base: &str) -> Option<usize> {
        let list = self.http.get(format!("{base}/v1/reviews?state=pending&limit=20"));
        let (status, list) = self.send(list).await?;
        if status != 200 {
            return None;
        }
        let items = list["items"].as_array().unwrap();
        for r in items {
            let id = r["id"].as_str().unwrap();
            let (status, whole) =
                self.send(self.http.get(format!("{base}/v1/reviews/{id}"))).await?;
            if status != 200 || whole["state"] != "pending" {
                continue;
            }
            let body = json!({"digest": whole["digest"]});
            let (status, said) =
                self.post(format!("{base}/v1/reviews/{id}/approve"), &body).await?;
            assert!(matches!(status, 200 | 409 | 503), "{status}: {said}");
        }
        Some(items.len())
    }

    async fn tick(&mut self, base: &str, posted: &mut usize) {
        if *posted < 30 && self.say(base).await {
            *posted += 1;
        }
        self.approve(base).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Numbers that differ from run to run only by the seed in the text.
fn pseudo_random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

async fn one(db: &Db, sql: &'static str) -> i64 {
    let mut c = db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *c).await.unwrap();
    n
}

/// Claims as they stand: job id and token.
async fn held(db: &Db) -> HashMap<String, String> {
    let mut c = db.read().await.unwrap();
    let rows: Vec<(String, String)> =
        sqlx::query_as("select id, coalesce(token, '') from job where state = 'running'")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    rows.into_iter().collect()
}

async fn kill_and_audit(engine: Engine) {
    let all = std::env::var("COUNTERSIGN_TEST_FAULTS").is_ok_and(|v| v == "all");
    let (points, random) = if all { (&POINTS[..], 50) } else { (&SHORT[..], 4) };
    let database = Database::new(engine).await;
    let url = database.url.clone();
    let key = {
        let store = open(&url).await;
        let home = make_tenant(&store, app::HOME).await;
        store.db.close().await;
        home.key
    };
    let http =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let mut driver =
        Driver { http: http.clone(), key, acked: Vec::new(), by_external: HashMap::new(), next: 0 };

    let mut p = Process::serve(&url, None);
    p.ready(&http).await;
    driver.teach(&p.base).await;
    p.kill().await;

    for (i, point) in points.iter().enumerate() {
        let mut p = Process::serve(&url, Some(&format!("{point}:{}", 1 + i % 3)));
        let mut posted = 0;
        let status = loop {
            if let Some(status) = p.ended() {
                break status;
            }
            assert!(
                p.begun.elapsed() < Duration::from_secs(60),
                "{point} was not reached within 60 s"
            );
            let base = p.base.clone();
            driver.tick(&base, &mut posted).await;
        };
        assert_eq!(status.signal(), Some(6), "{point}: the process ended with {status}");
    }
    let mut seed = 20_261_122;
    for _ in 0..random {
        let mut p = Process::serve(&url, None);
        p.ready(&http).await;
        let base = p.base.clone();
        let until = Instant::now() + Duration::from_millis(100 + pseudo_random(&mut seed) % 1200);
        let mut posted = 0;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            // The kill comes in the middle of a request, too.
            let _ = tokio::time::timeout(left, driver.tick(&base, &mut posted)).await;
        }
        assert!(p.ended().is_none(), "the service ended by itself");
        p.kill().await;
    }

    // A tool that only reads may look on beside the owner.
    let watch = Db::open(&Options { exclusive: false, ..Options::new(url.clone()) }).await.unwrap();
    let interrupted = held(&watch).await;
    let mut p = Process::serve(&url, None);
    let recovered = loop {
        let now = held(&watch).await;
        if interrupted.iter().all(|(id, token)| now.get(id) != Some(token)) {
            break p.begun.elapsed();
        }
        assert!(
            p.begun.elapsed() < Duration::from_secs(40),
            "abandoned claims stay: {interrupted:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!(
        "{engine:?}: {} interrupted jobs taken up {recovered:?} after the restart",
        interrupted.len()
    );
    p.ready(&http).await;
    // What a kill left without an answer is handed in again.
    for _ in 0..4 {
        assert!(driver.say(&p.base).await, "the restarted service takes nothing");
    }
    let begun = Instant::now();
    loop {
        let pending = driver.approve(&p.base).await.expect("the service answers");
        let open = one(
            &watch,
            "select (select cast(count(*) as bigint) from message where state = 'received')
               + (select cast(count(*) as bigint) from job where state in ('ready', 'running'))
               + (select cast(count(*) as bigint) from review
                  where state in ('pending', 'approved', 'held', 'sending'))",
        )
        .await;
        if pending == 0 && open == 0 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{open} things are still open after 120 s"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watch.close().await;
    drop(watch);
    let stopped = p.terminate().await;
    assert!(stopped.is_some_and(|s| s.success()), "SIGTERM: {stopped:?} (none: not within 30 s)");

    let store = open(&url).await;
    auditor::audit(&store, &driver.acked).await;
    let sent =
        one(&store.db, "select cast(count(*) as bigint) from review where state = 'sent'").await;
    let delivered = one(&store.db, "select cast(count(*) as bigint) from sandbox_delivery").await;
    let received =
        one(&store.db, "select cast(count(*) as bigint) from message where direction = 'in'").await;
    let dead =
        one(&store.db, "select cast(count(*) as bigint) from job where state = 'dead'").await;
    println!("{engine:?}: {} acknowledged, {sent} sent", driver.acked.len());
    assert!(sent > 0, "nothing was sent: the test tests nothing");
    assert_eq!(delivered, sent, "one delivery for every reply that counts as sent");
    assert_eq!(dead, 0, "a kill made a dead letter");
    // A message that is committed but not acknowledged is handed in again, and found.
    assert_eq!(
        usize::try_from(received).unwrap(),
        driver.by_external.len(),
        "rows and external ids"
    );
    store.db.close().await;
}

on_both!(killed_anywhere_nothing_is_lost_or_sent_twice, engine, {
    kill_and_audit(engine).await;
});
