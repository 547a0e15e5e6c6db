//! `POST /v1/hooks/{channel}`: the generic webhook in, signed as Standard Webhooks. The signature is
//! verified over the raw bytes before anything is parsed. The path's channel is `tenant.channel`, or
//! the channel's name alone for the default tenant; what gives access is the signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::messages::{edit_one, take};
use super::problem::Problem;
use super::{App, read_json};
use crate::adapters::standard_webhooks as signatures;
use crate::domain::audit::Actor;
use crate::domain::ids::{Micros, Slug, TenantId};
use crate::domain::message::{Direction, NewMessage};
use crate::pipeline::understand;
use crate::store::channel::{self, Channel};
use crate::store::hook::{self, Delivery, Seen};
use crate::store::{message, tenant};

/// The payload: `{type, timestamp, data}`.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    data: NewMessage,
}

/// Receives one delivery.
pub async fn receive(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let unauthorized = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad_signature",
            "no such channel, or the signature doesn't stand",
        )
    };
    let (tenant, channel) = find(&app, &path).await?.ok_or_else(unauthorized)?;
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let webhook_id = text("webhook-id").to_owned();
    signatures::verify(
        &channel.secrets,
        &webhook_id,
        text("webhook-timestamp"),
        text("webhook-signature"),
        &body,
        app.store.host.now(),
    )
    .map_err(|e| {
        tracing::info!(channel = %channel.id, reason = %e, "webhook refused");
        unauthorized()
    })?;
    let p: Payload = read_json(&body)?;
    match p.kind.as_str() {
        "message.created" => {
            let webhook = Some(Delivery::new(&app.store, &tenant, &channel.id, &webhook_id, &body));
            take(&app, &tenant, &channel, p.data, Actor::System, webhook).await
        }
        "reply.sent" => {
            let data = NewMessage { direction: Direction::Out, ..p.data };
            let webhook = Some(Delivery::new(&app.store, &tenant, &channel.id, &webhook_id, &body));
            take(&app, &tenant, &channel, data, Actor::System, webhook).await
        }
        "message.edited" | "message.deleted" => {
            change(&app, &tenant, &channel, p, &webhook_id, &body).await
        }
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

async fn find(app: &App, path: &str) -> Result<Option<(TenantId, Arc<Channel>)>, Problem> {
    let now = app.store.host.now();
    if let Some(known) = app.doors.get(path, now) {
        return Ok(Some(known));
    }
    let mut c = app.store.db.read().await?;
    let (owner, slug) = match path.split_once('.') {
        Some((owner, slug)) => {
            let found = tenant::all(&mut c).await?.into_iter().find(|t| t.slug.as_str() == owner);
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

async fn change(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    p: Payload,
    webhook_id: &str,
    body: &[u8],
) -> Result<Response, Problem> {
    let external = p.data.external_id.clone().unwrap_or_default();
    let row = {
        let mut c = app.store.db.read().await?;
        message::by_external(&app.store, &mut c, tenant, &channel.id, &external).await?
    };
    let delivery = Delivery::new(&app.store, tenant, &channel.id, webhook_id, body);
    let seen = {
        let mut tx = app.store.db.begin().await?;
        let seen = hook::remember(&app.store, &mut tx, &delivery).await?;
        // A first delivery is remembered only together with its effect, which is idempotent: a
        // process that dies in between sees it as new again.
        if seen != Seen::New {
            tx.commit().await?;
        }
        seen
    };
    let kind = p.kind.clone();
    match seen {
        Seen::Differs => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "webhook_conflict",
                "this webhook-id was delivered before with another body",
            ));
        }
        Seen::Again => {}
        Seen::New if p.kind == "message.deleted" => {
            understand::delete(&app.store, tenant, &row.id, &Actor::System).await?;
        }
        Seen::New => edit_one(app, tenant, &row.id, p.data, &Actor::System).await?,
    }
    if seen == Seen::New {
        let mut tx = app.store.db.begin().await?;
        hook::remember(&app.store, &mut tx, &delivery).await?;
        tx.commit().await?;
        app.wake.notify_one();
    }
    let status = if seen == Seen::New { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(json!({"id": row.id, "result": kind}))).into_response())
}
