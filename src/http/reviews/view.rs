//! Reviews as the API shows them.

use serde::Serialize;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use crate::domain::approval::Digest;
use crate::domain::ids::{DraftId, MessageId, Micros, ReviewId, TenantId, ThreadId, UserId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::domain::review::State as Stand;
use crate::http::App;
use crate::pipeline::answer::{StoredDetail, StoredPassage};
use crate::pipeline::threads;
use crate::review::content;
use crate::store::review::Review;
use crate::store::{self, draft};

/// A review in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ReviewSummary {
    id: ReviewId,
    thread: ThreadId,
    /// The message that it answers.
    message: MessageId,
    state: Stand,
    /// Counts changes; an edit says which one it saw.
    revision: i64,
    draft_revision: i64,
    /// Why a person must look twice: `injection`, `ungrounded`, `unanswered`, `attachment_refused` …
    attention: Vec<String>,
    /// Why there is no draft: `no_passages`, `low_score`, `not_answered`, `draft_failed`, `unreadable`
    /// or `no_sender`.
    #[schema(required)]
    no_match_reason: Option<String>,
    /// Why it ended as it did.
    #[schema(required)]
    outcome: Option<String>,
    /// 0 low, 1 normal, 2 high, 3 critical.
    priority: i64,
    #[schema(required)]
    claimed_by: Option<UserId>,
    #[schema(required, format = DateTime)]
    claim_until: Option<String>,
    #[schema(required)]
    assigned_to: Option<UserId>,
    #[schema(required, format = DateTime)]
    snoozed_until: Option<String>,
    /// When it goes out; until then it can be undone.
    #[schema(required, format = DateTime)]
    hold_until: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Review> for ReviewSummary {
    fn from(r: Review) -> Self {
        let time = |t: Option<Micros>| t.map(Micros::rfc3339);
        Self {
            id: r.id,
            thread: r.thread,
            message: r.message,
            state: r.state,
            revision: r.revision,
            draft_revision: r.draft_revision,
            attention: r.attention,
            no_match_reason: r.no_match_reason,
            outcome: r.outcome,
            priority: r.priority,
            claimed_by: r.claimed_by,
            claim_until: time(r.claim_until),
            assigned_to: r.assigned_to,
            snoozed_until: time(r.snoozed_until),
            hold_until: time(r.hold_until),
            created_at: r.created_at.rfc3339(),
            updated_at: r.updated_at.rfc3339(),
        }
    }
}

/// Reviews, the most urgent first.
#[derive(Serialize, ToSchema)]
pub(super) struct ReviewList {
    pub(super) items: Vec<ReviewSummary>,
    /// For the next page's `cursor`; null at the end.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// A sentence of a draft.
#[derive(Serialize, ToSchema)]
#[schema(as = DraftSentence)]
struct SentenceView {
    text: String,
    /// Numbers of passages, from 1.
    citations: Vec<usize>,
    /// `supported`, `inferred`, `unsupported` or `contradicted`; null for a greeting.
    #[schema(required)]
    verdict: Option<String>,
    /// How well the passages support it, 0 to 1.
    score: f32,
}

/// A draft; its texts are masked.
#[derive(Serialize, ToSchema)]
#[schema(as = Draft)]
struct DraftView {
    /// What made it: a drafter's id, `person:` and a user's id, or `none`.
    author: String,
    text: String,
    subject: String,
    #[schema(required)]
    tone: Option<String>,
    /// ISO 639-1.
    #[schema(required)]
    language: Option<String>,
    /// How likely it is that the passages support all of it, 0 to 1.
    #[schema(required)]
    grounding: Option<f32>,
    sentences: Vec<SentenceView>,
    /// Questions of the customer without an answer.
    unanswered: Vec<String>,
    /// Other texts that would do.
    alternatives: Vec<String>,
}

/// A review with its draft.
#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub(super) struct ReviewView {
    #[serde(flatten)]
    summary: ReviewSummary,
    /// Of exactly what would be sent; approving needs it.
    digest: Digest,
    draft: DraftView,
}

/// What a draft is grounded in.
#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
pub(super) struct EvidenceView {
    pub(super) review: ReviewId,
    pub(super) draft: DraftId,
    /// Of the prompt that made the draft.
    #[schema(required)]
    pub(super) prompt_hash: Option<String>,
    /// By their numbers in the draft, from 1.
    pub(super) passages: Vec<StoredPassage>,
}

/// A review with its draft.
///
/// # Errors
/// Store errors.
pub(super) async fn whole(
    app: &App,
    c: &mut AnyConnection,
    t: &TenantId,
    r: Review,
) -> store::Result<ReviewView> {
    let numbering = threads::numbering(c, t, &r.thread).await?;
    let s = content::signable(&app.store, c, t, &r).await?;
    let d = draft::get(c, t, &r.draft, r.draft_revision).await?;
    let detail: StoredDetail = serde_json::from_str(&d.detail)?;
    let all = |texts: &[String]| texts.iter().map(|x| rendered(x, &numbering)).collect();
    Ok(ReviewView {
        summary: r.into(),
        digest: s.digest,
        draft: DraftView {
            author: d.author,
            text: rendered(&d.body, &numbering),
            subject: rendered(&s.content.subject, &numbering),
            tone: detail.tone,
            language: detail.language,
            grounding: detail.grounding,
            sentences: detail
                .sentences
                .into_iter()
                .map(|x| SentenceView {
                    text: rendered(&x.text, &numbering),
                    citations: x.citations,
                    verdict: x.verdict,
                    score: x.score,
                })
                .collect(),
            unanswered: all(&detail.unanswered),
            alternatives: all(&detail.alternatives),
        },
    })
}

fn rendered(stored: &str, numbering: &Numbering) -> String {
    MaskedText::from_store(stored.to_owned()).render(numbering).into_string()
}
