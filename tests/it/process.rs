//! The real binary as a process that a test can start, stop, hold and end in any way, and the driver
//! that hands in messages and signs replies whatever becomes of it.

use std::collections::HashMap;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use countersign::app;
use countersign::store::engine::Options;
use countersign::store::{Db, Store};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::auditor;
use crate::harness::{config, message, model_folder};

/// Whether the long variants were asked for.
pub fn long() -> bool {
    std::env::var("COUNTERSIGN_TEST_FAULTS").is_ok_and(|v| v == "all")
}

/// How to start it.
pub struct Start {
    command: &'static str,
    sets: Vec<String>,
    env: Vec<(String, String)>,
    under: Vec<String>,
    fail: Option<String>,
}

impl Start {
    /// `serve` or `worker` on a database.
    pub fn new(command: &'static str, url: &str) -> Self {
        let sets = [
            format!("database.url={url}"),
            format!("security.master_key={}", "07".repeat(32)),
            format!("model.folder={}", model_folder().display()),
            "ingest.burst_window_s=0".to_owned(),
            "review.hold_s=0".to_owned(),
            "worker.lease_s=2".to_owned(),
            "worker.heartbeat_s=1".to_owned(),
            "worker.sweep_s=1".to_owned(),
            // Every kill costs a claimed job an attempt; here that must not make dead letters.
            "worker.max_attempts=200".to_owned(),
            "send.timeout_s=1".to_owned(),
            "events.timeout_s=1".to_owned(),
            "send.allow_private_addresses=true".to_owned(),
            "log.level=info".to_owned(),
            "log.format=text".to_owned(),
        ];
        Self { command, sets: sets.into(), env: Vec::new(), under: Vec::new(), fail: None }
    }

    /// A setting, over those above.
    pub fn set(mut self, set: &str) -> Self {
        self.sets.push(set.to_owned());
        self
    }

    /// Where it fails, as `COUNTERSIGN_FAIL` says it.
    pub fn fail(mut self, place: &str) -> Self {
        self.fail = Some(place.to_owned());
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A command that runs it, by `exec`: its process id must be the service's.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|w| (*w).to_owned()).collect();
        self
    }

    /// Starts it on a free port.
    pub fn begin(self) -> Process {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = env!("CARGO_BIN_EXE_countersign");
        let mut words = self.under.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut c = Command::new(first);
                c.args(words).arg(program);
                c
            }
            None => Command::new(program),
        };
        command.arg(self.command);
        for set in &self.sets {
            command.arg("--set").arg(set);
        }
        command.arg("--set").arg(format!("server.listen=127.0.0.1:{port}"));
        command.env_remove("COUNTERSIGN_FAIL").envs(self.env);
        if let Some(f) = self.fail {
            command.env("COUNTERSIGN_FAIL", f);
        }
        let log = tempfile::NamedTempFile::new().unwrap();
        let to_log = || Stdio::from(log.as_file().try_clone().unwrap());
        let child = command
            .stdin(Stdio::null())
            .stdout(to_log())
            .stderr(to_log())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process { child, base: format!("http://127.0.0.1:{port}"), begun: Instant::now(), log }
    }
}

/// The service as a process; killed with its test.
pub struct Process {
    child: Child,
    pub base: String,
    pub begun: Instant,
    log: tempfile::NamedTempFile,
}

impl Process {
    /// Starts `serve` on a free port.
    pub fn serve(url: &str, fail: Option<&str>) -> Self {
        let start = Start::new("serve", url);
        match fail {
            Some(place) => start.fail(place).begin(),
            None => start.begin(),
        }
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success(), "kill {name} {pid}");
    }

    /// How it ended; none when that took longer than `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(limit, self.child.wait()).await.ok().map(|s| s.unwrap())
    }

    /// SIGTERM, and how it ended; none when it took longer than 30 s.
    pub async fn terminate(&mut self) -> Option<ExitStatus> {
        self.signal("-TERM");
        self.wait(Duration::from_secs(30)).await
    }

    /// SIGTERM, after which it must end well.
    pub async fn stop(mut self) {
        let stopped = self.terminate().await;
        assert!(
            stopped.is_some_and(|s| s.success()),
            "SIGTERM: {stopped:?} (none: not within 30 s): {}",
            self.log()
        );
    }

    /// Whether it is stopped, by SIGSTOP.
    pub fn held(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The state follows the name, which stands in brackets.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    pub async fn ready(&mut self, http: &reqwest::Client) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            assert!(self.ended().is_none(), "the service did not start: {}", self.log());
            let r = http.get(format!("{}/healthz", self.base)).send().await;
            if r.is_ok_and(|r| r.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("the service did not start within 60 s: {}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

/// Opens the store, waiting for a dying process to let go of it.
pub async fn open(url: &str) -> Store {
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

/// A connection that looks on beside the owner.
pub async fn watch(url: &str) -> Db {
    Db::open(&Options { exclusive: false, ..Options::new(url) }).await.unwrap()
}

/// One number from the database.
pub async fn one(db: &Db, sql: &'static str) -> i64 {
    let mut c = db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *c).await.unwrap();
    n
}

/// Numbers that differ from run to run only by the seed in the text.
pub fn pseudo_random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Waits until something is so; `what` names it when it never is.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Hands in messages and signs what is pending, whatever happens to the other side.
pub struct Driver {
    pub http: reqwest::Client,
    pub key: String,
    pub acked: Vec<String>,
    pub by_external: HashMap<String, String>,
    pub next: usize,
    /// Answers that said "not now".
    pub refused: Vec<u16>,
    /// The longest that an answer took.
    pub slowest: Duration,
}

const QUESTIONS: [&str; 3] = [
    "Hi, how long do I have to return an item?",
    "Are returns free in the UK?",
    "When is the refund paid to my card?",
];

impl Driver {
    pub fn new(key: String) -> Self {
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self {
            http,
            key,
            acked: Vec::new(),
            by_external: HashMap::new(),
            next: 0,
            refused: Vec::new(),
            slowest: Duration::ZERO,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        let r = request.bearer_auth(&self.key).send().await.ok()?;
        let status = r.status().as_u16();
        if matches!(status, 429 | 503 | 507) {
            assert!(r.headers().contains_key("retry-after"), "{status} without Retry-After");
        }
        Some((status, r.json().await.ok()?))
    }

    pub async fn get(&self, url: String) -> Option<(u16, Value)> {
        self.send(self.http.get(url)).await
    }

    pub async fn post(&self, url: String, body: &Value) -> Option<(u16, Value)> {
        self.send(self.http.post(url).json(body)).await
    }

    pub async fn teach(&self, base: &str) {
        let text = "You can return any unworn item within 30 days of delivery. Returns are free in \
            the UK. The refund is paid to the card you used within 5 working days.";
        let body = json!({"source": "returns.md", "title": "Returns", "text": text});
        let (status, said) = self.post(format!("{base}/v1/knowledge"), &body).await.unwrap();
        assert!(status == 201 || status == 200, "{said}");
    }

    /// Hands in the next message. One that wasn't acknowledged is handed in again under its id.
    pub async fn say(&mut self, base: &str) -> bool {
        let n = self.next;
        // Every thread gets two messages, ten messages apart.
        let thread = n / 20 * 10 + n % 10;
        let external = format!("m-{n}");
        let body = message(&external, &format!("t-{thread}"), QUESTIONS[n % 3]);
        let begun = Instant::now();
        let answer = self.post(format!("{base}/v1/messages"), &body).await;
        self.slowest = self.slowest.max(begun.elapsed());
        let Some((status, said)) = answer else { return false };
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
            503 | 507 => {
                self.refused.push(status);
                false
            }
            _ => panic!("{status}: {said}"),
        }
    }

    /// Signs what is pending; returns how many reviews it found, none when nobody answered.
    pub async fn approve(&self, base: &str) -> Option<usize> {
        let (status, list) = self.get(format!("{base}/v1/reviews?state=pending&limit=20")).await?;
        if status != 200 {
            return None;
        }
        let items = list["items"].as_array().unwrap();
        for r in items {
            let id = r["id"].as_str().unwrap();
            let (status, whole) = self.get(format!("{base}/v1/reviews/{id}")).await?;
            if status != 200 || whole["state"] != "pending" {
                continue;
            }
            let body = json!({"digest": whole["digest"]});
            let (status, said) =
                self.post(format!("{base}/v1/reviews/{id}/approve"), &body).await?;
            assert!(matches!(status, 200 | 409 | 503 | 507), "{status}: {said}");
        }
        Some(items.len())
    }

    pub async fn tick(&mut self, base: &str, posted: &mut usize) {
        if *posted < 30 && self.say(base).await {
            *posted += 1;
        }
        self.approve(base).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Signs whatever comes up until nothing waits, runs or is on its way.
    pub async fn finish(&self, base: &str, watch: &Db) {
        let begun = Instant::now();
        loop {
            let pending = self.approve(base).await.expect("the service answers");
            let open = one(
                watch,
                "select (select cast(count(*) as bigint) from message where state = 'received')
                   + (select cast(count(*) as bigint) from job where state in ('ready', 'running'))
                   + (select cast(count(*) as bigint) from review
                      where state in ('pending', 'approved', 'held', 'sending'))",
            )
            .await;
            if pending == 0 && open == 0 {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "{open} things are still open after 120 s"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Lets the auditor look at a database that nobody works on.
pub async fn audited(url: &str, acked: &[String]) {
    let store = open(url).await;
    auditor::audit(&store, acked).await;
    store.db.close().await;
}
