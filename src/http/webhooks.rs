//! `/v1/webhooks`: endpoints that events are posted to. A secret is shown once, in the answer that
//! made it; of a URL only the host is shown again, as the rest may hold a token.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::Problem;
use super::threads::{Page, foreign_cursor, items_of_page};
use super::{App, id, read_json};
use crate::adapters::{ssrf, standard_webhooks};
use crate::domain::event::EventKind;
use crate::domain::ids::{EndpointId, EventId, Micros, TenantId};
use crate::store::webhook::{self, Delivery, Endpoint};
use crate::store::{self, Tx, audit, event};

/// Most endpoints of a tenant.
const MOST: usize = 20;
/// Longest URL, in bytes.
const LONGEST: usize = 2000;

/// The body of `POST /v1/webhooks`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where to post: http or https, a public address.
    url: String,
    /// Types of events; all if it is left out or empty.
    #[serde(default)]
    events: Vec<String>,
}

/// The body of `PATCH /v1/webhooks/{id}`; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookChange {
    /// Where to post.
    url: Option<String>,
    /// Types of events; an empty list for all.
    events: Option<Vec<String>>,
    /// Switch it on or off.
    enabled: Option<bool>,
    /// Make a new secret. The one before signs too until the next change of this kind.
    rotate_secret: bool,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct Webhook {
    id: EndpointId,
    /// Scheme, host and port.
    host: String,
    /// Types of events; empty for all.
    events: Vec<String>,
    enabled: bool,
    /// `gone` (it answered 410), `failing` (for too long) or `by_hand`.
    #[schema(required)]
    disabled_reason: Option<String>,
    #[schema(required, format = DateTime)]
    disabled_at: Option<String>,
    /// Failures in a row.
    failures: i64,
    #[schema(required, format = DateTime)]
    failing_since: Option<String>,
    /// After no answer, 408, 425, 429 or 5xx: nothing is posted before then.
    #[schema(required, format = DateTime)]
    rest_until: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// The signing secret; in the answer that made it, nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// Webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    items: Vec<Webhook>,
    /// There is one page only.
    #[schema(required)]
    next: Option<String>,
}

/// An event that is on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventRef {
    event: EventId,
}

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    event: EventId,
    /// The event's number.
    seq: i64,
    /// The event's type.
    #[serde(rename = "type")]
    kind: String,
    /// `pending`, `delivered`, `failed` or `dropped`.
    #[schema(pattern = "^(pending|delivered|failed|dropped)$")]
    state: String,
    /// So far.
    attempts: i64,
    /// When it is tried again.
    #[schema(required, format = DateTime)]
    next_at: Option<String>,
    /// Of the last answer.
    #[schema(required)]
    status: Option<i64>,
    /// Why the last attempt failed.
    #[schema(required)]
    error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    #[schema(required)]
    took_ms: Option<i64>,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    items: Vec<DeliveryView>,
    /// For the next page's `cursor`; null at the end.
    #[schema(required)]
    next: Option<String>,
}

impl Webhook {
    fn of(e: &Endpoint, secret: Option<String>) -> Self {
        let host = e.url.parse::<url::Url>().map(|u| u.origin().ascii_serialization());
        Self {
            id: e.id.clone(),
            host: host.unwrap_or_default(),
            events: e.kinds.iter().map(|k| k.as_str().to_owned()).collect(),
            enabled: e.disabled.is_none(),
            disabled_reason: e.disabled.as_ref().map(|d| d.1.clone()),
            disabled_at: e.disabled.as_ref().map(|d| d.0.rfc3339()),
            failures: e.failures,
            failing_since: e.failing_since.map(Micros::rfc3339),
            rest_until: e.rest_until.map(Micros::rfc3339),
            created_at: e.created_at.rfc3339(),
            secret,
        }
    }
}

fn unusable(code: &'static str, why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, why)
}

fn kinds(names: &[String]) -> Result<Vec<EventKind>, Problem> {
    let all: Result<Vec<EventKind>, _> = names.iter().map(|n| n.parse()).collect();
    all.map_err(|e: crate::domain::event::UnknownKind| unusable("bad_event_type", e.to_string()))
}

fn address(app: &App, url: &str) -> Result<String, Problem> {
    let wrong = |why: String| unusable("bad_url", format!("url: {why}"));
    if url.len() > LONGEST {
        return Err(wrong(format!("it is longer than {LONGEST} bytes")));
    }
    let parsed: url::Url = url.parse().map_err(|_| wrong("not a URL".to_owned()))?;
    ssrf::check(&parsed, app.config.send.allow_private_addresses)
        .map_err(|e| wrong(e.to_string()))?;
    Ok(parsed.to_string())
}

async fn log(
    app: &App,
    tx: &mut Tx,
    caller: &Caller,
    action: &str,
    id: &EndpointId,
    detail: Value,
) -> store::Result<()> {
    let object = format!("webhook:{id}");
    audit::append(&app.store, tx, caller.tenant(), &caller.actor(), action, object, detail).await
}

/// Makes a webhook
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/webhooks",
    operation_id = "create_webhook",
    tag = "Webhooks out",
    security(("key" = ["webhooks"])),
    request_body(content = NewWebhook, example = json!({"url": "https://inbox.example/hook", "events": ["review.created"]})),
    responses(
        (status = 201, description = "Made.", body = Webhook),
        (status = 422, description = "bad_url: `url` is not one that may be posted to\nbad_event_type: `events` names no event\ntoo_many_webhooks: there are 20 already"),
    ),
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.need("webhooks")?;
    let new: NewWebhook = read_json(&body)?;
    let (url, wanted) = (address(&app, &new.url)?, kinds(&new.events)?);
    let t = caller.tenant();
    let mut tx = app.store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    if webhook::list(&app.store, &mut tx, t).await?.len() >= MOST {
        return Err(unusable("too_many_webhooks", format!("there are {MOST} already")));
    }
    let secret = standard_webhooks::new_secret(&*app.store.host);
    let e = webhook::create(&app.store, &mut tx, t, &url, &wanted, &secret).await?;
    log(&app, &mut tx, &caller, "webhook.created", &e.id, json!({"events": wanted})).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Webhook::of(&e, Some(secret)))).into_response())
}

/// Lists webhooks
#[utoipa::path(
    get,
    path = "/webhooks",
    operation_id = "list_webhooks",
    tag = "Webhooks out",
    security(("key" = ["webhooks"])),
    responses(
        (status = 200, description = "All of them.", body = WebhookList),
    ),
)]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<WebhookList>, Problem> {
    caller.need("webhooks")?;
    let mut c = app.store.db.read().await?;
    let all = webhook::list(&app.store, &mut c, caller.tenant()).await?;
    let items: Vec<Webhook> = all.iter().map(|e| Webhook::of(e, None)).collect();
    Ok(Json(WebhookList { items, next: None }))
}

/// Shows a webhook
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    operation_id = "get_webhook",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook.")),
    security(("key" = ["webhooks"])),
    responses(
        (status = 200, description = "The webhook.", body = Webhook),
    ),
)]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Webhook>, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let mut c = app.store.db.read().await?;
    let e = webhook::get(&app.store, &mut c, caller.tenant(), &wanted).await?;
    Ok(Json(Webhook::of(&e, None)))
}

/// Changes a webhook
///
/// Switches it on or off, rotates its secret. What is left out stays.
#[utoipa::path(
    patch,
    path = "/webhooks/{id}",
    operation_id = "change_webhook",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook.")),
    security(("key" = ["webhooks"])),
    request_body(content = WebhookChange, example = json!({"events": []})),
    responses(
        (status = 200, description = "As it is now; with `secret` if a new one was made.", body = Webhook),
        (status = 422, description = "bad_url: `url` is not one that may be posted to\nbad_event_type: `events` names no event"),
    ),
)]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    body: Bytes,
) -> Result<Json<Webhook>, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let w: WebhookChange = read_json(&body)?;
    let t = caller.tenant();
    let mut tx = app.store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    let now = app.store.db.now(&mut tx).await?;
    let mut e = webhook::get(&app.store, &mut tx, t, &wanted).await?;
    if let Some(url) = &w.url {
        e.url = address(&app, url)?;
        e.revive();
    }
    if let Some(names) = &w.events {
        e.kinds = kinds(names)?;
    }
    match w.enabled {
        Some(true) => {
            e.disabled = None;
            e.revive();
        }
        Some(false) if e.disabled.is_none() => {
            e.disabled = Some((now, "by_hand".to_owned()));
            webhook::drop_pending(&app.store, &mut tx, t, &e.id).await?;
        }
        _ => {}
    }
    let secret = w.rotate_secret.then(|| standard_webhooks::new_secret(&*app.store.host));
    if let Some(s) = &secret {
        e.secrets.insert(0, s.clone());
        e.secrets.truncate(2);
    }
    webhook::update(&app.store, &mut tx, t, &e).await?;
    if e.disabled.is_none() && (w.url.is_some() || w.enabled == Some(true)) {
        webhook::hurry(&app.store, &mut tx, t, &e.id, now).await?;
    }
    let detail = json!({"url": w.url.is_some(), "events": e.kinds, "enabled": w.enabled,
        "rotated": secret.is_some()});
    log(&app, &mut tx, &caller, "webhook.changed", &e.id, detail).await?;
    tx.commit().await?;
    Ok(Json(Webhook::of(&e, secret)))
}

/// Removes a webhook
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    operation_id = "delete_webhook",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook.")),
    security(("key" = ["webhooks"])),
    responses(
        (status = 204, description = "Removed."),
    ),
)]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let mut tx = app.store.db.begin().await?;
    event::lock(&mut tx, caller.tenant()).await?;
    webhook::delete(&mut tx, caller.tenant(), &wanted).await?;
    log(&app, &mut tx, &caller, "webhook.deleted", &wanted, json!({})).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test event
#[utoipa::path(
    post,
    path = "/webhooks/{id}/test",
    operation_id = "test_webhook",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook.")),
    security(("key" = ["webhooks"])),
    responses(
        (status = 202, description = "On its way: find it among the deliveries.", body = EventRef),
        (status = 409, description = "webhook_disabled: the webhook is switched off"),
    ),
)]
pub async fn test(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let t = caller.tenant();
    let mut tx = app.store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    let e = stirred(&app, &mut tx, t, &wanted).await?;
    let (kind, object) = (EventKind::WebhookTest, format!("webhook:{}", e.id));
    let data = json!({"webhook": e.id});
    let event = event::append(&app.store, &mut tx, t, kind, object, &data).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(EventRef { event })).into_response())
}

/// An endpoint that somebody wants to see something posted to now: it isn't left alone any longer. How it has
/// failed so far still counts.
async fn stirred(
    app: &App,
    tx: &mut Tx,
    tenant: &TenantId,
    id: &EndpointId,
) -> Result<Endpoint, Problem> {
    let mut e = webhook::get(&app.store, tx, tenant, id).await?;
    if e.disabled.is_some() {
        let why = "this webhook is switched off: switch it on by PATCH {\"enabled\": true}";
        return Err(Problem::new(StatusCode::CONFLICT, "webhook_disabled", why));
    }
    if e.rest_until.take().is_some() {
        webhook::update(&app.store, tx, tenant, &e).await?;
    }
    Ok(e)
}

fn entry(d: Delivery) -> DeliveryView {
    let waits = d.state == "pending";
    DeliveryView {
        event: d.event,
        seq: d.seq,
        kind: d.kind.as_str().to_owned(),
        state: d.state,
        attempts: d.attempts,
        next_at: waits.then(|| d.next_at.rfc3339()),
        status: d.status,
        error: d.error,
        took_ms: d.took_ms,
        updated_at: d.updated_at.rfc3339(),
    }
}

/// Lists deliveries
///
/// What became of each, newest first.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/deliveries",
    operation_id = "list_webhook_deliveries",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook."), Page),
    security(("key" = ["webhooks"])),
    responses(
        (status = 200, description = "A page of deliveries.", body = DeliveryList),
        (status = 400, description = "bad_cursor: the cursor is none of ours\nbad_limit: the limit is not 1 to 200"),
    ),
)]
pub async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<DeliveryList>, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let limit = items_of_page(page.limit)?;
    let below = match page.cursor.as_deref() {
        None => i64::MAX,
        Some(c) => c.parse().map_err(|_| foreign_cursor())?,
    };
    let mut c = app.store.db.read().await?;
    let e = webhook::get(&app.store, &mut c, caller.tenant(), &wanted).await?;
    let all = webhook::log(&mut c, caller.tenant(), &e.id, below, limit).await?;
    let full = i64::try_from(all.len()).is_ok_and(|n| n == limit);
    let next = all.last().filter(|_| full).map(|d| d.seq.to_string());
    Ok(Json(DeliveryList { items: all.into_iter().map(entry).collect(), next }))
}

/// Delivers once more
///
/// Under the same id.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/deliveries/{event}/redeliver",
    operation_id = "redeliver_webhook",
    tag = "Webhooks out",
    params(("id" = EndpointId, Path, description = "The webhook."), ("event" = EventId, Path, description = "The event.")),
    security(("key" = ["webhooks"])),
    responses(
        (status = 202, description = "On its way.", body = EventRef),
        (status = 409, description = "webhook_disabled: the webhook is switched off"),
    ),
)]
pub async fn redeliver(
    State(app): State<App>,
    caller: Caller,
    Path((path, which)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need("webhooks")?;
    let wanted: EndpointId = id("webhook", &path)?;
    let which: EventId = id("delivery", &which)?;
    let t = caller.tenant();
    let mut tx = app.store.db.begin().await?;
    event::lock(&mut tx, t).await?;
    let e = stirred(&app, &mut tx, t, &wanted).await?;
    let now = app.store.db.now(&mut tx).await?;
    webhook::again(&app.store, &mut tx, t, &e.id, &which, now).await?;
    webhook::wake(&app.store, &mut tx, t, &e.id, now).await?;
    log(&app, &mut tx, &caller, "webhook.redelivered", &e.id, json!({"event": which})).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(EventRef { event: which })).into_response())
}
