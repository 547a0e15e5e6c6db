//! The second commit: what came of a delivery. What certainly never went out is tried again or goes
//! back to a person; what may have gone out is never repeated by itself.

use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::load;
use crate::domain::audit::Actor;
use crate::domain::ids::{ReviewId, SendId, TenantId};
use crate::domain::retry::Backoff;
use crate::domain::review::{Event, Refused, State};
use crate::failpoint;
use crate::pipeline::{Pipeline, StepError};
use crate::ports::channel::Delivery;
use crate::store::job::{self, Claim};
use crate::store::review::{self, Review};
use crate::store::send::Send;
use crate::store::{self, Store, Tx, audit, channel, draft, message, send, tenant, thread};

pub(super) async fn end(
    p: &Pipeline,
    job: &Claim,
    id: &SendId,
    attempt: i64,
    delivery: Delivery,
) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
    match job::still_ours(&mut tx, job).await {
        Ok(()) => {}
        Err(store::Error::Fenced) => return late(store, tx, job, id, attempt, delivery).await,
        Err(e) => return Err(e.into()),
    }
    let now = store.db.now(&mut tx).await?;
    let (_, mut r) = load(&mut tx, job).await?;
    match &delivery {
        Delivery::NotProcessed { retry_after, why } => {
            send::attempt_ended(store, &mut tx, t, id, attempt, "not_processed", why).await?;
            tx.commit().await?;
            // Not an attempt of the job: an endpoint may be down for longer than a few tries last.
            let n = u32::try_from(attempt.max(1) - 1).unwrap_or(u32::MAX);
            let cap = std::time::Duration::from_secs(p.config.send.retry_cap_s);
            let after = Backoff::new(cap).delay(n, *retry_after, store.host.unit());
            tracing::warn!(send = %id, attempt, why, retry_s = after.as_secs_f32(), "not sent yet");
            return Err(StepError::Later(after));
        }
        Delivery::Receipt(receipt) => {
            send::attempt_ended(store, &mut tx, t, id, attempt, "receipt", "").await?;
            received(store, &mut tx, t, &mut r, id, receipt).await?;
        }
        Delivery::Refused { why, gone } => {
            send::attempt_ended(store, &mut tx, t, id, attempt, "refused", why).await?;
            let row = send::get(&mut tx, t, id).await?;
            if *gone {
                switch_off(store, &mut tx, t, &row).await?;
            }
            fail(store, &mut tx, t, &mut r, Some(&row), why).await?;
        }
        Delivery::Unknown { why } => {
            send::attempt_ended(store, &mut tx, t, id, attempt, "unknown", why).await?;
            lose(store, &mut tx, t, &mut r, Some(id), why).await?;
        }
    }
    job::complete(&mut tx, job, now).await?;
    failpoint::point("send.end.before");
    tx.commit().await?;
    failpoint::point("send.end.after");
    Ok(())
}

/// The claim was lost while the delivery ran. A receipt is a fact all the same; what another worker
/// or a person has made of the rest stands.
async fn late(
    store: &Store,
    mut tx: Tx,
    job: &Claim,
    id: &SendId,
    attempt: i64,
    delivery: Delivery,
) -> Result<(), StepError> {
    let t = &job.tenant;
    let (a, mut r) = load(&mut tx, job).await?;
    if let Delivery::Receipt(receipt) = &delivery
        && r.approval.as_ref() == Some(&a.id)
        && r.state.on(Event::Receipt).is_ok()
    {
        send::attempt_ended(store, &mut tx, t, id, attempt, "receipt", "it came late").await?;
        received(store, &mut tx, t, &mut r, id, receipt).await?;
        tx.commit().await?;
    }
    Err(store::Error::Fenced.into())
}

async fn received(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    r: &mut Review,
    id: &SendId,
    receipt: &str,
) -> store::Result<()> {
    send::finish(store, c, t, id, "sent", Some(receipt)).await?;
    r.outcome = None;
    moved(store, c, t, r, Event::Receipt, "send.sent", json!({"send": id})).await
}

/// A send that certainly never went out: the reply leaves the conversation and goes back to a person.
pub(super) async fn fail(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    r: &mut Review,
    row: Option<&Send>,
    why: &str,
) -> store::Result<()> {
    if let Some(s) = row {
        send::finish(store, c, t, &s.id, "failed", None).await?;
        message::retract_reply(store, c, t, &s.channel, s.id.as_str()).await?;
    }
    r.outcome = Some(why.to_owned());
    let detail = json!({"send": row.map(|s| &s.id), "why": why});
    moved(store, c, t, r, Event::Refuse, "send.failed", detail).await?;
    reopen(store, c, t, r).await
}

/// Nobody knows whether it was sent: a person decides.
pub(super) async fn lose(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    r: &mut Review,
    id: Option<&SendId>,
    why: &str,
) -> store::Result<()> {
    if let Some(id) = id {
        send::finish(store, c, t, id, "unknown", None).await?;
    }
    r.outcome = Some(why.to_owned());
    moved(store, c, t, r, Event::LoseTrack, "send.unknown", json!({"send": id, "why": why})).await
}

async fn moved(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    r: &mut Review,
    event: Event,
    action: &str,
    mut detail: Value,
) -> store::Result<()> {
    let from = r.state;
    let wrong = |e: Refused| store::Error::Corrupt { what: "review.state", why: e.to_string() };
    r.state = from.on(event).map_err(wrong)?;
    detail["from"] = json!(from.as_str());
    review::update(store, c, t, r).await?;
    r.revision += 1;
    let object = format!("review:{}", r.id);
    audit::append(store, c, t, &Actor::System, action, object, detail).await
}

async fn switch_off(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    row: &Send,
) -> store::Result<()> {
    channel::disable(store, c, t, &row.channel).await?;
    let object = format!("channel:{}", row.channel);
    let detail = json!({"why": "its endpoint is gone (410)"});
    audit::append(store, c, t, &Actor::System, "channel.switched_off", object, detail).await
}

/// Puts the text of a failed review into the queue again, as a fresh item that needs a signature of
/// its own. Not if the customer has written since: that message gets an answer which covers both.
///
/// # Errors
/// Store errors.
pub async fn reopen(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    failed: &Review,
) -> store::Result<()> {
    let taken = |r: &Review| r.state.awaits_person() || r.state.signed();
    if message::newer_inbound(c, t, &failed.thread, failed.head_seq).await?
        || review::of_thread(c, t, &failed.thread).await?.iter().any(taken)
    {
        return Ok(());
    }
    let now = store.db.now(c).await?;
    let head_seq = thread::get(c, t, &failed.thread).await?.head_seq;
    let text = draft::get(c, t, &failed.draft, failed.draft_revision).await?;
    let about = (failed.thread.clone(), failed.message.clone(), head_seq);
    let mut again =
        Review::new(ReviewId::from_uuid(store.host.uuid()), about, State::Pending, &text, now);
    again.attention.clone_from(&failed.attention);
    again.attention.push("not_delivered".to_owned());
    again.attention.dedup();
    again.priority = failed.priority;
    review::create(store, c, t, &again).await?;
    let detail = json!({"state": again.state.as_str(), "draft": again.draft, "after": failed.id,
        "head_seq": head_seq});
    let object = format!("review:{}", again.id);
    audit::append(store, c, t, &Actor::System, "review.created", object, detail).await
}

/// After the last attempt: a send that certainly never went out has failed; one whose last attempt
/// is open is unknown.
///
/// # Errors
/// Store errors.
pub async fn give_up(
    store: &Store,
    c: &mut AnyConnection,
    job: &Claim,
    why: &str,
) -> store::Result<()> {
    let t = &job.tenant;
    let (a, mut r) = load(c, job).await?;
    if r.approval.as_ref() != Some(&a.id) {
        return Ok(());
    }
    let begun = send::of_approval(c, t, &a.id).await?.filter(|s| s.state == "sending");
    let open = match &begun {
        Some(s) => send::open_attempt(c, t, &s.id).await?.is_some(),
        None => false,
    };
    let event = if open { Event::LoseTrack } else { Event::Refuse };
    if r.state.on(event).is_err() {
        return Ok(());
    }
    if open {
        lose(store, c, t, &mut r, begun.as_ref().map(|s| &s.id), why).await
    } else {
        fail(store, c, t, &mut r, begun.as_ref(), why).await
    }
}
