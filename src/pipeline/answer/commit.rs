//! The draft masked, checked against its passages and put into the queue, in one transaction with the
//! job's completion. What takes time, the checking and the masking, is done before it.

use std::time::Duration;

use serde_json::json;

use super::question::Conversation;
use super::{StoredDetail, StoredPassage, StoredSentence, is_taken, priority};
use crate::domain::audit::Actor;
use crate::domain::draft::{self as drafted, DraftOutcome, DraftRequest, SentenceRole};
use crate::domain::ids::{DraftId, Micros, ReviewId, TenantId};
use crate::domain::masking::MaskedText;
use crate::domain::review::State;
use crate::failpoint;
use crate::nlp::ground::{self, Verdict};
use crate::pipeline::masking::Remade;
use crate::pipeline::{Pipeline, StepError, blocking};
use crate::store::draft::{self, Draft};
use crate::store::job::{self, Claim, Kind};
use crate::store::review::{self, Review};
use crate::store::{self, audit, channel, tenant, thread};

/// How often the masking is done again because the conversation's placeholders have changed
/// meanwhile. After that the whole answer is put off.
const ROUNDS: usize = 3;

pub(super) async fn commit(
    p: &Pipeline,
    job: &Claim,
    talk: &Conversation,
    request: &DraftRequest,
    outcome: DraftOutcome,
    prompt_hash: Option<String>,
) -> Result<(), StepError> {
    let checked = match &outcome {
        DraftOutcome::Draft(d) => {
            Some(blocking(|| ground::check(&*p.evidence, &d.sentences, &request.passages)))
        }
        DraftOutcome::NoMatch { .. } => None,
    };
    let w = Writer { p, tenant: &job.tenant, talk, request, prompt_hash };
    for _ in 0..ROUNDS {
        let masked = w.masked(&outcome).await?;
        let written = w.written(&outcome, checked.as_ref(), masked.as_ref());
        if w.put(job, masked.as_ref(), written).await? {
            return Ok(());
        }
    }
    Err(StepError::Later(Duration::ZERO))
}

struct Writer<'a> {
    p: &'a Pipeline,
    tenant: &'a TenantId,
    talk: &'a Conversation,
    request: &'a DraftRequest,
    prompt_hash: Option<String>,
}

/// What a review is made of.
struct Written {
    text: MaskedText,
    detail: StoredDetail,
    state: State,
    /// Why there is no draft.
    reason: Option<String>,
    attention: Vec<String>,
}

impl Writer<'_> {
    /// Writes it all, and says whether it could: not if what was masked no longer fits the thread.
    async fn put(
        &self,
        job: &Claim,
        masked: Option<&Remade>,
        written: Written,
    ) -> Result<bool, StepError> {
        let (store, t) = (&self.p.store, self.tenant);
        let mut tx = store.db.begin().await?;
        tenant::lock(&mut tx, t).await?;
        let now = store.db.now(&mut tx).await?;
        let id = &self.talk.thread.id;
        let head = thread::get(&mut tx, t, id).await?.head_seq;
        if head != self.talk.thread.head_seq || is_taken(&mut tx, t, id).await? {
            // The newer message has its own job, or another worker was faster.
            job::complete(&mut tx, job, now).await?;
            tx.commit().await?;
            return Ok(true);
        }
        if let Some(masked) = masked
            && !masked.keep(store, &mut tx, t).await?
        {
            return Ok(false);
        }
        let Written { text, detail, state, reason, attention } = written;
        let draft = self.row(text, &detail)?;
        let review = self.review(&draft, state, attention, reason, now)?;
        draft::put(store, &mut tx, t, &draft).await?;
        review::create(store, &mut tx, t, &review).await?;
        let detail = json!({"state": state.as_str(), "draft": draft.id, "author": draft.author,
            "thread": id, "head_seq": head, "prompt": draft.prompt_hash,
            "passages": self.request.passages.iter().map(|x| json!({"id": x.id, "score": x.score})).collect::<Vec<_>>()});
        let object = format!("review:{}", review.id);
        let told = object.clone();
        audit::append(store, &mut tx, t, &Actor::System, "review.created", object, detail).await?;
        if state == State::Pending {
            let channel = channel::get(store, &mut tx, t, &self.talk.thread.channel).await?;
            if channel.settings.chatwoot.is_some_and(|set| set.notes) {
                job::enqueue_once(store, &mut tx, t, Kind::Report, &told, now).await?;
            }
        }
        job::complete(&mut tx, job, now).await?;
        failpoint::point("answer.before");
        tx.commit().await?;
        failpoint::point("answer.after");
        Ok(true)
    }

    /// Whatever wrote the draft, its texts are masked before they are stored: the reply, its
    /// sentences, what is unanswered, the alternatives, in this order.
    async fn masked(&self, outcome: &DraftOutcome) -> store::Result<Option<Remade>> {
        let DraftOutcome::Draft(d) = outcome else { return Ok(None) };
        let public: Vec<String> =
            self.request.passages.iter().map(|x| x.text.as_str().to_owned()).collect();
        let mut texts = vec![d.text.as_str()];
        texts.extend(d.sentences.iter().map(|s| s.text.as_str()));
        texts.extend(d.unanswered.iter().map(String::as_str));
        texts.extend(d.alternatives.iter().map(String::as_str));
        let masking = self.p.masking.of(self.tenant);
        let thread = &self.talk.thread.id;
        let remade =
            masking.remask_in_thread(&self.p.store, self.tenant, thread, &texts, &public).await?;
        Ok(Some(remade))
    }

    fn written(
        &self,
        outcome: &DraftOutcome,
        checked: Option<&ground::Grounding>,
        masked: Option<&Remade>,
    ) -> Written {
        let mut attention = self.talk.attention.clone();
        let d = match outcome {
            DraftOutcome::Draft(d) => d,
            DraftOutcome::NoMatch { reason, .. } => {
                return Written {
                    text: MaskedText::default(),
                    detail: StoredDetail::default(),
                    state: State::NoMatch,
                    reason: Some(reason.as_str().to_owned()),
                    attention,
                };
            }
        };
        let texts = masked.map(|m| m.texts.as_slice()).unwrap_or_default();
        let (text, detail) = detail(d, checked, texts);
        let doubtful = |s: &StoredSentence| {
            matches!(s.verdict.as_deref(), Some("unsupported" | "contradicted"))
        };
        if detail.sentences.iter().any(doubtful) {
            attention.push("ungrounded".to_owned());
        }
        if !detail.unanswered.is_empty() {
            attention.push("unanswered".to_owned());
        }
        Written { text, detail, state: State::Pending, reason: None, attention }
    }

    fn row(&self, body: MaskedText, detail: &StoredDetail) -> store::Result<Draft> {
        let passages: Vec<StoredPassage> = self
            .request
            .passages
            .iter()
            .map(|x| StoredPassage {
                id: x.id.clone(),
                source: x.source_id.clone(),
                title: x.title.clone(),
                text: x.text.as_str().to_owned(),
                score: x.score,
            })
            .collect();
        Ok(Draft {
            id: DraftId::from_uuid(self.p.store.host.uuid()),
            revision: 1,
            thread: self.talk.thread.id.clone(),
            author: self.p.drafter.id().to_owned(),
            body: body.as_stored().to_owned(),
            detail: serde_json::to_string(detail)?,
            passages: serde_json::to_string(&passages)?,
            prompt_hash: self.prompt_hash.clone(),
            created_at: self.p.store.host.now(),
        })
    }

    fn review(
        &self,
        draft: &Draft,
        state: State,
        attention: Vec<String>,
        no_match_reason: Option<String>,
        now: Micros,
    ) -> Result<Review, StepError> {
        let last = self.talk.open.last().ok_or_else(|| StepError::fail("nothing to answer"))?;
        let mut r = Review::new(
            ReviewId::from_uuid(self.p.store.host.uuid()),
            (self.talk.thread.id.clone(), last.id.clone(), self.talk.thread.head_seq),
            state,
            draft,
            now,
        );
        r.attention = attention;
        r.no_match_reason = no_match_reason;
        r.priority = priority(self.talk.analysis.as_ref());
        Ok(r)
    }
}

/// The reply and what stands beside it, from its masked texts in their order.
fn detail(
    d: &drafted::Draft,
    checked: Option<&ground::Grounding>,
    texts: &[MaskedText],
) -> (MaskedText, StoredDetail) {
    let mut texts = texts.iter();
    let body = texts.next().cloned().unwrap_or_default();
    let mut next = || texts.next().map(|t| t.as_stored().to_owned()).unwrap_or_default();
    let mut detail = StoredDetail {
        tone: Some(d.tone.as_str().to_owned()),
        language: Some(d.language.as_str().to_owned()),
        grounding: checked.map(|c| c.score),
        ..StoredDetail::default()
    };
    for (i, s) in d.sentences.iter().enumerate() {
        let verdict = checked.and_then(|c| c.sentences.get(i));
        let statement = s.role == SentenceRole::Statement;
        detail.sentences.push(StoredSentence {
            before: s.before.clone(),
            text: next(),
            citations: s.citations.clone(),
            statement,
            verdict: verdict.filter(|_| statement).map(|v| verdict_word(v.verdict).to_owned()),
            score: verdict.map_or(0.0, |v| v.score),
        });
    }
    detail.unanswered = d.unanswered.iter().map(|_| next()).collect();
    detail.alternatives = d.alternatives.iter().map(|_| next()).collect();
    (body, detail)
}

fn verdict_word(v: Verdict) -> &'static str {
    match v {
        Verdict::Supported => "supported",
        Verdict::Inferred => "inferred",
        Verdict::Unsupported => "unsupported",
        Verdict::Contradicted => "contradicted",
    }
}
