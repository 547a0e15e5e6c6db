//! A person's own words: an edit of the draft, or an answer written by hand. They are masked before
//! any transaction and saved only if what they were masked by still holds.

use serde_json::json;

use super::{Desk, Open, Result, Reviewer};
use crate::domain::ids::ReviewId;
use crate::domain::review::Event;
use crate::nlp::clean;
use crate::pipeline::answer::{self, StoredDetail};
use crate::pipeline::masking::Remade;
use crate::review::{ReviewError, content};
use crate::store::draft::{self, Draft};
use crate::store::review::{self, Review};

/// Longest text that a person may write as a reply, in characters.
pub const MAX_REPLY: usize = 50_000;

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 300;

/// The text was masked before the transaction, by values that have changed since.
const MASKED_ANEW: &str = "thread_changed";

/// What a person wrote.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// The reply, with placeholders for masked values.
    pub text: &'a str,
    /// Another subject, on channels that have one.
    pub subject: Option<&'a str>,
}

impl Desk {
    /// Saves a person's version of the draft as its next revision. A signature that stands is
    /// voided. With `sign`, the new text is signed in the same transaction.
    ///
    /// # Errors
    /// [`ReviewError::Changed`] when `revision` isn't the review's any more.
    pub async fn edit(
        &self,
        who: &Reviewer,
        id: &ReviewId,
        revision: i64,
        written: &Written<'_>,
        sign: bool,
    ) -> Result<Review> {
        let again =
            |r: &Result<Review>| matches!(r, Err(ReviewError::Changed { code: MASKED_ANEW, .. }));
        let mut done = self.edit_once(who, id, revision, written, sign).await;
        for _ in 0..2 {
            if !again(&done) {
                break;
            }
            done = self.edit_once(who, id, revision, written, sign).await;
        }
        done
    }

    async fn edit_once(
        &self,
        who: &Reviewer,
        id: &ReviewId,
        revision: i64,
        written: &Written<'_>,
        sign: bool,
    ) -> Result<Review> {
        let text = clean::clean(written.text).text;
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_REPLY {
            return Err(ReviewError::Invalid(format!(
                "a reply has 1 to {MAX_REPLY} characters, this one has {}",
                text.chars().count()
            )));
        }
        let remade = self.remask(who, id, text, written.subject).await?;
        let mut o = self.open(who, id).await?;
        Self::not_claimed_by_another(&o, who)?;
        if o.review.revision != revision {
            return Err(ReviewError::Changed {
                code: "revision_changed",
                what: format!(
                    "you edited revision {revision} but the review is at {}",
                    o.review.revision
                ),
            });
        }
        let next = o.review.state.on(Event::Edit { escalated: o.review.escalated })?;
        self.void(&mut o, who, "edited").await?;
        o.review.state = next;
        self.write_revision(who, &mut o, &remade).await?;
        let mut detail = json!({"draft_revision": o.review.draft_revision});
        if sign {
            let s = content::signable(&self.store, &mut o.tx, &who.tenant, &o.review).await?;
            self.sign(who, &mut o, &s.digest).await?;
            detail = json!({"draft_revision": o.review.draft_revision, "digest": s.digest,
                "approval": o.review.approval});
        }
        let action = if sign { "review.edited_and_approved" } else { "review.edited" };
        self.close(who, o, action, detail).await
    }

    /// Masks the reply and, if there is one, its subject, before any transaction.
    async fn remask(
        &self,
        who: &Reviewer,
        id: &ReviewId,
        text: &str,
        subject: Option<&str>,
    ) -> Result<Remade> {
        let (thread, public) = {
            let mut c = self.store.db.read().await?;
            let r = review::get(&mut c, &who.tenant, id).await?;
            let old = draft::get(&mut c, &who.tenant, &r.draft, r.draft_revision).await?;
            (r.thread, answer::public_texts(&old.passages)?)
        };
        let line = subject.map(|s| clean::clean(s).text).unwrap_or_default();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line.chars().take(MAX_SUBJECT).collect();
        let texts = if line.is_empty() { vec![text] } else { vec![text, &line] };
        let masking = self.masking.of(&who.tenant);
        Ok(masking.remask_in_thread(&self.store, &who.tenant, &thread, &texts, &public).await?)
    }

    async fn write_revision(&self, who: &Reviewer, o: &mut Open, remade: &Remade) -> Result<()> {
        if !remade.keep(&self.store, &mut o.tx, &who.tenant).await? {
            return Err(ReviewError::Changed {
                code: MASKED_ANEW,
                what: "the conversation's masked values changed while this was being saved".into(),
            });
        }
        let old =
            draft::get(&mut o.tx, &who.tenant, &o.review.draft, o.review.draft_revision).await?;
        let body = remade.texts.first().cloned().unwrap_or_default();
        let earlier: StoredDetail = serde_json::from_str(&old.detail)?;
        let subject = match remade.texts.get(1) {
            Some(masked) => Some(masked.as_stored().to_owned()),
            None => earlier.subject,
        };
        // A person's words are theirs: the machine's sentence verdicts no longer apply.
        let detail = StoredDetail {
            edited: true,
            subject,
            language: earlier.language,
            ..StoredDetail::default()
        };
        let next = Draft {
            revision: old.revision + 1,
            author: format!("person:{}", who.user),
            body: body.as_stored().to_owned(),
            detail: serde_json::to_string(&detail)?,
            prompt_hash: None,
            ..old
        };
        draft::put(&self.store, &mut o.tx, &who.tenant, &next).await?;
        o.review.draft_revision = next.revision;
        Ok(())
    }
}
