//! `channels`: where messages come in and how replies go out. Signing secrets are shown once.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{done, open, row, say};
use crate::adapters::standard_webhooks;
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::Slug;
use crate::domain::message::ChannelKind;
use crate::store::channel::{self, AdapterKind, ChatwootSettings, Settings};
use crate::store::{Store, audit};

/// `channels`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a channel, or change the one of that name and switch it on.
    Put {
        /// Its name in paths.
        name: Slug,
        /// email, sms, whatsapp, messenger, chat, webhook, sandbox or chatwoot.
        #[arg(long)]
        kind: ChannelKind,
        /// What sends replies: sandbox, webhook, chatwoot or none; if left out, chatwoot for that kind
        /// and else sandbox.
        #[arg(long)]
        adapter: Option<AdapterKind>,
        /// The address that replies come from.
        #[arg(long, default_value = "")]
        sender: String,
        /// Where the webhook adapter posts, or the address of the Chatwoot installation.
        #[arg(long)]
        url: Option<url::Url>,
        #[command(flatten)]
        chatwoot: ChatwootArgs,
        /// Segments a second.
        #[arg(long, default_value_t = 5.0)]
        rate: f64,
        /// Segments at once after a pause.
        #[arg(long, default_value_t = 20.0)]
        burst: f64,
        /// Make a new secret for what comes in; the one before stays valid until the next rotation.
        #[arg(long)]
        rotate_secret: bool,
        /// Make a new secret for what goes out; the one before signs too until the next rotation.
        #[arg(long)]
        rotate_outgoing: bool,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Switch a channel off: it takes and sends nothing until it is put again.
    Disable {
        /// Its name in paths.
        name: Slug,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List channels (never their secrets, nor what follows the host of a URL).
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Options of a channel of Chatwoot. The access token is taken from COUNTERSIGN_CHATWOOT_TOKEN and the
/// webhook's secret from COUNTERSIGN_CHATWOOT_SECRET; what isn't set stays as it was.
#[derive(clap::Args, Debug)]
pub struct ChatwootArgs {
    /// Chatwoot: the account's number.
    #[arg(long)]
    account: Option<i64>,
    /// Chatwoot: a finding and the label that stands for it, as `intent:refund_request=refund` or
    /// `spam:spam=spam`; may be given several times. No other labels are touched.
    #[arg(long = "label", value_name = "FINDING=LABEL")]
    labels: Vec<String>,
    /// Chatwoot: leave priorities alone.
    #[arg(long)]
    no_priority: bool,
    /// Chatwoot: write no drafts as private notes.
    #[arg(long)]
    no_notes: bool,
}

impl ChatwootArgs {
    /// The settings of a channel of that kind.
    fn settings(&self, kind: ChannelKind) -> anyhow::Result<Option<ChatwootSettings>> {
        if kind != ChannelKind::Chatwoot {
            anyhow::ensure!(
                self.account.is_none() && self.labels.is_empty(),
                "--account and --label are for --kind chatwoot"
            );
            return Ok(None);
        }
        let account = self.account.context("--kind chatwoot needs --account NUMBER")?;
        let mut labels = BTreeMap::new();
        for pair in &self.labels {
            let (finding, label) = pair
                .split_once('=')
                .filter(|(f, l)| is_finding(f) && !l.is_empty())
                .with_context(|| {
                    format!(
                        "--label {pair}: expected FINDING=LABEL with intent:…, spam:…, urgency:…, \
                         sentiment:…, language:… or injection"
                    )
                })?;
            labels.insert(finding.to_owned(), label.to_owned());
        }
        let (priority, notes) = (!self.no_priority, !self.no_notes);
        Ok(Some(ChatwootSettings { account, labels, priority, notes }))
    }
}

fn is_finding(text: &str) -> bool {
    let families = ["intent:", "spam:", "urgency:", "sentiment:", "language:"];
    let named = |f: &&str| text.strip_prefix(f).is_some_and(|rest| !rest.is_empty());
    text == "injection" || families.iter().any(named)
}

/// A secret from the environment, which other users of the machine can't read off a list of processes.
fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty())
}

/// Runs `channels`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Put {
            name,
            kind,
            adapter,
            sender,
            url,
            chatwoot,
            rate,
            burst,
            rotate_secret,
            rotate_outgoing,
            tenant,
        } => {
            if !(rate > 0.0 && burst >= 1.0 && rate.is_finite() && burst.is_finite()) {
                anyhow::bail!("--rate must be above 0 and --burst at least 1");
            }
            let platform = chatwoot.settings(kind)?;
            let adapter = adapter.unwrap_or(match platform {
                Some(_) => AdapterKind::Chatwoot,
                None => AdapterKind::Sandbox,
            });
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let old = channel::by_slug(&store, &mut tx, &t.id, &name).await?;
            // A channel that was there before goes on signing with what its receiver knows.
            let mut outgoing = match &old {
                Some(o) if o.adapter == AdapterKind::Webhook => o.signing().to_vec(),
                Some(o) => o.outgoing.clone(),
                None => Vec::new(),
            };
            let first_out = adapter == AdapterKind::Webhook && outgoing.is_empty();
            let fresh_out = rotated(&mut outgoing, rotate_outgoing || first_out, &store);
            let (mut secrets, known) = old.map(|o| (o.secrets, o.token)).unwrap_or_default();
            let token = from_env("COUNTERSIGN_CHATWOOT_TOKEN").filter(|_| platform.is_some());
            let fresh = match platform {
                // Chatwoot makes the secret; ours is what it shows.
                Some(_) => {
                    if let Some(secret) = from_env("COUNTERSIGN_CHATWOOT_SECRET")
                        && secrets.first() != Some(&secret)
                    {
                        secrets.insert(0, secret);
                        secrets.truncate(2);
                    }
                    anyhow::ensure!(
                        !secrets.is_empty() && (token.is_some() || known.is_some()),
                        "set COUNTERSIGN_CHATWOOT_SECRET and COUNTERSIGN_CHATWOOT_TOKEN"
                    );
                    anyhow::ensure!(url.is_some(), "--kind chatwoot needs --url");
                    None
                }
                None => {
                    let must = rotate_secret || secrets.is_empty();
                    rotated(&mut secrets, must, &store)
                }
            };
            let url = url.map(|u| u.to_string());
            let settings = Settings { sender, url, rate, burst, chatwoot: platform };
            let ch =
                channel::put(&store, &mut tx, &t.id, &name, kind, adapter, &settings, &secrets)
                    .await?;
            if let Some(token) = &token {
                channel::put_token(&store, &mut tx, &t.id, &ch.id, token).await?;
            }
            if fresh_out.is_some() {
                channel::put_outgoing(&store, &mut tx, &t.id, &ch.id, &outgoing).await?;
            }
            let object = format!("channel:{}", ch.id);
            let detail = json!({"kind": kind, "adapter": adapter, "rotated": fresh.is_some(),
                "rotated_outgoing": fresh_out.is_some()});
            audit::append(&store, &mut tx, &t.id, &Actor::Operator, "channel.put", object, detail)
                .await?;
            tx.commit().await?;
            row(&json!({"id": ch.id, "name": name, "kind": kind, "adapter": adapter,
                "secret": fresh, "outgoing_secret": fresh_out}));
            if fresh.is_some() || fresh_out.is_some() {
                say("Secrets are shown once: keep them now.");
            }
            done(store).await
        }
        Command::Disable { name, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let ch = channel::by_slug(&store, &mut tx, &t.id, &name)
                .await?
                .with_context(|| format!("there is no channel `{name}`"))?;
            channel::disable(&store, &mut tx, &t.id, &ch.id).await?;
            let (who, object) = (Actor::Operator, format!("channel:{}", ch.id));
            audit::append(&store, &mut tx, &t.id, &who, "channel.disabled", object, json!({}))
                .await?;
            tx.commit().await?;
            done(store).await
        }
        Command::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for ch in channel::list(&store, &mut conn, &t.id).await? {
                row(&json!({"id": ch.id, "name": ch.slug, "kind": ch.kind, "adapter": ch.adapter,
                    "url": ch.settings.url.as_deref().map(host_of), "rate": ch.settings.rate, "burst": ch.settings.burst,
                    "secrets": ch.secrets.len(), "outgoing_secrets": ch.outgoing.len(),
                    "disabled": ch.disabled}));
            }
            drop(conn);
            done(store).await
        }
    }
}

/// Puts a new secret before the others, of which one stays, if there must be one.
fn rotated(secrets: &mut Vec<String>, must: bool, store: &Store) -> Option<String> {
    let fresh = must.then(|| standard_webhooks::new_secret(&*store.host))?;
    secrets.insert(0, fresh.clone());
    secrets.truncate(2);
    Some(fresh)
}

/// Scheme, host and port: what follows may hold a token.
fn host_of(url: &str) -> String {
    url.parse::<url::Url>().map(|u| u.origin().ascii_serialization()).unwrap_or_default()
}
