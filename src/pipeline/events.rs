//! Events on their way out: they are numbered, their deliveries are planned in the same transaction,
//! and a job an endpoint posts them.
//!
//! One job serves one endpoint, so posts to it don't overtake each other as long as they succeed. A
//! delivery that is refused is tried again by itself while the next ones go on; an endpoint that
//! doesn't answer, or asks for a pause, is left alone as a whole.

use std::time::Duration;

use serde_json::json;
use sqlx::AnyConnection;

use super::{Pipeline, StepError};
use crate::domain::audit::Actor;
use crate::domain::ids::{EndpointId, Micros, TenantId};
use crate::domain::retry::Backoff;
use crate::failpoint;
use crate::ports::poster::Posted;
use crate::store::job::{self, Claim};
use crate::store::webhook::{self, Attempt, Delivery, Endpoint};
use crate::store::{self, Store, audit, event};

/// Deliveries that one job makes before others get their turn.
const RUN: usize = 50;
/// How long one job goes on at most, one slow post aside.
const LONG: Duration = Duration::from_secs(15);

/// Numbers what has happened and plans its deliveries, for every tenant; returns how many events got
/// a number and whether anything is to be posted.
///
/// # Errors
/// Store errors.
pub async fn relay(store: &Store) -> store::Result<(i64, bool)> {
    let tenants = {
        let mut c = store.db.read().await?;
        event::unnumbered(&mut c).await?
    };
    let (mut n, mut planned) = (0, false);
    for t in tenants {
        loop {
            let mut tx = store.db.begin().await?;
            let new = event::number(&mut tx, &t).await?;
            planned |= webhook::plan(store, &mut tx, &t, new).await? > 0;
            failpoint::point("events.relay.before");
            tx.commit().await?;
            n += new.upto - new.after;
            if !new.is_full() {
                break;
            }
        }
    }
    Ok((n, planned))
}

/// Runs the job: posts what is due for one endpoint, oldest first.
///
/// # Errors
/// [`StepError`].
pub async fn deliver(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let id: EndpointId = store::parse("job.ref_id", &job.ref_id)?;
    let begun = std::time::Instant::now();
    for _ in 0..RUN {
        let next = {
            let mut c = store.db.read().await?;
            let now = store.db.now(&mut c).await?;
            match webhook::get(store, &mut c, t, &id).await {
                Ok(e) if e.disabled.is_some() => None,
                // Another delivery has just told that it wants to be left alone.
                Ok(e) if e.rest_until.is_some_and(|r| r > now) => None,
                Ok(e) => webhook::due(&mut c, t, &id, now).await?.map(|d| (e, d)),
                Err(store::Error::NotFound(_)) => None,
                Err(e) => return Err(e.into()),
            }
        };
        let Some((endpoint, delivery)) = next else { break };
        post(p, job, endpoint, &delivery).await?;
        if begun.elapsed() > LONG {
            break;
        }
    }
    finish(store, job, &id).await
}

async fn post(
    p: &Pipeline,
    job: &Claim,
    endpoint: Endpoint,
    delivery: &Delivery,
) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let event = {
        let mut c = store.db.read().await?;
        event::get(&mut c, t, &delivery.event).await?
    };
    // Forgotten in this moment, and its deliveries with it.
    let Some(event) = event else { return Ok(()) };
    let begun = std::time::Instant::now();
    let id = format!("evt_{}", event.id);
    let posted = p.poster.post(&endpoint.url, &endpoint.secrets, &id, event.to_json()).await;
    let took = begun.elapsed();
    failpoint::point("events.posted");
    let mut tx = store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    job::still_ours(&mut tx, job).await?;
    // As it is now: somebody may have changed or removed it meanwhile.
    let posted_to = endpoint.url;
    let endpoint = match webhook::get(store, &mut tx, t, &endpoint.id).await {
        Ok(e) => e,
        Err(store::Error::NotFound(_)) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    // What another address answered says nothing about this one: the delivery just stays due.
    if endpoint.url == posted_to || judge(&posted).why.is_none() {
        settle(p, &mut tx, t, endpoint, delivery, (&posted, took)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What an answer means.
struct Verdict {
    status: Option<u16>,
    why: Option<String>,
    asked: Option<Duration>,
    /// The endpoint as a whole is in trouble, not this delivery alone.
    rest: bool,
    gone: bool,
}

fn judge(posted: &Posted) -> Verdict {
    match posted {
        Posted::Nothing { why } => {
            Verdict { status: None, why: Some(why.clone()), asked: None, rest: true, gone: false }
        }
        Posted::Answer { status, retry_after } => Verdict {
            status: Some(*status),
            why: (!(200..300).contains(status)).then(|| format!("it answered {status}")),
            asked: *retry_after,
            rest: matches!(status, 408 | 425 | 429 | 500..=599),
            gone: *status == 410,
        },
    }
}

async fn settle(
    p: &Pipeline,
    c: &mut AnyConnection,
    t: &TenantId,
    mut e: Endpoint,
    d: &Delivery,
    (posted, took): (&Posted, Duration),
) -> store::Result<()> {
    let store = &p.store;
    let set = &p.config.events;
    let now = store.db.now(c).await?;
    let v = judge(posted);
    let Some(why) = &v.why else {
        let a = Attempt { state: "delivered", next_at: now, status: v.status, error: None, took };
        webhook::attempted(store, c, t, &e.id, &d.event, &a).await?;
        if e.failures > 0 || e.rest_until.is_some() {
            e.revive();
            webhook::update(store, c, t, &e).await?;
        }
        return Ok(());
    };
    let pause = |n: i64| {
        let cap = Duration::from_secs(set.retry_cap_s);
        let n = u32::try_from(n.max(0)).unwrap_or(u32::MAX);
        Backoff::new(cap).delay(n, v.asked, store.host.unit())
    };
    let last = d.attempts + 1 >= set.max_attempts;
    let state = if last { "failed" } else { "pending" };
    // The one that failed comes first again when the rest is over.
    let rest = v.rest.then(|| now.plus(pause(e.failures)));
    let next_at = rest.unwrap_or_else(|| now.plus(pause(d.attempts)));
    let a = Attempt { state, next_at, status: v.status, error: Some(why), took };
    webhook::attempted(store, c, t, &e.id, &d.event, &a).await?;
    tracing::info!(webhook = %e.id, event = %d.event, attempt = d.attempts + 1, why, "not delivered");
    e.rest_until = rest.or(e.rest_until);
    e.failures += 1;
    let since = *e.failing_since.get_or_insert(now);
    let too_long = Duration::from_secs(set.disable_after_days.saturating_mul(86_400));
    if v.gone {
        return disable(store, c, t, e, "gone", now).await;
    }
    if now.since(since) >= too_long && e.failures > 1 {
        return disable(store, c, t, e, "failing", now).await;
    }
    webhook::update(store, c, t, &e).await
}

async fn disable(
    store: &Store,
    c: &mut AnyConnection,
    t: &TenantId,
    mut e: Endpoint,
    reason: &str,
    now: Micros,
) -> store::Result<()> {
    e.disabled = Some((now, reason.to_owned()));
    webhook::update(store, c, t, &e).await?;
    let dropped = webhook::drop_pending(store, c, t, &e.id).await?;
    tracing::warn!(webhook = %e.id, reason, dropped, "webhook switched off");
    let detail = json!({"reason": reason, "failures": e.failures, "dropped": dropped,
        "failing_since": e.failing_since.map(Micros::rfc3339)});
    let object = format!("webhook:{}", e.id);
    audit::append(store, c, t, &Actor::System, "webhook.disabled", object, detail).await
}

/// Ends the job and, where something still waits, makes the next. Under the lock, so that what was
/// planned a moment ago is either seen here or finds no job at work.
async fn finish(store: &Store, job: &Claim, id: &EndpointId) -> Result<(), StepError> {
    let t = &job.tenant;
    let mut tx = store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    let now = store.db.now(&mut tx).await?;
    job::complete(&mut tx, job, now).await?;
    let endpoint = match webhook::get(store, &mut tx, t, id).await {
        Ok(e) => Some(e).filter(|e| e.disabled.is_none()),
        Err(store::Error::NotFound(_)) => None,
        Err(e) => return Err(e.into()),
    };
    if let Some(e) = endpoint
        && let Some(due) = webhook::next_due(&mut tx, t, id).await?
    {
        let at = due.max(e.rest_until.unwrap_or(due)).max(now);
        webhook::wake(store, &mut tx, t, id, at).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let answer = |status| judge(&Posted::Answer { status, retry_after: None });
        for (status, good, rest, gone) in [
            (200, true, false, false),
            (204, true, false, false),
            (301, false, false, false),
            (404, false, false, false),
            (410, false, false, true),
            (429, false, true, false),
            (503, false, true, false),
        ] {
            let v = answer(status);
            assert_eq!((v.why.is_none(), v.rest, v.gone), (good, rest, gone), "{status}");
        }
        let v = judge(&Posted::Nothing { why: "no answer in time".into() });
        assert!(v.rest && v.status.is_none() && v.why.is_some());
    }
}
