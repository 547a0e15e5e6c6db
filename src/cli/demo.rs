//! `demo`: a folder of its own, channels, a login, and the demonstration's inbox and knowledge base,
//! handed in through the public interfaces of the service that it starts.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use serde_json::{Value, json};

use super::{kb, say, serve};
use crate::adapters::standard_webhooks;
use crate::app::{self, Models};
use crate::config::Config;
use crate::domain::approval::Digest;
use crate::domain::ids::Micros;
use crate::domain::message::ChannelKind;
use crate::domain::review::Role;
use crate::http::page::hash_password;
use crate::ports::host::{Host as _, System};
use crate::store::channel::{self, AdapterKind, Settings};
use crate::store::tenant::{self, Tenant};
use crate::store::{Store, import, key, user};

const NAME: &str = "demo";
const PASSWORD: &str = "countersign-demo";
/// Marks a demonstration whose data has all been handed in.
const LOADED: &str = "loaded";

/// Options.
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// Where the demonstration keeps its data.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
    /// The demonstration's messages and articles.
    #[arg(long, default_value = "fixtures/demo")]
    fixtures: PathBuf,
    /// Throw away what an earlier demonstration left.
    #[arg(long)]
    fresh: bool,
}

impl Args {
    /// The demonstration has a database and a key of its own, whatever is configured.
    pub fn adjust(&self, config: &mut Config) -> anyhow::Result<()> {
        if self.fresh && self.data.exists() {
            // Only what a demonstration makes is removed.
            for name in ["demo.db", "demo.db-wal", "demo.db-shm", "demo.db.lock", "demo.key"] {
                let file = self.data.join(name);
                if file.exists() {
                    std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
                }
            }
        }
        std::fs::create_dir_all(&self.data).with_context(|| self.data.display().to_string())?;
        config.database.url = format!("sqlite:{}", self.data.join("demo.db").display());
        config.security.master_key = String::new();
        config.security.master_key_file = self.data.join("demo.key");
        Ok(())
    }
}

/// Runs.
pub async fn run(mut config: Config, a: Args) -> anyhow::Result<ExitCode> {
    config.ingest.own_addresses.push("help@larkfield.example".into());
    let store = app::open_store(&config).await?;
    let t = tenant::ensure(&store, &app::HOME.parse()?).await?;
    let ready = prepare(&store, &t).await?;
    let models = Models::load(&config)?;
    let base = format!("http://{}", config.server.listen);
    let address = base.clone();
    serve::run(config, store, models, Some((NAME.into(), PASSWORD.into())), move |app| {
        say(&format!(
            "\n  countersign demo: {address}\n  log in as `{NAME}` with `{PASSWORD}`; Ctrl-C stops it\n"
        ));
        if let Some(setup) = ready {
            let (store, tenant) = (app.store.clone(), app.home.clone());
            app.intake.spawn(async move {
                let loaded = async {
                    load(&base, &setup, &a.fixtures).await?;
                    // An interrupted loading is done again from the start; what is there is known.
                    let mut tx = store.db.begin().await?;
                    import::checkpoint(&store, &mut tx, &tenant, NAME, LOADED, 1).await?;
                    anyhow::Ok(tx.commit().await?)
                };
                if let Err(e) = loaded.await {
                    say(&format!("countersign: the demonstration's data could not be loaded: {e:#}"));
                }
            });
        }
    })
    .await
}

/// What the loader needs to hand things in.
struct Setup {
    api_key: String,
    mail_secret: String,
}

/// Channels, a login and a key; none when an earlier demonstration has them.
async fn prepare(store: &Store, t: &Tenant) -> anyhow::Result<Option<Setup>> {
    let mut tx = store.db.begin().await?;
    if import::position(store, &mut tx, &t.id, NAME, LOADED).await? > 0 {
        tx.commit().await?;
        return Ok(None);
    }
    let hash = hash_password(&*store.host, PASSWORD)
        .map_err(|e| anyhow::anyhow!("hashing the password: {e}"))?;
    user::put(store, &mut tx, &t.id, NAME, &hash, Role::Lead).await?;
    let mail_secret = standard_webhooks::new_secret(&*store.host);
    let kinds = [
        ("mail", ChannelKind::Email, "help@larkfield.example"),
        ("sms", ChannelKind::Sms, "+442079460000"),
        ("whatsapp", ChannelKind::Whatsapp, "+442079460001"),
        ("messenger", ChannelKind::Messenger, "larkfield"),
        ("chat", ChannelKind::Chat, "larkfield-chat"),
    ];
    for (slug, kind, sender) in kinds {
        let s = Settings { sender: sender.into(), ..Settings::default() };
        let secrets = [mail_secret.clone()];
        channel::put(
            store,
            &mut tx,
            &t.id,
            &slug.parse()?,
            kind,
            AdapterKind::Sandbox,
            &s,
            &secrets,
        )
        .await?;
    }
    let scopes = ["ingest", "read", "knowledge"].map(str::to_owned);
    let ends = Micros(store.host.now().0 + 3_600_000_000);
    let (_, api_key) =
        key::create(store, &mut tx, &t.id, "demo loader", &scopes, None, Some(ends)).await?;
    tx.commit().await?;
    Ok(Some(Setup { api_key, mail_secret }))
}

async fn load(base: &str, s: &Setup, fixtures: &std::path::Path) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
    let mut files = Vec::new();
    kb::collect(&fixtures.join("knowledge"), &mut files)?;
    for f in &files {
        let name = f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let body =
            json!({"source": name, "text": std::fs::read_to_string(f)?, "format": "markdown"});
        let url = format!("{base}/v1/knowledge");
        good(client.post(&url).bearer_auth(&s.api_key).json(&body).send().await?, &name).await?;
    }
    say(&format!("  {} articles in the knowledge base", files.len()));
    let n = mails(&client, base, s, fixtures).await? + lines(&client, base, s, fixtures).await?;
    say(&format!("  {n} messages handed in; they are understood and drafted in the background"));
    Ok(())
}

/// Mail comes in by the signed webhook, oldest first.
async fn mails(
    client: &reqwest::Client,
    base: &str,
    s: &Setup,
    fixtures: &std::path::Path,
) -> anyhow::Result<u64> {
    let dir = fixtures.join("inbox/mail");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .with_context(|| dir.display().to_string())?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|x| x == "eml"));
    files.sort();
    for f in &files {
        let eml = std::fs::read(f)?;
        let id = format!("demo-{}", Digest::of(&eml).short());
        let body = json!({"type": "message.created", "data": {"eml_b64": STANDARD.encode(&eml)}})
            .to_string();
        let secrets = [s.mail_secret.clone()];
        let (at, signature) = standard_webhooks::sign(&secrets, &id, System.now(), body.as_bytes());
        let answer = client
            .post(format!("{base}/v1/hooks/mail"))
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await?;
        good(answer, &f.display().to_string()).await?;
    }
    Ok(files.len() as u64)
}

/// The other channels come in by the API.
async fn lines(
    client: &reqwest::Client,
    base: &str,
    s: &Setup,
    fixtures: &std::path::Path,
) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(fixtures.join("inbox/messages.jsonl"))?;
    let mut n = 0;
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let body: Value = serde_json::from_str(line)?;
        let url = format!("{base}/v1/messages");
        let answer = client.post(&url).bearer_auth(&s.api_key).json(&body).send().await?;
        n += 1;
        good(answer, &format!("messages.jsonl line {n}")).await?;
    }
    Ok(n)
}

async fn good(answer: reqwest::Response, what: &str) -> anyhow::Result<()> {
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap_or_default();
    let why = problem.get("detail").and_then(Value::as_str).unwrap_or_default();
    say(&format!("  {what}: {status} {why}"));
    Ok(())
}
