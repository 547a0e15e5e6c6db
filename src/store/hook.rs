//! Webhook ids that were taken, so that a delivery that is repeated has no second effect.

use sqlx::AnyConnection;

use super::{Result, Store, q};
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

/// Remembers a delivery, in the transaction of its effect.
///
/// # Errors
/// Database errors.
pub async fn remember(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    webhook_id: &str,
    body: &[u8],
) -> Result<Seen> {
    let id = store.keys.hash(tenant, "webhook-id", webhook_id);
    let hash = store.keys.hash_full(tenant, "webhook-body", body);
    let n = q("insert into hook_delivery (tenant_id, channel_id, webhook_id_hash, body_hash,
                 received_at) values ($1, $2, $3, $4, $5) on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(channel.as_str().to_owned())
        .bind(id.clone())
        .bind(hash.clone())
        .bind(store.host.now().0)
        .execute(&mut *c)
        .await?
        .rows_affected();
    if n == 1 {
        return Ok(Seen::New);
    }
    let (old,): (String,) = sqlx::query_as(
        "select body_hash from hook_delivery
         where tenant_id = $1 and channel_id = $2 and webhook_id_hash = $3",
    )
    .bind(tenant.as_str())
    .bind(channel.as_str())
    .bind(id)
    .fetch_one(c)
    .await?;
    Ok(if old == hash { Seen::Again } else { Seen::Differs })
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
