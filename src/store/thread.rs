//! Conversations: their head, participants and the Message-IDs they hold or refer to.

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::ids::{ChannelId, ContactId, MessageId, Micros, TenantId, ThreadId};

/// A conversation.
#[derive(Debug, Clone)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Its channel.
    pub channel: ChannelId,
    /// The customer.
    pub contact: Option<ContactId>,
    /// Masked subject, stored form.
    pub subject_masked: Option<String>,
    /// A thread that it was split from.
    pub related: Option<ThreadId>,
    /// The newest message.
    pub head: Option<MessageId>,
    /// That message's number.
    pub head_seq: i64,
    /// When it began.
    pub created_at: Micros,
    /// When the newest message came.
    pub last_at: Micros,
}

type Row =
    (String, String, Option<String>, Option<String>, Option<String>, Option<String>, i64, i64, i64);

macro_rules! select {
    ($($tail:literal)*) => {
        concat!(
            "select id, channel_id, contact_id, subject_masked, related_id, head_id, head_seq,
               created_at, last_at from thread ",
            $($tail)*
        )
    };
}

fn read(r: Row) -> Result<Thread> {
    Ok(Thread {
        id: parse("thread.id", &r.0)?,
        channel: parse("thread.channel_id", &r.1)?,
        contact: r.2.map(|c| parse("thread.contact_id", &c)).transpose()?,
        subject_masked: r.3,
        related: r.4.map(|c| parse("thread.related_id", &c)).transpose()?,
        head: r.5.map(|c| parse("thread.head_id", &c)).transpose()?,
        head_seq: r.6,
        created_at: Micros(r.7),
        last_at: Micros(r.8),
    })
}

/// One thread.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &ThreadId) -> Result<Thread> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await?;
    read(row.ok_or(Error::NotFound("thread"))?)
}

/// Threads, newest activity first.
///
/// # Errors
/// Database errors.
pub async fn list(
    c: &mut AnyConnection,
    tenant: &TenantId,
    (before, before_id): (Micros, &str),
    limit: i64,
) -> Result<Vec<Thread>> {
    let rows: Vec<Row> = sqlx::query_as(select!(
        "where tenant_id = $1 and (last_at, id) < ($2, $3)
                                order by last_at desc, id desc limit $4"
    ))
    .bind(tenant.as_str())
    .bind(before.0)
    .bind(before_id)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(read).collect()
}

/// The thread that names this Message-ID, and the message if it holds it.
///
/// # Errors
/// Database errors.
pub async fn by_ref(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    message_id: &str,
) -> Result<Option<(ThreadId, Option<MessageId>)>> {
    let row: Option<(String, Option<String>)> = sqlx::query_as(
        "select thread_id, message_id from thread_ref
         where tenant_id = $1 and channel_id = $2 and ref_hash = $3",
    )
    .bind(tenant.as_str())
    .bind(channel.as_str())
    .bind(store.keys.hash(tenant, "ref", message_id))
    .fetch_optional(c)
    .await?;
    row.map(|(t, m)| {
        Ok((
            parse("thread_ref.thread_id", &t)?,
            m.map(|m| parse("thread_ref.message_id", &m)).transpose()?,
        ))
    })
    .transpose()
}

/// By the platform's own conversation id.
///
/// # Errors
/// Database errors.
pub async fn by_external(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    external: &str,
) -> Result<Option<ThreadId>> {
    let row: Option<(String,)> = sqlx::query_as(
        "select id from thread where tenant_id = $1 and channel_id = $2 and external_hash = $3
         order by created_at limit 1",
    )
    .bind(tenant.as_str())
    .bind(channel.as_str())
    .bind(store.keys.hash(tenant, "thread", external))
    .fetch_optional(c)
    .await?;
    row.map(|(t,)| parse("thread.id", &t)).transpose()
}

/// The newest thread of the channel with this subject in which `sender` takes part and whose last
/// message is not older than `since`.
///
/// # Errors
/// Database errors.
pub async fn by_subject(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    subject: &str,
    sender: &ContactId,
    since: Micros,
) -> Result<Option<ThreadId>> {
    let row: Option<(String,)> = sqlx::query_as(
        "select t.id from thread t where t.tenant_id = $1 and t.channel_id = $2
           and t.subject_hash = $3 and t.last_at >= $4 and exists
             (select 1 from participant p where p.tenant_id = t.tenant_id
                and p.thread_id = t.id and p.contact_id = $5)
         order by t.last_at desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(channel.as_str())
    .bind(store.keys.hash(tenant, "subject", subject))
    .bind(since.0)
    .bind(sender.as_str())
    .fetch_optional(c)
    .await?;
    row.map(|(t,)| parse("thread.id", &t)).transpose()
}

/// Whether someone takes part in a thread.
///
/// # Errors
/// Database errors.
pub async fn has_participant(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    contact: &ContactId,
) -> Result<bool> {
    let row: Option<(i64,)> = sqlx::query_as(
        "select cast(1 as bigint) from participant
         where tenant_id = $1 and thread_id = $2 and contact_id = $3",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .bind(contact.as_str())
    .fetch_optional(c)
    .await?;
    Ok(row.is_some())
}

/// The participants of a thread.
///
/// # Errors
/// Database errors.
pub async fn participants(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Vec<ContactId>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "select contact_id from participant where tenant_id = $1 and thread_id = $2
         order by contact_id",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .fetch_all(c)
    .await?;
    rows.into_iter().map(|(x,)| parse("participant.contact_id", &x)).collect()
}

/// A thread to be made.
#[derive(Debug, Clone)]
pub struct NewThread<'a> {
    /// Its id, derived from its first message so that masking can know it before the commit.
    pub id: &'a ThreadId,
    /// Its channel.
    pub channel: &'a ChannelId,
    /// The customer.
    pub contact: Option<&'a ContactId>,
    /// The platform's conversation id.
    pub external: Option<&'a str>,
    /// Normalised subject, clear: hashed here.
    pub subject: Option<&'a str>,
    /// Masked subject, stored form.
    pub subject_masked: &'a str,
    /// A thread that it was split from.
    pub related: Option<&'a ThreadId>,
    /// When.
    pub at: Micros,
}

/// Makes a thread.
///
/// # Errors
/// Database errors.
pub async fn create(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    t: &NewThread<'_>,
) -> Result<()> {
    q("insert into thread (tenant_id, id, channel_id, contact_id, external_hash, subject_hash,
         subject_masked, related_id, created_at, last_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)")
    .bind(tenant.as_str().to_owned())
    .bind(t.id.as_str().to_owned())
    .bind(t.channel.as_str().to_owned())
    .bind(t.contact.map(|x| x.as_str().to_owned()))
    .bind(t.external.map(|x| store.keys.hash(tenant, "thread", x)))
    .bind(t.subject.map(|x| store.keys.hash(tenant, "subject", x)))
    .bind(t.subject_masked.to_owned())
    .bind(t.related.map(|x| x.as_str().to_owned()))
    .bind(t.at.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Gives a message its number; unless it is `filed`, the head moves on to it. A bounce or an
/// out-of-office note changes nothing for the reply that waits.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn advance(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    message: &MessageId,
    at: Micros,
    filed: bool,
) -> Result<i64> {
    let row: Option<(i64,)> = sqlx::query_as(
        "update thread set last_seq = last_seq + 1,
           head_id = case when $5 = 1 then head_id else $3 end,
           head_seq = case when $5 = 1 then head_seq else last_seq + 1 end,
           last_at = case when last_at < $4 then $4 else last_at end
         where tenant_id = $1 and id = $2 returning last_seq",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .bind(message.as_str())
    .bind(at.0)
    .bind(i64::from(filed))
    .fetch_optional(c)
    .await?;
    row.map(|(n,)| n).ok_or(Error::NotFound("thread"))
}

/// Moves the head without a new message: one of the thread's was edited or deleted, so whatever was
/// signed before no longer answers what stands there.
///
/// # Errors
/// Database errors.
pub async fn touch(c: &mut AnyConnection, tenant: &TenantId, thread: &ThreadId) -> Result<()> {
    q("update thread set last_seq = last_seq + 1, head_seq = last_seq + 1
       where tenant_id = $1 and id = $2")
    .bind(tenant.as_str().to_owned())
    .bind(thread.as_str().to_owned())
    .execute(c)
    .await?;
    Ok(())
}

/// Adds participants.
///
/// # Errors
/// Database errors.
pub async fn add_participants(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    contacts: &[ContactId],
) -> Result<()> {
    for contact in contacts {
        q("insert into participant (tenant_id, thread_id, contact_id) values ($1, $2, $3)
           on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(thread.as_str().to_owned())
        .bind(contact.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// Records Message-IDs of a thread: `own` is this message's, `refs` are those it refers to. The
/// first thread to name an id keeps it; a later message fills in which message it is.
///
/// # Errors
/// Database errors.
pub async fn add_refs(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    thread: &ThreadId,
    own: (&str, &MessageId),
    refs: &[String],
) -> Result<()> {
    q("insert into thread_ref (tenant_id, channel_id, ref_hash, thread_id, message_id)
       values ($1, $2, $3, $4, $5)
       on conflict (tenant_id, channel_id, ref_hash) do update set message_id =
         coalesce(thread_ref.message_id, excluded.message_id)")
    .bind(tenant.as_str().to_owned())
    .bind(channel.as_str().to_owned())
    .bind(store.keys.hash(tenant, "ref", own.0))
    .bind(thread.as_str().to_owned())
    .bind(own.1.as_str().to_owned())
    .execute(&mut *c)
    .await?;
    for r in refs {
        q("insert into thread_ref (tenant_id, channel_id, ref_hash, thread_id)
           values ($1, $2, $3, $4) on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(channel.as_str().to_owned())
        .bind(store.keys.hash(tenant, "ref", r))
        .bind(thread.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}
