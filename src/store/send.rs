//! Sends and their attempts. A send row appears in the transaction that says "it begins now", with
//! a foreign key on a live approval of the same digest: without one the database refuses it.

use serde_json::json;
use sqlx::AnyConnection;

use super::{Error, Result, Store, event, parse, q};
use crate::domain::approval::Verified;
use crate::domain::event::EventKind;
use crate::domain::ids::{ApprovalId, ChannelId, ContactId, Micros, ReviewId, SendId, TenantId};

/// A delivery to one recipient.
#[derive(Debug, Clone)]
pub struct Send {
    /// Its id; also the provider's idempotency key.
    pub id: SendId,
    /// The countersignature.
    pub approval: ApprovalId,
    /// What was signed.
    pub digest: String,
    /// Where.
    pub channel: ChannelId,
    /// For which review.
    pub review: ReviewId,
    /// `sending`, `sent`, `failed` or `unknown`.
    pub state: String,
    /// The provider's own id of it.
    pub provider_ref: Option<String>,
    /// When it began.
    pub created_at: Micros,
    /// When it last changed.
    pub updated_at: Micros,
}

type Row = (String, String, String, String, String, String, Option<String>, i64, i64);

macro_rules! select {
    ($($tail:literal)*) => {
        concat!(
            "select id, approval_id, digest, channel_id, review_id, state, provider_ref,
               created_at, updated_at from send ",
            $($tail)*
        )
    };
}

fn read(r: Row) -> Result<Send> {
    Ok(Send {
        id: parse("send.id", &r.0)?,
        approval: parse("send.approval_id", &r.1)?,
        digest: r.2,
        channel: parse("send.channel_id", &r.3)?,
        review: parse("send.review_id", &r.4)?,
        state: r.5,
        provider_ref: r.6,
        created_at: Micros(r.7),
        updated_at: Micros(r.8),
    })
}

/// Begins a send.
///
/// # Errors
/// A foreign-key violation without a live approval of that digest; a unique violation when this
/// approval has been sent to that recipient already.
#[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
pub async fn begin(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    approval: &Verified,
    channel: &ChannelId,
    review: &ReviewId,
    recipient: &ContactId,
    segments: u32,
) -> Result<SendId> {
    let id = SendId::from_uuid(store.host.uuid());
    let now = store.host.now();
    q("insert into send (tenant_id, id, approval_id, digest, live, channel_id, recipient_hash,
         review_id, state, segments, created_at, updated_at)
       values ($1, $2, $3, $4, 1, $5, $6, $7, 'sending', $8, $9, $9)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(approval.id().as_str().to_owned())
    .bind(approval.digest().as_str().to_owned())
    .bind(channel.as_str().to_owned())
    .bind(recipient.as_str().to_owned())
    .bind(review.as_str().to_owned())
    .bind(i64::from(segments))
    .bind(now.0)
    .execute(c)
    .await?;
    Ok(id)
}

/// The send of an approval, if one has begun.
///
/// # Errors
/// Database errors.
pub async fn of_approval(
    c: &mut AnyConnection,
    tenant: &TenantId,
    approval: &ApprovalId,
) -> Result<Option<Send>> {
    let row: Option<Row> =
        sqlx::query_as(select!("where tenant_id = $1 and approval_id = $2 order by id limit 1"))
            .bind(tenant.as_str())
            .bind(approval.as_str())
            .fetch_optional(c)
            .await?;
    row.map(read).transpose()
}

/// One send.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &SendId) -> Result<Send> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await?;
    read(row.ok_or(Error::NotFound("send"))?)
}

/// Sends, newest first.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId, limit: i64) -> Result<Vec<Send>> {
    let rows: Vec<Row> = sqlx::query_as(select!("where tenant_id = $1 order by id desc limit $2"))
        .bind(tenant.as_str())
        .bind(limit)
        .fetch_all(c)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Records the end of a send.
///
/// # Errors
/// [`Error::Fenced`] when it had ended already.
pub async fn finish(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &SendId,
    state: &'static str,
    provider_ref: Option<&str>,
) -> Result<()> {
    let n = q("update send set state = $3, provider_ref = coalesce($4, provider_ref),
                 updated_at = $5
               where tenant_id = $1 and id = $2 and state in ('sending', 'unknown')")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(state)
    .bind(provider_ref.map(str::to_owned))
    .bind(store.host.now().0)
    .execute(&mut *c)
    .await?
    .rows_affected();
    if n != 1 {
        return Err(Error::Fenced);
    }
    let kind = match state {
        "sent" => EventKind::SendSent,
        "failed" => EventKind::SendFailed,
        _ => EventKind::SendUnknown,
    };
    let s = get(c, tenant, id).await?;
    let data = json!({"send": s.id, "review": s.review, "channel": s.channel});
    event::append(store, c, tenant, kind, format!("send:{id}"), &data).await.map(drop)
}

/// Begins an attempt; returns its number, from 1.
///
/// # Errors
/// Database errors.
pub async fn attempt(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &SendId,
) -> Result<i64> {
    let (n,): (i64,) = sqlx::query_as(
        "select coalesce(max(n), 0) + 1 from send_attempt where tenant_id = $1 and send_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_one(&mut *c)
    .await?;
    q("insert into send_attempt (tenant_id, send_id, n, started_at) values ($1, $2, $3, $4)")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .bind(n)
        .bind(store.host.now().0)
        .execute(c)
        .await?;
    Ok(n)
}

/// Ends an attempt.
///
/// # Errors
/// Database errors.
pub async fn attempt_ended(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &SendId,
    n: i64,
    outcome: &'static str,
    detail: &str,
) -> Result<()> {
    q("update send_attempt set finished_at = $4, outcome = $5, detail = $6
       where tenant_id = $1 and send_id = $2 and n = $3")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(n)
    .bind(store.host.now().0)
    .bind(outcome)
    .bind(detail.to_owned())
    .execute(c)
    .await?;
    Ok(())
}

/// Whether the last attempt began and never ended: the process died in it.
///
/// # Errors
/// Database errors.
pub async fn open_attempt(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &SendId,
) -> Result<Option<i64>> {
    let row: Option<(i64,)> = sqlx::query_as(
        "select n from send_attempt where tenant_id = $1 and send_id = $2 and finished_at is null
         order by n desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(c)
    .await?;
    Ok(row.map(|(n,)| n))
}

/// Takes `want` tokens from a sender's bucket, or says how long until they are there. The state is
/// in the database, so that several processes and restarts share it: in any window T at most
/// `burst + rate * T` are taken.
///
/// # Errors
/// Database errors.
#[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
pub async fn take_tokens(
    c: &mut AnyConnection,
    tenant: &TenantId,
    channel: &ChannelId,
    sender: &str,
    rate: f64,
    burst: f64,
    want: f64,
    now: Micros,
) -> Result<std::result::Result<(), std::time::Duration>> {
    q("insert into rate_bucket (tenant_id, channel_id, sender, tokens, updated_at)
       values ($1, $2, $3, $4, $5) on conflict do nothing")
    .bind(tenant.as_str().to_owned())
    .bind(channel.as_str().to_owned())
    .bind(sender.to_owned())
    .bind(burst)
    .bind(now.0)
    .execute(&mut *c)
    .await?;
    // Touching the row first takes its lock on PostgreSQL.
    let (tokens, updated): (f64, i64) = sqlx::query_as(
        "update rate_bucket set tokens = tokens where tenant_id = $1 and channel_id = $2
           and sender = $3 returning tokens, updated_at",
    )
    .bind(tenant.as_str())
    .bind(channel.as_str())
    .bind(sender)
    .fetch_one(&mut *c)
    .await?;
    let filled = (tokens + rate * now.since(Micros(updated)).as_secs_f64()).min(burst);
    // A message larger than the bucket goes when the bucket is full.
    let need = want.min(burst);
    if filled < need {
        let wait = std::time::Duration::try_from_secs_f64((need - filled) / rate.max(1e-6))
            .unwrap_or(std::time::Duration::from_secs(3600));
        return Ok(Err(wait));
    }
    q("update rate_bucket set tokens = $4, updated_at = $5
       where tenant_id = $1 and channel_id = $2 and sender = $3")
    .bind(tenant.as_str().to_owned())
    .bind(channel.as_str().to_owned())
    .bind(sender.to_owned())
    .bind(filled - want)
    .bind(now.0.max(updated))
    .execute(c)
    .await?;
    Ok(Ok(()))
}

/// How many attempts a send has had.
///
/// # Errors
/// Database errors.
pub async fn attempts(c: &mut AnyConnection, tenant: &TenantId, id: &SendId) -> Result<i64> {
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from send_attempt where tenant_id = $1 and send_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_one(c)
    .await?;
    Ok(n)
}
