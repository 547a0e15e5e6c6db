//! Webhook ids that were taken, so that a delivery that is repeated has no second effect.

use std::collections::HashSet;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Result, Store, q, rows};
use crate::domain::ids::{ChannelId, Micros, TenantId};

/// What is known of a webhook id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is new.
    New,
    /// The same delivery again.
    Again,
    /// Another body under the same id.
    Differs,
}

/// One delivery, hashed.
#[derive(Debug, Clone)]
pub struct Delivery {
    tenant: TenantId,
    channel: ChannelId,
    id: String,
    body: String,
}

/// Hashes a delivery's id and body.
pub fn delivery(
    store: &Store,
    tenant: &TenantId,
    channel: &ChannelId,
    webhook_id: &str,
    body: &[u8],
) -> Delivery {
    Delivery {
        tenant: tenant.clone(),
        channel: channel.clone(),
        id: store.keys.hash(tenant, "webhook-id", webhook_id),
        body: store.keys.hash_full(tenant, "webhook-body", body),
    }
}

/// Remembers deliveries, in the transaction of their effect; says of each, in order, what was known.
/// At most [`ROWS`](super::ROWS) at a time.
///
/// # Errors
/// Database errors.
pub async fn remember(
    store: &Store,
    c: &mut AnyConnection,
    deliveries: &[&Delivery],
) -> Result<Vec<Seen>> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "insert into hook_delivery (tenant_id, channel_id, webhook_id_hash, body_hash, received_at)
         values {} on conflict do nothing returning tenant_id, channel_id, webhook_id_hash",
        rows(deliveries.len(), 5)
    );
    let mut insert = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(sql))
        .persistent(deliveries.len() == 1);
    let now = store.host.now().0;
    for d in deliveries {
        insert = insert
            .bind(d.tenant.as_str())
            .bind(d.channel.as_str())
            .bind(d.id.as_str())
            .bind(d.body.as_str())
            .bind(now);
    }
    let mut new: HashSet<_> = insert.fetch_all(&mut *c).await?.into_iter().collect();
    let mut seen = Vec::with_capacity(deliveries.len());
    for d in deliveries {
        let key = (d.tenant.to_string(), d.channel.to_string(), d.id.clone());
        // Taken out, so that of two equal ones in a group only the first is new.
        seen.push(if new.remove(&key) { Seen::New } else { again(c, d).await? });
    }
    Ok(seen)
}

async fn again(c: &mut AnyConnection, d: &Delivery) -> Result<Seen> {
    let (old,): (String,) = sqlx::query_as(
        "select body_hash from hook_delivery
         where tenant_id = $1 and channel_id = $2 and webhook_id_hash = $3",
    )
    .bind(d.tenant.as_str())
    .bind(d.channel.as_str())
    .bind(d.id.as_str())
    .fetch_one(c)
    .await?;
    Ok(if old == d.body { Seen::Again } else { Seen::Differs })
}

/// Forgets deliveries older than `before`.
///
/// # Errors
/// Database errors.
pub async fn prune(c: &mut AnyConnection, before: Micros) -> Result<u64> {
    Ok(q("delete from hook_delivery where received_at < $1")
        .bind(before.0)
        .execute(c)
        .await?
        .rows_affected())
}
