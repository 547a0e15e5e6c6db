//! Our own replies, which take their place in the thread when their send begins.

use sqlx::AnyConnection;

use crate::domain::ids::{ChannelId, ContactId, MessageId, TenantId, ThreadId};
use crate::store::{Result, Store, q};

/// Our own reply, as it takes its place in the thread when its send begins.
#[derive(Debug, Clone)]
pub struct Reply<'a> {
    /// Where it goes out.
    pub channel: &'a ChannelId,
    /// The customer, whose key seals it.
    pub customer: &'a ContactId,
    /// The send's id stands in for the channel's own id.
    pub send: &'a str,
    /// The conversation.
    pub thread: &'a ThreadId,
    /// Its number within the thread.
    pub seq: i64,
    /// What it answers.
    pub parent: &'a MessageId,
    /// Masked body, stored form.
    pub body: &'a str,
    /// Masked subject, stored form.
    pub subject: &'a str,
}

/// Adds our own reply to its thread.
///
/// # Errors
/// Database and key errors.
pub async fn insert_reply(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
    r: &Reply<'_>,
) -> Result<()> {
    let now = store.host.now();
    store.keys.ensure(c, tenant, &[r.customer.as_str()], now).await?;
    let seal = |column, bytes: &[u8]| {
        store.keys.seal(tenant, r.customer.as_str(), column, id.as_str(), bytes)
    };
    q("insert into message (tenant_id, id, channel_id, external_hash, external_sealed, body_hash,
         direction, state, subject_id, format, raw_sealed, received_at, sent_at, thread_id,
         parent_id, thread_seq, subject_masked, visible_masked, auto_kind, oddities)
       values ($1, $2, $3, $4, $5, $6, 'out', 'understood', $7, 'json', $8, $9, $9, $10, $11, $12,
         $13, $14, 'none', '[]')")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(r.channel.as_str().to_owned())
    .bind(store.keys.hash(tenant, "external", r.send))
    .bind(seal("message.external", r.send.as_bytes())?)
    .bind(store.keys.hash_full(tenant, "body", r.body.as_bytes()))
    .bind(r.customer.as_str().to_owned())
    .bind(seal("message.raw", b"{}")?)
    .bind(now.0)
    .bind(r.thread.as_str().to_owned())
    .bind(r.parent.as_str().to_owned())
    .bind(r.seq)
    .bind(r.subject.to_owned())
    .bind(r.body.to_owned())
    .execute(c)
    .await?;
    Ok(())
}

/// A reply that the channel refused was never said: it leaves the conversation.
///
/// # Errors
/// Database errors.
pub async fn retract_reply(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    send: &str,
) -> Result<()> {
    q("update message set state = 'unsent'
       where tenant_id = $1 and channel_id = $2 and external_hash = $3 and state = 'understood'")
    .bind(tenant.as_str().to_owned())
    .bind(channel.as_str().to_owned())
    .bind(store.keys.hash(tenant, "external", send))
    .execute(c)
    .await?;
    Ok(())
}
