//! Reviews: the queue. Every write shows the revision that it read; a write that changes no row
//! lost against another and becomes a 409.

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::draft::Draft;
use super::{Error, Result, Store, event, parse, q};
use crate::domain::event::EventKind;
use crate::domain::ids::{
    ApprovalId, DraftId, MessageId, Micros, ReviewId, TenantId, ThreadId, UserId,
};
use crate::domain::review::State;

/// An item of the queue.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// The conversation.
    pub thread: ThreadId,
    /// The customer message that it answers.
    pub message: MessageId,
    /// The thread's head number when the draft was made.
    pub head_seq: i64,
    /// Where it stands.
    pub state: State,
    /// The draft.
    pub draft: DraftId,
    /// Its current revision.
    pub draft_revision: i64,
    /// Optimistic lock.
    pub revision: i64,
    /// The signature, while one stands.
    pub approval: Option<ApprovalId>,
    /// Why a person must look twice.
    pub attention: Vec<String>,
    /// Whether it was ever handed to a lead; then no reviewer may sign it.
    pub escalated: bool,
    /// Why there is no draft.
    pub no_match_reason: Option<String>,
    /// Why it ended as it did.
    pub outcome: Option<String>,
    /// 0 low … 3 critical.
    pub priority: i64,
    /// Who holds the claim.
    pub claimed_by: Option<UserId>,
    /// Until when.
    pub claim_until: Option<Micros>,
    /// Whose it is.
    pub assigned_to: Option<UserId>,
    /// Hidden until.
    pub snoozed_until: Option<Micros>,
    /// When it goes out.
    pub hold_until: Option<Micros>,
    /// When it came up.
    pub created_at: Micros,
    /// When it last changed.
    pub updated_at: Micros,
}

impl Review {
    /// A fresh item about (thread, message, head number) with a draft's first revision.
    pub fn new(
        id: ReviewId,
        about: (ThreadId, MessageId, i64),
        state: State,
        draft: &Draft,
        now: Micros,
    ) -> Self {
        Self {
            id,
            thread: about.0,
            message: about.1,
            head_seq: about.2,
            state,
            draft: draft.id.clone(),
            draft_revision: draft.revision,
            revision: 1,
            approval: None,
            attention: Vec::new(),
            escalated: false,
            no_match_reason: None,
            outcome: None,
            priority: 1,
            claimed_by: None,
            claim_until: None,
            assigned_to: None,
            snoozed_until: None,
            hold_until: None,
            created_at: now,
            updated_at: now,
        }
    }
}

const COLUMNS: &str = "id, thread_id, message_id, head_seq, state, draft_id, draft_revision,
     revision, approval_id, attention, no_match_reason, outcome, priority, claimed_by, claim_until,
     assigned_to, snoozed_until, hold_until, created_at, updated_at, escalated";

fn read(row: &sqlx::any::AnyRow) -> Result<Review> {
    use sqlx::Row as _;
    let text = |i: usize| row.try_get::<String, _>(i);
    let maybe = |i: usize| row.try_get::<Option<String>, _>(i);
    let time = |i: usize| row.try_get::<Option<i64>, _>(i).map(|t| t.map(Micros));
    let user = |i: usize| -> Result<Option<UserId>> {
        maybe(i)?.map(|u| parse("review.user", &u)).transpose()
    };
    Ok(Review {
        id: parse("review.id", &text(0)?)?,
        thread: parse("review.thread_id", &text(1)?)?,
        message: parse("review.message_id", &text(2)?)?,
        head_seq: row.try_get(3)?,
        state: parse("review.state", &text(4)?)?,
        draft: parse("review.draft_id", &text(5)?)?,
        draft_revision: row.try_get(6)?,
        revision: row.try_get(7)?,
        approval: maybe(8)?.map(|a| parse("review.approval_id", &a)).transpose()?,
        attention: serde_json::from_str(&text(9)?)?,
        no_match_reason: maybe(10)?,
        outcome: maybe(11)?,
        priority: row.try_get(12)?,
        claimed_by: user(13)?,
        claim_until: time(14)?,
        assigned_to: user(15)?,
        snoozed_until: time(16)?,
        hold_until: time(17)?,
        created_at: Micros(row.try_get(18)?),
        updated_at: Micros(row.try_get(19)?),
        escalated: row.try_get::<i64, _>(20)? == 1,
    })
}

/// Puts a review into the queue.
///
/// # Errors
/// A unique violation when the thread has a live review already.
pub async fn create(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    r: &Review,
) -> Result<()> {
    q("insert into review (tenant_id, id, thread_id, message_id, head_seq, state, draft_id,
         draft_revision, attention, no_match_reason, priority, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)")
    .bind(tenant.as_str().to_owned())
    .bind(r.id.as_str().to_owned())
    .bind(r.thread.as_str().to_owned())
    .bind(r.message.as_str().to_owned())
    .bind(r.head_seq)
    .bind(r.state.as_str())
    .bind(r.draft.as_str().to_owned())
    .bind(r.draft_revision)
    .bind(serde_json::to_string(&r.attention)?)
    .bind(r.no_match_reason.clone())
    .bind(r.priority)
    .bind(r.created_at.0)
    .execute(&mut *c)
    .await?;
    tell(store, c, tenant, EventKind::ReviewCreated, r, r.revision).await
}

/// The event that goes with a write. What people typed (`outcome`) stays here.
async fn tell(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: EventKind,
    r: &Review,
    revision: i64,
) -> Result<()> {
    let time = |t: Option<Micros>| t.map(Micros::rfc3339);
    let data = json!({
        "review": r.id, "thread": r.thread, "message": r.message, "state": r.state.as_str(),
        "revision": revision, "draft_revision": r.draft_revision, "priority": r.priority,
        "attention": r.attention, "no_match_reason": r.no_match_reason,
        "claimed_by": r.claimed_by, "assigned_to": r.assigned_to,
        "snoozed_until": time(r.snoozed_until), "hold_until": time(r.hold_until),
    });
    event::append(store, c, tenant, kind, format!("review:{}", r.id), &data).await.map(drop)
}

/// One review.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &ReviewId) -> Result<Review> {
    let sql = format!("select {COLUMNS} from review where tenant_id = $1 and id = $2");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await?;
    read(&row.ok_or(Error::NotFound("review"))?)
}

/// The reviews of a thread, newest first.
///
/// # Errors
/// Database errors.
pub async fn of_thread(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Vec<Review>> {
    let sql = format!(
        "select {COLUMNS} from review where tenant_id = $1 and thread_id = $2 order by id desc"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(thread.as_str())
        .fetch_all(c)
        .await?;
    rows.iter().map(read).collect()
}

/// What part of the queue is asked for.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Any of these states; all when empty.
    pub states: Vec<State>,
    /// Show those that are snoozed until later, too.
    pub snoozed: bool,
    /// Now, for the snooze.
    pub now: Micros,
    /// The row to go on after: (priority, id) of the last one.
    pub after: Option<(i64, ReviewId)>,
    /// At most this many.
    pub limit: i64,
}

/// The queue: most urgent first, then oldest first; finished states newest first by the same key.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId, f: &Filter) -> Result<Vec<Review>> {
    // The state names are our own constants.
    let states = if f.states.is_empty() { State::ALL.to_vec() } else { f.states.clone() };
    let names: Vec<String> = states.iter().map(|s| format!("'{}'", s.as_str())).collect();
    let newest = states.iter().all(|s| !s.awaits_person());
    let order = if newest { "id desc" } else { "priority desc, id" };
    let seek = if newest {
        "id < $3 and $2 = $2"
    } else {
        "(priority < $2 or (priority = $2 and id > $3))"
    };
    let sql = format!(
        "select {COLUMNS} from review where tenant_id = $1 and state in ({}) and {seek}
           and (snoozed_until is null or snoozed_until <= $4) order by {order} limit $5",
        names.join(", ")
    );
    let (priority, id) = match &f.after {
        Some((p, id)) => (*p, id.as_str().to_owned()),
        None if newest => (0, "~".to_owned()),
        None => (i64::MAX, String::new()),
    };
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(priority)
        .bind(id)
        .bind(if f.snoozed { i64::MAX } else { f.now.0 })
        .bind(f.limit)
        .fetch_all(c)
        .await?;
    rows.iter().map(read).collect()
}

/// How many reviews are in each state.
///
/// # Errors
/// Database errors.
pub async fn counts(c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<(State, i64)>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select state, cast(count(*) as bigint) from review where tenant_id = $1 group by state",
    )
    .bind(tenant.as_str())
    .fetch_all(c)
    .await?;
    rows.into_iter().map(|(s, n)| Ok((parse("review.state", &s)?, n))).collect()
}

/// Writes a changed review back, provided nobody changed it since it was read.
///
/// # Errors
/// [`Error::Fenced`] when somebody was faster.
pub async fn update(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    r: &Review,
) -> Result<()> {
    let n = q("update review set state = $4, draft_revision = $5, approval_id = $6,
         outcome = $7, claimed_by = $8, claim_until = $9, assigned_to = $10, snoozed_until = $11,
         hold_until = $12, head_seq = $13, revision = revision + 1, updated_at = $14,
         escalated = $15
       where tenant_id = $1 and id = $2 and revision = $3")
    .bind(tenant.as_str().to_owned())
    .bind(r.id.as_str().to_owned())
    .bind(r.revision)
    .bind(r.state.as_str())
    .bind(r.draft_revision)
    .bind(r.approval.as_ref().map(|a| a.as_str().to_owned()))
    .bind(r.outcome.clone())
    .bind(r.claimed_by.as_ref().map(|u| u.as_str().to_owned()))
    .bind(r.claim_until.map(|t| t.0))
    .bind(r.assigned_to.as_ref().map(|u| u.as_str().to_owned()))
    .bind(r.snoozed_until.map(|t| t.0))
    .bind(r.hold_until.map(|t| t.0))
    .bind(r.head_seq)
    .bind(store.host.now().0)
    .bind(i64::from(r.escalated))
    .execute(&mut *c)
    .await?
    .rows_affected();
    if n != 1 {
        return Err(Error::Fenced);
    }
    tell(store, c, tenant, EventKind::ReviewChanged, r, r.revision + 1).await
}
