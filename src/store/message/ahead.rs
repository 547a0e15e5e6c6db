//! What has come in since a reply was written, read already or not: it voids a signature.

use sqlx::AnyConnection;

use crate::domain::ids::{TenantId, ThreadId};
use crate::store::Result;
use crate::store::thread::Thread;

/// Whether somebody who takes part in the thread has sent something that is stored but not yet read.
/// It may belong to another conversation of theirs; that is known in a moment.
///
/// # Errors
/// Database errors.
pub async fn unread(c: &mut AnyConnection, tenant: &TenantId, thread: &Thread) -> Result<bool> {
    let found: Option<(String,)> = sqlx::query_as(
        "select m.id from message m
         join participant p on p.tenant_id = m.tenant_id and p.thread_id = $3
           and p.contact_id = m.subject_id
         where m.tenant_id = $1 and m.state = 'received' and m.channel_id = $2
           and m.direction = 'in' limit 1",
    )
    .bind(tenant.as_str())
    .bind(thread.channel.as_str())
    .bind(thread.id.as_str())
    .fetch_optional(c)
    .await?;
    Ok(found.is_some())
}

/// Whether a customer's message has joined the thread behind the number `seq`.
///
/// # Errors
/// Database errors.
pub async fn newer_inbound(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    seq: i64,
) -> Result<bool> {
    let found: Option<(String,)> = sqlx::query_as(
        "select id from message where tenant_id = $1 and thread_id = $2 and thread_seq > $3
         and direction = 'in' and state = 'understood' limit 1",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .bind(seq)
    .fetch_optional(c)
    .await?;
    Ok(found.is_some())
}
