//! Durable work: claims with a token and a lease on the database's clock, fenced completion,
//! attempts counted at the claim, dead letters, an order that is fair between tenants.

use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Engine, Error, Result, Store, parse, q};
use crate::domain::ids::{JobId, Micros, TenantId};
use crate::domain::message::UnknownName;

/// The kinds of work; each commits once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Steps 2–7: what a message says.
    Understand,
    /// Steps 8–11: the draft of a thread's answer, put into the queue.
    Answer,
    /// Step 12: an approval's delivery.
    Send,
    /// Chunks that another encoder embedded, some at a time.
    Reembed,
    /// Events that wait for one endpoint.
    Deliver,
    /// What an inbox platform is told of a message or a review.
    Report,
}

/// Which jobs a claim takes. What waits for a server elsewhere has a lane of its own, so that it
/// can't hold up messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The way of a message.
    Messages,
    /// Telling others about it.
    Outside,
}

impl Lane {
    /// The kinds of a lane within a statement: our own constants.
    fn kinds(self) -> &'static str {
        match self {
            Self::Messages => "'understand', 'answer', 'send', 'reembed'",
            Self::Outside => "'deliver', 'report'",
        }
    }
}

impl Kind {
    /// Its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Understand => "understand",
            Self::Answer => "answer",
            Self::Send => "send",
            Self::Reembed => "reembed",
            Self::Deliver => "deliver",
            Self::Report => "report",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = UnknownName;
    fn from_str(s: &str) -> std::result::Result<Self, UnknownName> {
        Ok(match s {
            "understand" => Self::Understand,
            "answer" => Self::Answer,
            "send" => Self::Send,
            "reembed" => Self::Reembed,
            "deliver" => Self::Deliver,
            "report" => Self::Report,
            _ => {
                return Err(UnknownName {
                    what: "a job kind",
                    value: s.chars().take(40).collect(),
                    expected: "understand, answer, send, reembed, deliver or report",
                });
            }
        })
    }
}

/// A job that this process holds.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose.
    pub tenant: TenantId,
    /// The job.
    pub id: JobId,
    /// What to do.
    pub kind: Kind,
    /// With what: a message, a thread, an approval or an endpoint.
    pub ref_id: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// How often it has been put off without counting.
    pub snoozes: i64,
    /// When it was first enqueued.
    pub created_at: Micros,
    /// What completion, retry and heartbeat must show.
    pub token: String,
}

/// Enqueues work within the caller's transaction.
///
/// # Errors
/// Database errors.
pub async fn enqueue(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: Kind,
    ref_id: &str,
    run_at: Micros,
) -> Result<JobId> {
    let id = JobId::from_uuid(store.host.uuid());
    q("insert into job (tenant_id, id, kind, ref_id, state, run_at, created_at, updated_at)
       values ($1, $2, $3, $4, 'ready', $5, $6, $6)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(kind.as_str())
    .bind(ref_id.to_owned())
    .bind(run_at.0)
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(id)
}

/// Enqueues work unless the same is waiting; then it only moves that one's time, and never to before
/// what a failure or the other side's Retry-After has set. The caller holds the tenant's lock.
///
/// # Errors
/// Database errors.
pub async fn enqueue_once(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: Kind,
    ref_id: &str,
    run_at: Micros,
) -> Result<()> {
    let moved = q("update job set updated_at = $5,
                     run_at = case when attempt + snoozes > 0 and run_at > $4 then run_at else $4 end
                   where tenant_id = $1 and kind = $2 and ref_id = $3 and state = 'ready'")
    .bind(tenant.as_str().to_owned())
    .bind(kind.as_str())
    .bind(ref_id.to_owned())
    .bind(run_at.0)
    .bind(store.host.now().0)
    .execute(&mut *c)
    .await?
    .rows_affected();
    if moved == 0 {
        enqueue(store, c, tenant, kind, ref_id, run_at).await?;
    }
    Ok(())
}

/// Whether such work waits or runs.
///
/// # Errors
/// Database errors.
pub async fn is_due(
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: Kind,
    ref_id: &str,
) -> Result<bool> {
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from job where tenant_id = $1 and kind = $2
           and ref_id = $3 and state in ('ready', 'running')",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(ref_id)
    .fetch_one(c)
    .await?;
    Ok(n > 0)
}

/// Whether such work is at work now.
///
/// # Errors
/// Database errors.
pub async fn is_running(
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: Kind,
    ref_id: &str,
) -> Result<bool> {
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from job where tenant_id = $1 and kind = $2
           and ref_id = $3 and state = 'running'",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(ref_id)
    .fetch_one(c)
    .await?;
    Ok(n > 0)
}

// Round robin: the n-th job of every tenant comes before the (n+1)-th of any. Kinds that this
// binary doesn't know are left alone.
fn pick(lane: Lane) -> String {
    format!(
        "select tenant_id, id, run_at, turn from (
           select tenant_id, id, run_at,
             row_number() over (partition by tenant_id order by run_at, id) as turn
           from job where state = 'ready' and run_at <= $1 and kind in ({})
         ) ready order by turn, run_at, id",
        lane.kinds()
    )
}

const TAKE: &str = "update job set state = 'running', token = $2, owner = $3, lease_until = $4,
     attempt = attempt + 1, updated_at = $1
   where state = 'ready' and run_at <= $1 and (tenant_id, id) in";

type Row = (String, String, String, String, i64, i64, i64);

/// Claims up to `limit` jobs that are due. One statement an engine: on PostgreSQL the inner rows
/// are locked with SKIP LOCKED, on SQLite the transaction is alone.
///
/// # Errors
/// Database errors.
pub async fn claim(
    store: &Store,
    owner: &str,
    lane: Lane,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Claim>> {
    let pick = pick(lane);
    let mut tx = store.db.begin().await?;
    let now = store.db.now(&mut tx).await?;
    let token = store.host.token();
    let sql = match store.db.engine() {
        Engine::Sqlite => format!(
            "{TAKE} (select tenant_id, id from ({pick} limit $5))
             returning tenant_id, id, kind, ref_id, attempt, snoozes, created_at"
        ),
        Engine::Postgres => format!(
            "with picked as materialized (
               select j.tenant_id, j.id from job j join ({pick} limit $5 * 4) p
                 on p.tenant_id = j.tenant_id and p.id = j.id
               where j.state = 'ready' order by p.turn, p.run_at, p.id
               for update of j skip locked limit $5)
             {TAKE} (select tenant_id, id from picked)
             returning tenant_id, id, kind, ref_id, attempt, snoozes, created_at"
        ),
    };
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(now.0)
        .bind(token.clone())
        .bind(owner.to_owned())
        .bind(now.plus(lease).0)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(rows.into_iter().filter_map(|row| legible(row, token.clone())).collect())
}

/// A claim that can be read. One that can't is logged and left: it must not cost the others of its
/// batch their turn.
fn legible(row: Row, token: String) -> Option<Claim> {
    let id = row.1.clone();
    claimed(row, token).inspect_err(|e| tracing::error!(job = id, error = %e, "left out")).ok()
}

fn claimed(row: Row, token: String) -> Result<Claim> {
    let (tenant, id, kind, ref_id, attempt, snoozes, created_at) = row;
    Ok(Claim {
        tenant: parse("job.tenant_id", &tenant)?,
        id: parse("job.id", &id)?,
        kind: parse("job.kind", &kind)?,
        ref_id,
        attempt,
        snoozes,
        created_at: Micros(created_at),
        token,
    })
}

async fn fenced(
    c: &mut AnyConnection,
    job: &Claim,
    set: &'static str,
    at: Micros,
    when: i64,
    error: Option<&str>,
) -> Result<()> {
    let sql = format!(
        "update job set {set}, token = null, owner = null, lease_until = null, updated_at = $4,
           run_at = $5, last_error = coalesce($6, last_error)
         where tenant_id = $1 and id = $2 and token = $3 and state = 'running'"
    );
    let n = sqlx::query(AssertSqlSafe(sql))
        .bind(job.tenant.as_str())
        .bind(job.id.as_str())
        .bind(job.token.as_str())
        .bind(at.0)
        .bind(when)
        .bind(error)
        .execute(c)
        .await?
        .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::Fenced) }
}

/// Refuses to go on when the claim was lost; until the transaction ends nobody can take it away.
///
/// # Errors
/// [`Error::Fenced`].
pub async fn still_ours(c: &mut AnyConnection, job: &Claim) -> Result<()> {
    let n = q("update job set token = token
               where tenant_id = $1 and id = $2 and token = $3 and state = 'running'")
    .bind(job.tenant.as_str().to_owned())
    .bind(job.id.as_str().to_owned())
    .bind(job.token.clone())
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::Fenced) }
}

/// Marks a job done, in the transaction that holds its result.
///
/// # Errors
/// [`Error::Fenced`] when the claim was lost: the caller must roll back.
pub async fn complete(c: &mut AnyConnection, job: &Claim, now: Micros) -> Result<()> {
    fenced(c, job, "state = 'done'", now, now.0, None).await
}

/// Puts a job off after a failure; the attempt counts.
///
/// # Errors
/// [`Error::Fenced`] when the claim was lost.
pub async fn retry(
    c: &mut AnyConnection,
    job: &Claim,
    now: Micros,
    after: Duration,
    error: &str,
) -> Result<()> {
    fenced(c, job, "state = 'ready'", now, now.plus(after).0, Some(error)).await
}

/// Puts a job off for a reason that isn't its fault (rate limit, stale read, shutdown); the attempt
/// doesn't count.
///
/// # Errors
/// [`Error::Fenced`] when the claim was lost.
pub async fn snooze(
    c: &mut AnyConnection,
    job: &Claim,
    now: Micros,
    after: Duration,
) -> Result<()> {
    let set = "state = 'ready', attempt = attempt - 1, snoozes = snoozes + 1";
    fenced(c, job, set, now, now.plus(after).0, None).await
}

/// Gives a job up: it stays as a dead letter until a person replays it.
///
/// # Errors
/// [`Error::Fenced`] when the claim was lost.
pub async fn bury(c: &mut AnyConnection, job: &Claim, now: Micros, error: &str) -> Result<()> {
    fenced(c, job, "state = 'dead'", now, now.0, Some(error)).await
}

/// Extends the leases of claims that still run.
///
/// # Errors
/// Database errors; a lost claim isn't one (its completion will be fenced).
pub async fn heartbeat(store: &Store, jobs: &[Claim], lease: Duration) -> Result<u64> {
    let mut tx = store.db.begin().await?;
    let until = store.db.now(&mut tx).await?.plus(lease);
    let mut kept = 0;
    for job in jobs {
        kept += q("update job set lease_until = $4
                   where tenant_id = $1 and id = $2 and token = $3 and state = 'running'")
        .bind(job.tenant.as_str().to_owned())
        .bind(job.id.as_str().to_owned())
        .bind(job.token.clone())
        .bind(until.0)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    }
    tx.commit().await?;
    Ok(kept)
}

/// A job whose lease ran out.
#[derive(Debug, Clone)]
pub struct Expired {
    /// The claim as it was; its token is still the stored one.
    pub claim: Claim,
}

/// Finds claims whose lease has run out, by the database's clock.
///
/// # Errors
/// Database errors.
pub async fn expired(store: &Store, c: &mut AnyConnection) -> Result<Vec<Expired>> {
    let now = store.db.now(c).await?;
    type Row = (String, String, String, String, i64, i64, i64, String);
    let sql = format!(
        "select tenant_id, id, kind, ref_id, attempt, snoozes, created_at, token from job
         where state = 'running' and lease_until < $1
           and kind in ({}, {}) order by lease_until limit 200",
        Lane::Messages.kinds(),
        Lane::Outside.kinds()
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql)).bind(now.0).fetch_all(c).await?;
    let claims =
        rows.into_iter().filter_map(|(tenant, id, kind, ref_id, attempt, snoozes, at, token)| {
            legible((tenant, id, kind, ref_id, attempt, snoozes, at), token)
        });
    Ok(claims.map(|claim| Expired { claim }).collect())
}

/// What a tenant's dead letters of a kind are about.
///
/// # Errors
/// Database errors.
pub async fn dead(c: &mut AnyConnection, tenant: &TenantId, kind: Kind) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "select ref_id from job where tenant_id = $1 and kind = $2 and state = 'dead' order by id",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .fetch_all(c)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Puts dead letters of a tenant back to work, with fresh attempts; returns how many. Not sends: a
/// reply that failed is in the queue again and goes out under a signature of its own.
///
/// # Errors
/// Database errors.
pub async fn replay(c: &mut AnyConnection, tenant: &TenantId, now: Micros) -> Result<u64> {
    Ok(q("update job set state = 'ready', attempt = 0, run_at = $2, updated_at = $2
          where tenant_id = $1 and state = 'dead' and kind <> 'send'")
    .bind(tenant.as_str().to_owned())
    .bind(now.0)
    .execute(c)
    .await?
    .rows_affected())
}

/// Jobs by kind and state, for `/metrics`, the page and the auditor.
///
/// # Errors
/// Database errors.
pub async fn counts(c: &mut AnyConnection) -> Result<Vec<(String, String, i64)>> {
    Ok(sqlx::query_as(
        "select kind, state, cast(count(*) as bigint) from job group by kind, state
         order by kind, state",
    )
    .fetch_all(c)
    .await?)
}

/// When the next job of a lane is due, by the database's clock; none when nothing waits.
///
/// # Errors
/// Database errors.
pub async fn next_due(c: &mut AnyConnection, lane: Lane) -> Result<Option<Micros>> {
    let sql =
        format!("select min(run_at) from job where state = 'ready' and kind in ({})", lane.kinds());
    let (at,): (Option<i64>,) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(c).await?;
    Ok(at.map(Micros))
}

/// Forgets finished jobs older than `before`; returns how many.
///
/// # Errors
/// Database errors.
pub async fn prune(c: &mut AnyConnection, before: Micros) -> Result<u64> {
    Ok(q("delete from job where state = 'done' and updated_at < $1")
        .bind(before.0)
        .execute(c)
        .await?
        .rows_affected())
}
