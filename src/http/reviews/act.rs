//! What people do to a review. Each action is a route with a body of its own.

use axum::Json;
use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::{ReviewView, whole};
use crate::domain::approval::Digest;
use crate::domain::ids::{Micros, ReviewId, UserId};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::{App, id, read_json};
use crate::review::actions::{Reviewer, Written};
use crate::store::review::Review;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(claim))
        .routes(routes!(release))
        .routes(routes!(approve))
        .routes(routes!(edit))
        .routes(routes!(respond))
        .routes(routes!(reject))
        .routes(routes!(escalate))
        .routes(routes!(snooze))
        .routes(routes!(assign))
        .routes(routes!(undo))
        .routes(routes!(settle))
}

/// No settings.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What is signed.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Approve {
    /// The `digest` of the review as it was seen.
    #[schema(required, nullable = false, pattern = "^[0-9a-f]{64}$")]
    digest: Option<String>,
}

/// Another text.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// What is to be sent; placeholders stand for their values.
    #[schema(required, nullable = false, min_length = 1, max_length = 50_000)]
    text: Option<String>,
    /// The `revision` of the review as it was seen.
    #[schema(required, nullable = false)]
    revision: Option<i64>,
    /// Another subject.
    subject: Option<String>,
    /// Signs it at once.
    #[serde(default)]
    approve: bool,
}

/// Why.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// For the audit log.
    reason: Option<String>,
}

/// Until when.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Snooze {
    /// RFC 3339, within a year.
    #[schema(required, nullable = false, example = "2026-11-24T08:00:00Z")]
    until: Option<String>,
}

/// Whose.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// A person's id; nobody without it.
    to: Option<UserId>,
}

/// What somebody found out.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct Settle {
    /// Whether the reply arrived.
    #[schema(required, nullable = false)]
    arrived: Option<bool>,
}

/// What every action may be refused for.
const REFUSED: &str = "\
wrong_state: the review is in a state without this action, which `state` names
claimed: somebody else holds the claim
revision_changed: somebody else changed the review a moment ago";
/// What signing may be refused for.
const UNSIGNED: &str = "\
wrong_state: the review is in a state without this action, which `state` names
claimed: somebody else holds the claim
revision_changed: the review is no longer at this revision
digest_changed: what would be sent is no longer what was seen
thread_moved: the conversation has moved on since the draft was made
thread_changed: its masked values changed while this was being saved
message_unread: the customer has just sent something that is still being read
already_signed: the reply has been signed or is being sent already";
/// Who may not act.
const NOBODY: &str = "\
person_needed: the key belongs to no person, or to one who is switched off
forbidden: an escalated review needs a lead";

fn missing(field: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_missing", format!("`{field}` is needed"))
}

/// Who asks, about which review, and what; without a body everything is left at its default.
struct Asked<B>(Reviewer, ReviewId, B);

impl<B: DeserializeOwned + Default> FromRequest<App> for Asked<B> {
    type Rejection = Response;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Response> {
        let refused = Problem::into_response;
        let caller: Caller = request.extract_parts_with_state(app).await.map_err(refused)?;
        let Path(path): Path<String> =
            request.extract_parts_with_state(app).await.map_err(IntoResponse::into_response)?;
        let body = Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        let who = caller.reviewer(app).await.map_err(refused)?;
        let id = id("review", &path).map_err(refused)?;
        let body =
            if body.is_empty() { B::default() } else { read_json(&body).map_err(refused)? };
        Ok(Self(who, id, body))
    }
}

/// The review as it stands after an action.
async fn done(app: &App, who: &Reviewer, r: Review) -> Result<Json<ReviewView>, Problem> {
    app.wake.notify_one();
    let mut c = app.store.db.read().await?;
    Ok(Json(whole(app, &mut c, &who.tenant, r).await?))
}

/// Claims a review
///
/// Until the claim ends nobody else can sign or change it.
#[utoipa::path(
    post,
    path = "/reviews/{id}/claim",
    operation_id = "claim_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Nothing>),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
    ),
)]
async fn claim(
    State(app): State<App>,
    Asked(who, id, Nothing {}): Asked<Nothing>,
) -> Result<Json<ReviewView>, Problem> {
    done(&app, &who, app.desk.claim(&who, &id).await?).await
}

/// Gives a claim back
#[utoipa::path(
    post,
    path = "/reviews/{id}/release",
    operation_id = "release_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Nothing>),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
    ),
)]
async fn release(
    State(app): State<App>,
    Asked(who, id, Nothing {}): Asked<Nothing>,
) -> Result<Json<ReviewView>, Problem> {
    done(&app, &who, app.desk.release(&who, &id).await?).await
}

/// Signs a reply
///
/// It goes out when the hold has run out; until then it can be undone.
#[utoipa::path(
    post,
    path = "/reviews/{id}/approve",
    operation_id = "approve_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Approve, example = json!({"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = UNSIGNED),
        (status = 422, description = "field_missing: `digest` is needed\nbad_digest: `digest` is not 64 hex digits\ninvalid: the reply can't be delivered as it stands"),
    ),
)]
async fn approve(
    State(app): State<App>,
    Asked(who, id, a): Asked<Approve>,
) -> Result<Json<ReviewView>, Problem> {
    let seen = a.digest.ok_or_else(|| missing("digest"))?;
    let seen: Digest = seen.parse().map_err(|e| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_digest", format!("{e}"))
    })?;
    done(&app, &who, app.desk.approve(&who, &id, &seen).await?).await
}

/// Edits the draft
///
/// The new text is masked, and becomes the next revision; a signature is taken back.
#[utoipa::path(
    post,
    path = "/reviews/{id}/edit",
    operation_id = "edit_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Edit, example = json!({"text": "Within 30 days.", "revision": 1})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = UNSIGNED),
        (status = 422, description = "field_missing: `text` or `revision` is missing\ninvalid: the text is empty or too long, or the reply can't be delivered as it stands"),
    ),
)]
async fn edit(
    State(app): State<App>,
    Asked(who, id, a): Asked<Edit>,
) -> Result<Json<ReviewView>, Problem> {
    write(&app, &who, &id, a).await
}

/// Writes the reply by hand
///
/// As an edit; also where there was no draft.
#[utoipa::path(
    post,
    path = "/reviews/{id}/respond",
    operation_id = "respond_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Edit, example = json!({"text": "Within 30 days.", "revision": 1, "approve": true})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = UNSIGNED),
        (status = 422, description = "field_missing: `text` or `revision` is missing\ninvalid: the text is empty or too long, or the reply can't be delivered as it stands"),
    ),
)]
async fn respond(
    State(app): State<App>,
    Asked(who, id, a): Asked<Edit>,
) -> Result<Json<ReviewView>, Problem> {
    write(&app, &who, &id, a).await
}

/// Decides against an answer
#[utoipa::path(
    post,
    path = "/reviews/{id}/reject",
    operation_id = "reject_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Reason>, example = json!({"reason": "answered by phone"})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
    ),
)]
async fn reject(
    State(app): State<App>,
    Asked(who, id, a): Asked<Reason>,
) -> Result<Json<ReviewView>, Problem> {
    let reason = a.reason.as_deref().unwrap_or_default();
    done(&app, &who, app.desk.reject(&who, &id, reason).await?).await
}

/// Hands it to a lead
#[utoipa::path(
    post,
    path = "/reviews/{id}/escalate",
    operation_id = "escalate_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Reason>, example = json!({"reason": "a legal matter"})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
    ),
)]
async fn escalate(
    State(app): State<App>,
    Asked(who, id, a): Asked<Reason>,
) -> Result<Json<ReviewView>, Problem> {
    let reason = a.reason.as_deref().unwrap_or_default();
    done(&app, &who, app.desk.escalate(&who, &id, reason).await?).await
}

/// Hides it for a while
#[utoipa::path(
    post,
    path = "/reviews/{id}/snooze",
    operation_id = "snooze_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Snooze, example = json!({"until": "2026-11-24T08:00:00Z"})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
        (status = 422, description = "field_missing: `until` is needed\nbad_time: `until` is no time\ninvalid: `until` is not within the next year"),
    ),
)]
async fn snooze(
    State(app): State<App>,
    Asked(who, id, a): Asked<Snooze>,
) -> Result<Json<ReviewView>, Problem> {
    let until = a.until.ok_or_else(|| missing("until"))?;
    let until = Micros::parse(&until).ok_or_else(|| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_time", "until: not a time")
    })?;
    done(&app, &who, app.desk.snooze(&who, &id, until).await?).await
}

/// Gives it to somebody
#[utoipa::path(
    post,
    path = "/reviews/{id}/assign",
    operation_id = "assign_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Assign>, example = json!({"to": null})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
        (status = 422, description = "invalid: there is no such person"),
    ),
)]
async fn assign(
    State(app): State<App>,
    Asked(who, id, a): Asked<Assign>,
) -> Result<Json<ReviewView>, Problem> {
    done(&app, &who, app.desk.assign(&who, &id, a.to).await?).await
}

/// Takes a signature back
///
/// While it is held.
#[utoipa::path(
    post,
    path = "/reviews/{id}/undo",
    operation_id = "undo_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Option<Nothing>),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
    ),
)]
async fn undo(
    State(app): State<App>,
    Asked(who, id, Nothing {}): Asked<Nothing>,
) -> Result<Json<ReviewView>, Problem> {
    done(&app, &who, app.desk.undo(&who, &id).await?).await
}

/// Settles a send whose outcome is unknown
///
/// A person looked, and says whether the reply arrived.
#[utoipa::path(
    post,
    path = "/reviews/{id}/settle",
    operation_id = "settle_review",
    tag = "Reviews",
    params(("id" = ReviewId, Path, description = "The review.")),
    security(("key" = ["review"])),
    request_body(content = Settle, example = json!({"arrived": true})),
    responses(
        (status = 200, description = "The review as it stands now.", body = ReviewView),
        (status = 403, description = NOBODY),
        (status = 409, description = REFUSED),
        (status = 422, description = "field_missing: `arrived` is needed"),
    ),
)]
async fn settle(
    State(app): State<App>,
    Asked(who, id, a): Asked<Settle>,
) -> Result<Json<ReviewView>, Problem> {
    let arrived = a.arrived.ok_or_else(|| missing("arrived"))?;
    done(&app, &who, app.desk.settle(&who, &id, arrived).await?).await
}

async fn write(
    app: &App,
    who: &Reviewer,
    id: &ReviewId,
    a: Edit,
) -> Result<Json<ReviewView>, Problem> {
    let text = a.text.as_deref().ok_or_else(|| missing("text"))?;
    let revision = a.revision.ok_or_else(|| missing("revision"))?;
    let written = Written { text, subject: a.subject.as_deref() };
    done(app, who, app.desk.edit(who, id, revision, &written, a.approve).await?).await
}
