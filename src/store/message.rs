//! Messages: stored sealed as received, then completed with what was understood.

use std::fmt;

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::ids::{ChannelId, ContactId, MessageId, Micros, TenantId, ThreadId};
use crate::domain::message::{Direction, Incoming, Raw};

/// What came of an insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// A new row.
    New(MessageId),
    /// The same message under the same id: nothing was done.
    Duplicate(MessageId),
    /// Another body under an id that is taken.
    Conflict(MessageId),
}

/// A message that is ready for its insert: hashed, with the sealing subject known.
#[derive(Clone)]
pub struct Prepared {
    /// The row's id if it is new.
    pub id: MessageId,
    /// Where it came in.
    pub channel: ChannelId,
    /// Keyed hash of the external id.
    pub external_hash: String,
    /// Keyed hash of the body.
    pub body_hash: String,
    /// Whose key seals it.
    pub subject: ContactId,
    /// The message.
    pub incoming: Incoming,
    /// The message in the form that is stored.
    pub(super) raw: Vec<u8>,
}

impl Prepared {
    /// How `raw` is to be read: `json` or `mime`.
    pub(super) fn format(&self) -> &'static str {
        if matches!(self.incoming.raw, Raw::Json(_)) { "json" } else { "mime" }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Hashes what equality is looked up by.
pub fn prepare(
    store: &Store,
    tenant: &TenantId,
    channel: &ChannelId,
    subject: ContactId,
    incoming: Incoming,
) -> Result<Prepared> {
    let raw = raw_bytes(&incoming.raw)?;
    Ok(Prepared {
        id: MessageId::from_uuid(store.host.uuid()),
        channel: channel.clone(),
        external_hash: store.keys.hash(tenant, "external", &incoming.external_id),
        body_hash: store.keys.hash_full(tenant, "body", &raw),
        subject,
        incoming,
        raw,
    })
}

fn raw_bytes(raw: &Raw) -> Result<Vec<u8>> {
    Ok(match raw {
        Raw::Mime { bytes, thread } => {
            let thread = thread.as_deref().unwrap_or("");
            let len = u32::try_from(thread.len()).unwrap_or(u32::MAX);
            [&len.to_be_bytes()[..], thread.as_bytes(), bytes].concat()
        }
        Raw::Json(m) => serde_json::to_vec(m)?,
    })
}

fn raw_from(format: &str, bytes: Vec<u8>) -> Result<Raw> {
    if format == "json" {
        return Ok(Raw::Json(serde_json::from_slice(&bytes)?));
    }
    let bad = || Error::Corrupt { what: "message.raw", why: "it is cut short".into() };
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| bad())?;
    let (thread, body) = rest.split_at_checked(len).ok_or_else(bad)?;
    let thread = String::from_utf8(thread.to_vec()).map_err(|_| bad())?;
    Ok(Raw::Mime { bytes: body.to_vec(), thread: (!thread.is_empty()).then_some(thread) })
}

/// Inserts a message unless its external id is taken. The subject's key must be at hand.
///
/// # Errors
/// Database and key errors.
pub async fn insert(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    p: &Prepared,
) -> Result<Receipt> {
    let seal = |column, bytes: &[u8]| {
        store.keys.seal(tenant, p.subject.as_str(), column, p.id.as_str(), bytes)
    };
    let n = q("insert into message (tenant_id, id, channel_id, external_hash, external_sealed,
         body_hash, direction, state, subject_id, format, raw_sealed, received_at, sent_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'received', $8, $9, $10, $11, $12)
       on conflict (tenant_id, channel_id, external_hash) do nothing")
    .bind(tenant.as_str().to_owned())
    .bind(p.id.as_str().to_owned())
    .bind(p.channel.as_str().to_owned())
    .bind(p.external_hash.clone())
    .bind(seal("message.external", p.incoming.external_id.as_bytes())?)
    .bind(p.body_hash.clone())
    .bind(p.incoming.direction.as_str())
    .bind(p.subject.as_str().to_owned())
    .bind(p.format())
    .bind(seal("message.raw", &p.raw)?)
    .bind(store.host.now().0)
    .bind(p.incoming.sent_at.map(|t| t.0))
    .execute(&mut *c)
    .await?
    .rows_affected();
    if n == 1 {
        return Ok(Receipt::New(p.id.clone()));
    }
    let (id, body_hash): (String, String) = sqlx::query_as(
        "select id, body_hash from message
         where tenant_id = $1 and channel_id = $2 and external_hash = $3",
    )
    .bind(tenant.as_str())
    .bind(p.channel.as_str())
    .bind(p.external_hash.as_str())
    .fetch_one(c)
    .await?;
    let id = parse("message.id", &id)?;
    Ok(if body_hash == p.body_hash { Receipt::Duplicate(id) } else { Receipt::Conflict(id) })
}

/// Replaces what was received: the platform reported an edit. The message goes back to `received`.
///
/// # Errors
/// [`Error::NotFound`] when it isn't there or was deleted.
pub async fn replace_raw(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
    raw: &Raw,
) -> Result<()> {
    let row = get(c, tenant, id).await?;
    store.keys.load(c, tenant, row.subject.as_str()).await?;
    let bytes = raw_bytes(raw)?;
    let sealed =
        store.keys.seal(tenant, row.subject.as_str(), "message.raw", id.as_str(), &bytes)?;
    let n = q("update message set raw_sealed = $3, body_hash = $4, state = 'received',
                 format = $5, revision = revision + 1
               where tenant_id = $1 and id = $2 and state <> 'deleted'")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(sealed)
    .bind(store.keys.hash_full(tenant, "body", &bytes))
    .bind(if matches!(raw, Raw::Json(_)) { "json" } else { "mime" })
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("message")) }
}

/// Marks a message deleted and empties everything that it said.
///
/// # Errors
/// Database errors.
pub async fn erase(c: &mut AnyConnection, tenant: &TenantId, id: &MessageId) -> Result<()> {
    q("update message set state = 'deleted', raw_sealed = $3, subject_masked = null,
         visible_masked = null, quoted_masked = null, signature_masked = null,
         spans_sealed = null, revision = revision + 1
       where tenant_id = $1 and id = $2")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(Vec::<u8>::new())
    .execute(&mut *c)
    .await?;
    q("delete from analysis where tenant_id = $1 and message_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .execute(c)
        .await?;
    Ok(())
}

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

/// Messages that were filed and never reviewed (bounces, auto-replies, lists, spam), newest first.
///
/// # Errors
/// Database errors.
pub async fn filed(
    c: &mut AnyConnection,
    tenant: &TenantId,
    before: &str,
    limit: i64,
) -> Result<Vec<Message>> {
    let rows = sqlx::query(select!(
        "where tenant_id = $1 and state = 'filed' and id < $2 order by id desc limit $3"
    ))
    .bind(tenant.as_str())
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.iter().map(read).collect()
}

/// The original as it was received.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Erased`], key errors.
pub async fn raw(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
) -> Result<Incoming> {
    type Row = (String, Vec<u8>, Vec<u8>, String, String, Option<i64>, String);
    let row: Option<Row> = sqlx::query_as(
        "select format, raw_sealed, external_sealed, subject_id, direction, sent_at, state
         from message where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(&mut *c)
    .await?;
    let (format, raw, external, subject, direction, sent_at, state) =
        row.ok_or(Error::NotFound("message"))?;
    if state == "deleted" {
        return Err(Error::NotFound("message"));
    }
    let k = &store.keys;
    let bytes = k.open(c, tenant, &subject, "message.raw", id.as_str(), &raw).await?;
    let external_id =
        k.open_text(c, tenant, &subject, "message.external", id.as_str(), &external).await?;
    Ok(Incoming {
        external_id,
        direction: if direction == "out" { Direction::Out } else { Direction::In },
        sender: String::new(),
        sent_at: sent_at.map(Micros),
        raw: raw_from(&format, bytes)?,
    })
}

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
/// Database and key errors.
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
    if n == 1 { Ok(()) } else { Err(Error::Fenced) }
}

/// An attachment as recorded.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Sealed in storage.
    pub name: String,
    /// As sniffed or declared.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Hex.
    pub sha256: String,
    /// By the policy.
    pub allowed: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Replaces a message's attachments.
///
/// # Errors
/// Database and key errors.
pub async fn put_attachments(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
    all: &[Attachment],
) -> Result<()> {
    q("delete from attachment where tenant_id = $1 and message_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(row.id.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    for a in all {
        let id = store.host.uuid().hyphenated().to_string();
        let name = store.keys.seal(
            tenant,
            row.subject.as_str(),
            "attachment.name",
            &id,
            a.name.as_bytes(),
        )?;
        q("insert into attachment (tenant_id, id, message_id, name_sealed, content_type,
             size_bytes, sha256, allowed, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(tenant.as_str().to_owned())
        .bind(id)
        .bind(row.id.as_str().to_owned())
        .bind(name)
        .bind(a.content_type.clone())
        .bind(i64::try_from(a.size).unwrap_or(i64::MAX))
        .bind(a.sha256.clone())
        .bind(i64::from(a.allowed))
        .bind(a.reason.clone())
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// The attachments of a message.
///
/// # Errors
/// Database and key errors.
pub async fn attachments(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
) -> Result<Vec<Attachment>> {
    type Row = (String, Vec<u8>, String, i64, String, i64, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select id, name_sealed, content_type, size_bytes, sha256, allowed, reason
         from attachment where tenant_id = $1 and message_id = $2 order by id",
    )
    .bind(tenant.as_str())
    .bind(row.id.as_str())
    .fetch_all(&mut *c)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, name, content_type, size, sha256, allowed, reason) in rows {
        let s = row.subject.as_str();
        all.push(Attachment {
            name: store.keys.open_text(c, tenant, s, "attachment.name", &id, &name).await?,
            content_type,
            size: u64::try_from(size).unwrap_or(0),
            sha256,
            allowed: allowed != 0,
            reason,
        });
    }
    Ok(all)
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

/// Stores a message's analysis (as JSON beside the columns that are filtered by).
///
/// # Errors
/// Database errors.
pub async fn put_analysis(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
    a: &crate::domain::triage::Analysis,
) -> Result<()> {
    q("insert into analysis (tenant_id, message_id, intent, intent_confidence, abstained,
         sentiment, sentiment_score, urgency, language, spam, injection_flagged, detail,
         created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (tenant_id, message_id) do update set intent = excluded.intent,
         intent_confidence = excluded.intent_confidence, abstained = excluded.abstained,
         sentiment = excluded.sentiment, sentiment_score = excluded.sentiment_score,
         urgency = excluded.urgency, language = excluded.language, spam = excluded.spam,
         injection_flagged = excluded.injection_flagged, detail = excluded.detail,
         created_at = excluded.created_at")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(a.intent.label.as_str().to_owned())
    .bind(f64::from(a.intent.confidence.get()))
    .bind(i64::from(a.intent.abstained))
    .bind(a.sentiment.label.as_str())
    .bind(f64::from(a.sentiment.score.get()))
    .bind(a.urgency.level.as_str())
    .bind(a.language.code.as_str().to_owned())
    .bind(a.spam.label.as_str())
    .bind(i64::from(a.injection.flagged))
    .bind(serde_json::to_string(a)?)
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(())
}

/// A message's analysis.
///
/// # Errors
/// Database errors.
pub async fn analysis(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
) -> Result<Option<crate::domain::triage::Analysis>> {
    let row: Option<(String,)> =
        sqlx::query_as("select detail from analysis where tenant_id = $1 and message_id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(c)
            .await?;
    row.map(|(d,)| Ok(serde_json::from_str(&d)?)).transpose()
}

/// Files a message that could not be understood, saying so.
///
/// # Errors
/// Database errors.
pub async fn set_unreadable(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &MessageId,
) -> Result<()> {
    let _ = store;
    q("update message set state = 'filed', oddities = $3
       where tenant_id = $1 and id = $2 and state = 'received'")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(serde_json::to_string(&["it could not be understood: see the dead letters"])?)
    .execute(c)
    .await?;
    Ok(())
}

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
