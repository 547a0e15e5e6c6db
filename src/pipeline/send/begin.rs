//! The first commit: the approval is checked once more, the send row that the database ties to it is
//! written, a token of the sender's rate is taken. After it the socket may be opened.

use std::time::Duration;

use serde_json::json;

use super::end::{fail, lose};
use super::load;
use crate::domain::approval::{ApprovalVoid, Verified};
use crate::domain::audit::Actor;
use crate::domain::ids::{MessageId, SendId};
use crate::domain::message::ChannelKind;
use crate::domain::review::{Event, State};
use crate::domain::segments;
use crate::failpoint;
use crate::pipeline::{Pipeline, StepError};
use crate::ports::channel::Outgoing;
use crate::review::content::{Signable, signable, thread_unmoved};
use crate::store::approval::Approval;
use crate::store::channel::AdapterKind;
use crate::store::job::{self, Claim};
use crate::store::review::Review;
use crate::store::{Store, Tx, approval, audit, message, review, send, tenant, thread};

/// Pause while a newer message of the customer waits to be read.
const UNREAD: Duration = Duration::from_secs(1);

/// What the first commit decided.
pub(super) enum Begun {
    /// Deliver this.
    Deliver { out: Box<Outgoing>, attempt: i64, adapter: AdapterKind },
    /// There is nothing to deliver (any more); the job is done.
    Nothing,
}

pub(super) async fn begin(p: &Pipeline, job: &Claim) -> Result<Begun, StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
    job::still_ours(&mut tx, job).await?;
    let now = store.db.now(&mut tx).await?;
    let (a, mut r) = load(&mut tx, job).await?;
    let ours = a.live && r.approval.as_ref() == Some(&a.id);
    if !ours || !(r.state.signed() || r.state == State::Sending) {
        job::complete(&mut tx, job, now).await?;
        tx.commit().await?;
        return Ok(Begun::Nothing);
    }
    if r.state == State::Held && r.hold_until.is_some_and(|h| h > now) {
        return Err(StepError::Later(r.hold_until.map_or(Duration::ZERO, |h| h.since(now))));
    }
    let s = signable(store, &mut tx, t, &r).await?;
    if r.state.signed() {
        if !thread_unmoved(&s.thread, &r) {
            return void(store, tx, job, r, &a, "the conversation has moved on").await;
        }
        // What the customer wrote since is stored but not read yet: it may void the signature.
        if message::unread(&mut tx, t, &s.thread).await? {
            return Err(StepError::Later(UNREAD));
        }
    }
    let verified = match Verified::check(a.id.clone(), a.live, &a.digest, &s.digest) {
        Ok(v) => v,
        Err(why) if r.state.signed() => {
            return void(store, tx, job, r, &a, &why.to_string()).await;
        }
        Err(ApprovalVoid::NotLive | ApprovalVoid::Differs) => {
            let why = "what is stored changed while it was being sent";
            super::give_up(store, &mut tx, job, why).await?;
            job::complete(&mut tx, job, now).await?;
            tx.commit().await?;
            return Ok(Begun::Nothing);
        }
    };
    let begun = send::of_approval(&mut tx, t, &a.id).await?;
    let send_id = match begun {
        Some(row) if row.state != "sending" => {
            job::complete(&mut tx, job, now).await?;
            tx.commit().await?;
            return Ok(Begun::Nothing);
        }
        Some(row) => {
            let idempotent = p.senders.of(s.channel.adapter).is_some_and(|c| c.idempotent());
            if let Some(n) = send::open_attempt(&mut tx, t, &row.id).await? {
                let why = "the process ended during the delivery";
                send::attempt_ended(store, &mut tx, t, &row.id, n, "unknown", why).await?;
                if !idempotent {
                    return lost(store, tx, job, r, &row.id, why).await;
                }
            } else if message::newer_inbound(&mut tx, t, &r.thread, r.head_seq).await? {
                // It certainly never went out, and by now the customer has written again.
                fail(store, &mut tx, t, &mut r, Some(&row), "a newer message came first").await?;
                job::complete(&mut tx, job, now).await?;
                tx.commit().await?;
                return Ok(Begun::Nothing);
            }
            row.id
        }
        None => {
            take_tokens(&mut tx, job, &s, now).await?;
            first(p, &mut tx, job, &mut r, &s, &verified).await?
        }
    };
    let attempt = send::attempt(store, &mut tx, t, &send_id).await?;
    failpoint::point("send.before");
    tx.commit().await?;
    failpoint::point("send.after");
    let out = Outgoing::new(t.clone(), send_id, &verified, s.outgoing());
    Ok(Begun::Deliver { out: Box::new(out), attempt, adapter: s.channel.adapter })
}

fn segments_of(s: &Signable) -> u32 {
    match s.channel.kind {
        ChannelKind::Sms => segments::sms(&s.body.text).max(1),
        _ => 1,
    }
}

async fn take_tokens(
    tx: &mut Tx,
    job: &Claim,
    s: &Signable,
    now: crate::domain::ids::Micros,
) -> Result<(), StepError> {
    let set = &s.channel.settings;
    let want = f64::from(segments_of(s));
    let sender = &s.content.sender;
    let taken =
        send::take_tokens(tx, &job.tenant, &s.channel.id, sender, set.rate, set.burst, want, now)
            .await?;
    taken.map_err(StepError::Later)
}

async fn first(
    p: &Pipeline,
    tx: &mut Tx,
    job: &Claim,
    r: &mut Review,
    s: &Signable,
    verified: &Verified,
) -> Result<SendId, StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let from = r.state;
    r.state = from.on(Event::Begin).map_err(|e| StepError::fail(e.to_string()))?;
    let id = send::begin(store, tx, t, verified, &s.channel.id, &r.id, &s.customer, segments_of(s))
        .await?;
    review::update(store, tx, t, r).await?;
    r.revision += 1;
    // From here on the reply is part of the conversation; a customer's next message comes after it.
    let reply = MessageId::from_uuid(store.host.uuid());
    let seq = thread::advance(tx, t, &r.thread, &reply, store.host.now(), false).await?;
    message::insert_reply(
        store,
        tx,
        t,
        &reply,
        &message::Reply {
            channel: &s.channel.id,
            customer: &s.customer,
            send: id.as_str(),
            thread: &r.thread,
            seq,
            parent: &r.message,
            body: &s.content.masked_body,
            subject: &s.content.subject,
        },
    )
    .await?;
    thread::add_refs(store, tx, t, &s.channel.id, &r.thread, (id.as_str(), &reply), &[]).await?;
    let detail = json!({"from": from.as_str(), "send": id, "approval": verified.id(),
        "digest": verified.digest()});
    audit::append(store, tx, t, &Actor::System, "send.began", format!("review:{}", r.id), detail)
        .await?;
    Ok(id)
}

/// The signature no longer covers what would be sent: back to a person.
async fn void(
    store: &Store,
    mut tx: Tx,
    job: &Claim,
    mut r: Review,
    a: &Approval,
    why: &str,
) -> Result<Begun, StepError> {
    let t = &job.tenant;
    let now = store.db.now(&mut tx).await?;
    approval::void(store, &mut tx, t, &a.id, why).await?;
    r.state = r
        .state
        .on(Event::Undo { escalated: r.escalated })
        .map_err(|e| StepError::fail(e.to_string()))?;
    r.approval = None;
    r.hold_until = None;
    review::update(store, &mut tx, t, &r).await?;
    let detail = json!({"approval": a.id, "why": why});
    audit::append(
        store,
        &mut tx,
        t,
        &Actor::System,
        "approval.voided",
        format!("review:{}", r.id),
        detail,
    )
    .await?;
    job::complete(&mut tx, job, now).await?;
    tx.commit().await?;
    Ok(Begun::Nothing)
}

/// Nobody knows whether it was sent: a person decides.
async fn lost(
    store: &Store,
    mut tx: Tx,
    job: &Claim,
    mut r: Review,
    id: &SendId,
    why: &str,
) -> Result<Begun, StepError> {
    let now = store.db.now(&mut tx).await?;
    lose(store, &mut tx, &job.tenant, &mut r, Some(id), why).await?;
    job::complete(&mut tx, job, now).await?;
    tx.commit().await?;
    Ok(Begun::Nothing)
}
