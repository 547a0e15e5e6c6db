//! Endpoints that events are posted to, and what became of each delivery. A delivery is a row from
//! the transaction that numbers its event on, so none is lost with a process; the row is also the
//! delivery log.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::event::{self, Numbered};
use super::job::{self, Kind};
use super::sealing::TENANT_SUBJECT;
use super::{Error, Result, Store, parse, q};
use crate::domain::event::EventKind;
use crate::domain::ids::{EndpointId, EventId, Micros, TenantId};

/// An endpoint; Debug leaves its URL and secrets out.
#[derive(Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Where to post. It may hold a token.
    pub url: String,
    /// Standard Webhooks secrets, newest first; all sign.
    pub secrets: Vec<String>,
    /// What is wanted; all types when empty.
    pub kinds: Vec<EventKind>,
    /// When it was made.
    pub created_at: Micros,
    /// Since when nothing is posted to it, and why.
    pub disabled: Option<(Micros, String)>,
    /// Failures in a row.
    pub failures: i64,
    /// Since when nothing has succeeded.
    pub failing_since: Option<Micros>,
    /// It is left alone until then.
    pub rest_until: Option<Micros>,
}

impl Endpoint {
    /// Forgets how it has fared: somebody has seen to it, or it is another one now.
    pub fn revive(&mut self) {
        (self.failures, self.failing_since, self.rest_until) = (0, None, None);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("kinds", &self.kinds)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// What is sealed of an endpoint.
#[derive(Serialize, Deserialize)]
struct Sealed {
    url: String,
    secrets: Vec<String>,
}

const COLUMN: &str = "webhook.sealed";

type Row =
    (String, Vec<u8>, String, i64, Option<i64>, Option<String>, i64, Option<i64>, Option<i64>);

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, sealed, kinds, created_at, disabled_at, disabled_reason, failures,
               failing_since, rest_until from webhook_endpoint ",
            $tail
        )
    };
}

async fn read(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: Row,
) -> Result<Endpoint> {
    let (id, sealed, kinds, created, disabled, reason, failures, failing, rest) = row;
    let plain = store.keys.open(c, tenant, TENANT_SUBJECT, COLUMN, &id, &sealed).await?;
    let s: Sealed = serde_json::from_slice(&plain)?;
    let unknown = |e: crate::domain::event::UnknownKind| Error::Corrupt {
        what: "webhook_endpoint.kinds",
        why: e.to_string(),
    };
    Ok(Endpoint {
        id: parse("webhook_endpoint.id", &id)?,
        url: s.url,
        secrets: s.secrets,
        kinds: EventKind::list(&kinds).map_err(unknown)?,
        created_at: Micros(created),
        disabled: disabled.map(|at| (Micros(at), reason.unwrap_or_default())),
        failures,
        failing_since: failing.map(Micros),
        rest_until: rest.map(Micros),
    })
}

fn seal(store: &Store, tenant: &TenantId, e: &Endpoint) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(&Sealed { url: e.url.clone(), secrets: e.secrets.clone() })?;
    store.keys.seal(tenant, TENANT_SUBJECT, COLUMN, e.id.as_str(), &plain)
}

fn kinds_text(kinds: &[EventKind]) -> String {
    kinds.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(" ")
}

/// Makes an endpoint.
///
/// # Errors
/// Database and key errors.
pub async fn create(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    url: &str,
    kinds: &[EventKind],
    secret: &str,
) -> Result<Endpoint> {
    let now = store.host.now();
    store.keys.ensure(c, tenant, &[TENANT_SUBJECT], now).await?;
    let e = Endpoint {
        id: EndpointId::from_uuid(store.host.uuid()),
        url: url.to_owned(),
        secrets: vec![secret.to_owned()],
        kinds: kinds.to_vec(),
        created_at: now,
        disabled: None,
        failures: 0,
        failing_since: None,
        rest_until: None,
    };
    q("insert into webhook_endpoint (tenant_id, id, sealed, kinds, created_at)
       values ($1, $2, $3, $4, $5)")
    .bind(tenant.as_str().to_owned())
    .bind(e.id.as_str().to_owned())
    .bind(seal(store, tenant, &e)?)
    .bind(kinds_text(kinds))
    .bind(now.0)
    .execute(c)
    .await?;
    Ok(e)
}

/// Writes an endpoint's settings back, and how it fares.
///
/// # Errors
/// Database and key errors; [`Error::NotFound`].
pub async fn update(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    e: &Endpoint,
) -> Result<()> {
    store.keys.ensure(c, tenant, &[TENANT_SUBJECT], store.host.now()).await?;
    let n = q("update webhook_endpoint set sealed = $3, kinds = $4, disabled_at = $5,
         disabled_reason = $6, failures = $7, failing_since = $8, rest_until = $9
       where tenant_id = $1 and id = $2")
    .bind(tenant.as_str().to_owned())
    .bind(e.id.as_str().to_owned())
    .bind(seal(store, tenant, e)?)
    .bind(kinds_text(&e.kinds))
    .bind(e.disabled.as_ref().map(|d| d.0.0))
    .bind(e.disabled.as_ref().map(|d| d.1.clone()))
    .bind(e.failures)
    .bind(e.failing_since.map(|t| t.0))
    .bind(e.rest_until.map(|t| t.0))
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("webhook")) }
}

/// One endpoint.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<Endpoint> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(&mut *c)
        .await?;
    read(store, c, tenant, row.ok_or(Error::NotFound("webhook"))?).await
}

/// A tenant's endpoints, oldest first.
///
/// # Errors
/// Database and key errors.
pub async fn list(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
) -> Result<Vec<Endpoint>> {
    let rows: Vec<Row> = sqlx::query_as(select!("where tenant_id = $1 order by id"))
        .bind(tenant.as_str())
        .fetch_all(&mut *c)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(read(store, c, tenant, row).await?);
    }
    Ok(all)
}

/// Removes an endpoint with its deliveries. The caller holds the lock of the events' head.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(c: &mut AnyConnection, tenant: &TenantId, id: &EndpointId) -> Result<()> {
    q("delete from webhook_delivery where tenant_id = $1 and endpoint_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    let n = q("delete from webhook_endpoint where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .execute(c)
        .await?
        .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("webhook")) }
}

/// Plans the deliveries of events that were just numbered, and the jobs that make them. The caller
/// holds the lock of the events' head. Returns how many endpoints have something to get.
///
/// # Errors
/// Database errors.
pub async fn plan(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    new: Numbered,
) -> Result<usize> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select id, kinds from webhook_endpoint where tenant_id = $1 and disabled_at is null
         order by id",
    )
    .bind(tenant.as_str())
    .fetch_all(&mut *c)
    .await?;
    let now = store.db.now(c).await?;
    let mut served = 0;
    for (id, kinds) in rows {
        let named: Vec<EventKind> = kinds.split(' ').filter_map(|k| k.parse().ok()).collect();
        let wanted = match kinds.is_empty() {
            true => EventKind::ALL.to_vec(),
            false => [named, vec![EventKind::WebhookTest]].concat(),
        };
        // A test is for the endpoint that is tried.
        let sql = format!(
            "insert into webhook_delivery (tenant_id, endpoint_id, event_id, seq, state, attempts,
               next_at, created_at, updated_at)
             select tenant_id, $2, id, seq, 'pending', 0, $3, $3, $3 from event
             where tenant_id = $1 and seq > $4 and seq <= $5 and kind in ({})
               and (kind <> '{}' or object = $6)",
            event::names(&wanted),
            EventKind::WebhookTest,
        );
        let n = sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.as_str().to_owned())
            .bind(id.clone())
            .bind(now.0)
            .bind(new.after)
            .bind(new.upto)
            .bind(format!("webhook:{id}"))
            .execute(&mut *c)
            .await?
            .rows_affected();
        if n > 0 {
            served += 1;
            wake(store, c, tenant, &parse("webhook_endpoint.id", &id)?, now).await?;
        }
    }
    Ok(served)
}

/// Makes sure that there is a job for an endpoint. One at work finds what is new by itself when it
/// ends, so two never post to the same endpoint. The caller holds the lock of the events' head.
///
/// # Errors
/// Database errors.
pub async fn wake(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    at: Micros,
) -> Result<()> {
    if !job::is_running(c, tenant, Kind::Deliver, id.as_str()).await? {
        job::enqueue_once(store, c, tenant, Kind::Deliver, id.as_str(), at).await?;
    }
    Ok(())
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Which event.
    pub event: EventId,
    /// Its number.
    pub seq: i64,
    /// What it is.
    pub kind: EventKind,
    /// `pending`, `delivered`, `failed` (given up) or `dropped` (the endpoint was switched off).
    pub state: String,
    /// Attempts so far.
    pub attempts: i64,
    /// When it is tried next, if it is pending.
    pub next_at: Micros,
    /// The last answer's HTTP status.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub took_ms: Option<i64>,
    /// When it last changed.
    pub updated_at: Micros,
}

type DeliveryRow =
    (String, i64, String, String, i64, i64, Option<i64>, Option<String>, Option<i64>, i64);

macro_rules! deliveries {
    ($tail:literal) => {
        concat!(
            "select d.event_id, d.seq, e.kind, d.state, d.attempts, d.next_at, d.status, d.error,
               d.took_ms, d.updated_at
             from webhook_delivery d join event e
               on e.tenant_id = d.tenant_id and e.id = d.event_id ",
            $tail
        )
    };
}

fn delivery(r: DeliveryRow) -> Result<Delivery> {
    Ok(Delivery {
        event: parse("webhook_delivery.event_id", &r.0)?,
        seq: r.1,
        kind: parse("event.kind", &r.2)?,
        state: r.3,
        attempts: r.4,
        next_at: Micros(r.5),
        status: r.6,
        error: r.7,
        took_ms: r.8,
        updated_at: Micros(r.9),
    })
}

/// The log of an endpoint's deliveries, newest first, below a number.
///
/// # Errors
/// Database errors.
pub async fn log(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    below: i64,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let rows: Vec<DeliveryRow> = sqlx::query_as(deliveries!(
        "where d.tenant_id = $1 and d.endpoint_id = $2 and d.seq < $3 order by d.seq desc limit $4"
    ))
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(below)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(delivery).collect()
}

/// The oldest delivery that is due.
///
/// # Errors
/// Database errors.
pub async fn due(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    now: Micros,
) -> Result<Option<Delivery>> {
    let row: Option<DeliveryRow> = sqlx::query_as(deliveries!(
        "where d.tenant_id = $1 and d.endpoint_id = $2 and d.state = 'pending' and d.next_at <= $3
         order by d.seq limit 1"
    ))
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(now.0)
    .fetch_optional(c)
    .await?;
    row.map(delivery).transpose()
}

/// When the next delivery of an endpoint is due; none when nothing waits.
///
/// # Errors
/// Database errors.
pub async fn next_due(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<Option<Micros>> {
    let (at,): (Option<i64>,) = sqlx::query_as(
        "select min(next_at) from webhook_delivery
         where tenant_id = $1 and endpoint_id = $2 and state = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_one(c)
    .await?;
    Ok(at.map(Micros))
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// `pending`, `delivered` or `failed`.
    pub state: &'static str,
    /// When it is tried next.
    pub next_at: Micros,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// How long it took.
    pub took: Duration,
}

/// Records an attempt. What was given up or dropped meanwhile stays so, unless it has arrived after all.
///
/// # Errors
/// Database errors.
pub async fn attempted(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    event: &EventId,
    a: &Attempt<'_>,
) -> Result<()> {
    q("update webhook_delivery set state = $4, attempts = attempts + 1, next_at = $5, status = $6,
         error = $7, took_ms = $8, updated_at = $9
       where tenant_id = $1 and endpoint_id = $2 and event_id = $3
         and (state = 'pending' or $10 = 'delivered')")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(event.as_str().to_owned())
    .bind(a.state)
    .bind(a.next_at.0)
    .bind(a.status.map(i64::from))
    .bind(a.error.map(str::to_owned))
    .bind(i64::try_from(a.took.as_millis()).unwrap_or(i64::MAX))
    .bind(store.host.now().0)
    .bind(a.state)
    .execute(c)
    .await?;
    Ok(())
}

/// Gives up what waits for an endpoint that was switched off; returns how many.
///
/// # Errors
/// Database errors.
pub async fn drop_pending(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<u64> {
    Ok(q("update webhook_delivery set state = 'dropped', updated_at = $3
          where tenant_id = $1 and endpoint_id = $2 and state = 'pending'")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(store.host.now().0)
    .execute(c)
    .await?
    .rows_affected())
}

/// What waits for an endpoint is due now. The caller holds the lock of the events' head.
///
/// # Errors
/// Database errors.
pub async fn hurry(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    now: Micros,
) -> Result<()> {
    q("update webhook_delivery set next_at = $3
       where tenant_id = $1 and endpoint_id = $2 and state = 'pending' and next_at > $3")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(now.0)
    .execute(&mut *c)
    .await?;
    if next_due(c, tenant, id).await?.is_some() {
        wake(store, c, tenant, id, now).await?;
    }
    Ok(())
}

/// Puts a delivery back to be made at once, with fresh attempts, under the same id.
///
/// # Errors
/// [`Error::NotFound`] when it is not known (any more).
pub async fn again(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &EndpointId,
    event: &EventId,
    now: Micros,
) -> Result<()> {
    let n = q("update webhook_delivery set state = 'pending', attempts = 0, next_at = $4,
                 updated_at = $5
               where tenant_id = $1 and endpoint_id = $2 and event_id = $3")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(event.as_str().to_owned())
    .bind(now.0)
    .bind(store.host.now().0)
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("delivery")) }
}
