//! Messages: stored sealed as received, then completed with what was understood. One file for each time
//! that a message is written; reading rows is here.

mod ahead;
mod analysis;
mod attachment;
mod received;
mod reply;
mod understood;

use sqlx::AnyConnection;

pub use self::ahead::{newer_inbound, unread};
pub use self::analysis::{analysis, latest_analysis, put_analysis};
pub(in crate::store) use self::attachment::keyed;
pub use self::attachment::{Attachment, Recorded, attachments, put_attachments};
pub use self::received::{Prepared, Receipt, erase, insert, prepare, raw, replace_raw};
pub use self::reply::{Reply, insert_reply, retract_reply};
pub use self::understood::{Understood, set_unreadable, spans, understood};
use super::{Error, Result, Store, parse};
use crate::domain::ids::{ChannelId, ContactId, MessageId, Micros, TenantId, ThreadId};
use crate::domain::message::Direction;

/// A message's row without its sealed parts.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it came in.
    pub channel: ChannelId,
    /// Which way it went.
    pub direction: Direction,
    /// `received`, `understood`, `filed` or `deleted`.
    pub state: String,
    /// Whose key seals it: its sender.
    pub subject: ContactId,
    /// When it was stored.
    pub received_at: Micros,
    /// When it was sent, if it says so.
    pub sent_at: Option<Micros>,
    /// Counts edits, from 1.
    pub revision: i64,
    /// Its conversation, once threaded.
    pub thread: Option<ThreadId>,
    /// What it answers.
    pub parent: Option<MessageId>,
    /// Its number within the thread.
    pub thread_seq: Option<i64>,
    /// Masked subject, stored form.
    pub subject_masked: Option<String>,
    /// Masked visible text, stored form.
    pub visible: Option<String>,
    /// Masked quoted history, stored form.
    pub quoted: Option<String>,
    /// Masked signature, stored form.
    pub signature: Option<String>,
    /// Masked sender, stored form.
    pub sender: Option<String>,
    /// `none`, `auto_reply`, `bounce` or `list`.
    pub auto: Option<String>,
    /// What was odd about it.
    pub oddities: Vec<String>,
    /// Whether its Reply-To names another domain than its sender.
    pub reply_to_differs: bool,
}

impl Message {
    /// Whether its text, as it now is, has been understood. One that was given up is not, though it
    /// is filed.
    pub fn is_read(&self) -> bool {
        self.state == "understood" || self.state == "filed" && self.auto.is_some()
    }
}

macro_rules! select {
    ($($tail:literal)*) => {
        concat!(
            "select id, channel_id, direction, state, subject_id, received_at, sent_at, revision,
               thread_id, parent_id, thread_seq, subject_masked, visible_masked, quoted_masked,
               signature_masked, sender_masked, auto_kind, oddities, reply_to_differs
             from message ",
            $($tail)*
        )
    };
}

fn read(row: &sqlx::any::AnyRow) -> Result<Message> {
    use sqlx::Row as _;
    let text = |i: usize| row.try_get::<String, _>(i);
    let maybe = |i: usize| row.try_get::<Option<String>, _>(i);
    let oddities: Option<String> = maybe(17)?;
    Ok(Message {
        id: parse("message.id", &text(0)?)?,
        channel: parse("message.channel_id", &text(1)?)?,
        direction: if text(2)? == "out" { Direction::Out } else { Direction::In },
        state: text(3)?,
        subject: parse("message.subject_id", &text(4)?)?,
        received_at: Micros(row.try_get(5)?),
        sent_at: row.try_get::<Option<i64>, _>(6)?.map(Micros),
        revision: row.try_get(7)?,
        thread: maybe(8)?.map(|t| parse("message.thread_id", &t)).transpose()?,
        parent: maybe(9)?.map(|t| parse("message.parent_id", &t)).transpose()?,
        thread_seq: row.try_get(10)?,
        subject_masked: maybe(11)?,
        visible: maybe(12)?,
        quoted: maybe(13)?,
        signature: maybe(14)?,
        sender: maybe(15)?,
        auto: maybe(16)?,
        oddities: oddities.map(|o| serde_json::from_str(&o)).transpose()?.unwrap_or_default(),
        reply_to_differs: row.try_get::<i64, _>(18)? != 0,
    })
}

/// One message.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &MessageId) -> Result<Message> {
    let row = sqlx::query(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await?;
    read(&row.ok_or(Error::NotFound("message"))?)
}

/// By its channel's own id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn by_external(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    external_id: &str,
) -> Result<Message> {
    let row =
        sqlx::query(select!("where tenant_id = $1 and channel_id = $2 and external_hash = $3"))
            .bind(tenant.as_str())
            .bind(channel.as_str())
            .bind(store.keys.hash(tenant, "external", external_id))
            .fetch_optional(c)
            .await?;
    read(&row.ok_or(Error::NotFound("message"))?)
}

/// The messages of a thread in order, deleted ones included (with nothing in them).
///
/// # Errors
/// Database errors.
pub async fn of_thread(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Vec<Message>> {
    let rows = sqlx::query(select!("where tenant_id = $1 and thread_id = $2 order by thread_seq"))
        .bind(tenant.as_str())
        .bind(thread.as_str())
        .fetch_all(c)
        .await?;
    rows.iter().map(read).collect()
}
