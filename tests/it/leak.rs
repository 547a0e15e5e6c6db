//! The leak gate: made-up personal data of every kind goes through the real binary by every door,
//! then all that left it or lasts is searched for it. What a customer gave, of a type that may be
//! sent, is allowed in one place only: the reply that goes back to that same customer.
//!
//! `COUNTERSIGN_TEST_SEED` repeats a run; a failure prints it.

mod canary;
mod doors;
mod grep;
mod platforms;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use countersign::app;
use countersign::domain::ids::TenantId;
use countersign::domain::masking::Entity;
use countersign::domain::message::ChannelKind;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, AdapterKind, Settings};
use countersign::store::engine::Options;
use countersign::store::{Db, Engine as Kind, job};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::process::{Child, Command};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::harness::{
    Database, Engine, PASSWORD, TestTenant, config, eventually, make_tenant, model_folder,
};
use crate::on_both;
use canary::{ADDRESS, Canary, Seed};
use grep::{Grep, Hit};

/// The channel whose replies are posted to the capture server.
const CHANNEL: &str = "hooked";

/// A model that says the placeholders of its prompt again, as models do.
struct Parrot;

impl Respond for Parrot {
    fn respond(&self, r: &Request) -> ResponseTemplate {
        let asked: Value = serde_json::from_slice(&r.body).unwrap();
        let last = asked["messages"].as_array().and_then(|m| m.last()).cloned().unwrap_or_default();
        let prompt = last["content"].as_str().map_or_else(|| last.to_string(), str::to_owned);
        let seen = placeholders(&prompt);
        let noted = format!("We have noted {}.", seen.join(", "));
        let draft = json!({"tone": "neutral", "unanswered": [format!("What about {}?", seen.join(" and "))],
        "sentences": [
            {"text": "You can return any unworn item within 30 days of delivery.", "citations": [1]},
            {"text": noted, "citations": []},
        ]});
        ResponseTemplate::new(200).set_body_json(json!({"id": "x", "object": "chat.completion", "created": 1,
            "model": "local", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": draft.to_string()}}]}))
    }
}

/// The placeholders in a text, each once.
fn placeholders(text: &str) -> Vec<String> {
    let inner = |s: &str| {
        let word = s.split('>').next()?;
        let (label, n) = word.rsplit_once('_')?;
        let named = !label.is_empty() && label.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        (named && !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            .then(|| format!("<{word}>"))
    };
    let all: BTreeSet<String> = text.split('<').skip(1).filter_map(inner).collect();
    all.into_iter().collect()
}

/// The binary at the most talkative log level, everything that it writes in a file.
struct Service {
    child: Child,
    base: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

/// What the run has to do with.
pub(super) struct Gate {
    seed: Seed,
    canaries: Vec<Canary>,
    tenant: TestTenant,
    http: reqwest::Client,
    base: String,
    /// What was answered, with the place that it was asked at.
    answers: Vec<(String, Vec<u8>)>,
    /// The customer's address by the message's id.
    customers: HashMap<String, String>,
}

impl Gate {
    /// A message's worth of answers to read later.
    async fn ask(&mut self, place: &str, request: reqwest::RequestBuilder) -> (u16, Value) {
        let r = request.send().await.unwrap();
        let status = r.status().as_u16();
        let head = format!("{:?}", r.headers());
        let body = r.bytes().await.unwrap();
        self.answers.push((format!("{place} (headers)"), head.into_bytes()));
        self.answers.push((place.to_owned(), body.to_vec()));
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&mut self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.tenant.key);
        // Ids say nothing; where the path is a canary it stays out of the place's name, too.
        let place = path.split(['?', '&']).next().unwrap_or_default();
        let place: Vec<&str> = place.split('/').take(3).collect();
        self.ask(&format!("answer to GET {}", place.join("/")), request).await
    }

    async fn post(&mut self, place: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(url).bearer_auth(&self.tenant.key).json(body);
        self.ask(&format!("answer to POST {place}"), request).await
    }
}

fn sets(url: &str, model: &str, port: u16) -> Vec<String> {
    vec![
        format!("database.url={url}"),
        format!("security.master_key={}", "07".repeat(32)),
        format!("model.folder={}", model_folder().display()),
        format!("server.listen=127.0.0.1:{port}"),
        format!("draft.base_url={model}/v1"),
        "draft.drafter=openai".to_owned(),
        "ingest.burst_window_s=0".to_owned(),
        "review.hold_s=0".to_owned(),
        "send.allow_private_addresses=true".to_owned(),
        "worker.sweep_s=1".to_owned(),
        "log.level=trace".to_owned(),
    ]
}

fn binary(sets: &[String]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_countersign"));
    for set in sets {
        c.arg("--set").arg(set);
    }
    c.stdin(Stdio::null()).kill_on_drop(true);
    c
}

async fn start(sets: &[String], log: &Path, http: &reqwest::Client, port: u16) -> Service {
    let file = std::fs::File::create(log).unwrap();
    let child =
        binary(sets).arg("serve").stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let mut service = Service { child, base };
    let health = format!("{}/healthz", service.base);
    let up = eventually(|| async {
        let r = http.get(&health).send().await.ok()?;
        r.status().is_success().then_some(())
    });
    let up = up.await;
    assert!(up.is_some(), "the service did not start: {:?}", service.child.try_wait());
    service
}

/// A tenant whose channel posts replies to `sink`, in a database that nobody has open afterwards.
async fn prepare(url: &str, sink: &str, chatwoot: &str) -> TestTenant {
    let store = app::open_store(&config(url, &[])).await.unwrap();
    let home = make_tenant(&store, app::HOME).await;
    let s = Settings {
        sender: "shop@example.com".into(),
        url: Some(format!("{sink}/in")),
        rate: 1000.0,
        burst: 1000.0,
        ..Settings::default()
    };
    let mut tx = store.db.begin().await.unwrap();
    let (slug, kind) = (CHANNEL.parse().unwrap(), ChannelKind::Chat);
    let t: &TenantId = &home.id;
    channel::put(
        &store,
        &mut tx,
        t,
        &slug,
        kind,
        AdapterKind::Webhook,
        &s,
        std::slice::from_ref(&home.secret),
    )
    .await
    .unwrap();
    platforms::connect(&store, &mut tx, t, chatwoot).await;
    tx.commit().await.unwrap();
    store.db.close().await;
    home
}

/// Waits until there is nothing to do.
async fn quiet(watch: &Db) {
    let done = eventually(|| async {
        let mut c = watch.read().await.ok()?;
        let counts = job::counts(&mut c).await.ok()?;
        counts.iter().all(|(_, s, _)| s == "done" || s == "dead").then_some(())
    });
    assert!(done.await.is_some(), "jobs are still running");
}

/// Every column of every table, as bytes.
async fn rows(watch: &Db) -> Vec<(String, Vec<u8>)> {
    let mut c = watch.read().await.unwrap();
    let list = match watch.engine() {
        Kind::Sqlite => {
            "select m.name, c.name, 'text' from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'"
        }
        Kind::Postgres => {
            "select cast(table_name as text), cast(column_name as text), cast(data_type as text)
             from information_schema.columns where table_schema = 'public'"
        }
    };
    let columns: Vec<(String, String, String)> =
        sqlx::query_as(list).fetch_all(&mut *c).await.unwrap();
    assert!(columns.len() > 100, "only {} columns", columns.len());
    let mut all = Vec::new();
    for (table, column, kind) in columns {
        let value = match (watch.engine(), kind.as_str()) {
            (Kind::Sqlite, _) => format!("cast(\"{column}\" as blob)"),
            (Kind::Postgres, "bytea") => format!("cast(\"{column}\" as bytea)"),
            (Kind::Postgres, _) => format!("convert_to(cast(\"{column}\" as text), 'UTF8')"),
        };
        let sql = format!("select {value} from \"{table}\" where \"{column}\" is not null");
        let values: Vec<(Vec<u8>,)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *c).await.unwrap();
        let bytes: Vec<Vec<u8>> = values.into_iter().map(|(v,)| v).collect();
        all.push((format!("column {table}.{column}"), bytes.join(&b"\n"[..])));
    }
    all
}

/// The files of a SQLite database.
fn files(url: &str, when: &str) -> Vec<(String, Vec<u8>)> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Vec::new() };
    let folder = PathBuf::from(path).parent().unwrap().to_owned();
    std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.path().is_file())
        .map(|e| {
            let name = format!("file {} {when}", e.file_name().to_string_lossy());
            (name, std::fs::read(e.path()).unwrap_or_default())
        })
        .collect()
}

async fn requests(server: &MockServer) -> Vec<Vec<u8>> {
    let all = server.received_requests().await.unwrap();
    let whole = |r: &Request| [format!("{} {:?}\n", r.url, r.headers).as_bytes(), &r.body].concat();
    all.iter().map(whole).collect()
}

/// Replies may carry what their own customer gave, of types that may be sent. Hits beyond that, and
/// how many values of the table went back rightly.
async fn replies(server: &MockServer, canaries: &[Canary], grep: &Grep) -> (Vec<Hit>, usize) {
    let (mut wrong, mut right) = (Vec::new(), 0);
    for r in server.received_requests().await.unwrap() {
        let body: Value = serde_json::from_slice(&r.body).unwrap();
        let to = body["data"]["to"][0].as_str().unwrap_or_default().to_owned();
        let text = body["data"]["text"].as_str().unwrap_or_default().as_bytes();
        let allowed = |h: &Hit| {
            let c = &canaries[h.canary];
            let sendable = c.entity.parse::<Entity>().unwrap().is_sendable();
            sendable && !to.is_empty() && c.customer == to
        };
        right += grep.find("reply", text).iter().filter(|h| allowed(h)).count();
        let head = format!("{} {:?}", r.url, r.headers);
        wrong.extend(grep.find("reply (headers)", head.as_bytes()));
        wrong.extend(grep.find("reply", &r.body).into_iter().filter(|h| !allowed(h)));
    }
    (wrong, right)
}

/// What an operator's own secrets are: they have no place in any of these either.
fn own_secrets(home: &TestTenant) -> Vec<Canary> {
    let secret = |kind, value: &str| Canary {
        kind,
        entity: "API_KEY",
        door: "the operator",
        customer: String::new(),
        needles: vec![value.to_owned()],
    };
    vec![
        secret("API key of the service", &home.key),
        secret("signing secret of the channels", &home.secret),
        secret("login password", PASSWORD),
        secret("master key", &"07".repeat(32)),
    ]
}

fn report(hits: Vec<Hit>, canaries: &[Canary], seed: u64) {
    let mut places: BTreeMap<(String, &str, &str, &str), Vec<String>> = BTreeMap::new();
    for h in hits {
        let c = &canaries[h.canary];
        places.entry((h.place, c.kind, c.door, h.how)).or_default().push(h.text);
    }
    let lines: Vec<String> = places
        .iter()
        .map(|((place, kind, door, how), found)| {
            let example: String = found[0].chars().take(60).collect();
            format!(
                "{place}: {kind}, {how}, came in by {door} ({} times, such as {example:?})",
                found.len()
            )
        })
        .collect();
    assert!(
        lines.is_empty(),
        "{} leaks, seed {seed}:\n{}",
        lines.len(),
        lines.iter().take(80).cloned().collect::<Vec<_>>().join("\n")
    );
}

async fn gate(engine: Engine) {
    let begun = std::env::var("COUNTERSIGN_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let begun: u64 = begun.unwrap_or_else(|| System.now().0.unsigned_abs());
    let database = Database::new(engine).await;
    let (model, sink) = (MockServer::start().await, MockServer::start().await);
    Mock::given(method("POST")).respond_with(Parrot).mount(&model).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&sink).await;
    let chatwoot = MockServer::start().await;
    Mock::given(any()).respond_with(platforms::Conversations).mount(&chatwoot).await;
    let tenant = prepare(&database.url, &sink.uri(), &chatwoot.uri()).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sets = sets(&database.url, &model.uri(), port);
    let outside = tempfile::tempdir().unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let mut g = Gate {
        seed: Seed(begun),
        canaries: own_secrets(&tenant),
        tenant,
        http: http.clone(),
        base: String::new(),
        answers: Vec::new(),
        customers: HashMap::new(),
    };
    // The positive control: public text, which must be found where data is.
    let control = [Canary::new(&ADDRESS, &mut g.seed, "an article", "")];

    doors::import(&mut g, &sets, outside.path()).await;
    let log = outside.path().join("log");
    let mut service = start(&sets, &log, &http, port).await;
    g.base = service.base.clone();
    let watch = Db::open(&Options { exclusive: false, ..Options::new(database.url.clone()) })
        .await
        .unwrap();
    let text = format!(
        "You can return any unworn item within 30 days of delivery. Returns are free. \
         The desk for returns is {}.",
        control[0].value()
    );
    let article = json!({"source": "returns.md", "title": "Returns", "text": text});
    let url = format!("{}/v1/knowledge", g.base);
    let taught = http.post(url).bearer_auth(&g.tenant.key).json(&article).send().await.unwrap();
    assert_eq!(taught.status(), 201);

    // Somebody listens to all that happens.
    let told = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&told).await;
    let wanted = json!({"url": format!("{}/events", told.uri())});
    let url = format!("{}/v1/webhooks", g.base);
    let made = http.post(url).bearer_auth(&g.tenant.key).json(&wanted).send().await.unwrap();
    assert_eq!(made.status(), 201);

    doors::api(&mut g).await;
    doors::mail(&mut g).await;
    doors::hook(&mut g).await;
    platforms::chatwoot(&mut g).await;
    doors::edits(&mut g).await;
    doors::refused(&mut g).await;
    doors::classify(&mut g).await;
    quiet(&watch).await;
    doors::reviewers(&mut g).await;
    quiet(&watch).await;
    doors::page(&mut g).await;
    doors::look(&mut g).await;
    platforms::mcp(&mut g).await;

    let streamed = stream(&g).await;
    quiet(&watch).await;
    let posted = requests(&told).await;
    let events = String::from_utf8_lossy(&posted.concat()).into_owned();
    for word in ["message.received", "message.classified", "review.changed", "send.sent"] {
        assert!(events.contains(word) && streamed.contains(word), "nobody was told of {word}");
    }

    let grep = Grep::new(&g.canaries);
    let prompts = requests(&model).await;
    let mut places: Vec<(String, Vec<u8>)> = std::mem::take(&mut g.answers);
    places.extend(prompts.iter().map(|p| ("model request".to_owned(), p.clone())));
    places.extend(posted.iter().map(|p| ("event by webhook".to_owned(), p.clone())));
    places.push(("event by stream".to_owned(), streamed.into_bytes()));
    let dump = rows(&watch).await;
    let running = files(&database.url, "while it runs");
    if engine == Engine::Sqlite {
        let target = outside.path().join("backup.db");
        let made = binary(&sets).arg("backup").arg(&target).output().await.unwrap();
        assert!(made.status.success(), "{made:?}");
        places.push(("output of backup".to_owned(), [made.stdout, made.stderr].concat()));
        places.push(("backup file".to_owned(), std::fs::read(&target).unwrap()));
    }
    watch.close().await;
    stop(&mut service).await;
    let after = files(&database.url, "after the stop");

    // Nothing found proves something only where there was something to find.
    let public = Grep::new(&control);
    let seen = |all: &[(String, Vec<u8>)]| all.iter().any(|(p, b)| !public.find(p, b).is_empty());
    assert!(seen(&dump), "the control is in no column: the search doesn't look where data is");
    if engine == Engine::Sqlite {
        assert!(seen(&running) && seen(&after), "the control is in no file of the database");
        let backup = |p: &str| p == "backup file";
        assert!(
            places.iter().any(|(p, b)| backup(p) && !public.find(p, b).is_empty()),
            "nor in the backup"
        );
    }
    let said = std::fs::read(&log).unwrap();
    let logged = |word: &str| said.windows(word.len()).any(|w| w == word.as_bytes());
    assert!(logged("understood") && logged("drafted") && logged("TRACE"), "the log is empty");
    let asked = String::from_utf8_lossy(&prompts.concat()).into_owned();
    for label in ["EMAIL", "PHONE", "CARD", "IBAN", "IP", "URL", "SSN", "PASSWORD", "KEY", "PERSON"]
    {
        assert!(asked.contains(&format!("<{label}_")), "no prompt has a <{label}_n>");
    }

    places.extend(dump);
    places.extend(running);
    places.extend(after);
    places.push(("log".to_owned(), said));
    let (mut hits, right) = replies(&sink, &g.canaries, &grep).await;
    assert!(right > 0, "no reply gave a value back: the send was not tested");
    let (wrong, notes, right) = platforms::told(&chatwoot, &g.canaries, &grep).await;
    assert!(notes > 2 && right > 0, "Chatwoot got {notes} notes and {right} values");
    hits.extend(wrong);
    for (place, bytes) in &places {
        hits.extend(grep.find(place, bytes));
    }
    report(hits, &g.canaries, begun);
}

/// All events that are kept, as a stream tells them.
async fn stream(g: &Gate) -> String {
    let request = g.http.get(format!("{}/v1/events?after=0", g.base)).bearer_auth(&g.tenant.key);
    let mut answer = request.send().await.unwrap();
    let mut all = Vec::new();
    // The end is when nothing more comes; heartbeats are further apart.
    while let Ok(Ok(Some(more))) =
        tokio::time::timeout(Duration::from_secs(3), answer.chunk()).await
    {
        all.extend_from_slice(&more);
    }
    String::from_utf8(all).unwrap()
}

async fn stop(service: &mut Service) {
    let pid = service.child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let begun = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(30), service.child.wait()).await;
    assert!(ended.is_ok(), "it did not stop within {:?}", begun.elapsed());
}

on_both!(nothing_personal_leaves_or_lasts, engine, {
    gate(engine).await;
});
