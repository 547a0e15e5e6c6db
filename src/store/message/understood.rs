//! What understanding adds to a message: its place in a conversation and its masked texts, fenced by the
//! revision that was read.

use sqlx::AnyConnection;

use super::Message;
use crate::domain::ids::{MessageId, Micros, TenantId, ThreadId};
use crate::store::{Error, Result, Store, q};

/// What understanding adds to a message.
#[derive(Debug, Clone)]
pub struct Understood<'a> {
    /// `understood` or `filed`.
    pub state: &'static str,
    /// Its conversation.
    pub thread: &'a ThreadId,
    /// What it answers.
    pub parent: Option<&'a MessageId>,
    /// Its number within the thread.
    pub seq: i64,
    /// When it was sent.
    pub sent_at: Option<Micros>,
    /// Masked, stored form.
    pub subject: &'a str,
    /// Masked, stored form.
    pub visible: &'a str,
    /// Masked, stored form.
    pub quoted: &'a str,
    /// Masked, stored form.
    pub signature: &'a str,
    /// Masked, stored form.
    pub sender: &'a str,
    /// JSON of every span's own surface form; sealed here.
    pub spans: &'a [u8],
    /// `none`, `auto_reply`, `bounce` or `list`.
    pub auto: &'static str,
    /// Short remarks.
    pub oddities: &'a [String],
    /// Whether Reply-To names another domain.
    pub reply_to_differs: bool,
}

/// Completes a message.
///
/// # Errors
/// [`Error::Stale`] when it was edited or deleted since `row` was read; database and key errors.
pub async fn understood(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
    u: &Understood<'_>,
) -> Result<()> {
    let id = row.id.as_str();
    let spans = store.keys.seal(tenant, row.subject.as_str(), "message.spans", id, u.spans)?;
    let n = q("update message set state = $3, thread_id = $4, parent_id = $5, thread_seq = $6,
         sent_at = coalesce($7, sent_at), subject_masked = $8, visible_masked = $9,
         quoted_masked = $10, signature_masked = $11, sender_masked = $12, spans_sealed = $13,
         auto_kind = $14, oddities = $15, reply_to_differs = $16
       where tenant_id = $1 and id = $2 and revision = $17 and state <> 'deleted'")
    .bind(tenant.as_str().to_owned())
    .bind(id.to_owned())
    .bind(u.state)
    .bind(u.thread.as_str().to_owned())
    .bind(u.parent.map(|p| p.as_str().to_owned()))
    .bind(u.seq)
    .bind(u.sent_at.map(|t| t.0))
    .bind(u.subject.to_owned())
    .bind(u.visible.to_owned())
    .bind(u.quoted.to_owned())
    .bind(u.signature.to_owned())
    .bind(u.sender.to_owned())
    .bind(spans)
    .bind(u.auto)
    .bind(serde_json::to_string(u.oddities)?)
    .bind(i64::from(u.reply_to_differs))
    .bind(row.revision)
    .execute(c)
    .await?
    .rows_affected();
    // Edited or deleted while it was being read: what was understood is stale.
    if n == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Every span's own surface form of a message, JSON.
///
/// # Errors
/// Database and key errors.
pub async fn spans(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
) -> Result<Option<Vec<u8>>> {
    let sealed: (Option<Vec<u8>>,) =
        sqlx::query_as("select spans_sealed from message where tenant_id = $1 and id = $2")
            .bind(tenant.as_str())
            .bind(row.id.as_str())
            .fetch_one(&mut *c)
            .await?;
    match sealed.0 {
        Some(s) => {
            let s = store
                .keys
                .open(c, tenant, row.subject.as_str(), "message.spans", row.id.as_str(), &s)
                .await?;
            Ok(Some(s))
        }
        None => Ok(None),
    }
}

/// Said of a message that was given up.
const UNREADABLE: &str =
    "It could not be understood; the original is kept. See the dead letters: `countersign jobs`.";

/// Files a message that could not be understood in a conversation, saying so. What kind of mail it is
/// stays open, which tells it from mail that was filed because of its kind.
///
/// # Errors
/// Database errors.
pub async fn set_unreadable(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
    thread: &ThreadId,
    seq: i64,
) -> Result<()> {
    q("update message set state = 'filed', auto_kind = null, oddities = $3, thread_id = $4,
         thread_seq = $5
       where tenant_id = $1 and id = $2 and state <> 'deleted'")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(serde_json::to_string(&[UNREADABLE])?)
    .bind(thread.as_str().to_owned())
    .bind(seq)
    .execute(c)
    .await?;
    Ok(())
}
