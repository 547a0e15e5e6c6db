//! `/v1/messages`: in by API, and what became of a message. Answers hold ids and masked text.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sqlx::AnyConnection;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, id, read_json};
use crate::domain::audit::Actor;
use crate::domain::ids::{MessageId, Slug, TenantId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::domain::message::{NewMessage, Raw};
use crate::intake::{Accepted, Request};
use crate::pipeline::{threads, understand};
use crate::receive;
use crate::store::channel::{self, Channel};
use crate::store::hook::{self, Delivery};
use crate::store::message::{self, Message, Receipt};
use crate::store::{self, Store, Tx, tenant as tenants};

/// `POST /v1/messages`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("ingest")?;
    let m: NewMessage = read_json(&body)?;
    let channel = named(&app, caller.tenant(), m.channel.as_deref()).await?;
    take(&app, caller.tenant(), &channel, m, caller.actor(), None).await
}

/// Refuses what comes in on a channel that is switched off. Deletions aren't refused: losing one would
/// keep what a customer took back.
///
/// # Errors
/// 409.
pub fn switched_on(channel: &Channel) -> Result<(), Problem> {
    if !channel.disabled {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "channel_disabled",
        "this channel is switched off: nothing was taken",
    ))
}

/// The channel of a slug.
///
/// # Errors
/// 422 when there is none of that name, 409 when it is switched off.
pub async fn named(app: &App, tenant: &TenantId, slug: Option<&str>) -> Result<Channel, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_channel",
            "there is no channel of this name",
        )
    };
    let slug: Slug = slug.and_then(|s| s.parse().ok()).ok_or_else(unknown)?;
    let mut c = app.store.db.read().await?;
    let channel = channel::by_slug(&app.store, &mut c, tenant, &slug).await?.ok_or_else(unknown)?;
    switched_on(&channel)?;
    Ok(channel)
}

/// Hands a message to the intake and says what came of it: 202 new, 200 known, 409 taken.
///
/// # Errors
/// Refusals and store errors.
pub async fn take(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    m: NewMessage,
    actor: Actor,
    webhook: Option<Delivery>,
) -> Result<Response, Problem> {
    // Only a whole mail takes long enough to be read beside the other tasks of this thread.
    let long = m.eml_b64.is_some();
    let read = || receive::json(m, &app.config.ingest);
    let incoming = if long { crate::pipeline::blocking(read)? } else { read()? };
    let prepared = receive::prepare(&app.store, tenant, channel, incoming)?;
    let request = Request { tenant: tenant.clone(), message: prepared, actor, webhook };
    match app.intake.accept(request).await? {
        Accepted::WebhookDiffers => Err(Problem::new(
            StatusCode::CONFLICT,
            "webhook_conflict",
            "this webhook-id was delivered before with another body",
        )),
        Accepted::Message(Receipt::New(id)) => Ok(answer(StatusCode::ACCEPTED, &id, "received")),
        Accepted::Message(Receipt::Duplicate(id)) => Ok(answer(StatusCode::OK, &id, "duplicate")),
        Accepted::Message(Receipt::Conflict(id)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "message_conflict",
            "this external id was delivered before with another body; edits go to PATCH",
        )
        .with("id", id.as_str())),
    }
}

fn answer(status: StatusCode, id: &MessageId, result: &str) -> Response {
    (status, Json(json!({"id": id, "result": result}))).into_response()
}

/// `GET /v1/messages/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.need("read")?;
    let mut c = app.store.db.read().await?;
    let m = message::get(&mut c, caller.tenant(), &id("message", &path)?).await?;
    let numbering = match &m.thread {
        Some(t) => threads::numbering(&mut c, caller.tenant(), t).await?,
        None => Numbering::new(),
    };
    Ok(Json(view(&app.store, &mut c, caller.tenant(), &m, &numbering).await?))
}

/// `PATCH /v1/messages/{id}`: the platform reports that the customer edited it.
pub async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("ingest")?;
    let id: MessageId = id("message", &path)?;
    let m: NewMessage = read_json(&body)?;
    let (tenant, now) = (caller.tenant(), app.store.host.now());
    let mut tx = app.store.db.begin().await?;
    tenants::lock(&mut tx, tenant).await?;
    let row = message::get(&mut tx, tenant, &id).await?;
    switched_on(&channel::get(&app.store, &mut tx, tenant, &row.channel).await?)?;
    // A webhook's older edit that arrives after this one is outdated.
    hook::is_newest(&mut tx, tenant, &id, now).await?;
    edit_in(&app, &mut tx, tenant, &id, m, &caller.actor()).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(answer(StatusCode::ACCEPTED, &id, "edited"))
}

/// Replaces a message's text in the caller's transaction, which holds the tenant's lock; sender,
/// references and ids stay as they were received.
///
/// # Errors
/// 404, 422.
pub async fn edit_in(
    app: &App,
    tx: &mut Tx,
    tenant: &TenantId,
    id: &MessageId,
    change: NewMessage,
    actor: &Actor,
) -> Result<(), Problem> {
    let old = message::raw(&app.store, tx, tenant, id).await?;
    let raw = match old.raw {
        Raw::Json(mut m) => {
            m.text = change.text;
            m.html = change.html;
            m.subject = change.subject.or(m.subject);
            Raw::Json(Box::new(receive_edited(*m, app)?))
        }
        Raw::Mime { .. } => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not_editable",
                "a mail can't be edited after it was sent",
            ));
        }
    };
    Ok(understand::edit_in(&app.store, tx, tenant, id, &raw, actor).await?)
}

fn receive_edited(m: NewMessage, app: &App) -> Result<NewMessage, Problem> {
    receive::json(m.clone(), &app.config.ingest)?;
    Ok(m)
}

/// `DELETE /v1/messages/{id}`: the platform reports that it was deleted.
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("ingest")?;
    let id: MessageId = id("message", &path)?;
    understand::delete(&app.store, caller.tenant(), &id, &caller.actor()).await?;
    app.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// A message as the API shows it: masked text, rendered.
///
/// # Errors
/// Store errors.
pub async fn view(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    m: &Message,
    numbering: &Numbering,
) -> store::Result<Value> {
    let text = |stored: &Option<String>| {
        stored.clone().map(|s| MaskedText::from_store(s).render(numbering).into_string())
    };
    let files = message::attachments(store, c, tenant, m).await?;
    let analysis = message::analysis(c, tenant, &m.id).await?;
    Ok(json!({
        "id": m.id,
        "channel": m.channel,
        "thread": m.thread,
        "parent": m.parent,
        "direction": m.direction,
        "state": m.state,
        "revision": m.revision,
        "received_at": m.received_at.rfc3339(),
        "sent_at": m.sent_at.map(|t| t.rfc3339()),
        "sender": text(&m.sender),
        "subject": text(&m.subject_masked),
        "text": text(&m.visible),
        "quoted": text(&m.quoted),
        "signature": text(&m.signature),
        "auto": m.auto,
        "oddities": m.oddities,
        "attachments": files.iter().map(|f| json!({
            "type": f.content_type, "size": f.size, "hash": f.hash,
            "allowed": f.allowed, "reason": f.reason,
        })).collect::<Vec<_>>(),
        "analysis": analysis,
    }))
}
