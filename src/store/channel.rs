//! Channels: where messages come from and replies go to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::sealing::TENANT_SUBJECT;
use super::{Result, Store, parse, q};
use crate::domain::ids::{ChannelId, Slug, TenantId};
use crate::domain::message::{ChannelKind, UnknownName};
use crate::ports::platform::Access;

/// What sends a channel's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// The local outbox that the page shows; nothing leaves.
    Sandbox,
    /// A signed POST to a URL.
    Webhook,
    /// Chatwoot's API.
    Chatwoot,
    /// Nothing: the channel only reads.
    None,
}

impl AdapterKind {
    /// Its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Webhook => "webhook",
            Self::Chatwoot => "chatwoot",
            Self::None => "none",
        }
    }
}

impl std::str::FromStr for AdapterKind {
    type Err = UnknownName;
    fn from_str(s: &str) -> std::result::Result<Self, UnknownName> {
        Ok(match s {
            "sandbox" => Self::Sandbox,
            "webhook" => Self::Webhook,
            "chatwoot" => Self::Chatwoot,
            "none" => Self::None,
            _ => {
                return Err(UnknownName {
                    what: "a channel adapter",
                    value: s.chars().take(40).collect(),
                    expected: "sandbox, webhook, chatwoot or none",
                });
            }
        })
    }
}

/// What we do in a Chatwoot account beside answering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatwootSettings {
    /// The account's number.
    pub account: i64,
    /// Our findings (`intent:refund`, `spam:phishing`, `urgency:critical`) and the labels that stand
    /// for them there. No other label is ever given or taken away.
    pub labels: BTreeMap<String, String>,
    /// Set the priority by urgency.
    pub priority: bool,
    /// Write drafts as private notes.
    pub notes: bool,
}

impl Default for ChatwootSettings {
    fn default() -> Self {
        Self { account: 0, labels: BTreeMap::new(), priority: true, notes: true }
    }
}

/// Settings of a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address that replies come from, as the platform knows it.
    pub sender: String,
    /// Where the webhook adapter posts. It may hold a token, so it is sealed with the secrets; only
    /// rows of earlier versions have it here.
    #[serde(skip_serializing)]
    pub url: Option<String>,
    /// Segments (messages, where there are no segments) a second.
    pub rate: f64,
    /// How many may go at once after a pause.
    pub burst: f64,
    /// Of a channel of Chatwoot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chatwoot: Option<ChatwootSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sender: String::new(), url: None, rate: 5.0, burst: 20.0, chatwoot: None }
    }
}

/// A channel's row; Debug leaves the secrets out.
#[derive(Clone)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its name in paths.
    pub slug: Slug,
    /// What sort of inbox.
    pub kind: ChannelKind,
    /// What sends.
    pub adapter: AdapterKind,
    /// Everything else.
    pub settings: Settings,
    /// Standard Webhooks secrets (`whsec_…`) of what comes in, newest first; all verify.
    pub secrets: Vec<String>,
    /// The secrets of what goes out, newest first; all sign. Empty on channels of earlier versions.
    pub outgoing: Vec<String>,
    /// The token that acts on the platform (Chatwoot).
    pub token: Option<String>,
    /// Whether it is switched off (by 410 of the endpoint, or by hand).
    pub disabled: bool,
}

impl Channel {
    /// The secrets that sign what goes out. A channel that has none of its own for that signs with those
    /// of what comes in, as its receiver knows them.
    pub fn signing(&self) -> &[String] {
        if self.outgoing.is_empty() { &self.secrets } else { &self.outgoing }
    }

    /// Where the platform's API is; none if the channel is of no platform or lacks something.
    pub fn access(&self) -> Option<Access> {
        let set = self.settings.chatwoot.as_ref()?;
        Some(Access {
            url: self.settings.url.clone()?,
            account: set.account,
            token: self.token.clone()?,
        })
    }
}

/// What a channel keeps sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    incoming: Vec<String>,
    outgoing: Vec<String>,
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// As it is read: earlier versions sealed the list alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Whole(Sealed),
    List(Vec<String>),
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id)
            .field("slug", &self.slug)
            .field("kind", &self.kind)
            .field("adapter", &self.adapter)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// Makes a channel, or changes the one of that name, which is switched on then; returns it. Secrets of
/// what goes out stay as they are ([`put_outgoing`]).
///
/// # Errors
/// Database and key errors.
#[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
pub async fn put(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    slug: &Slug,
    kind: ChannelKind,
    adapter: AdapterKind,
    settings: &Settings,
    secrets: &[String],
) -> Result<Channel> {
    let now = store.host.now();
    store.keys.ensure(c, tenant, &[TENANT_SUBJECT], now).await?;
    let (id, outgoing, token) = match by_slug(store, c, tenant, slug).await? {
        Some(old) => (old.id, old.outgoing, old.token),
        None => (ChannelId::from_uuid(store.host.uuid()), Vec::new(), None),
    };
    let kept = Kept { incoming: secrets, outgoing: &outgoing, token: token.as_deref() };
    let sealed = seal(store, tenant, &id, &kept, settings)?;
    q("insert into channel
         (tenant_id, id, slug, kind, adapter, config, secrets_sealed, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (tenant_id, slug) do update set kind = excluded.kind,
         adapter = excluded.adapter, config = excluded.config,
         secrets_sealed = excluded.secrets_sealed, disabled_at = null")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(slug.as_str().to_owned())
    .bind(kind.as_str())
    .bind(adapter.as_str())
    .bind(serde_json::to_string(settings)?)
    .bind(sealed)
    .bind(now.0)
    .execute(&mut *c)
    .await?;
    by_slug(store, c, tenant, slug).await?.ok_or(super::Error::NotFound("channel"))
}

/// What is to be sealed, the URL aside.
struct Kept<'a> {
    incoming: &'a [String],
    outgoing: &'a [String],
    token: Option<&'a str>,
}

fn seal(
    store: &Store,
    tenant: &TenantId,
    id: &ChannelId,
    kept: &Kept<'_>,
    settings: &Settings,
) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(&Sealed {
        incoming: kept.incoming.to_vec(),
        outgoing: kept.outgoing.to_vec(),
        url: settings.url.clone(),
        token: kept.token.map(str::to_owned),
    })?;
    store.keys.seal(tenant, TENANT_SUBJECT, "channel.secrets", id.as_str(), &plain)
}

/// Stores a channel's settings and what is sealed of it, as this version does.
///
/// # Errors
/// Database and key errors.
pub(super) async fn rewrite(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    ch: &Channel,
) -> Result<()> {
    store.keys.ensure(c, tenant, &[TENANT_SUBJECT], store.host.now()).await?;
    let kept = Kept { incoming: &ch.secrets, outgoing: &ch.outgoing, token: ch.token.as_deref() };
    let sealed = seal(store, tenant, &ch.id, &kept, &ch.settings)?;
    q("update channel set config = $3, secrets_sealed = $4 where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(ch.id.as_str().to_owned())
        .bind(serde_json::to_string(&ch.settings)?)
        .bind(sealed)
        .execute(c)
        .await?;
    Ok(())
}

/// Replaces the secrets of what goes out, newest first.
///
/// # Errors
/// Database and key errors, [`super::Error::NotFound`].
pub async fn put_outgoing(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ChannelId,
    outgoing: &[String],
) -> Result<()> {
    let ch = Channel { outgoing: outgoing.to_vec(), ..get(store, c, tenant, id).await? };
    rewrite(store, c, tenant, &ch).await
}

/// Replaces the token that acts on the platform.
///
/// # Errors
/// Database and key errors, [`super::Error::NotFound`].
pub async fn put_token(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ChannelId,
    token: &str,
) -> Result<()> {
    let ch = Channel { token: Some(token.to_owned()), ..get(store, c, tenant, id).await? };
    rewrite(store, c, tenant, &ch).await
}

type Row = (String, String, String, String, String, Option<Vec<u8>>, Option<i64>);

macro_rules! select {
    ($($tail:literal)*) => {
        concat!("select id, slug, kind, adapter, config, secrets_sealed, disabled_at from channel ", $($tail)*)
    };
}

async fn read(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: Row,
) -> Result<Channel> {
    let (id, slug, kind, adapter, config, sealed, disabled) = row;
    let stored = match sealed {
        Some(s) => {
            let plain =
                store.keys.open(c, tenant, TENANT_SUBJECT, "channel.secrets", &id, &s).await?;
            serde_json::from_slice(&plain)?
        }
        None => Stored::List(Vec::new()),
    };
    let mut settings: Settings = serde_json::from_str(&config)?;
    let (secrets, outgoing, token) = match stored {
        Stored::Whole(s) => {
            settings.url = s.url.or(settings.url);
            (s.incoming, s.outgoing, s.token)
        }
        Stored::List(secrets) => (secrets, Vec::new(), None),
    };
    Ok(Channel {
        id: parse("channel.id", &id)?,
        slug: parse("channel.slug", &slug)?,
        kind: parse("channel.kind", &kind)?,
        adapter: parse("channel.adapter", &adapter)?,
        settings,
        secrets,
        outgoing,
        token,
        disabled: disabled.is_some(),
    })
}

/// By name.
///
/// # Errors
/// Database and key errors.
pub async fn by_slug(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    slug: &Slug,
) -> Result<Option<Channel>> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and slug = $2"))
        .bind(tenant.as_str())
        .bind(slug.as_str())
        .fetch_optional(&mut *c)
        .await?;
    match row {
        Some(row) => Ok(Some(read(store, c, tenant, row).await?)),
        None => Ok(None),
    }
}

/// By id.
///
/// # Errors
/// [`super::Error::NotFound`].
pub async fn get(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ChannelId,
) -> Result<Channel> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(&mut *c)
        .await?;
    read(store, c, tenant, row.ok_or(super::Error::NotFound("channel"))?).await
}

/// All of a tenant.
///
/// # Errors
/// Database and key errors.
pub async fn list(store: &Store, c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<Channel>> {
    let rows: Vec<Row> = sqlx::query_as(select!("where tenant_id = $1 order by slug"))
        .bind(tenant.as_str())
        .fetch_all(&mut *c)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(read(store, c, tenant, row).await?);
    }
    Ok(all)
}

/// Switches a channel off: its endpoint answered 410, or somebody asked for it. It takes and sends
/// nothing until it is put again.
///
/// # Errors
/// Database errors.
pub async fn disable(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ChannelId,
) -> Result<()> {
    q("update channel set disabled_at = $3 where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .bind(store.host.now().0)
        .execute(c)
        .await?;
    Ok(())
}
