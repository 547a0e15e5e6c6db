//! A real service on port 0 with a database of its own, on either engine.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::adapters::standard_webhooks;
use countersign::app::{self, Models};
use countersign::config::Config;
use countersign::domain::ids::{KeyId, Micros, Slug, TenantId};
use countersign::domain::limit::KeyLimits;
use countersign::domain::message::ChannelKind;
use countersign::domain::review::Role;
use countersign::http;
use countersign::lifecycle::Lifecycle;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, AdapterKind, Channel, Settings};
use countersign::store::{Store, job, key, tenant, user};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::openapi::schema;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes one test a database engine: `on_both!(name, engine, { … })`.
#[macro_export]
macro_rules! on_both {
    ($name:ident, $engine:ident, $body:block) => {
        mod $name {
            use super::*;

            async fn story($engine: $crate::harness::Engine) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                story($crate::harness::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                story($crate::harness::Engine::Postgres).await;
            }
        }
    };
}

/// The folder of the encoder, which `make test` fetches.
pub fn model_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2")
}

/// The models, loaded once for the whole test binary.
pub fn models() -> Models {
    static LOADED: OnceLock<Models> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            let sets = [format!("model.folder={}", model_folder().display())];
            let config = Config::load(None, &|_| None, &sets).unwrap();
            Models::load(&config)
                .expect("the model is there after `make test` or `countersign models pull`")
        })
        .clone()
}

/// A database that is dropped with its test.
pub struct Database {
    pub url: String,
    _dir: Option<tempfile::TempDir>,
    pg: Option<(String, String)>,
}

impl Database {
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}/test.db", dir.path().display());
                Self { url, _dir: Some(dir), pg: None }
            }
            Engine::Postgres => {
                let server = std::env::var("COUNTERSIGN_TEST_POSTGRES")
                    .expect("COUNTERSIGN_TEST_POSTGRES: run the tests by `make test`, which starts a cluster");
                let name = format!("t_{}", &System.token()[..16]);
                sql(&server, &format!("create database {name}")).await;
                let base = server.rsplit_once('/').unwrap().0.to_owned();
                Self { url: format!("{base}/{name}"), _dir: None, pg: Some((server, name)) }
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = self.pg.take() {
            // A thread of its own: the test's runtime may be gone.
            let _ = std::thread::spawn(move || {
                let rt =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                rt.block_on(sql(&server, &format!("drop database if exists {name} with (force)")));
            })
            .join();
        }
    }
}

/// Runs one statement on a database.
pub async fn sql(url: &str, statement: &str) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let mut c = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut c).await.unwrap();
    c.close().await.unwrap();
}

/// What one test needs of a tenant.
#[derive(Clone, Debug)]
pub struct TestTenant {
    pub id: TenantId,
    pub slug: String,
    /// A key with every scope, acting with a reviewer's hands.
    pub key: String,
    /// The signing secret of every channel.
    pub secret: String,
}

/// A running service.
pub struct TestApp {
    pub base: String,
    pub store: Store,
    pub home: TestTenant,
    pub http: reqwest::Client,
    pub app: http::App,
    pub life: Lifecycle,
    pub database: Arc<Database>,
}

pub const PASSWORD: &str = "a long test password";

/// A question of a customer, and an article that answers it.
pub const QUESTION: &str = "How long do I have to return an item?";
pub const ARTICLE: &str = "You can return any unworn item within 30 days of delivery. Returns are free in the UK. \
    The refund is paid to the card you used within 5 working days after the parcel arrives.";

/// Settings of tests: no waiting for bursts, a short hold.
pub fn config(url: &str, more: &[&str]) -> Config {
    config_over(None, url, more)
}

/// The same over a configuration file.
pub fn config_over(file: Option<&std::path::Path>, url: &str, more: &[&str]) -> Config {
    let mut sets = vec![
        format!("database.url={url}"),
        format!("security.master_key={}", "07".repeat(32)),
        format!("model.folder={}", model_folder().display()),
        "server.listen=127.0.0.1:0".to_owned(),
        "ingest.burst_window_s=0".to_owned(),
        "review.hold_s=0".to_owned(),
        "send.allow_private_addresses=true".to_owned(),
        "worker.sweep_s=1".to_owned(),
    ];
    sets.extend(more.iter().map(|s| (*s).to_owned()));
    Config::load(file, &|_| None, &sets).unwrap()
}

impl TestApp {
    /// With a worker running.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// With other settings.
    pub async fn start_with(engine: Engine, more: &[&str]) -> Self {
        Self::launch(engine, |url| config(url, more), true).await
    }

    /// Without a worker: jobs stay where they are.
    pub async fn idle(engine: Engine, more: &[&str]) -> Self {
        Self::launch(engine, |url| config(url, more), false).await
    }

    /// On a database that another one has, or had: beside it, or after its stop.
    pub async fn on(url: &str, more: &[&str]) -> Self {
        Self::launch(Engine::Sqlite, |_| config(url, more), false).await
    }

    /// With a configuration file of this text.
    pub async fn start_from(engine: Engine, file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.toml");
        std::fs::write(&path, file).unwrap();
        Self::launch(engine, |url| config_over(Some(&path), url, &[]), true).await
    }

    /// With a worker, and with heads of its own.
    pub async fn start_reading_by(engine: Engine, models: Models) -> Self {
        Self::launch_by(engine, |url| config(url, &[]), true, models).await
    }

    async fn launch(engine: Engine, config: impl FnOnce(&str) -> Config, work: bool) -> Self {
        Self::launch_by(engine, config, work, models()).await
    }

    async fn launch_by(
        engine: Engine,
        config: impl FnOnce(&str) -> Config,
        work: bool,
        models: Models,
    ) -> Self {
        let database = Arc::new(Database::new(engine).await);
        let config = config(&database.url);
        let store = app::open_store(&config).await.unwrap();
        let life = Lifecycle::new();
        let header_timeout = Duration::from_secs(config.server.header_timeout_s);
        let service = app::build(config, store.clone(), models, life.clone(), None).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        if work {
            service.worker.start(&life);
        }
        let app = service.app.clone();
        let router = http::router(service.app);
        let l = life.clone();
        life.spawn(async move { http::server::serve(listener, router, header_timeout, l).await });
        let home = make_tenant(&store, app::HOME).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, store, home, http, app, life, database }
    }

    /// Another tenant with the same channels.
    pub async fn tenant(&self, slug: &str) -> TestTenant {
        make_tenant(&self.store, slug).await
    }

    pub async fn get(&self, key: &str, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.base)).bearer_auth(key)).await
    }

    pub async fn post(&self, key: &str, path: &str, body: &Value) -> (u16, Value) {
        answer(self.http.post(format!("{}{path}", self.base)).bearer_auth(key).json(body)).await
    }

    /// Any method; without a body when it is null.
    pub async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.home.key);
        answer(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Opens a stream of events.
    pub async fn listen(&self, key: &str, query: &str, last: Option<&str>) -> Listener {
        let mut request =
            self.http.get(format!("{}/v1/events?{query}", self.base)).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Listener { answer, rest: String::new(), last: String::new() }
    }

    /// The next `n` events of a stream, each with its id in `sse`.
    pub async fn told(&self, key: &str, query: &str, last: Option<&str>, n: usize) -> Vec<Value> {
        let mut listener = self.listen(key, query, last).await;
        let mut all = Vec::new();
        while all.len() < n {
            all.push(listener.next().await.expect("the stream ended"));
        }
        all
    }

    /// Hands in a chat message and gives its id.
    pub async fn say(&self, external_id: &str, thread: &str, text: &str) -> String {
        let (status, body) =
            self.post(&self.home.key, "/v1/messages", &message(external_id, thread, text)).await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Hands in a webhook, signed with the home tenant's secret.
    pub async fn hook(&self, path: &str, id: &str, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let secrets = [self.home.secret.clone()];
        let (at, sig) = standard_webhooks::sign(&secrets, id, System.now(), text.as_bytes());
        answer(
            self.http
                .post(format!("{}{path}", self.base))
                .header("webhook-id", id)
                .header("webhook-timestamp", at)
                .header("webhook-signature", sig)
                .body(text),
        )
        .await
    }

    /// Does something to a review with the home tenant's key.
    pub async fn act(&self, review: &Value, action: &str, body: Value) -> (u16, Value) {
        let id = review["id"].as_str().unwrap();
        self.post(&self.home.key, &format!("/v1/reviews/{id}/{action}"), &body).await
    }

    /// Makes a chat channel whose replies are posted to `url`, or points one there.
    pub async fn post_to(&self, slug: &str, url: &str, secrets: &[String]) -> Channel {
        let s = Settings {
            sender: "shop@example.com".into(),
            url: Some(url.to_owned()),
            rate: 100.0,
            burst: 100.0,
            ..Settings::default()
        };
        let mut tx = self.store.db.begin().await.unwrap();
        let (t, slug, kind) = (&self.home.id, slug.parse().unwrap(), ChannelKind::Chat);
        let adapter = AdapterKind::Webhook;
        let ch = channel::put(&self.store, &mut tx, t, &slug, kind, adapter, &s, secrets);
        let ch = ch.await.unwrap();
        tx.commit().await.unwrap();
        ch
    }

    /// Adds an article.
    pub async fn teach(&self, title: &str, text: &str) {
        let body = json!({"source": format!("{title}.md"), "title": title, "text": text});
        let (status, answer) = self.post(&self.home.key, "/v1/knowledge", &body).await;
        assert!(status == 201 || status == 200, "{answer}");
    }

    /// The review of a thread that is in one of `states`, once there is one.
    pub async fn review_in(&self, message: &str, states: &[&str]) -> Value {
        eventually(|| async {
            let (_, m) = self.get(&self.home.key, &format!("/v1/messages/{message}")).await;
            let thread = m["thread"].as_str()?.to_owned();
            let (_, t) = self.get(&self.home.key, &format!("/v1/threads/{thread}")).await;
            let found = t["reviews"]
                .as_array()?
                .iter()
                .find(|r| states.contains(&r["state"].as_str().unwrap_or_default()))?;
            let id = found["id"].as_str()?.to_owned();
            let (status, r) = self.get(&self.home.key, &format!("/v1/reviews/{id}")).await;
            (status == 200).then_some(r)
        })
        .await
        .unwrap_or_else(|| panic!("no review of {message} came into {states:?}"))
    }

    /// Makes a key of the home tenant with limits of its own.
    pub async fn key(
        &self,
        scopes: &[&str],
        limits: &KeyLimits,
        ends: Option<Micros>,
    ) -> (KeyId, String) {
        let scopes: Vec<String> = scopes.iter().map(|s| (*s).to_owned()).collect();
        let mut tx = self.store.db.begin().await.unwrap();
        let t = &self.home.id;
        let made = key::create(&self.store, &mut tx, t, "own", &scopes, None, ends).await.unwrap();
        key::limit(&mut tx, t, &made.0, limits).await.unwrap();
        tx.commit().await.unwrap();
        made
    }

    /// Waits until no job is ready or running.
    pub async fn quiet(&self) {
        let done = eventually(|| async {
            let mut c = self.store.db.read().await.ok()?;
            let counts = job::counts(&mut c).await.ok()?;
            counts.iter().all(|(_, s, _)| s == "done" || s == "dead").then_some(())
        })
        .await;
        assert!(done.is_some(), "jobs are still running");
    }

    /// Stops the service; fails when a task doesn't end.
    pub async fn stop(self) {
        self.life.stop();
        assert!(self.life.finished(Duration::from_secs(20)).await, "a task was left running");
        self.store.db.close().await;
    }
}

/// A client of the event stream, as browsers are.
pub struct Listener {
    answer: reqwest::Response,
    rest: String,
    /// The last event id, from events and from heartbeats.
    pub last: String,
}

impl Listener {
    /// The next event; none at the end of the stream. Fails after 30 s of silence.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|l| l.split_once(": "));
                    lines.filter(|(k, _)| *k == name).map(|(_, v)| v.to_owned()).next()
                };
                let (id, kind, data) = (field("id"), field("event"), field("data"));
                self.rest = rest.to_owned();
                self.last = id.unwrap_or_default();
                if let Some(data) = data {
                    let mut event: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(event["seq"].to_string(), self.last);
                    assert_eq!(event["type"], json!(kind));
                    event["sse"] = json!(self.last);
                    return Some(event);
                }
            }
            let wait = tokio::time::timeout(Duration::from_secs(30), self.answer.chunk());
            let bytes = wait.await.expect("a silent stream").unwrap()?;
            self.rest.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

/// The body of a chat message.
pub fn message(external_id: &str, thread: &str, text: &str) -> Value {
    json!({"channel": "chat", "external_id": external_id, "thread": thread, "text": text,
        "from": {"address": format!("customer-of-{thread}"), "name": "Robin Example"}})
}

/// Sends a request, and checks that the answer is one that the API's description has.
async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let (http, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let r = http.execute(request).await.unwrap();
    let (status, headers) = (r.status().as_u16(), r.headers().clone());
    let text = r.text().await.unwrap();
    schema::conforms(&method, &path, &schema::Answer { status, headers: &headers, body: &text });
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Asks until there is an answer, for at most 60 s.
pub async fn eventually<T, F>(mut ask: impl FnMut() -> F) -> Option<T>
where
    F: std::future::Future<Output = Option<T>>,
{
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(found) = ask().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    None
}

/// A tenant with channels `chat`, `mail` and `sms` (sandbox), a lead `anna` and a key.
pub async fn make_tenant(store: &Store, slug: &str) -> TestTenant {
    let name: Slug = slug.parse().unwrap();
    let t = tenant::ensure(store, &name).await.unwrap();
    let secret = format!("whsec_{}", STANDARD.encode([slug.len() as u8; 32]));
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| http::page::hash_password(&System, PASSWORD).unwrap());
    let mut tx = store.db.begin().await.unwrap();
    for (slug, kind) in
        [("chat", ChannelKind::Chat), ("mail", ChannelKind::Email), ("sms", ChannelKind::Sms)]
    {
        let s = Settings {
            sender: "shop@example.com".into(),
            rate: 1000.0,
            burst: 1000.0,
            ..Settings::default()
        };
        let secrets = [secret.clone()];
        channel::put(
            store,
            &mut tx,
            &t.id,
            &slug.parse().unwrap(),
            kind,
            AdapterKind::Sandbox,
            &s,
            &secrets,
        )
        .await
        .unwrap();
    }
    let user = user::put(store, &mut tx, &t.id, "anna", hash, Role::Lead).await.unwrap();
    let scopes = ["ingest", "read", "review", "knowledge", "mask", "classify", "webhooks"]
        .map(str::to_owned);
    let (_, key) =
        key::create(store, &mut tx, &t.id, "test", &scopes, Some(&user), None).await.unwrap();
    tx.commit().await.unwrap();
    TestTenant { id: t.id, slug: slug.to_owned(), key, secret }
}
