//! Reviews without a draft: where there is nothing to answer with, a person does.

use serde_json::json;
use sqlx::AnyConnection;

use super::{StoredDetail, is_taken, priority};
use crate::domain::audit::Actor;
use crate::domain::ids::{DraftId, MessageId, ReviewId, TenantId, ThreadId};
use crate::domain::message::Direction;
use crate::domain::review::State;
use crate::store::draft::{self, Draft};
use crate::store::job::Claim;
use crate::store::review::{self, Review};
use crate::store::{self, Store, audit, message, thread};

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
    if is_taken(c, t, &id).await? {
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
pub(in crate::pipeline) struct Blank<'a> {
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
        review::create(store, c, t, &r).await?;
        let detail = json!({"state": r.state.as_str(), "reason": self.reason,
            "thread": self.thread, "head_seq": self.head_seq});
        let object = format!("review:{}", r.id);
        audit::append(store, c, t, &Actor::System, "review.created", object, detail).await?;
        Ok(r.id)
    }
}
