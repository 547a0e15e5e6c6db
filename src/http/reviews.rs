//! `/v1/reviews`: the queue by API. Acting on it needs a key that belongs to a person.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, read_json};
use crate::domain::approval::Digest;
use crate::domain::ids::{Micros, ReviewId, TenantId, UserId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::domain::review::State as Stand;
use crate::pipeline::answer::StoredDetail;
use crate::pipeline::threads;
use crate::review::actions::Written;
use crate::review::content;
use crate::store::review::{self, Filter, Review};
use crate::store::{self, draft};

/// Filters of the list.
#[derive(Deserialize)]
pub struct Wanted {
    state: Option<String>,
    snoozed: Option<bool>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/reviews`.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(w): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
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
    let limit = w.limit.unwrap_or(50).clamp(1, 200);
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
    let items: Vec<Value> = all.iter().map(summary).collect();
    Ok(Json(json!({"items": items, "next": next})))
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
        .ok_or_else(|| Problem::bad_request("bad_cursor", "cursor: not one of ours"))
}

fn summary(r: &Review) -> Value {
    json!({
        "id": r.id, "thread": r.thread, "message": r.message, "state": r.state,
        "revision": r.revision, "draft_revision": r.draft_revision, "attention": r.attention,
        "no_match_reason": r.no_match_reason, "outcome": r.outcome, "priority": r.priority,
        "claimed_by": r.claimed_by, "claim_until": r.claim_until.map(|t| t.rfc3339()),
        "assigned_to": r.assigned_to, "snoozed_until": r.snoozed_until.map(|t| t.rfc3339()),
        "hold_until": r.hold_until.map(|t| t.rfc3339()),
        "created_at": r.created_at.rfc3339(), "updated_at": r.updated_at.rfc3339(),
    })
}

async fn whole(app: &App, c: &mut AnyConnection, t: &TenantId, r: &Review) -> store::Result<Value> {
    let numbering = threads::numbering(c, t, &r.thread).await?;
    let s = content::signable(&app.store, c, t, r).await?;
    let d = draft::get(c, t, &r.draft, r.draft_revision).await?;
    let detail: StoredDetail = serde_json::from_str(&d.detail)?;
    let mut v = summary(r);
    if let Some(o) = v.as_object_mut() {
        o.insert("digest".into(), json!(s.digest));
        o.insert("draft".into(), json!({
            "author": d.author,
            "text": rendered(&d.body, &numbering),
            "subject": rendered(&s.content.subject, &numbering),
            "tone": detail.tone,
            "language": detail.language,
            "grounding": detail.grounding,
            "sentences": detail.sentences.iter().map(|x| json!({
                "text": rendered(&x.text, &numbering), "citations": x.citations,
                "verdict": x.verdict, "score": x.score,
            })).collect::<Vec<_>>(),
            "unanswered": detail.unanswered.iter().map(|x| rendered(x, &numbering)).collect::<Vec<_>>(),
            "alternatives": detail.alternatives.iter().map(|x| rendered(x, &numbering)).collect::<Vec<_>>(),
        }));
    }
    Ok(v)
}

fn rendered(stored: &str, numbering: &Numbering) -> String {
    MaskedText::from_store(stored.to_owned()).render(numbering).into_string()
}

/// `GET /v1/reviews/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let wanted: ReviewId = id("review", &path)?;
    let mut c = app.store.db.read().await?;
    let r = review::get(&mut c, caller.tenant(), &wanted).await?;
    Ok(Json(whole(&app, &mut c, caller.tenant(), &r).await?))
}

/// `GET /v1/reviews/{id}/evidence`: the passages as they were when the draft was made.
pub async fn evidence(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let wanted: ReviewId = id("review", &path)?;
    let mut c = app.store.db.read().await?;
    let r = review::get(&mut c, caller.tenant(), &wanted).await?;
    let d = draft::get(&mut c, caller.tenant(), &r.draft, r.draft_revision).await?;
    let passages: Value = serde_json::from_str(&d.passages).map_err(store::Error::from)?;
    Ok(Json(
        json!({"review": r.id, "draft": d.id, "prompt_hash": d.prompt_hash, "passages": passages}),
    ))
}

/// The body of an action; each action reads what it needs.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Act {
    digest: Option<String>,
    revision: Option<i64>,
    text: Option<String>,
    subject: Option<String>,
    reason: Option<String>,
    until: Option<String>,
    to: Option<UserId>,
    arrived: Option<bool>,
    approve: bool,
}

fn missing(field: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "field_missing", format!("`{field}` is needed"))
}

/// `POST /v1/reviews/{id}/{action}`.
pub async fn act(
    State(app): State<App>,
    caller: Caller,
    Path((path, action)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = caller.reviewer(&app).await?;
    let id: ReviewId = id("review", &path)?;
    let a: Act = if body.is_empty() { Act::default() } else { read_json(&body)? };
    let reason = a.reason.as_deref().unwrap_or_default();
    let desk = &app.desk;
    let r = match action.as_str() {
        "claim" => desk.claim(&who, &id).await?,
        "release" => desk.release(&who, &id).await?,
        "approve" => {
            let seen = a.digest.as_deref().ok_or_else(|| missing("digest"))?;
            let seen: Digest = seen.parse().map_err(|e| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_digest", format!("{e}"))
            })?;
            desk.approve(&who, &id, &seen).await?
        }
        "edit" | "respond" => {
            let text = a.text.as_deref().ok_or_else(|| missing("text"))?;
            let revision = a.revision.ok_or_else(|| missing("revision"))?;
            let written = Written { text, subject: a.subject.as_deref() };
            desk.edit(&who, &id, revision, &written, a.approve).await?
        }
        "reject" => desk.reject(&who, &id, reason).await?,
        "escalate" => desk.escalate(&who, &id, reason).await?,
        "snooze" => {
            let until = a.until.as_deref().ok_or_else(|| missing("until"))?;
            let until = Micros::parse(until).ok_or_else(|| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_time", "until: not a time")
            })?;
            desk.snooze(&who, &id, until).await?
        }
        "assign" => desk.assign(&who, &id, a.to).await?,
        "undo" => desk.undo(&who, &id).await?,
        "settle" => desk.settle(&who, &id, a.arrived.ok_or_else(|| missing("arrived"))?).await?,
        _ => return Err(Problem::not_found("action")),
    };
    app.wake.notify_one();
    let mut c = app.store.db.read().await?;
    Ok(Json(whole(&app, &mut c, &who.tenant, &r).await?))
}
