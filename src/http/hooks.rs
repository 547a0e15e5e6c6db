//! `POST /v1/hooks/{channel}`: the generic webhook in, signed as Standard Webhooks. What can't stand
//! (no such channel, no signature, an old timestamp) is refused before the body is read, and the
//! signature is verified over the raw bytes before anything is parsed. The path's channel is `tenant.channel`, or
//! the channel's name alone for the default tenant; what gives access is the signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::messages::{Taken, edit_in, switched_on, take};
use super::problem::Problem;
use super::{App, chatwoot, read_json};
use crate::adapters::standard_webhooks::{self as signatures, BadSignature, OURS, Presented};
use crate::domain::audit::Actor;
use crate::domain::ids::{Micros, Slug, TenantId};
use crate::domain::message::{Direction, NewMessage};
use crate::pipeline::understand;
use crate::store::channel::{self, Channel};
use crate::store::hook::{self, Delivery, Seen};
use crate::store::{message, tenant as tenants};

/// A delivery.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookPayload)]
struct Payload {
    /// `message.created`, `message.edited`, `message.deleted` or `reply.sent`.
    #[serde(rename = "type")]
    kind: String,
    /// When it happened, as the platform knows it: RFC 3339, or an epoch time as text or number.
    #[schema(value_type = Option<Value>)]
    timestamp: Option<Value>,
    /// Without `channel`.
    data: NewMessage,
}

/// Why a delivery that is signed is refused.
const REFUSED: &str = "\
unknown_type: `type` is none of the four
external_id_missing: `external_id` is needed
from_missing: `from.address` is needed
empty: there is no text, html or subject
bad_time: `sent_at` or `timestamp` is no time
bad_base64: `eml_b64` is not base64
id_too_long: an id or address is longer than 998 bytes
too_many_recipients: `to` and `cc` together have more than 200
not_editable: a mail can't be edited
bad_message_id: the mail's Message-ID is empty or too long
mail_too_large: the mail is larger than `ingest` allows
mail_headers_too_large: its headers are larger than `ingest` allows
mail_too_many_parts: it has too many parts
mail_too_deep: its parts are nested too deeply
mail_too_complex: it would take too long to read
mail_without_header: it is no mail";

/// All refusals look alike.
pub(super) fn unauthorized(e: BadSignature) -> Response {
    tracing::info!(reason = %e, "webhook refused");
    let why = "no such channel, or the signature doesn't stand";
    Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", why).into_response()
}

/// Takes a webhook in
///
/// Signed as Standard Webhooks with the channel's secret, over `id.timestamp.body`. For the default
/// tenant `channel` is the channel's name, for others `tenant.channel`.
#[utoipa::path(
    post,
    path = "/hooks/{channel}",
    operation_id = "receive_webhook",
    tag = "Webhooks in",
    params(
        ("channel" = String, Path, description = "The channel."),
        ("webhook-id" = String, Header, description = "The delivery's id, the same when it is sent again."),
        ("webhook-timestamp" = i64, Header, description = "Epoch seconds, at most 300 s off."),
        ("webhook-signature" = String, Header, description = "`v1,` and the base64 of HMAC-SHA-256; several are separated by spaces."),
    ),
    request_body(content = Payload, example = json!({"type": "message.created", "data": {
        "external_id": "m-1", "thread": "t-1", "from": {"address": "robin@example.com"},
        "text": "How long do I have to return an item?"}})),
    responses(
        (status = 202, description = "Taken; `result` is `received` or the delivery's type.", body = Taken),
        (status = 200, description = "Known already; `result` is `duplicate`, the delivery's type or `outdated`.", body = Taken),
        (status = 401, description = "bad_signature: there is no such channel, or the signature, its time or a header is wrong"),
        (status = 404, description = "not_found: there is no message of this `external_id` to edit or delete"),
        (status = 409, description = "message_conflict: this `external_id` was delivered before with another body\nwebhook_conflict: this `webhook-id` was delivered before with another body\nchannel_disabled: the channel is switched off"),
        (status = 410, description = "erased: the data of this person has been erased"),
        (status = 422, description = REFUSED),
        (status = 429, description = "busy: too many messages wait to be stored"),
    ),
)]
pub(super) async fn receive(
    State(app): State<App>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Response> {
    if request.headers().contains_key(chatwoot::SIGNATURE) {
        return chatwoot::receive(&app, &path, request).await;
    }
    let headers = request.headers().clone();
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let id = text("webhook-id");
    let (at, signatures) = (text("webhook-timestamp"), text("webhook-signature"));
    let now = app.store.host.now();
    let presented = Presented::read(id, at, signatures, now).map_err(unauthorized)?;
    if id.starts_with(OURS) {
        return Err(unauthorized(BadSignature::Reflected));
    }
    let found = find(&app, &path).await.map_err(IntoResponse::into_response)?;
    let (tenant, channel) = found.ok_or_else(|| unauthorized(BadSignature::NoSecret))?;
    let body = Bytes::from_request(request, &app).await.map_err(IntoResponse::into_response)?;
    presented.verify(&channel.secrets, &body).map_err(unauthorized)?;
    take_in(&app, &tenant, &channel, id, &body).await.map_err(IntoResponse::into_response)
}

/// Does what a delivery says whose signature stands.
async fn take_in(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    webhook_id: &str,
    body: &[u8],
) -> Result<Response, Problem> {
    let p: Payload = read_json(body)?;
    let delivery = Delivery::new(&app.store, tenant, &channel.id, webhook_id, body);
    match p.kind.as_str() {
        "message.created" | "reply.sent" => {
            switched_on(channel)?;
            let direction = if p.kind == "reply.sent" { Direction::Out } else { p.data.direction };
            let data = NewMessage { direction, ..p.data };
            take(app, tenant, channel, data, Actor::System, Some(delivery)).await
        }
        "message.edited" | "message.deleted" => change(app, tenant, channel, p, &delivery).await,
        _ => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_type",
            "type: expected message.created, message.edited, message.deleted or reply.sent",
        )),
    }
}

/// How long a channel is taken to be as it was read, in microseconds: a rotated secret or a channel
/// that was switched off takes effect within this time.
const FRESH: i64 = 1_000_000;
/// Above this many remembered channels all are forgotten.
const REMEMBERED: usize = 1000;

/// The channels that deliveries came in on lately, by path: under load the database is asked once a
/// second, not once a delivery. Paths that lead nowhere aren't remembered.
#[derive(Default)]
pub struct Doors(Mutex<HashMap<String, Door>>);

/// Whose channel it is, and when it was read.
type Door = (TenantId, Arc<Channel>, Micros);

impl Doors {
    fn get(&self, path: &str, now: Micros) -> Option<(TenantId, Arc<Channel>)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tenant, channel, at) = known.get(path)?;
        (0..FRESH).contains(&(now.0 - at.0)).then(|| (tenant.clone(), channel.clone()))
    }

    fn put(&self, path: &str, tenant: &TenantId, channel: &Arc<Channel>, now: Micros) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned(), (tenant.clone(), channel.clone(), now));
    }
}

/// Whose channel a path names; none if there is none.
///
/// # Errors
/// Store errors.
pub(super) async fn find(
    app: &App,
    path: &str,
) -> Result<Option<(TenantId, Arc<Channel>)>, Problem> {
    let now = app.store.host.now();
    if let Some(known) = app.doors.get(path, now) {
        return Ok(Some(known));
    }
    let mut c = app.store.db.read().await?;
    let (owner, slug) = match path.split_once('.') {
        Some((owner, slug)) => {
            let found = tenants::all(&mut c).await?.into_iter().find(|t| t.slug.as_str() == owner);
            let Some(found) = found else { return Ok(None) };
            (found.id, slug)
        }
        None => (app.home.clone(), path),
    };
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    let Some(channel) = channel::by_slug(&app.store, &mut c, &owner, &slug).await? else {
        return Ok(None);
    };
    let channel = Arc::new(channel);
    app.doors.put(path, &owner, &channel, now);
    Ok(Some((owner, channel)))
}

/// An edit or a deletion: its effect and the remembered delivery in one transaction, so that neither
/// stands without the other and the same delivery twice at once has one effect.
async fn change(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    p: Payload,
    delivery: &Delivery,
) -> Result<Response, Problem> {
    let at = happened(p.timestamp.as_ref(), app.store.host.now())?;
    let external = p.data.external_id.clone().unwrap_or_default();
    let mut tx = app.store.db.begin().await?;
    tenants::lock(&mut tx, tenant).await?;
    let row = message::by_external(&app.store, &mut tx, tenant, &channel.id, &external).await?;
    let (status, result) = match hook::remember(&app.store, &mut tx, delivery).await? {
        Seen::Differs => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "webhook_conflict",
                "this webhook-id was delivered before with another body",
            ));
        }
        Seen::Again => (StatusCode::OK, p.kind.as_str()),
        // One that came after it has been applied already.
        Seen::New if !hook::is_newest(&mut tx, tenant, &row.id, at).await? => {
            (StatusCode::OK, "outdated")
        }
        Seen::New if p.kind == "message.deleted" => {
            understand::delete_in(&app.store, &mut tx, tenant, &row.id, &Actor::System).await?;
            (StatusCode::ACCEPTED, p.kind.as_str())
        }
        Seen::New => {
            switched_on(channel)?;
            edit_in(app, &mut tx, tenant, &row.id, p.data, &Actor::System).await?;
            (StatusCode::ACCEPTED, p.kind.as_str())
        }
    };
    tx.commit().await?;
    app.wake.notify_one();
    Ok((status, Json(Taken { id: row.id, result: result.to_owned() })).into_response())
}

/// When a change happened: what the platform says, or now. A clock that is far ahead of ours must not
/// void every change that comes after it.
fn happened(timestamp: Option<&Value>, now: Micros) -> Result<Micros, Problem> {
    let text = match timestamp {
        None | Some(Value::Null) => return Ok(now),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let at = Micros::parse(&text).ok_or_else(|| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_time",
            "timestamp: expected RFC 3339, RFC 5322 or an epoch time",
        )
    })?;
    let ahead = at.0.saturating_sub(now.0) > signatures::TOLERANCE_S * 1_000_000;
    Ok(if ahead { now } else { at })
}
