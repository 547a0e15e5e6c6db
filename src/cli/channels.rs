//! `channels`: where messages come in and how replies go out. Signing secrets are shown once.

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
use crate::store::channel::{self, AdapterKind, Settings};
use crate::store::{Store, audit};

/// `channels`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a channel, or change the one of that name and switch it on.
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

/// Runs `channels`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Put {
            name,
            kind,
            adapter,
            sender,
            url,
            rate,
            burst,
            rotate_secret,
            rotate_outgoing,
            tenant,
        } => {
            if !(rate > 0.0 && burst >= 1.0 && rate.is_finite() && burst.is_finite()) {
                anyhow::bail!("--rate must be above 0 and --burst at least 1");
            }
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
            let mut secrets = old.map(|o| o.secrets).unwrap_or_default();
            let must = rotate_secret || secrets.is_empty();
            let fresh = rotated(&mut secrets, must, &store);
            let url = url.map(|u| u.to_string());
            let settings = Settings { sender, url, rate, burst };
            let ch =
                channel::put(&store, &mut tx, &t.id, &name, kind, adapter, &settings, &secrets)
                    .await?;
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
