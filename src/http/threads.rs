//! `/v1/threads`: conversations with their messages, masked.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, messages};
use crate::domain::ids::{Micros, ThreadId};
use crate::domain::masking::MaskedText;
use crate::pipeline::threads;
use crate::store::{message, review, thread};

/// Paging of a list.
#[derive(Deserialize)]
pub struct Page {
    /// The `next` of the page before.
    pub(super) cursor: Option<String>,
    /// 1–200; 50 unless given.
    pub(super) limit: Option<i64>,
}

/// `GET /v1/threads`.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let limit = page.limit.unwrap_or(50).clamp(1, 200);
    let foreign = || Problem::bad_request("bad_cursor", "cursor: not one of ours");
    // Threads of the same instant are told apart by their ids.
    let (before, before_id) = match page.cursor.as_deref() {
        None => (Micros(i64::MAX), ""),
        Some(s) => {
            let (at, id) = s.split_once('.').ok_or_else(foreign)?;
            (Micros(at.parse().map_err(|_| foreign())?), id)
        }
    };
    let mut c = app.store.db.read().await?;
    let all = thread::list(&mut c, caller.tenant(), (before, before_id), limit).await?;
    let more = i64::try_from(all.len()).unwrap_or(0) == limit;
    let next = all.last().filter(|_| more).map(|t| format!("{}.{}", t.last_at.0, t.id));
    let mut items = Vec::with_capacity(all.len());
    for t in &all {
        let numbering = threads::numbering(&mut c, caller.tenant(), &t.id).await?;
        let subject = MaskedText::from_store(t.subject_masked.clone().unwrap_or_default());
        items.push(json!({"id": t.id, "channel": t.channel, "last_at": t.last_at.rfc3339(),
            "subject": subject.render(&numbering).into_string()}));
    }
    Ok(Json(json!({"items": items, "next": next})))
}

/// `GET /v1/threads/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let wanted: ThreadId = id("thread", &path)?;
    let mut c = app.store.db.read().await?;
    let t = thread::get(&mut c, caller.tenant(), &wanted).await?;
    let numbering = threads::numbering(&mut c, caller.tenant(), &t.id).await?;
    let mut all = Vec::new();
    for m in message::of_thread(&mut c, caller.tenant(), &t.id).await? {
        all.push(messages::view(&app.store, &mut c, caller.tenant(), &m, &numbering).await?);
    }
    let reviews: Vec<Value> = review::of_thread(&mut c, caller.tenant(), &t.id)
        .await?
        .iter()
        .map(|r| json!({"id": r.id, "state": r.state}))
        .collect();
    Ok(Json(json!({"id": t.id, "channel": t.channel, "related": t.related,
        "created_at": t.created_at.rfc3339(), "last_at": t.last_at.rfc3339(),
        "messages": all, "reviews": reviews})))
}
