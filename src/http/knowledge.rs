//! `/v1/knowledge`: published articles.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::problem::Problem;
use super::threads::{Page, foreign_cursor, items_of_page};
use super::{App, id, read_json};
use crate::domain::ids::ArticleId;
use crate::knowledge::{self, Document};
use crate::pipeline::retrieve;
use crate::store::article;

/// An article to add, or to put in the place of the one of the same source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewArticle)]
pub(super) struct New {
    /// Its title; taken from the text or the source unless given.
    title: Option<String>,
    /// Where it comes from: a path or URL.
    #[schema(min_length = 1, max_length = 500)]
    source: String,
    /// At most 2 MiB.
    #[schema(min_length = 1)]
    text: String,
    #[serde(default)]
    format: knowledge::Format,
}

/// What came of an article.
#[derive(Serialize, ToSchema)]
pub(super) struct ArticlePut {
    id: ArticleId,
    /// Whether it is new or another than before.
    changed: bool,
}

/// An article in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ArticleSummary {
    id: ArticleId,
    title: String,
    source: String,
    /// ISO 639-1, or `und`.
    language: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Articles, by id.
#[derive(Serialize, ToSchema)]
pub(super) struct ArticleList {
    items: Vec<ArticleSummary>,
    /// For the next page's `cursor`; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// An article.
#[derive(Serialize, ToSchema)]
pub(super) struct ArticleView {
    id: ArticleId,
    title: String,
    source: String,
    /// ISO 639-1, or `und`.
    language: String,
    /// Plain text.
    text: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Adds or replaces an article
///
/// The same `source` replaces.
#[utoipa::path(
    post,
    path = "/knowledge",
    operation_id = "put_article",
    tag = "Knowledge",
    security(("key" = ["knowledge"])),
    request_body(content = New, example = json!({"source": "returns.md", "title": "Returns",
        "text": "You can return any unworn item within 30 days of delivery.", "format": "markdown"})),
    responses(
        (status = 201, description = "New or changed.", body = ArticlePut,
            example = json!({"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e12", "changed": true})),
        (status = 200, description = "It was there before, unchanged.", body = ArticlePut,
            example = json!({"id": "0193f1b0-5b7e-7cc1-9d43-2f6f4c0a1e12", "changed": false})),
        (status = 422, description = "bad_article: it is empty or larger than 2 MiB, or `source` is not 1 to 500 characters"),
    ),
)]
pub(super) async fn create(
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
    Ok((status, Json(ArticlePut { id, changed })).into_response())
}

/// Lists articles
#[utoipa::path(
    get,
    path = "/knowledge",
    operation_id = "list_articles",
    tag = "Knowledge",
    params(Page),
    security(("key" = ["read"])),
    responses(
        (status = 200, description = "A page of articles.", body = ArticleList),
        (status = 400, description = "bad_cursor: the cursor is none of ours\nbad_limit: the limit is not 1 to 200"),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<ArticleList>, Problem> {
    caller.need("read")?;
    let limit = items_of_page(page.limit)?;
    let after = page.cursor.as_deref().map(str::parse::<ArticleId>).transpose();
    let after = after.map_err(|_| foreign_cursor())?;
    let after = after.as_ref().map_or("", ArticleId::as_str);
    let mut c = app.store.db.read().await?;
    let all = article::page(&mut c, caller.tenant(), after, limit).await?;
    let more = i64::try_from(all.len()).unwrap_or(0) == limit;
    let next = all.last().filter(|_| more).map(|a| a.id.to_string());
    let items = all.into_iter().map(|a| ArticleSummary {
        id: a.id,
        title: a.title,
        source: a.source,
        language: a.language,
        updated_at: a.updated_at.rfc3339(),
    });
    Ok(Json(ArticleList { items: items.collect(), next }))
}

/// Shows an article
#[utoipa::path(
    get,
    path = "/knowledge/{id}",
    operation_id = "get_article",
    tag = "Knowledge",
    params(("id" = ArticleId, Path, description = "The article.")),
    security(("key" = ["read"])),
    responses((status = 200, description = "The article.", body = ArticleView)),
)]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<ArticleView>, Problem> {
    caller.need("read")?;
    let wanted: ArticleId = id("article", &path)?;
    let mut c = app.store.db.read().await?;
    let a = article::get(&mut c, caller.tenant(), &wanted).await?;
    Ok(Json(ArticleView {
        id: a.id,
        title: a.title,
        source: a.source,
        language: a.language,
        text: a.body,
        updated_at: a.updated_at.rfc3339(),
    }))
}

/// Removes an article
#[utoipa::path(
    delete,
    path = "/knowledge/{id}",
    operation_id = "delete_article",
    tag = "Knowledge",
    params(("id" = ArticleId, Path, description = "The article.")),
    security(("key" = ["knowledge"])),
    responses((status = 204, description = "Removed.")),
)]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("knowledge")?;
    let wanted: ArticleId = id("article", &path)?;
    knowledge::remove(&app.store, caller.tenant(), &caller.actor(), &wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to search for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// A question or some words.
    q: String,
    /// 1 to 50; 10 by default.
    limit: Option<i64>,
}

/// Longest query, in bytes.
const LONGEST: usize = 4000;

/// Searches articles
///
/// Passages of published articles, best first. Personal data in the query is masked before anything is
/// looked up.
#[utoipa::path(
    get,
    path = "/knowledge/search",
    operation_id = "search_knowledge",
    tag = "Knowledge",
    params(Search),
    responses(
        (status = 200, description = "`items` of `{article, title, text, score, dense, lexical}`; `next` is null.", body = Object),
        (status = 400, description = "bad_query: `q` is missing, empty or longer than 4,000 bytes, or `limit` is no number"),
    ),
)]
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let bad = |why: &str| Problem::bad_request("bad_query", why);
    let Query(s) = query.map_err(|_| bad("expected `q`, and `limit` as a number"))?;
    if s.q.trim().is_empty() || s.q.len() > LONGEST {
        return Err(bad("q: 1 to 4,000 bytes"));
    }
    let k = usize::try_from(s.limit.unwrap_or(10).clamp(1, 50)).unwrap_or(10);
    let found = retrieve::ask(&app.pipeline, caller.tenant(), &s.q, k).await?;
    let items: Vec<Value> = found
        .iter()
        .map(|f| {
            json!({"article": f.hit.source, "title": f.title, "text": f.text.as_str(),
                "score": f.hit.score, "dense": f.hit.dense, "lexical": f.hit.lexical})
        })
        .collect();
    Ok(Json(json!({"items": items, "next": null})))
}
