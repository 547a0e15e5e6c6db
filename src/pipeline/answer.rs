//! Steps 8–11: evidence, draft, grounding, and the item in the review queue.
//!
//! One job answers a thread: all that the customer has written since the last reply. It commits
//! only if the thread's head is still the one that it read; otherwise a newer message has its own
//! job, and this result is thrown away.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AnyConnection;

use super::retrieve::Found;
use super::{Pipeline, StepError, blocking, prompt, threads};
use crate::domain::audit::Actor;
use crate::domain::draft::{DraftOutcome, DraftRequest, Passage, SentenceRole, Turn};
use crate::domain::ids::{DraftId, MessageId, Micros, ReviewId, TenantId, ThreadId};
use crate::domain::masking::{MaskedText, Numbering, Outbound, PublicText, RenderedText};
use crate::domain::message::{ChannelKind, Direction};
use crate::domain::review::State;
use crate::domain::triage::{Analysis, LanguageCode, SentimentLabel, UrgencyLevel};
use crate::failpoint;
use crate::nlp::ground::{self, Verdict};
use crate::ports::{ChatError, ChatModel, ChatRequest, ChunkKind, IndexText, Query, SearchMode};
use crate::store::draft::{self, Draft};
use crate::store::job::{self, Claim};
use crate::store::message::{self, Message};
use crate::store::review::{self, Review};
use crate::store::thread::Thread;
use crate::store::{self, Store, audit, channel, tenant, thread};

/// Who drafts.
pub type Drafter = Arc<dyn ChatModel>;

/// Earlier turns that a draft may see.
const HISTORY: usize = 10;
/// Characters of a customer's messages that are answered; the rest is there for the reviewer.
const QUESTION_CHARS: usize = 8_000;

/// A conversation as the drafter needs it.
struct Conversation {
    thread: Thread,
    kind: ChannelKind,
    numbering: Numbering,
    /// What the customer has written since the last reply, oldest first; never empty.
    open: Vec<Message>,
    history: Vec<Turn>,
    analysis: Option<Analysis>,
    attention: Vec<String>,
}

/// A draft's sentence as stored: masked, with what the check said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredSentence {
    /// White space in front of it.
    pub before: String,
    /// Masked text, stored form.
    pub text: String,
    /// Numbers of passages, from 1.
    pub citations: Vec<usize>,
    /// Whether it states something (and was checked) or is a greeting.
    pub statement: bool,
    /// `supported`, `inferred`, `unsupported` or `contradicted`; none for a greeting.
    pub verdict: Option<String>,
    /// 0–1.
    pub score: f32,
}

/// What is stored beside a draft's text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredDetail {
    /// The sentences; empty for what a person wrote.
    pub sentences: Vec<StoredSentence>,
    /// The tone.
    pub tone: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// Questions without an answer, masked, stored form.
    pub unanswered: Vec<String>,
    /// Other texts that would do, masked, stored form.
    pub alternatives: Vec<String>,
    /// Probability that the whole answer is supported.
    pub grounding: Option<f32>,
    /// Whether a person wrote this revision.
    pub edited: bool,
    /// Another subject than the thread's, masked, stored form.
    pub subject: Option<String>,
}

/// A passage as stored: the evidence as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredPassage {
    /// The chunk.
    pub id: String,
    /// The article.
    pub source: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// The search's score.
    pub score: f32,
}

/// The texts of a draft's passages, from storage.
///
/// # Errors
/// When the stored JSON can't be read.
pub fn public_texts(passages: &str) -> store::Result<Vec<String>> {
    let all: Vec<StoredPassage> = serde_json::from_str(passages)?;
    Ok(all.into_iter().map(|p| p.text).collect())
}

/// Runs the job.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let id: ThreadId = store::parse("job.ref_id", &job.ref_id)?;
    let Some(talk) = load(p, &job.tenant, &id).await? else {
        let mut tx = p.store.db.begin().await?;
        let now = p.store.db.now(&mut tx).await?;
        job::complete(&mut tx, job, now).await?;
        tx.commit().await?;
        return Ok(());
    };
    let began = std::time::Instant::now();
    let question = question(&talk);
    let found = find(p, &job.tenant, &query(&talk, &question)).await?;
    let retrieve_us = us(began);
    let request = request(&talk, &question, &found);
    let began = std::time::Instant::now();
    let (outcome, prompt_hash) = draft(p, &request).await?;
    let draft_us = us(began);
    tracing::info!(thread = %id, retrieve_us, draft_us, passages = found.len(), "drafted");
    commit(p, job, &talk, &request, outcome, prompt_hash).await
}

fn us(since: std::time::Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn load(
    p: &Pipeline,
    t: &TenantId,
    id: &ThreadId,
) -> Result<Option<Conversation>, StepError> {
    let mut c = p.store.db.read().await?;
    let thread = match thread::get(&mut c, t, id).await {
        Ok(found) => found,
        Err(store::Error::NotFound(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let messages = message::of_thread(&mut c, t, id).await?;
    let live: Vec<Message> = messages.into_iter().filter(|m| m.state == "understood").collect();
    let answered = live.iter().rposition(|m| m.direction == Direction::Out).map_or(0, |i| i + 1);
    let open: Vec<Message> = live[answered..].to_vec();
    let Some(last) = open.last() else { return Ok(None) };
    let reviews = review::of_thread(&mut c, t, id).await?;
    // A reply is just going out: what the customer wrote meanwhile is answered after it.
    if reviews.iter().any(|r| r.state == State::Sending) {
        return Err(StepError::Later(Duration::from_secs(1)));
    }
    // What was decided on for this very head is the answer.
    let settled = reviews.iter().any(|r| {
        r.head_seq == thread.head_seq && !matches!(r.state, State::Superseded | State::Filed)
    });
    if settled {
        return Ok(None);
    }
    let numbering = threads::numbering(&mut c, t, id).await?;
    let kind = channel::get(&p.store, &mut c, t, &thread.channel).await?.kind;
    let analysis = message::analysis(&mut c, t, &last.id).await?;
    let history = live[..answered]
        .iter()
        .rev()
        .take(HISTORY)
        .rev()
        .map(|m| Turn { direction: m.direction, text: visible(m).render(&numbering) })
        .collect();
    let mut attention = attention(&thread, &open);
    for m in &open {
        let files = message::attachments(&p.store, &mut c, t, m).await?;
        if files.iter().any(|f| !f.allowed) {
            attention.push("attachment_refused".to_owned());
        }
        let read = message::analysis(&mut c, t, &m.id).await?;
        if read.is_some_and(|a| a.injection.flagged) {
            attention.push("injection".to_owned());
        }
    }
    attention.sort();
    attention.dedup();
    Ok(Some(Conversation { thread, kind, numbering, open, history, analysis, attention }))
}

fn attention(thread: &Thread, open: &[Message]) -> Vec<String> {
    let mut all = Vec::new();
    if open.iter().any(|m| m.reply_to_differs) {
        all.push("reply_to_differs".to_owned());
    }
    if thread.related.is_some() {
        all.push("related_thread".to_owned());
    }
    all
}

fn visible(m: &Message) -> MaskedText {
    MaskedText::from_store(m.visible.clone().unwrap_or_default())
}

fn question(talk: &Conversation) -> MaskedText {
    let texts: Vec<MaskedText> = talk.open.iter().map(visible).collect();
    let all = MaskedText::join(&texts, "\n\n");
    if all.as_stored().chars().count() <= QUESTION_CHARS {
        return all;
    }
    // The newest part counts; cut where no token is split.
    let len = all.as_stored().len();
    let from = all.as_stored().char_indices().rev().nth(QUESTION_CHARS).map_or(0, |(i, _)| i);
    (from..len).find_map(|i| all.slice(i..len)).unwrap_or_default()
}

/// What is searched for: the question, with the subject before it, which often names the matter that
/// the text only points to ("it still hasn't come").
fn query(talk: &Conversation, question: &MaskedText) -> MaskedText {
    let subject = talk.open.iter().rev().find_map(|m| m.subject_masked.as_deref());
    match subject.map(threads::bare_subject).filter(|s| !s.is_empty()) {
        Some(subject) => {
            let subject = MaskedText::from_store(subject.to_owned());
            MaskedText::join(&[subject, question.clone()], "\n\n")
        }
        None => question.clone(),
    }
}

async fn find(p: &Pipeline, t: &TenantId, question: &MaskedText) -> Result<Vec<Found>, StepError> {
    let words = question.as_words();
    let embedding = blocking(|| p.encoder.embed(&[words.as_str()]))
        .pop()
        .map(|e| e.embedding)
        .unwrap_or_default();
    let query = Query {
        embedding,
        text: IndexText::from(question),
        k: p.config.draft.passages,
        mode: SearchMode::Hybrid,
        kinds: vec![ChunkKind::Article],
        except_source: None,
    };
    let found = p.search.passages(&p.store, t, &query).await;
    found.map_err(|e| StepError::retry(format!("search: {e}")))
}

fn request(talk: &Conversation, question: &MaskedText, found: &[Found]) -> DraftRequest {
    let numbering = &talk.numbering;
    let analysis = talk.analysis.as_ref();
    let passages = found
        .iter()
        .map(|f| Passage {
            id: f.hit.chunk.to_string(),
            source_id: f.hit.source.clone(),
            title: f.title.clone(),
            text: render_public(&f.text, numbering),
            score: f.hit.score,
            public: true,
        })
        .collect();
    DraftRequest {
        subject: talk
            .open
            .last()
            .and_then(|m| m.subject_masked.clone())
            .filter(|s| !s.trim().is_empty())
            .map(|s| MaskedText::from_store(s).render(numbering)),
        message: question.render(numbering),
        history: talk.history.clone(),
        passages,
        addressee: addressee(talk),
        language: analysis.map_or(LanguageCode::EN, |a| a.language.code),
        channel: talk.kind,
        mood: analysis.map_or(SentimentLabel::Neutral, |a| a.sentiment.label),
        intent: analysis.filter(|a| !a.intent.abstained).map(|a| a.intent.label.clone()),
        tone: None,
    }
}

/// The customer's name as its placeholder, where the sender has one.
fn addressee(talk: &Conversation) -> Option<RenderedText> {
    let sender = MaskedText::from_store(talk.open.last()?.sender.clone()?);
    let person = sender.as_stored().find('⟧').map(|i| i + '⟧'.len_utf8())?;
    let name = sender.slice(0..person)?;
    let is_name = name.as_stored().starts_with("⟦PERSON:") && talk.kind == ChannelKind::Email;
    is_name.then(|| name.render(&talk.numbering))
}

fn render_public(text: &PublicText, numbering: &Numbering) -> RenderedText {
    Outbound::from(text).render(numbering)
}

async fn draft(
    p: &Pipeline,
    request: &DraftRequest,
) -> Result<(DraftOutcome, Option<String>), StepError> {
    if request.passages.is_empty() {
        let reason = crate::domain::draft::NoMatchReason::NoPassages;
        return Ok((DraftOutcome::NoMatch { reason, best_score: 0.0 }, None));
    }
    let prompt = match p.drafter.prompt_budget() {
        Some(budget) => Some(
            prompt::draft(request, budget, &|text| p.drafter.count_tokens(text))
                .map_err(|e| StepError::fail(format!("prompt: {e}")))?,
        ),
        None => None,
    };
    let hash = prompt.as_ref().map(|x| x.version.clone());
    let chat = ChatRequest { draft: request.clone(), prompt };
    match p.drafter.draft(&chat).await {
        Ok(outcome) => Ok((outcome, hash)),
        Err(ChatError::Retry { after, asked: true, .. }) => Err(StepError::Later(after)),
        Err(e @ ChatError::Retry { after, .. }) => {
            Err(StepError::Retry { why: chain(&e), after: Some(after) })
        }
        Err(e @ (ChatError::Permanent(_) | ChatError::NeedsPerson { .. })) => {
            Err(StepError::fail(chain(&e)))
        }
    }
}

fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(s) = next {
        text.push_str(&format!(": {s}"));
        next = s.source();
    }
    text
}

fn priority(a: Option<&Analysis>) -> i64 {
    match a.map(|a| a.urgency.level) {
        Some(UrgencyLevel::Critical) => 3,
        Some(UrgencyLevel::High) => 2,
        Some(UrgencyLevel::Low) => 0,
        _ => 1,
    }
}

async fn commit(
    p: &Pipeline,
    job: &Claim,
    talk: &Conversation,
    request: &DraftRequest,
    outcome: DraftOutcome,
    prompt_hash: Option<String>,
) -> Result<(), StepError> {
    let (store, t) = (&p.store, &job.tenant);
    let checked = match &outcome {
        DraftOutcome::Draft(d) => {
            Some(blocking(|| ground::check(&*p.evidence, &d.sentences, &request.passages)))
        }
        DraftOutcome::NoMatch { .. } => None,
    };
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
    let now = store.db.now(&mut tx).await?;
    let head = thread::get(&mut tx, t, &talk.thread.id).await?.head_seq;
    let taken = review::of_thread(&mut tx, t, &talk.thread.id)
        .await?
        .iter()
        .any(|r| r.state.awaits_person() || r.state.signed() || r.state == State::Sending);
    if head != talk.thread.head_seq || taken {
        // The newer message has its own job, or another worker was faster.
        job::complete(&mut tx, job, now).await?;
        tx.commit().await?;
        return Ok(());
    }
    let mut attention = talk.attention.clone();
    let mut w = Writer { p, tx: &mut tx, tenant: t, talk, request };
    let (text, detail, state, reason) = match outcome {
        DraftOutcome::Draft(d) => {
            let (text, detail) = w.masked(d, checked.as_ref()).await?;
            let doubtful = |s: &StoredSentence| {
                matches!(s.verdict.as_deref(), Some("unsupported" | "contradicted"))
            };
            if detail.sentences.iter().any(doubtful) {
                attention.push("ungrounded".to_owned());
            }
            if !detail.unanswered.is_empty() {
                attention.push("unanswered".to_owned());
            }
            (text, detail, State::Pending, None)
        }
        DraftOutcome::NoMatch { reason, .. } => {
            let detail = StoredDetail::default();
            (MaskedText::default(), detail, State::NoMatch, Some(reason.as_str().to_owned()))
        }
    };
    let draft = w.row(text, &detail, prompt_hash)?;
    let review = w.review(&draft, state, attention, reason, now)?;
    draft::put(store, &mut tx, t, &draft).await?;
    review::create(&mut tx, t, &review).await?;
    let detail = json!({"state": state.as_str(), "draft": draft.id, "author": draft.author,
        "thread": talk.thread.id, "head_seq": head, "prompt": draft.prompt_hash,
        "passages": request.passages.iter().map(|x| json!({"id": x.id, "score": x.score})).collect::<Vec<_>>()});
    let object = format!("review:{}", review.id);
    audit::append(store, &mut tx, t, &Actor::System, "review.created", object, detail).await?;
    job::complete(&mut tx, job, now).await?;
    failpoint::point("answer.before");
    tx.commit().await?;
    failpoint::point("answer.after");
    Ok(())
}

struct Writer<'a> {
    p: &'a Pipeline,
    tx: &'a mut AnyConnection,
    tenant: &'a TenantId,
    talk: &'a Conversation,
    request: &'a DraftRequest,
}

impl Writer<'_> {
    async fn mask(&mut self, text: &str, public: &[String]) -> store::Result<MaskedText> {
        let thread = &self.talk.thread;
        self.p
            .masking
            .remask_in_thread(&self.p.store, self.tx, self.tenant, thread, text, public)
            .await
    }

    /// Whatever wrote the draft, its text is masked before it is stored.
    async fn masked(
        &mut self,
        d: crate::domain::draft::Draft,
        checked: Option<&ground::Grounding>,
    ) -> store::Result<(MaskedText, StoredDetail)> {
        let public: Vec<String> =
            self.request.passages.iter().map(|x| x.text.as_str().to_owned()).collect();
        let mut detail = StoredDetail {
            tone: Some(d.tone.as_str().to_owned()),
            language: Some(d.language.as_str().to_owned()),
            grounding: checked.map(|c| c.score),
            ..StoredDetail::default()
        };
        let body = self.mask(&d.text, &public).await?;
        for (i, s) in d.sentences.iter().enumerate() {
            let verdict = checked.and_then(|c| c.sentences.get(i));
            let statement = s.role == SentenceRole::Statement;
            detail.sentences.push(StoredSentence {
                before: s.before.clone(),
                text: self.mask(&s.text, &public).await?.as_stored().to_owned(),
                citations: s.citations.clone(),
                statement,
                verdict: verdict.filter(|_| statement).map(|v| verdict_word(v.verdict).to_owned()),
                score: verdict.map_or(0.0, |v| v.score),
            });
        }
        for text in &d.unanswered {
            detail.unanswered.push(self.mask(text, &public).await?.as_stored().to_owned());
        }
        for text in &d.alternatives {
            detail.alternatives.push(self.mask(text, &public).await?.as_stored().to_owned());
        }
        Ok((body, detail))
    }

    fn row(
        &self,
        body: MaskedText,
        detail: &StoredDetail,
        prompt_hash: Option<String>,
    ) -> store::Result<Draft> {
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
            prompt_hash,
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

fn verdict_word(v: Verdict) -> &'static str {
    match v {
        Verdict::Supported => "supported",
        Verdict::Inferred => "inferred",
        Verdict::Unsupported => "unsupported",
        Verdict::Contradicted => "contradicted",
    }
}

/// After the last attempt: a person writes the answer by hand.
///
/// # Errors
/// Store errors.
pub async fn give_up(store: &Store, c: &mut AnyConnection, job: &Claim) -> store::Result<()> {
    let t = &job.tenant;
    let id: ThreadId = store::parse("job.ref_id", &job.ref_id)?;
    let thread = thread::get(c, t, &id).await?;
    let messages = message::of_thread(c, t, &id).await?;
    let last = messages.iter().rfind(|m| m.state == "understood");
    let Some(last) = last.filter(|m| m.direction == Direction::In) else { return Ok(()) };
    let busy = review::of_thread(c, t, &id)
        .await?
        .iter()
        .any(|r| r.state.awaits_person() || r.state.signed() || r.state == State::Sending);
    if busy {
        return Ok(());
    }
    let analysis = message::analysis(c, t, &last.id).await?;
    let blank = Blank {
        thread: &id,
        message: &last.id,
        head_seq: thread.head_seq,
        state: State::NoMatch,
        reason: Some("draft_failed"),
        attention: vec!["draft_failed".to_owned()],
        priority: priority(analysis.as_ref()),
    };
    blank.create(store, c, t).await?;
    Ok(())
}

/// A review without a draft.
pub(super) struct Blank<'a> {
    pub thread: &'a ThreadId,
    pub message: &'a MessageId,
    pub head_seq: i64,
    pub state: State,
    pub reason: Option<&'static str>,
    pub attention: Vec<String>,
    pub priority: i64,
}

impl Blank<'_> {
    /// Puts it into the queue.
    pub async fn create(
        self,
        store: &Store,
        c: &mut AnyConnection,
        t: &TenantId,
    ) -> store::Result<ReviewId> {
        let now = store.db.now(c).await?;
        let draft = Draft {
            id: DraftId::from_uuid(store.host.uuid()),
            revision: 1,
            thread: self.thread.clone(),
            author: "none".to_owned(),
            body: String::new(),
            detail: serde_json::to_string(&StoredDetail::default())?,
            passages: "[]".to_owned(),
            prompt_hash: None,
            created_at: now,
        };
        draft::put(store, c, t, &draft).await?;
        let mut r = Review::new(
            ReviewId::from_uuid(store.host.uuid()),
            (self.thread.clone(), self.message.clone(), self.head_seq),
            self.state,
            &draft,
            now,
        );
        r.attention = self.attention;
        r.no_match_reason = self.reason.map(str::to_owned);
        r.priority = self.priority;
        review::create(c, t, &r).await?;
        Ok(r.id)
    }
}
