//! What comes in, many at a time: the deliveries, the data keys of new senders, the messages, their
//! jobs, their audit rows and events are one batch of six statements.
//!
//! The batch takes care of the ordinary case only. A message that it leaves out (a duplicate, a
//! conflict, a replayed webhook, a sender whose key another process has just made) is looked at by
//! itself, in the same transaction.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};
use sqlx::AnyConnection;

use super::batch::{Batch, Value};
use super::hook::Delivery;
use super::message::Prepared;
use super::sealing::Proposal;
use super::{ROWS, Result, Store};
use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::domain::ids::{EventId, JobId, MessageId, TenantId};
use crate::store::job::Kind;

/// A message that comes in.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// The message.
    pub message: &'a Prepared,
    /// Who hands it in.
    pub actor: &'a Actor,
    /// The webhook that brought it.
    pub webhook: Option<&'a Delivery>,
}

/// Stores those that are plainly new, with their jobs and audit rows; gives the ids of these.
/// At most [`ROWS`] are looked at.
///
/// # Errors
/// Database errors.
pub async fn insert(
    store: &Store,
    c: &mut AnyConnection,
    all: &[Inbound<'_>],
) -> Result<HashSet<MessageId>> {
    let all = all.get(..ROWS).unwrap_or(all);
    let keys: HashMap<_, Proposal> = all
        .iter()
        .map(|i| (i.tenant, i.message.subject.as_str()))
        .map(|who| (who, store.keys.propose(who.0, who.1)))
        .collect();
    let mut batch = Batch::default();
    batch.add(
        c,
        "insert into hook_delivery (tenant_id, channel_id, webhook_id_hash, body_hash, received_at)
         values",
        deliveries(store, all),
        "on conflict do nothing",
    );
    batch.add(
        c,
        "insert into data_key (tenant_id, subject_id, wrapped, created_at) values",
        new_keys(store, &keys),
        "on conflict do nothing",
    );
    // A message counts only under a key that is stored, and not if its webhook's id was taken with
    // another body.
    batch.add(
        c,
        "insert into message (tenant_id, id, channel_id, external_hash, external_sealed, body_hash,
           direction, state, subject_id, format, raw_sealed, received_at, sent_at)
         select column1, column2, column3, column4, column5, column6, column7, column8, column9,
           column10, column11, column12, column13
         from (values",
        messages(store, all, &keys)?,
        ") as v
         where (column14 is null or exists (select 1 from data_key k where
             k.tenant_id = column1 and k.subject_id = column9 and k.wrapped = column14))
           and not exists (select 1 from hook_delivery h where h.tenant_id = column1 and
             h.channel_id = column3 and h.webhook_id_hash = column15 and h.body_hash <> column16)
         on conflict (tenant_id, channel_id, external_hash) do nothing returning id",
    );
    batch.add(
        c,
        &format!(
            "insert into job (tenant_id, id, kind, ref_id, state, run_at, created_at, updated_at)
             select column1, column2, column3, column4, 'ready', {}, column5, column5 from (values",
            store.db.now_sql()
        ),
        jobs(store, all),
        ") as v where exists
           (select 1 from message m where m.tenant_id = column1 and m.id = column4)",
    );
    batch.add(
        c,
        "insert into audit_event (tenant_id, id, at, actor, action, object, detail)
         select column1, column2, column3, column4, 'message.received', 'message:' || column5, column6
         from (values",
        events(store, all),
        ") as v where exists
           (select 1 from message m where m.tenant_id = column1 and m.id = column5)",
    );
    batch.add(
        c,
        &format!(
            "insert into event (tenant_id, id, kind, object, data, created_at)
             select column1, column2, '{}', 'message:' || column3, column4, column5 from (values",
            EventKind::MessageReceived
        ),
        tidings(store, all),
        ") as v where exists
           (select 1 from message m where m.tenant_id = column1 and m.id = column3)",
    );
    let ids = batch.run(c).await?;
    ids.iter().map(|id| super::parse("message.id", id)).collect()
}

fn deliveries(store: &Store, all: &[Inbound<'_>]) -> Vec<Vec<Value>> {
    let now = store.host.now().0;
    let row = |i: &Inbound<'_>| {
        let d = i.webhook?;
        Some(vec![
            i.tenant.as_str().into(),
            i.message.channel.as_str().into(),
            d.id.as_str().into(),
            d.body.as_str().into(),
            Value::Int(now),
        ])
    };
    all.iter().filter_map(row).collect()
}

fn new_keys(store: &Store, keys: &HashMap<(&TenantId, &str), Proposal>) -> Vec<Vec<Value>> {
    let now = store.host.now().0;
    let mut rows: Vec<_> = keys
        .iter()
        .filter_map(|((tenant, subject), key)| Some((*tenant, *subject, key.wrapped()?)))
        .collect();
    // In a fixed order: two processes that make the same keys then wait for each other in turn.
    rows.sort_unstable();
    rows.into_iter()
        .map(|(tenant, subject, wrapped)| {
            vec![
                tenant.as_str().into(),
                subject.into(),
                Value::Bytes(wrapped.to_vec()),
                Value::Int(now),
            ]
        })
        .collect()
}

fn messages(
    store: &Store,
    all: &[Inbound<'_>],
    keys: &HashMap<(&TenantId, &str), Proposal>,
) -> Result<Vec<Vec<Value>>> {
    let now = store.host.now().0;
    let row = |i: &Inbound<'_>| {
        let (t, p) = (i.tenant, i.message);
        let key = keys.get(&(t, p.subject.as_str())).ok_or(super::Error::NotFound("data key"))?;
        let seal = |column, bytes: &[u8]| {
            Value::Bytes(store.keys.seal_under(key, t, column, p.id.as_str(), bytes))
        };
        Ok(vec![
            t.as_str().into(),
            p.id.as_str().into(),
            p.channel.as_str().into(),
            p.external_hash.as_str().into(),
            seal("message.external", p.incoming.external_id.as_bytes()),
            p.body_hash.as_str().into(),
            p.incoming.direction.as_str().into(),
            "received".into(),
            p.subject.as_str().into(),
            p.format().into(),
            seal("message.raw", &p.raw),
            Value::Int(now),
            Value::MaybeInt(p.incoming.sent_at.map(|at| at.0)),
            Value::MaybeBytes(key.wrapped().map(<[u8]>::to_vec)),
            Value::MaybeText(i.webhook.map(|d| d.id.clone())),
            Value::MaybeText(i.webhook.map(|d| d.body.clone())),
        ])
    };
    all.iter().map(row).collect()
}

fn jobs(store: &Store, all: &[Inbound<'_>]) -> Vec<Vec<Value>> {
    let now = store.host.now().0;
    let row = |i: &Inbound<'_>| {
        vec![
            i.tenant.as_str().into(),
            JobId::from_uuid(store.host.uuid()).as_str().into(),
            Kind::Understand.as_str().into(),
            i.message.id.as_str().into(),
            Value::Int(now),
        ]
    };
    all.iter().map(row).collect()
}

fn events(store: &Store, all: &[Inbound<'_>]) -> Vec<Vec<Value>> {
    let row = |i: &Inbound<'_>| {
        let m = i.message;
        let detail = json!({"channel": m.channel, "direction": m.incoming.direction});
        vec![
            i.tenant.as_str().into(),
            EventId::from_uuid(store.host.uuid()).as_str().into(),
            Value::Int(store.host.now().0),
            Value::Text(i.actor.to_string()),
            m.id.as_str().into(),
            Value::Text(detail.to_string()),
        ]
    };
    all.iter().map(row).collect()
}

/// What those who listen are told of a message that came in.
pub fn told(m: &Prepared) -> Json {
    json!({"message": m.id, "channel": m.channel, "direction": m.incoming.direction})
}

fn tidings(store: &Store, all: &[Inbound<'_>]) -> Vec<Vec<Value>> {
    let row = |i: &Inbound<'_>| {
        vec![
            i.tenant.as_str().into(),
            EventId::from_uuid(store.host.uuid()).as_str().into(),
            i.message.id.as_str().into(),
            Value::Text(told(i.message).to_string()),
            Value::Int(store.host.now().0),
        ]
    };
    all.iter().map(row).collect()
}
