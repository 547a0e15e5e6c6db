//! `/v1/models` and `/v1/topics`: heads that were learnt from corrections, and groups of messages that no intent fits.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, read_json};
use crate::domain::audit::Actor;
use crate::domain::ids::{MessageId, ModelId};
use crate::domain::review::Role;
use crate::pipeline::learning::{self, LearningError};
use crate::pipeline::topics::{self, Options};
use crate::review::actions::Reviewer;
use crate::store::model::{self, Model};

/// Messages that topics are looked for in at most, while somebody waits.
pub(super) const NEWEST: i64 = 1_000;
/// Longest reason for a promotion, in characters.
const LONGEST_REASON: usize = 500;

impl From<LearningError> for Problem {
    fn from(e: LearningError) -> Self {
        let code = match e {
            LearningError::Store(e) => return e.into(),
            LearningError::Refused(_) => "not_promoted",
            LearningError::Runs => "model_runs",
            LearningError::Nothing => "nothing_promoted",
            LearningError::Learn(_)
            | LearningError::File(_)
            | LearningError::Encoder { .. }
            | LearningError::Head(_) => "model_unfit",
        };
        Self::new(StatusCode::CONFLICT, code, e.to_string())
    }
}

/// A head that was learnt from corrections.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelSummary {
    id: ModelId,
    /// What it decides.
    #[schema(pattern = "^(intent|sentiment|urgency|spam|injection)$")]
    task: String,
    /// `proposed`, `promoted`, `retired` or `rejected`.
    state: &'static str,
    /// As `versions.heads` says it.
    name: String,
    /// What ran when it was judged or, later, promoted; null for the built-in head.
    #[schema(required)]
    parent: Option<ModelId>,
    /// Whose states it reads.
    encoder: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When its state changed last.
    #[schema(format = DateTime)]
    changed_at: String,
}

impl ModelSummary {
    fn of(m: &Model) -> Self {
        Self {
            id: m.id.clone(),
            task: m.task.clone(),
            state: m.state.as_str(),
            name: m.name.clone(),
            parent: m.parent.clone(),
            encoder: m.encoder.clone(),
            created_at: m.created_at.rfc3339(),
            changed_at: m.changed_at.rfc3339(),
        }
    }
}

/// Heads, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelList {
    items: Vec<ModelSummary>,
    /// There is one page only.
    #[schema(required)]
    next: Option<String>,
}

/// A head with its judgement.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelView {
    #[serde(flatten)]
    model: ModelSummary,
    /// SHA-256 over what it was fitted on.
    data_sha256: String,
    /// Against what ran when it was judged, and on its own rows.
    #[schema(value_type = Object)]
    metrics: Value,
    /// What speaks against promoting it now; empty for one that may be, or that runs.
    against: Vec<String>,
}

/// Lists learnt heads
#[utoipa::path(
    get,
    path = "/models",
    operation_id = "list_models",
    tag = "Learning",
    security(("key" = ["read"])),
    responses((status = 200, description = "All of them, the newest first.", body = ModelList)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<ModelList>, Problem> {
    caller.need("read")?;
    let mut c = app.store.db.read().await?;
    let all = model::list(&mut c, caller.tenant()).await?;
    Ok(Json(ModelList { items: all.iter().map(ModelSummary::of).collect(), next: None }))
}

/// Shows a learnt head
///
/// With how it did against what ran.
#[utoipa::path(
    get,
    path = "/models/{id}",
    operation_id = "get_model",
    tag = "Learning",
    params(("id" = ModelId, Path, description = "The head.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The head.", body = ModelView)),
)]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<ModelView>, Problem> {
    caller.need("read")?;
    let wanted: ModelId = id("model", &path)?;
    let mut c = app.store.db.read().await?;
    let m = model::get(&mut c, caller.tenant(), &wanted).await?;
    let running = model::running(&mut c, caller.tenant(), &m.task).await?;
    Ok(Json(ModelView {
        model: ModelSummary::of(&m),
        against: learning::against(&m, running.as_ref())?,
        data_sha256: m.data_hash,
        metrics: m.metrics,
    }))
}

/// Only leads say which heads read messages.
///
/// # Errors
/// 403 for others.
pub(super) fn decides(who: &Reviewer) -> Result<(), Problem> {
    if who.role >= Role::Lead {
        return Ok(());
    }
    let why = "which heads read messages is for a lead to say";
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", why))
}

/// Lets a head read messages. A `reason` overrides what speaks against it.
///
/// # Errors
/// What the API answers.
pub(super) async fn promoted(
    app: &App,
    who: &Reviewer,
    wanted: &ModelId,
    reason: Option<&str>,
) -> Result<Model, Problem> {
    decides(who)?;
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        let why = format!("reason: at most {LONGEST_REASON} characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_reason", why));
    }
    let (encoder, by) = (app.pipeline.encoder.id(), Actor::User(who.user.clone()));
    Ok(learning::promote(&app.store, &who.tenant, wanted, encoder, reason, &by).await?)
}

/// Takes the promoted head of a task back; gives what went and what came.
///
/// # Errors
/// What the API answers.
pub(super) async fn rolled_back(
    app: &App,
    who: &Reviewer,
    task: &str,
    builtin: bool,
) -> Result<(Model, Option<Model>), Problem> {
    decides(who)?;
    let task = task.parse().map_err(|_| {
        let why = "task: expected intent, sentiment, urgency, spam or injection";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_label", why)
    })?;
    let (encoder, by) = (app.pipeline.encoder.id(), Actor::User(who.user.clone()));
    Ok(learning::rollback(&app.store, &who.tenant, task, builtin, encoder, &by).await?)
}

/// What a promotion may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Promotion {
    /// Why it is promoted although something speaks against it; kept in the audit log.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Promotes a learnt head
///
/// It reads the tenant's messages from the next seconds on. Refused if it was worse than what runs, unless a reason
/// is given.
#[utoipa::path(
    post,
    path = "/models/{id}/promote",
    operation_id = "promote_model",
    tag = "Learning",
    params(("id" = ModelId, Path, description = "The head.")),
    security(("key" = ["review"])),
    request_body(content = Option<Promotion>),
    responses(
        (status = 200, description = "The head as it stands now.", body = ModelSummary),
        (status = 403, description = "person_needed: the key belongs to no person, or to one who is switched off\nforbidden: the person is not a lead"),
        (status = 409, description = "not_promoted: something speaks against it, and no reason was given\nmodel_runs: it runs already\nmodel_unfit: it goes with another encoder or other word lists"),
        (status = 422, description = "bad_reason: the reason is too long"),
    ),
)]
pub(super) async fn promote(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    body: Bytes,
) -> Result<Json<ModelSummary>, Problem> {
    let who = caller.reviewer(&app).await?;
    let wanted: ModelId = id("model", &path)?;
    let asked: Promotion = if body.is_empty() { Promotion::default() } else { read_json(&body)? };
    let m = promoted(&app, &who, &wanted, asked.reason.as_deref()).await?;
    Ok(Json(ModelSummary::of(&m)))
}

/// Which head to take back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    /// What the head decides.
    #[schema(pattern = "^(intent|sentiment|urgency|spam|injection)$")]
    task: String,
    /// Go back to the built-in head, whatever ran before.
    #[serde(default)]
    builtin: bool,
}

/// What was taken back and what runs now.
#[derive(Serialize, ToSchema)]
pub(super) struct RolledBack {
    retired: ModelSummary,
    /// Null for the built-in head.
    #[schema(required)]
    runs: Option<ModelSummary>,
}

/// Takes a promoted head back
///
/// What ran before it runs again.
#[utoipa::path(
    post,
    path = "/models/rollback",
    operation_id = "roll_back_model",
    tag = "Learning",
    security(("key" = ["review"])),
    request_body = Rollback,
    responses(
        (status = 200, description = "What went and what came.", body = RolledBack),
        (status = 403, description = "person_needed: the key belongs to no person, or to one who is switched off\nforbidden: the person is not a lead"),
        (status = 409, description = "nothing_promoted: the built-in head runs\nmodel_unfit: what ran before goes with another encoder or other word lists"),
        (status = 422, description = "unknown_label: there is no such task"),
    ),
)]
pub(super) async fn roll_back(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<RolledBack>, Problem> {
    let who = caller.reviewer(&app).await?;
    let asked: Rollback = read_json(&body)?;
    let (gone, came) = rolled_back(&app, &who, &asked.task, asked.builtin).await?;
    let runs = came.as_ref().map(ModelSummary::of);
    Ok(Json(RolledBack { retired: ModelSummary::of(&gone), runs }))
}

/// What counts as a topic.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Messages of the smallest topic; 5 unless given.
    #[param(minimum = 2, maximum = 1000)]
    least: Option<usize>,
}

/// A message of a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicExample {
    message: MessageId,
    /// How it begins, masked.
    text: String,
}

/// Messages that belong together and have no intent.
#[derive(Serialize, ToSchema)]
pub(super) struct Topic {
    /// How many messages.
    size: usize,
    /// How near they are to their middle, as a mean (a cosine).
    #[schema(minimum = -1, maximum = 1)]
    cohesion: f32,
    /// Words that set them apart, the most telling first.
    words: Vec<String>,
    /// Those nearest to the middle.
    examples: Vec<TopicExample>,
}

/// Topics, the largest first.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicList {
    items: Vec<Topic>,
    /// There is one page only.
    #[schema(required)]
    next: Option<String>,
    /// Messages without an intent that were looked at.
    messages: usize,
}

/// Finds topics that the taxonomy lacks
///
/// Groups among the newest 1,000 messages that the intent head abstained from.
#[utoipa::path(
    get,
    path = "/topics",
    operation_id = "list_topics",
    tag = "Learning",
    params(Wanted),
    security(("key" = ["read"])),
    responses(
        (status = 200, description = "Topics, the largest first.", body = TopicList),
        (status = 400, description = "bad_query: `least` is not 2 to 1000"),
    ),
)]
pub(super) async fn topics(
    State(app): State<App>,
    caller: Caller,
    asked: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<TopicList>, Problem> {
    caller.need("read")?;
    let wrong = || Problem::bad_request("bad_query", "least: expected 2 to 1000");
    let Query(asked) = asked.map_err(|_| wrong())?;
    let usual = Options { newest: NEWEST, ..Options::default() };
    let least = asked.least.unwrap_or(usual.least);
    if !(2..=1000).contains(&least) {
        return Err(wrong());
    }
    let found = topics::discover(&app.store, caller.tenant(), Options { least, ..usual }).await?;
    let topic = |t: topics::Topic| Topic {
        size: t.size,
        cohesion: t.cohesion,
        words: t.words,
        examples: t
            .examples
            .into_iter()
            .map(|e| TopicExample { message: e.message, text: e.text })
            .collect(),
    };
    let items = found.found.into_iter().map(topic).collect();
    Ok(Json(TopicList { items, next: None, messages: found.messages }))
}
