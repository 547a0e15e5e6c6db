//! What the platform reports of a message afterwards: it was edited, or deleted.

use serde_json::json;

use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::domain::ids::{MessageId, TenantId};
use crate::domain::message::Raw;
use crate::pipeline::report;
use crate::review::supersede;
use crate::store::chunk as chunks;
use crate::store::job::{self, Kind};
use crate::store::{self, Store, Tx, audit, channel, event, example, message, tenant, thread};

/// The platform reported that a message was deleted: it is emptied and what answered it is void.
///
/// # Errors
/// [`store::Error::NotFound`].
pub async fn delete(
    store: &Store,
    tenant_id: &TenantId,
    id: &MessageId,
    actor: &Actor,
) -> store::Result<()> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant_id).await?;
    delete_in(store, &mut tx, tenant_id, id, actor).await?;
    Ok(tx.commit().await?)
}

/// [`delete`] in the caller's transaction, which holds the tenant's lock.
///
/// # Errors
/// As [`delete`].
pub async fn delete_in(
    store: &Store,
    tx: &mut Tx,
    tenant_id: &TenantId,
    id: &MessageId,
    actor: &Actor,
) -> store::Result<()> {
    let row = message::get(tx, tenant_id, id).await?;
    message::erase(tx, tenant_id, id).await?;
    event::erase(tx, tenant_id, id).await?;
    example::erase(tx, tenant_id, id).await?;
    chunks::remove(tx, tenant_id, "message", id.as_str()).await?;
    if let Some(t) = &row.thread {
        thread::touch(tx, tenant_id, t).await?;
        supersede::thread(store, tx, tenant_id, t, "the message was deleted").await?;
        // Earlier messages of the thread may still wait for an answer.
        let now = store.db.now(tx).await?;
        job::enqueue_once(store, tx, tenant_id, Kind::Answer, t.as_str(), now).await?;
        let ch = channel::get(store, tx, tenant_id, &row.channel).await?;
        if ch.settings.chatwoot.is_some() {
            // The labels are those of the message before it from now on.
            report::tell_thread(store, tx, tenant_id, t).await?;
        }
    }
    let object = format!("message:{id}");
    let data = json!({"message": id, "thread": row.thread});
    event::append(store, tx, tenant_id, EventKind::MessageDeleted, object.clone(), &data).await?;
    audit::append(store, tx, tenant_id, actor, "message.deleted", object, json!({})).await
}

/// The platform reported an edit: the message is understood anew, and what answered it is void from
/// this moment, not from when the worker gets to it. The caller's transaction holds the tenant's lock.
///
/// # Errors
/// [`store::Error::NotFound`].
pub async fn edit_in(
    store: &Store,
    tx: &mut Tx,
    tenant_id: &TenantId,
    id: &MessageId,
    raw: &Raw,
    actor: &Actor,
) -> store::Result<()> {
    let row = message::get(tx, tenant_id, id).await?;
    message::replace_raw(store, tx, tenant_id, id, raw).await?;
    if let Some(t) = &row.thread {
        thread::touch(tx, tenant_id, t).await?;
        supersede::thread(store, tx, tenant_id, t, "the message was edited").await?;
    }
    let now = store.db.now(tx).await?;
    job::enqueue_once(store, tx, tenant_id, Kind::Understand, id.as_str(), now).await?;
    let object = format!("message:{id}");
    let detail = json!({"revision": row.revision + 1});
    audit::append(store, tx, tenant_id, actor, "message.edited", object, detail).await
}
