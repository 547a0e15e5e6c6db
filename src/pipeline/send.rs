//! Step 12: an approval's delivery. Two commits stand around the socket: "it begins" (with the
//! approval checked once more, the send row that the database ties to it, and a token of the
//! sender's rate) and "it ended so". Between them nothing is known, so a process that dies there
//! leaves an attempt that is never repeated blindly.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::AnyConnection;

use super::{Pipeline, StepError};
use crate::domain::approval::{ApprovalVoid, Verified};
use crate::domain::audit::Actor;
use crate::domain::ids::{ApprovalId, MessageId, SendId};
use crate::domain::message::ChannelKind;
use crate::domain::review::{Event, State};
use crate::domain::segments;
use crate::failpoint;
use crate::ports::channel::{Channel, Content, Delivery, Outgoing};
use crate::review::content::{Signable, signable, thread_unmoved};
use crate::store::approval::Approval;
use crate::store::channel::AdapterKind;
use crate::store::job::{self, Claim};
use crate::store::review::Review;
use crate::store::{
    self, Store, Tx, approval, audit, channel, message, review, send, tenant, thread,
};

/// The ways out, by adapter.
#[derive(Clone)]
pub struct Senders {
    /// The local outbox.
    pub sandbox: Arc<dyn Channel>,
    /// A signed POST.
    pub webhook: Arc<dyn Channel>,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Senders")
    }
}

impl Senders {
    fn of(&self, kind: AdapterKind) -> Option<&dyn Channel> {
        match kind {
            AdapterKind::Sandbox => Some(&*self.sandbox),
            AdapterKind::Webhook => Some(&*self.webhook),
            AdapterKind::None => None,
        }
    }
}

/// What the first commit decided.
enum Begun {
    /// Deliver this.
    Deliver { out: Box<Outgoing>, attempt: i64, adapter: AdapterKind },
    /// There is nothing to deliver (any more); the job is done.
    Nothing,
}

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let Begun::Deliver { out, attempt, adapter } = begin(p, job).await? else { return Ok(()) };
    let sender =
        p.senders.of(adapter).ok_or_else(|| StepError::fail("the channel has no way out"))?;
    failpoint::point("send.begun");
    let limit = Duration::from_secs(p.config.send.timeout_s);
    let delivery = match tokio::time::timeout(limit, sender.deliver(&out)).await {
        Ok(d) => d,
        Err(_) => {
            let why = format!("no answer within {} s", limit.as_secs());
            // Where a repetition has no second effect, it settles what happened.
            if sender.idempotent() {
                Delivery::NotProcessed { retry_after: None, why }
            } else {
                Delivery::Unknown { why }
            }
        }
    };
    failpoint::point("send.delivered");
    end(p, job, out.send(), attempt, delivery).await
}

async fn load(c: &mut AnyConnection, job: &Claim) -> store::Result<(Approval, Review)> {
    let id: ApprovalId = store::parse("job.ref_id", &job.ref_id)?;
    let a = approval::get(c, &job.tenant, &id).await?;
    let r = review::get(c, &job.tenant, &a.review).await?;
    Ok((a, r))
}

async fn begin(p: &Pipeline, job: &Claim) -> Result<Begun, StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
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
    if r.state.signed() && !thread_unmoved(&s.thread, &r) {
        return void(store, tx, job, r, &a, "the conversation has moved on").await;
    }
    let verified = match Verified::check(a.id.clone(), a.live, &a.digest, &s.digest) {
        Ok(v) => v,
        Err(why) if r.state.signed() => {
            return void(store, tx, job, r, &a, &why.to_string()).await;
        }
        Err(ApprovalVoid::NotLive | ApprovalVoid::Differs) => {
            let why = "what is stored changed while it was being sent";
            give_up(store, &mut tx, job, why).await?;
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
                    return lost(store, tx, job, r, why).await;
                }
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
    let content = outgoing(&s);
    let out = Outgoing::new(t.clone(), send_id, &verified, content);
    Ok(Begun::Deliver { out: Box::new(out), attempt, adapter: s.channel.adapter })
}

fn outgoing(s: &Signable) -> Content {
    Content {
        to: s.content.to.clone(),
        cc: s.content.cc.clone(),
        sender: s.content.sender.clone(),
        subject: s.subject.clone(),
        body: s.body.text.clone(),
        in_reply_to: s.in_reply_to.clone(),
    }
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
    r.state = r.state.on(Event::Undo).map_err(|e| StepError::fail(e.to_string()))?;
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
    why: &str,
) -> Result<Begun, StepError> {
    let t = &job.tenant;
    let now = store.db.now(&mut tx).await?;
    let id = r.approval.clone().ok_or_else(|| StepError::fail("a send without an approval"))?;
    if let Some(s) = send::of_approval(&mut tx, t, &id).await? {
        send::finish(store, &mut tx, t, &s.id, "unknown", None).await?;
    }
    r.state = r.state.on(Event::LoseTrack).map_err(|e| StepError::fail(e.to_string()))?;
    r.outcome = Some(why.to_owned());
    review::update(store, &mut tx, t, &r).await?;
    let object = format!("review:{}", r.id);
    audit::append(store, &mut tx, t, &Actor::System, "send.unknown", object, json!({"why": why}))
        .await?;
    job::complete(&mut tx, job, now).await?;
    tx.commit().await?;
    Ok(Begun::Nothing)
}

async fn end(
    p: &Pipeline,
    job: &Claim,
    id: &SendId,
    attempt: i64,
    delivery: Delivery,
) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
    let now = store.db.now(&mut tx).await?;
    let (_, mut r) = load(&mut tx, job).await?;
    let object = format!("review:{}", r.id);
    let (outcome, why, event, state, action) = match &delivery {
        Delivery::Receipt(_) => ("receipt", "", Event::Receipt, "sent", "send.sent"),
        Delivery::Refused { why, .. } => {
            ("refused", why.as_str(), Event::Refuse, "failed", "send.failed")
        }
        Delivery::Unknown { why } => {
            ("unknown", why.as_str(), Event::LoseTrack, "unknown", "send.unknown")
        }
        Delivery::NotProcessed { retry_after, why } => {
            send::attempt_ended(store, &mut tx, t, id, attempt, "not_processed", why).await?;
            tx.commit().await?;
            return Err(StepError::Retry { why: why.clone(), after: *retry_after });
        }
    };
    send::attempt_ended(store, &mut tx, t, id, attempt, outcome, why).await?;
    let provider = match &delivery {
        Delivery::Receipt(r) => Some(r.as_str()),
        _ => None,
    };
    send::finish(store, &mut tx, t, id, state, provider).await?;
    r.state = r.state.on(event).map_err(|e| StepError::fail(e.to_string()))?;
    r.outcome = (!why.is_empty()).then(|| why.to_owned());
    review::update(store, &mut tx, t, &r).await?;
    if let Delivery::Refused { gone, .. } = delivery {
        let thread = thread::get(&mut tx, t, &r.thread).await?;
        message::retract_reply(store, &mut tx, t, &thread.channel, id.as_str()).await?;
        if gone {
            channel::disable(store, &mut tx, t, &thread.channel).await?;
        }
    }
    let detail = json!({"send": id, "attempt": attempt});
    audit::append(store, &mut tx, t, &Actor::System, action, object, detail).await?;
    job::complete(&mut tx, job, now).await?;
    failpoint::point("send.end.before");
    tx.commit().await?;
    failpoint::point("send.end.after");
    Ok(())
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
    let begun = send::of_approval(c, t, &a.id).await?;
    let open = match &begun {
        Some(s) => send::open_attempt(c, t, &s.id).await?.is_some(),
        None => false,
    };
    let (event, state) =
        if open { (Event::LoseTrack, "unknown") } else { (Event::Refuse, "failed") };
    let Ok(next) = r.state.on(event) else { return Ok(()) };
    if let Some(s) = begun.filter(|s| s.state == "sending") {
        send::finish(store, c, t, &s.id, state, None).await?;
        if state == "failed" {
            message::retract_reply(store, c, t, &s.channel, s.id.as_str()).await?;
        }
    }
    r.state = next;
    r.outcome = Some(why.to_owned());
    review::update(store, c, t, &r).await
}
