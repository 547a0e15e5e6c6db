//! Steps 8–11: evidence, draft, grounding, and the item in the review queue.
//!
//! One job answers a thread: all that the customer has written since the last reply. It commits
//! only if the thread's head is still the one that it read; otherwise a newer message has its own
//! job, and this result is thrown away.

mod blank;
mod commit;
mod question;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyConnection;

pub(super) use self::blank::Blank;
pub use self::blank::give_up;
use self::commit::commit;
use self::question::{load, query, question, request};
pub use self::stored::{StoredDetail, StoredPassage, StoredSentence, public_texts};
use super::retrieve::Found;
use super::{Pipeline, StepError, blocking, prompt};
use crate::domain::draft::{DraftOutcome, DraftRequest, NoMatchReason};
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::masking::MaskedText;
use crate::domain::review::State;
use crate::domain::triage::{Analysis, UrgencyLevel};
use crate::ports::{ChatError, ChatModel, ChatRequest, ChunkKind, IndexText, Query, SearchMode};
use crate::store::job::{self, Claim};
use crate::store::{self, review};

/// How long an answer waits before it looks again whether the knowledge is embedded.
const REFILLING: Duration = Duration::from_secs(2);

/// Who drafts.
pub type Drafter = Arc<dyn ChatModel>;

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
    if p.is_refilling(&job.tenant).await? {
        return Err(StepError::Later(REFILLING));
    }
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

async fn draft(
    p: &Pipeline,
    request: &DraftRequest,
) -> Result<(DraftOutcome, Option<String>), StepError> {
    if request.passages.is_empty() {
        let reason = NoMatchReason::NoPassages;
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

/// Whether somebody has a review of this thread, or a reply of it is on its way.
pub(super) async fn is_taken(
    c: &mut AnyConnection,
    t: &TenantId,
    id: &ThreadId,
) -> store::Result<bool> {
    let all = review::of_thread(c, t, id).await?;
    Ok(all.iter().any(|r| r.state.awaits_person() || r.state.signed() || r.state == State::Sending))
}
