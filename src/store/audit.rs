//! The audit log. Rows are inserted in the transaction of what they describe; the sequencer links
//! them afterwards, so that busy writers don't queue for the head of a chain.

use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q, tenant};
use crate::domain::audit::{Actor, Event, GENESIS, link};
use crate::domain::ids::{EventId, Micros, TenantId};

/// Appends an event within the caller's transaction.
///
/// # Errors
/// Database errors.
pub async fn append(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    actor: &Actor,
    action: &str,
    object: String,
    detail: Value,
) -> Result<()> {
    let id = EventId::from_uuid(store.host.uuid());
    q("insert into audit_event (tenant_id, id, at, actor, action, object, detail)
       values ($1, $2, $3, $4, $5, $6, $7)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(store.host.now().0)
    .bind(actor.to_string())
    .bind(action.to_owned())
    .bind(object)
    .bind(detail.to_string())
    .execute(c)
    .await?;
    Ok(())
}

type Row = (String, i64, String, String, String, String);

fn event((id, at, actor, action, object, detail): Row) -> Result<Event> {
    Ok(Event {
        id: parse("audit_event.id", &id)?,
        at: Micros(at),
        actor,
        action,
        object,
        detail: serde_json::from_str(&detail)?,
    })
}

/// How far behind the head an event may lie that commits late; no transaction of ours lasts so long.
const LATE: i64 = 600_000_000;

/// Links up to `limit` events that aren't yet in the tenant's chain, oldest first; returns how many
/// and the new head. Looks back ten minutes behind the head, or with `whole` over everything.
///
/// # Errors
/// Database errors.
pub async fn sequence(
    store: &Store,
    tenant: &TenantId,
    limit: i64,
    whole: bool,
) -> Result<(usize, Option<Head>)> {
    let from = if whole { String::new() } else { look_back(store, tenant).await? };
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select e.id, e.at, e.actor, e.action, e.object, e.detail from audit_event e
         where e.tenant_id = $1 and e.id >= $3 and not exists
           (select 1 from audit_link l where l.tenant_id = e.tenant_id and l.event_id = e.id)
         order by e.id limit $2",
    )
    .bind(tenant.as_str())
    .bind(limit)
    .bind(from)
    .fetch_all(&mut *tx)
    .await?;
    let n = rows.len();
    let mut head = head(&mut tx, tenant).await?;
    for row in rows {
        let e = event(row)?;
        let (seq, prev) = head.as_ref().map_or((1, GENESIS), |h| (h.seq + 1, h.hash.as_str()));
        let hash = link(prev, tenant, seq, &e)?;
        q("insert into audit_link (tenant_id, seq, event_id, hash) values ($1, $2, $3, $4)")
            .bind(tenant.as_str().to_owned())
            .bind(seq)
            .bind(e.id.as_str().to_owned())
            .bind(hash.clone())
            .execute(&mut *tx)
            .await?;
        head = Some(Head { seq, hash });
    }
    tx.commit().await?;
    Ok((n, head))
}

/// The smallest id (ids are UUIDv7: time first) from which unchained events are looked for.
async fn look_back(store: &Store, tenant: &TenantId) -> Result<String> {
    let mut c = store.db.read().await?;
    let row: Option<(i64,)> = sqlx::query_as(
        "select e.at from audit_link l join audit_event e
           on e.tenant_id = l.tenant_id and e.id = l.event_id
         where l.tenant_id = $1 order by l.seq desc limit 1",
    )
    .bind(tenant.as_str())
    .fetch_optional(&mut *c)
    .await?;
    let ms = row.map_or(0, |(at,)| (at - LATE).max(0) / 1000);
    Ok(format!("{:08x}-{:04x}", ms >> 16, ms & 0xffff))
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The last link's number, from 1.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

/// The chain's head; none when it is empty.
///
/// # Errors
/// Database errors.
pub async fn head(c: &mut AnyConnection, tenant: &TenantId) -> Result<Option<Head>> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "select seq, hash from audit_link where tenant_id = $1 order by seq desc limit 1",
    )
    .bind(tenant.as_str())
    .fetch_optional(c)
    .await?;
    Ok(row.map(|(seq, hash)| Head { seq, hash }))
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Links that hold.
    pub links: i64,
    /// The head that was reached.
    pub head: Option<Head>,
    /// Events that no link covers yet.
    pub unchained: i64,
    /// The first thing that is wrong.
    pub fault: Option<String>,
}

/// Walks the chain from its beginning; with `anchors` (heads published earlier) it also notices a
/// chain that was cut or rewritten.
///
/// # Errors
/// Database errors only; a broken chain is a [`Verdict`] with a fault.
pub async fn verify(c: &mut AnyConnection, tenant: &TenantId, anchors: &[Head]) -> Result<Verdict> {
    const PAGE: i64 = 1000;
    let mut v = Verdict { links: 0, head: None, unchained: 0, fault: None };
    loop {
        let after = v.links;
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "select seq, event_id, hash from audit_link
             where tenant_id = $1 and seq > $2 order by seq limit $3",
        )
        .bind(tenant.as_str())
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *c)
        .await?;
        let full = rows.len() == usize::try_from(PAGE).unwrap_or(0);
        for (seq, event_id, hash) in rows {
            if let Some(fault) = check(c, tenant, &mut v, anchors, seq, &event_id, &hash).await? {
                v.fault = Some(fault);
                return Ok(v);
            }
        }
        if !full {
            break;
        }
    }
    if let Some(a) = anchors.iter().find(|a| a.seq > v.links) {
        v.fault =
            Some(format!("the chain ends at link {} but link {} was published", v.links, a.seq));
    }
    let (all,): (i64,) =
        sqlx::query_as("select cast(count(*) as bigint) from audit_event where tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_one(c)
            .await?;
    v.unchained = all - v.links;
    Ok(v)
}

async fn check(
    c: &mut AnyConnection,
    tenant: &TenantId,
    v: &mut Verdict,
    anchors: &[Head],
    seq: i64,
    event_id: &str,
    hash: &str,
) -> Result<Option<String>> {
    if seq != v.links + 1 {
        return Ok(Some(format!("link {} is missing", v.links + 1)));
    }
    let row: Option<Row> = sqlx::query_as(
        "select id, at, actor, action, object, detail from audit_event
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(event_id)
    .fetch_optional(&mut *c)
    .await?;
    let Some(row) = row else {
        return Ok(Some(format!("link {seq}: event {event_id} has been deleted")));
    };
    let e = match event(row) {
        Ok(e) => e,
        Err(Error::Corrupt { .. } | Error::Json(_)) => {
            return Ok(Some(format!("link {seq}: event {event_id} can't be read")));
        }
        Err(e) => return Err(e),
    };
    let prev = v.head.as_ref().map_or(GENESIS, |h| h.hash.as_str());
    if link(prev, tenant, seq, &e)? != hash {
        return Ok(Some(format!(
            "link {seq}: event {event_id} ({} {}) was altered or moved",
            e.action, e.object
        )));
    }
    if let Some(a) = anchors.iter().find(|a| a.seq == seq && a.hash != hash) {
        return Ok(Some(format!("link {} differs from the head that was published", a.seq)));
    }
    v.links = seq;
    v.head = Some(Head { seq, hash: hash.to_owned() });
    Ok(None)
}

/// The events of one object, oldest first.
///
/// # Errors
/// Database errors.
pub async fn of_object(
    c: &mut AnyConnection,
    tenant: &TenantId,
    object: &str,
) -> Result<Vec<Event>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, at, actor, action, object, detail from audit_event
         where tenant_id = $1 and object = $2 order by id limit 500",
    )
    .bind(tenant.as_str())
    .bind(object)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(event).collect()
}

/// The detail of a state change.
pub fn moved(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to})
}
