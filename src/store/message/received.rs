//! Messages as they were received: sealed whole, looked up by keyed hashes of what they hold.

use std::fmt;

use sqlx::AnyConnection;

use super::get;
use crate::domain::ids::{ChannelId, ContactId, MessageId, Micros, TenantId};
use crate::domain::message::{Direction, Incoming, Raw};
use crate::store::{Error, Result, Store, parse, q};

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
    pub(in crate::store) raw: Vec<u8>,
}

impl Prepared {
    /// How `raw` is to be read: `json` or `mime`.
    pub(in crate::store) fn format(&self) -> &'static str {
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
