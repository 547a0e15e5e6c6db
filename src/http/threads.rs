//! `/v1/threads`: conversations with their messages, masked.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::messages::MessageView;
use super::problem::Problem;
use super::{App, id, messages};
use crate::domain::ids::{ChannelId, Micros, ReviewId, ThreadId};
use crate::domain::masking::MaskedText;
use crate::domain::review::State as Stand;
use crate::pipeline::threads;
use crate::store::{message, review, thread};

/// Paging of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The `next` of the page before.
    #[param(max_length = 200)]
    pub(super) cursor: Option<String>,
    /// How many items; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<i64>,
}

/// Items of a page, unless the client says how many.
const PAGE: i64 = 50;

/// How many items a page has.
///
/// # Errors
/// 400.
pub(super) fn items_of_page(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=200).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad_request("bad_limit", "limit: expected 1 to 200"))
    }
}

/// What a cursor that is none of ours is answered with.
pub(super) fn foreign_cursor() -> Problem {
    Problem::bad_request("bad_cursor", "cursor: not one of ours")
}

/// A conversation in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ThreadSummary {
    id: ThreadId,
    channel: ChannelId,
    /// When its newest message came.
    #[schema(format = DateTime)]
    last_at: String,
    /// Masked.
    subject: String,
}

/// Conversations, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ThreadList {
    items: Vec<ThreadSummary>,
    /// For the next page's `cursor`; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// A review of a conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct ReviewRef {
    id: ReviewId,
    state: Stand,
}

/// A conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct ThreadView {
    id: ThreadId,
    channel: ChannelId,
    /// The conversation that it was split from.
    #[schema(required)]
    related: Option<ThreadId>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    last_at: String,
    /// Oldest first.
    messages: Vec<MessageView>,
    reviews: Vec<ReviewRef>,
}

/// Lists conversations
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/threads",
    operation_id = "list_threads",
    tag = "Threads",
    params(Page),
    security(("key" = ["read"])),
    responses(
        (status = 200, description = "A page of conversations.", body = ThreadList, example = json!({
            "items": [{"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e11", "channel": "0193f1b0-0000-7000-8000-000000000001",
                "last_at": "2026-11-22T10:00:00Z", "subject": "Returns"}],
            "next": null})),
        (status = 400, description = "bad_cursor: the cursor is none of ours\nbad_limit: the limit is not 1 to 200"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<ThreadList>, Problem> {
    caller.need("read")?;
    let limit = items_of_page(page.limit)?;
    // Threads of the same instant are told apart by their ids.
    let (before, before_id) = match page.cursor.as_deref() {
        None => (Micros(i64::MAX), ""),
        Some(s) => {
            let (at, id) = s.split_once('.').ok_or_else(foreign_cursor)?;
            (Micros(at.parse().map_err(|_| foreign_cursor())?), id)
        }
    };
    let mut c = app.store.db.read().await?;
    let all = thread::list(&mut c, caller.tenant(), (before, before_id), limit).await?;
    let more = i64::try_from(all.len()).unwrap_or(0) == limit;
    let next = all.last().filter(|_| more).map(|t| format!("{}.{}", t.last_at.0, t.id));
    let mut items = Vec::with_capacity(all.len());
    for t in all {
        let numbering = threads::numbering(&mut c, caller.tenant(), &t.id).await?;
        let subject = MaskedText::from_store(t.subject_masked.unwrap_or_default());
        items.push(ThreadSummary {
            id: t.id,
            channel: t.channel,
            last_at: t.last_at.rfc3339(),
            subject: subject.render(&numbering).into_string(),
        });
    }
    Ok(Json(ThreadList { items, next }))
}

/// Shows a conversation
///
/// With its messages, masked, and its reviews.
#[utoipa::path(
    get,
    path = "/threads/{id}",
    operation_id = "get_thread",
    tag = "Threads",
    params(("id" = ThreadId, Path, description = "The conversation.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The conversation.", body = ThreadView)),
)]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<ThreadView>, Problem> {
    caller.need("read")?;
    let wanted: ThreadId = id("thread", &path)?;
    let mut c = app.store.db.read().await?;
    let t = thread::get(&mut c, caller.tenant(), &wanted).await?;
    let numbering = threads::numbering(&mut c, caller.tenant(), &t.id).await?;
    let mut all = Vec::new();
    for m in message::of_thread(&mut c, caller.tenant(), &t.id).await? {
        all.push(messages::view(&app.store, &mut c, caller.tenant(), m, &numbering).await?);
    }
    let reviews = review::of_thread(&mut c, caller.tenant(), &t.id).await?;
    Ok(Json(ThreadView {
        id: t.id,
        channel: t.channel,
        related: t.related,
        created_at: t.created_at.rfc3339(),
        last_at: t.last_at.rfc3339(),
        messages: all,
        reviews: reviews.into_iter().map(|r| ReviewRef { id: r.id, state: r.state }).collect(),
    }))
}
