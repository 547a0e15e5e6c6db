//! Events for those who listen. A row is written in the transaction of what it describes, without a
//! number; [`number`] gives the numbers afterwards, under the lock of the tenant's head. So a
//! transaction that commits late gets a late number, whoever has read up to a number has missed
//! nothing below it, and writers never wait for each other.

use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Result, Store, parse, q};
use crate::domain::event::{Event, EventKind};
use crate::domain::ids::{EventId, MessageId, Micros, TenantId};

/// Most events that are numbered in one transaction.
const BATCH: i64 = 500;

/// Writes an event within the caller's transaction.
///
/// # Errors
/// Database errors.
pub async fn append(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: EventKind,
    object: String,
    data: &Value,
) -> Result<EventId> {
    let id = EventId::from_uuid(store.host.uuid());
    q("insert into event (tenant_id, id, kind, object, data, created_at)
       values ($1, $2, $3, $4, $5, $6)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(kind.as_str())
    .bind(object)
    .bind(data.to_string())
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(id)
}

/// What is left in the events of a message that is erased: that they were.
///
/// # Errors
/// Database errors.
pub async fn erase(c: &mut AnyConnection, tenant: &TenantId, message: &MessageId) -> Result<()> {
    q("update event set data = $3 where tenant_id = $1 and object = $2")
        .bind(tenant.as_str().to_owned())
        .bind(format!("message:{message}"))
        .bind(json!({"message": message, "erased": true}).to_string())
        .execute(c)
        .await?;
    Ok(())
}

/// Tenants with events that have no number yet.
///
/// # Errors
/// Database errors.
pub async fn unnumbered(c: &mut AnyConnection) -> Result<Vec<TenantId>> {
    let rows: Vec<(String,)> =
        sqlx::query_as("select distinct tenant_id from event where seq is null")
            .fetch_all(c)
            .await?;
    rows.into_iter().map(|(t,)| parse("event.tenant_id", &t)).collect()
}

/// Takes the lock of a tenant's head until the transaction ends; gives the newest number.
///
/// # Errors
/// Database errors.
pub async fn lock(c: &mut AnyConnection, tenant: &TenantId) -> Result<i64> {
    let locked =
        "update event_head set last_seq = last_seq where tenant_id = $1 returning last_seq";
    let take = || sqlx::query_as::<_, (i64,)>(locked).bind(tenant.as_str());
    if let Some((last,)) = take().fetch_optional(&mut *c).await? {
        return Ok(last);
    }
    q("insert into event_head (tenant_id, last_seq, pruned_seq) values ($1, 0, 0)
       on conflict do nothing")
    .bind(tenant.as_str().to_owned())
    .execute(&mut *c)
    .await?;
    Ok(take().fetch_one(c).await?.0)
}

/// Numbers that were given: above the first, up to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The newest number before.
    pub after: i64,
    /// The newest number now.
    pub upto: i64,
}

impl Numbered {
    /// Whether there may be more to number.
    pub fn is_full(self) -> bool {
        self.upto - self.after >= BATCH
    }
}

/// Numbers what a tenant's transactions have committed, oldest first. The lock is held until the
/// caller's transaction ends.
///
/// # Errors
/// Database errors.
pub async fn number(c: &mut AnyConnection, tenant: &TenantId) -> Result<Numbered> {
    let after = lock(c, tenant).await?;
    let n = q("update event set seq = $2 + picked.n
       from (select id, row_number() over (order by id) as n from event
             where tenant_id = $1 and seq is null order by id limit $3) picked
       where event.tenant_id = $1 and event.id = picked.id")
    .bind(tenant.as_str().to_owned())
    .bind(after)
    .bind(BATCH)
    .execute(&mut *c)
    .await?
    .rows_affected();
    let upto = after + i64::try_from(n).unwrap_or(0);
    q("update event_head set last_seq = $2 where tenant_id = $1")
        .bind(tenant.as_str().to_owned())
        .bind(upto)
        .execute(c)
        .await?;
    Ok(Numbered { after, upto })
}

/// What of a tenant's events can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The newest number.
    pub last: i64,
    /// The newest number that was forgotten.
    pub pruned: i64,
}

/// The head of a tenant's events.
///
/// # Errors
/// Database errors.
pub async fn head(c: &mut AnyConnection, tenant: &TenantId) -> Result<Head> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("select last_seq, pruned_seq from event_head where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(c)
            .await?;
    Ok(row.map_or_else(Head::default, |(last, pruned)| Head { last, pruned }))
}

type Row = (String, i64, String, String, i64);

fn read((id, seq, kind, data, at): Row) -> Result<Event> {
    Ok(Event {
        id: parse("event.id", &id)?,
        seq,
        kind: parse("event.kind", &kind)?,
        at: Micros(at),
        data: serde_json::from_str(&data)?,
    })
}

/// The names of types within a statement: our own constants.
pub(super) fn names(kinds: &[EventKind]) -> String {
    let all: Vec<String> = kinds.iter().map(|k| format!("'{k}'")).collect();
    all.join(", ")
}

/// Events with numbers above `after`, up to `upto`, of the wanted types (all, if none are named), in
/// order.
///
/// # Errors
/// Database errors.
pub async fn page(
    c: &mut AnyConnection,
    tenant: &TenantId,
    kinds: &[EventKind],
    (after, upto): (i64, i64),
    limit: i64,
) -> Result<Vec<Event>> {
    let kinds = if kinds.is_empty() { EventKind::ALL.as_slice() } else { kinds };
    let sql = format!(
        "select id, seq, kind, data, created_at from event
         where tenant_id = $1 and seq > $2 and seq <= $3 and kind in ({}) order by seq limit $4",
        names(kinds)
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(after)
        .bind(upto)
        .bind(limit)
        .fetch_all(c)
        .await?;
    rows.into_iter().map(read).collect()
}

/// A numbered event by its id.
///
/// # Errors
/// Database errors.
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &EventId) -> Result<Option<Event>> {
    let row: Option<Row> = sqlx::query_as(
        "select id, seq, kind, data, created_at from event
         where tenant_id = $1 and id = $2 and seq is not null",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(c)
    .await?;
    row.map(read).transpose()
}

/// Forgets a tenant's events from before a time, with what is known of their deliveries, some at a
/// time; returns how many. The last number stays, so numbers go on rising.
///
/// # Errors
/// Database errors.
pub async fn prune(c: &mut AnyConnection, tenant: &TenantId, before: Micros) -> Result<u64> {
    lock(c, tenant).await?;
    // Numbers rise with time, near enough: the oldest are looked at, and up to the last that is too
    // old they go.
    let row: (Option<i64>,) = sqlx::query_as(
        "select max(seq) from (select seq, created_at from event
           where tenant_id = $1 and seq is not null order by seq limit 2000) oldest
         where created_at < $2",
    )
    .bind(tenant.as_str())
    .bind(before.0)
    .fetch_one(&mut *c)
    .await?;
    let Some(upto) = row.0 else { return Ok(0) };
    for sql in [
        "delete from webhook_delivery where tenant_id = $1 and seq <= $2",
        "update event_head set pruned_seq = $2 where tenant_id = $1",
    ] {
        q(sql).bind(tenant.as_str().to_owned()).bind(upto).execute(&mut *c).await?;
    }
    Ok(q("delete from event where tenant_id = $1 and seq <= $2")
        .bind(tenant.as_str().to_owned())
        .bind(upto)
        .execute(c)
        .await?
        .rows_affected())
}
