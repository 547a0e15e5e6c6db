//! `/v1/knowledge`: published articles.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::problem::Problem;
use super::threads::Page;
use super::{App, id, read_json};
use crate::domain::ids::ArticleId;
use crate::knowledge::{self, Document};
use crate::store::article;

/// The body of `POST /v1/knowledge`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    title: Option<String>,
    source: String,
    text: String,
    #[serde(default)]
    format: knowledge::Format,
}

/// `POST /v1/knowledge`: adds an article or replaces the one of the same source.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("knowledge")?;
    let new: New = read_json(&body)?;
    let doc =
        Document::read(&new.source, new.title.as_deref(), &new.text, new.format).map_err(|e| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_article", e.to_string())
        })?;
    let encoder = &*app.pipeline.encoder;
    let (id, changed) =
        knowledge::add(&app.store, encoder, caller.tenant(), &caller.actor(), &doc).await?;
    let status = if changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({"id": id, "changed": changed}))).into_response())
}

/// `GET /v1/knowledge`.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let limit = page.limit.unwrap_or(50).clamp(1, 200);
    let after = page.cursor.unwrap_or_default();
    let mut c = app.store.db.read().await?;
    let all = article::page(&mut c, caller.tenant(), &after, limit).await?;
    let more = i64::try_from(all.len()).unwrap_or(0) == limit;
    let next = all.last().filter(|_| more).map(|a| a.id.to_string());
    let items: Vec<Value> = all
        .iter()
        .map(|a| {
            json!({"id": a.id, "title": a.title, "source": a.source, "language": a.language,
            "updated_at": a.updated_at.rfc3339()})
        })
        .collect();
    Ok(Json(json!({"items": items, "next": next})))
}

/// `GET /v1/knowledge/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let wanted: ArticleId = id("article", &path)?;
    let mut c = app.store.db.read().await?;
    let a = article::get(&mut c, caller.tenant(), &wanted).await?;
    Ok(Json(json!({"id": a.id, "title": a.title, "source": a.source, "language": a.language,
        "text": a.body, "updated_at": a.updated_at.rfc3339()})))
}

/// `DELETE /v1/knowledge/{id}`.
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("knowledge")?;
    let wanted: ArticleId = id("article", &path)?;
    knowledge::remove(&app.store, caller.tenant(), &caller.actor(), &wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
