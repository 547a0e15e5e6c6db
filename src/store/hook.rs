//! Webhook ids that were taken, so that a delivery that is repeated has no second effect.

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::{ChannelId, MessageId, Micros, TenantId};

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
    /// Keyed hash of its id.
    pub(super) id: String,
    /// Keyed hash of its body.
    pub(super) body: String,
}

impl Delivery {
    /// Hashes a delivery's id and body.
    pub fn new(
        store: &Store,
        tenant: &TenantId,
        channel: &ChannelId,
        webhook_id: &str,
        body: &[u8],
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            channel: channel.clone(),
            id: store.keys.hash(tenant, "webhook-id", webhook_id),
            body: store.keys.hash_full(tenant, "webhook-body", body),
        }
    }
}

/// Remembers a delivery, in the transaction of its effect.
///
/// # Errors
/// Database errors.
pub async fn remember(store: &Store, c: &mut AnyConnection, d: &Delivery) -> Result<Seen> {
    let n = q("insert into hook_delivery (tenant_id, channel_id, webhook_id_hash, body_hash,
                 received_at) values ($1, $2, $3, $4, $5) on conflict do nothing")
    .bind(d.tenant.as_str().to_owned())
    .bind(d.channel.as_str().to_owned())
    .bind(d.id.clone())
    .bind(d.body.clone())
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
    .bind(d.tenant.as_str())
    .bind(d.channel.as_str())
    .bind(d.id.as_str())
    .fetch_one(c)
    .await?;
    Ok(if old == d.body { Seen::Again } else { Seen::Differs })
}

/// Whether a change to a message that happened at `at` is the newest known, and notes it; of two at the
/// same moment the later to arrive counts.
///
/// # Errors
/// Database errors.
pub async fn is_newest(
    c: &mut AnyConnection,
    tenant: &TenantId,
    message: &MessageId,
    at: Micros,
) -> Result<bool> {
    let n = q("insert into message_change (tenant_id, message_id, changed_at) values ($1, $2, $3)
               on conflict (tenant_id, message_id) do update set changed_at = excluded.changed_at
               where message_change.changed_at <= excluded.changed_at")
    .bind(tenant.as_str().to_owned())
    .bind(message.as_str().to_owned())
    .bind(at.0)
    .execute(c)
    .await?
    .rows_affected();
    Ok(n == 1)
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
