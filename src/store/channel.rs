//! Channels: where messages come from and replies go to.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::sealing::TENANT_SUBJECT;
use super::{Result, Store, parse, q};
use crate::domain::ids::{ChannelId, Slug, TenantId};
use crate::domain::message::{ChannelKind, UnknownName};

/// What sends a channel's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// The local outbox that the page shows; nothing leaves.
    Sandbox,
    /// A signed POST to a URL.
    Webhook,
    /// Nothing: the channel only reads.
    None,
}

impl AdapterKind {
    /// Its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Webhook => "webhook",
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
            "none" => Self::None,
            _ => {
                return Err(UnknownName {
                    what: "a channel adapter",
                    value: s.chars().take(40).collect(),
                    expected: "sandbox, webhook or none",
                });
            }
        })
    }
}

/// Settings of a channel that aren't secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address that replies come from, as the platform knows it.
    pub sender: String,
    /// Where the webhook adapter posts.
    pub url: Option<String>,
    /// Segments (messages, where there are no segments) a second.
    pub rate: f64,
    /// How many may go at once after a pause.
    pub burst: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sender: String::new(), url: None, rate: 5.0, burst: 20.0 }
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
    /// Standard Webhooks secrets (`whsec_…`), newest first; the first signs, all verify.
    pub secrets: Vec<String>,
    /// Whether it is switched off (by 410 of the endpoint, or by hand).
    pub disabled: bool,
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

/// Makes a channel, or changes the one of that name; returns it.
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
    let id = match by_slug(store, c, tenant, slug).await? {
        Some(old) => old.id,
        None => ChannelId::from_uuid(store.host.uuid()),
    };
    let plain = serde_json::to_vec(secrets)?;
    let sealed = store.keys.seal(tenant, TENANT_SUBJECT, "channel.secrets", id.as_str(), &plain)?;
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
    let secrets = match sealed {
        Some(s) => {
            let plain =
                store.keys.open(c, tenant, TENANT_SUBJECT, "channel.secrets", &id, &s).await?;
            serde_json::from_slice(&plain)?
        }
        None => Vec::new(),
    };
    Ok(Channel {
        id: parse("channel.id", &id)?,
        slug: parse("channel.slug", &slug)?,
        kind: parse("channel.kind", &kind)?,
        adapter: parse("channel.adapter", &adapter)?,
        settings: serde_json::from_str(&config)?,
        secrets,
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

/// Switches a channel off: its endpoint answered 410.
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
