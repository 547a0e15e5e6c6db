//! `/v1/reviews`: the queue by API. Acting on it needs a key that belongs to a person.

mod act;
mod view;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{EvidenceView, ReviewList, ReviewSummary, ReviewView, whole};
use super::auth::Caller;
use super::problem::Problem;
use super::threads::{foreign_cursor, items_of_page};
use super::{App, id};
use crate::domain::ids::ReviewId;
use crate::domain::review::State as Stand;
use crate::store::review::{self, Filter, Review};
use crate::store::{self, draft};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(evidence))
        .merge(act::routes())
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// States separated by commas, or `all`; unless given, what waits for a person.
    #[param(example = "pending,escalated", max_length = 200)]
    state: Option<String>,
    /// Whether to list what is snoozed, too.
    snoozed: Option<bool>,
    /// The `next` of the page before.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// How many items; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Lists reviews
///
/// The most urgent first.
#[utoipa::path(
    get,
    path = "/reviews",
    operation_id = "list_reviews",
    tag = "Reviews",
    params(Wanted),
    security(("key" = ["read"])),
    responses(
        (status = 200, description = "A page of reviews.", body = ReviewList),
        (status = 400, description = "bad_state: `state` names no state of a review\nbad_cursor: the cursor is none of ours\nbad_limit: the limit is not 1 to 200"),
    ),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(w): Query<Wanted>,
) -> Result<Json<ReviewList>, Problem> {
    caller.need("read")?;
    let states = match w.state.as_deref() {
        None => vec![Stand::NoMatch, Stand::Pending, Stand::Escalated],
        Some("all") => Vec::new(),
        Some(list) => list
            .split(',')
            .map(|s| s.trim().parse::<Stand>())
            .collect::<Result<_, _>>()
            // What was asked for isn't repeated: it may be anything.
            .map_err(|_| {
                Problem::bad_request("bad_state", "state: expected states of a review, or `all`")
            })?,
    };
    let limit = items_of_page(w.limit)?;
    let after = w.cursor.as_deref().map(read_cursor).transpose()?;
    let filter = Filter {
        states,
        snoozed: w.snoozed.unwrap_or(false),
        now: app.store.host.now(),
        after,
        limit,
    };
    let mut c = app.store.db.read().await?;
    let all = review::list(&mut c, caller.tenant(), &filter).await?;
    let more = i64::try_from(all.len()).unwrap_or(0) == limit;
    let next = all.last().filter(|_| more).map(cursor);
    Ok(Json(ReviewList { items: all.into_iter().map(ReviewSummary::from).collect(), next }))
}

/// A cursor: `priority.id`.
pub fn cursor(r: &Review) -> String {
    format!("{}.{}", r.priority, r.id)
}

/// Reads a cursor back.
///
/// # Errors
/// 400.
pub fn read_cursor(text: &str) -> Result<(i64, ReviewId), Problem> {
    text.split_once('.')
        .and_then(|(p, id)| Some((p.parse().ok()?, id.parse().ok()?)))
        .ok_or_else(foreign_cursor)
}

/// Shows a review
///
/// With its draft, the sentences with their verdicts, and the digest that approving it needs.
#[utoipa::path(
    get,
    path = "/reviews/{id}",
    operation_id = "get_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The review.", body = ReviewView)),
)]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<ReviewView>, Problem> {
    caller.need("read")?;
    let wanted: ReviewId = id("review", &path)?;
    let mut c = app.store.db.read().await?;
    let r = review::get(&mut c, caller.tenant(), &wanted).await?;
    Ok(Json(whole(&app, &mut c, caller.tenant(), r).await?))
}

/// Shows the evidence
///
/// The passages as they were when the draft was made.
#[utoipa::path(
    get,
    path = "/reviews/{id}/evidence",
    operation_id = "get_review_evidence",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The evidence.", body = EvidenceView)),
)]
async fn evidence(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<EvidenceView>, Problem> {
    caller.need("read")?;
    let wanted: ReviewId = id("review", &path)?;
    let mut c = app.store.db.read().await?;
    let r = review::get(&mut c, caller.tenant(), &wanted).await?;
    let d = draft::get(&mut c, caller.tenant(), &r.draft, r.draft_revision).await?;
    let passages = serde_json::from_str(&d.passages).map_err(store::Error::from)?;
    Ok(Json(EvidenceView { review: r.id, draft: d.id, prompt_hash: d.prompt_hash, passages }))
}
