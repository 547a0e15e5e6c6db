//! What a person can do to a review. Each action is one transaction under the tenant's lock: read,
//! ask the state machine, write with the revision that was read, note it in the audit log.

mod words;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::ReviewError;
use super::content::{self, Signable};
use crate::domain::approval::{Approver, Digest};
use crate::domain::audit::Actor;
use crate::domain::ids::{ApprovalId, Micros, ReviewId, TenantId, UserId};
use crate::domain::message::is_nobody;
use crate::domain::review::{Event, Refused, Role, State};
use crate::nlp::clean;
use crate::pipeline::blocking;
use crate::pipeline::masking::{Maskings, known_names};
use crate::pipeline::send::{self, Senders};
use crate::store::approval::Approval;
use crate::store::job::{self, Kind};
use crate::store::review::{self, Review};
use crate::store::{Store, Tx, approval, audit, message, tenant};

pub use self::words::{MAX_REPLY, Written};

type Result<T> = std::result::Result<T, ReviewError>;

/// The person at the desk.
#[derive(Debug, Clone)]
pub struct Reviewer {
    /// Whose data.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
}

impl Reviewer {
    fn actor(&self) -> Actor {
        Actor::User(self.user.clone())
    }
}

/// The desk: does what reviewers ask.
#[derive(Clone)]
pub struct Desk {
    store: Store,
    masking: Arc<Maskings>,
    senders: Senders,
    hold: Duration,
    claim: Duration,
}

struct Open {
    tx: Tx,
    review: Review,
    now: Micros,
}

impl Desk {
    /// A desk over a store.
    pub fn new(
        store: Store,
        masking: Arc<Maskings>,
        senders: Senders,
        config: &crate::config::Review,
    ) -> Self {
        Self {
            store,
            masking,
            senders,
            hold: Duration::from_secs(config.hold_s),
            claim: Duration::from_secs(config.claim_minutes * 60),
        }
    }

    async fn open(&self, who: &Reviewer, id: &ReviewId) -> Result<Open> {
        let mut tx = self.store.db.begin().await?;
        tenant::lock(&mut tx, &who.tenant).await?;
        let review = review::get(&mut tx, &who.tenant, id).await?;
        let now = self.store.db.now(&mut tx).await?;
        if review.state == State::Escalated && who.role < Role::Lead {
            return Err(ReviewError::Forbidden("an escalated review needs a lead"));
        }
        Ok(Open { tx, review, now })
    }

    /// Refuses when somebody else holds a claim that still runs.
    fn not_claimed_by_another(o: &Open, who: &Reviewer) -> Result<()> {
        match (&o.review.claimed_by, o.review.claim_until) {
            (Some(owner), Some(until)) if *owner != who.user && until > o.now => {
                Err(ReviewError::Changed {
                    code: "claimed",
                    what: format!("claimed by somebody else until {}", until.rfc3339()),
                })
            }
            _ => Ok(()),
        }
    }

    async fn close(
        &self,
        who: &Reviewer,
        mut o: Open,
        action: &str,
        detail: Value,
    ) -> Result<Review> {
        review::update(&self.store, &mut o.tx, &who.tenant, &o.review).await?;
        let object = format!("review:{}", o.review.id);
        audit::append(&self.store, &mut o.tx, &who.tenant, &who.actor(), action, object, detail)
            .await?;
        o.tx.commit().await?;
        o.review.revision += 1;
        Ok(o.review)
    }

    /// Takes the lease on a review, or renews one's own.
    ///
    /// # Errors
    /// [`ReviewError::Changed`] (`claimed`) when somebody else holds it.
    pub async fn claim(&self, who: &Reviewer, id: &ReviewId) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        o.review.state.on(Event::Park)?;
        o.review.claimed_by = Some(who.user.clone());
        o.review.claim_until = Some(o.now.plus(self.claim));
        self.close(who, o, "review.claimed", json!({})).await
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// [`ReviewError::Changed`] (`claimed`) when it is somebody else's.
    pub async fn release(&self, who: &Reviewer, id: &ReviewId) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        o.review.claimed_by = None;
        o.review.claim_until = None;
        self.close(who, o, "review.released", json!({})).await
    }

    /// Hides a review until a time.
    ///
    /// # Errors
    /// When it no longer waits for a person, or `until` isn't in the future.
    pub async fn snooze(&self, who: &Reviewer, id: &ReviewId, until: Micros) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        o.review.state.on(Event::Park)?;
        if until <= o.now || until > o.now.plus(Duration::from_secs(366 * 86_400)) {
            return Err(ReviewError::Invalid("snooze until a time within the next year".into()));
        }
        o.review.snoozed_until = Some(until);
        o.review.claimed_by = None;
        o.review.claim_until = None;
        self.close(who, o, "review.snoozed", json!({"until": until.rfc3339()})).await
    }

    /// Gives a review to a person, or to nobody.
    ///
    /// # Errors
    /// When it no longer waits for a person.
    pub async fn assign(
        &self,
        who: &Reviewer,
        id: &ReviewId,
        to: Option<UserId>,
    ) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        o.review.state.on(Event::Park)?;
        if let Some(to) = &to {
            let found = crate::store::user::get(&mut o.tx, &who.tenant, to).await;
            if !found.is_ok_and(|u| !u.disabled) {
                return Err(ReviewError::Invalid("there is no such person".into()));
            }
        }
        let detail = json!({"to": to});
        o.review.assigned_to = to;
        self.close(who, o, "review.assigned", detail).await
    }

    /// Decides against an answer.
    ///
    /// # Errors
    /// When it no longer waits for a person, or somebody else holds it.
    pub async fn reject(&self, who: &Reviewer, id: &ReviewId, reason: &str) -> Result<Review> {
        self.end(who, id, Event::Reject, "review.rejected", reason).await
    }

    /// Asks for a lead.
    ///
    /// # Errors
    /// When it no longer waits for a person, or somebody else holds it.
    pub async fn escalate(&self, who: &Reviewer, id: &ReviewId, note: &str) -> Result<Review> {
        self.end(who, id, Event::Escalate, "review.escalated", note).await
    }

    async fn end(
        &self,
        who: &Reviewer,
        id: &ReviewId,
        event: Event,
        action: &str,
        reason: &str,
    ) -> Result<Review> {
        let note = self.note(who, id, reason).await?;
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        let from = o.review.state;
        o.review.state = from.on(event)?;
        o.review.escalated |= event == Event::Escalate;
        o.review.outcome = (!note.is_empty()).then_some(note);
        o.review.claimed_by = None;
        o.review.claim_until = None;
        let detail = audit::moved(from.as_str(), o.review.state.as_str());
        self.close(who, o, action, detail).await
    }

    /// A note may name a person: it is masked like any text, and not written into the log.
    async fn note(&self, who: &Reviewer, id: &ReviewId, reason: &str) -> Result<String> {
        let note: String = clean::clean(reason).text.trim().chars().take(500).collect();
        let known = {
            let mut c = self.store.db.read().await?;
            let thread = review::get(&mut c, &who.tenant, id).await?.thread;
            known_names(&self.store, &mut c, &who.tenant, &thread).await?
        };
        Ok(blocking(|| self.masking.of(&who.tenant).mask_note(&note, &known)))
    }

    /// Signs what the client saw. `seen` is the digest that the page showed; it must be the digest
    /// of what would be sent now.
    ///
    /// # Errors
    /// [`ReviewError::Changed`] when the digest differs, the thread has moved, somebody else holds
    /// the claim or has signed; [`ReviewError::State`] when there is nothing to sign.
    pub async fn approve(&self, who: &Reviewer, id: &ReviewId, seen: &Digest) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        self.sign(who, &mut o, seen).await?;
        let detail = json!({"digest": seen, "approval": o.review.approval});
        self.close(who, o, "review.approved", detail).await
    }

    async fn sign(&self, who: &Reviewer, o: &mut Open, seen: &Digest) -> Result<()> {
        let next = o.review.state.on(Event::Approve { hold: !self.hold.is_zero() })?;
        let s = content::signable(&self.store, &mut o.tx, &who.tenant, &o.review).await?;
        if !content::thread_unmoved(&s.thread, &o.review) {
            return Err(ReviewError::Changed {
                code: "thread_moved",
                what: "the conversation has moved on since this draft was made".into(),
            });
        }
        if s.digest != *seen {
            return Err(ReviewError::Changed {
                code: "digest_changed",
                what: format!(
                    "you signed {} but the reply is now {}",
                    seen.short(),
                    s.digest.short()
                ),
            });
        }
        if message::unread(&mut o.tx, &who.tenant, &s.thread).await? {
            return Err(ReviewError::Changed {
                code: "message_unread",
                what: "the customer has just sent something that is still being read: look again \
                       in a moment"
                    .into(),
            });
        }
        refuse_unknown(&s)?;
        // What can't be delivered as it stands is better known now than after the signature.
        self.senders.accepts(&s.channel, &s.outgoing()).map_err(ReviewError::Invalid)?;
        let approval = Approval {
            id: ApprovalId::from_uuid(self.store.host.uuid()),
            review: o.review.id.clone(),
            digest: s.digest.clone(),
            live: true,
            approver: Approver::Person(who.user.clone()),
            created_at: self.store.host.now(),
        };
        approval::create(&self.store, &mut o.tx, &who.tenant, &approval, &s.customer, &s.content)
            .await?;
        let due = o.now.plus(self.hold);
        job::enqueue(&self.store, &mut o.tx, &who.tenant, Kind::Send, approval.id.as_str(), due)
            .await?;
        o.review.state = next;
        o.review.approval = Some(approval.id);
        o.review.hold_until = Some(due);
        o.review.claimed_by = None;
        o.review.claim_until = None;
        Ok(())
    }

    /// Takes a signature back during the hold.
    ///
    /// # Errors
    /// [`ReviewError::State`] when nothing is held any more.
    pub async fn undo(&self, who: &Reviewer, id: &ReviewId) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        let next = o.review.state.on(Event::Undo { escalated: o.review.escalated })?;
        self.void(&mut o, who, "undone").await?;
        o.review.state = next;
        self.close(who, o, "review.undone", json!({})).await
    }

    async fn void(&self, o: &mut Open, who: &Reviewer, why: &str) -> Result<()> {
        if let Some(id) = o.review.approval.take() {
            approval::void(&self.store, &mut o.tx, &who.tenant, &id, why).await?;
        }
        o.review.hold_until = None;
        Ok(())
    }

    /// Settles a send whose outcome is unknown: a person looked and says whether it arrived.
    ///
    /// # Errors
    /// [`ReviewError::State`] when it isn't unknown.
    pub async fn settle(&self, who: &Reviewer, id: &ReviewId, arrived: bool) -> Result<Review> {
        let mut o = self.open(who, id).await?;
        let event = if arrived { Event::Receipt } else { Event::Refuse };
        // While the send runs, its own end decides.
        if o.review.state != State::Unknown {
            return Err(Refused { state: o.review.state, event }.into());
        }
        o.review.state = o.review.state.on(event)?;
        if let Some(a) = &o.review.approval
            && let Some(s) = crate::store::send::of_approval(&mut o.tx, &who.tenant, a).await?
        {
            let end = if arrived { "sent" } else { "failed" };
            crate::store::send::finish(&self.store, &mut o.tx, &who.tenant, &s.id, end, None)
                .await?;
            if !arrived {
                let (t, send) = (&who.tenant, s.id.as_str());
                message::retract_reply(&self.store, &mut o.tx, t, &s.channel, send).await?;
            }
        }
        if !arrived {
            send::reopen(&self.store, &mut o.tx, &who.tenant, &o.review).await?;
        }
        self.close(who, o, "review.settled", json!({"arrived": arrived})).await
    }
}

/// A reply with a placeholder that names nothing must not go out: the customer would read it. Nor
/// can one to a message that names no sender.
fn refuse_unknown(s: &Signable) -> Result<()> {
    if s.content.to.iter().any(|to| is_nobody(to)) {
        return Err(ReviewError::Invalid(
            "the message names no sender: there is nobody to send a reply to".into(),
        ));
    }
    match s.body.unknown.first() {
        Some(word) => Err(ReviewError::Invalid(format!(
            "the reply holds `{word}`, which stands for nothing in this conversation"
        ))),
        None => Ok(()),
    }
}
