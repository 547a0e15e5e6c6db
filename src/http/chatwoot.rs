//! `POST /v1/hooks/{channel}` for a channel of Chatwoot, whose webhook has a signature and a payload of
//! its own. Whatever isn't a customer's message or an agent's reply is answered 200 and passed over, so
//! that Chatwoot doesn't take it for a failure.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use super::hooks::{find, unauthorized};
use super::messages::{switched_on, take};
use super::problem::Problem;
use crate::adapters::chatwoot::{Heard, Presented, read};
use crate::adapters::standard_webhooks::BadSignature;
use crate::domain::audit::Actor;
use crate::domain::ids::TenantId;
use crate::domain::message::ChannelKind;
use crate::pipeline::understand;
use crate::store::channel::Channel;
use crate::store::{self, message, tenant as tenants};

/// The header that tells such a delivery from others.
pub(super) const SIGNATURE: &str = "x-chatwoot-signature";

/// Receives one delivery.
pub(super) async fn receive(app: &App, path: &str, request: Request) -> Result<Response, Response> {
    let headers = request.headers().clone();
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let now = app.store.host.now();
    let presented = Presented::read(text("x-chatwoot-timestamp"), text(SIGNATURE), now)
        .map_err(unauthorized)?;
    let found = find(app, path).await.map_err(IntoResponse::into_response)?;
    let (tenant, channel) = found
        .filter(|(_, c)| c.kind == ChannelKind::Chatwoot)
        .ok_or_else(|| unauthorized(BadSignature::NoSecret))?;
    let body = Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
    presented.verify(&channel.secrets, &body).map_err(unauthorized)?;
    take_in(app, &tenant, &channel, &body).await.map_err(IntoResponse::into_response)
}

async fn take_in(
    app: &App,
    tenant: &TenantId,
    channel: &Channel,
    body: &[u8],
) -> Result<Response, Problem> {
    let ours = channel.settings.chatwoot.as_ref().map_or(0, |set| set.account);
    let us = match channel.settings.sender.as_str() {
        "" => channel.slug.as_str(),
        sender => sender,
    };
    let heard = read(body, ours, us).map_err(|e| {
        let what = format!("line {}, column {}: not a webhook of Chatwoot", e.line(), e.column());
        Problem::bad_request("bad_json", what)
    })?;
    match heard {
        Heard::Nothing(why) => {
            tracing::debug!(why, "a delivery of Chatwoot was passed over");
            Ok(passed_over(why))
        }
        Heard::Message(m) => {
            switched_on(channel)?;
            take(app, tenant, channel, *m, Actor::System, None).await
        }
        Heard::Deleted { external_id } => {
            let mut tx = app.store.db.begin().await?;
            tenants::lock(&mut tx, tenant).await?;
            let row =
                message::by_external(&app.store, &mut tx, tenant, &channel.id, &external_id).await;
            let row = match row {
                Ok(row) if row.state != "deleted" => row,
                Ok(_) | Err(store::Error::NotFound(_)) => return Ok(passed_over("not known")),
                Err(e) => return Err(e.into()),
            };
            understand::delete_in(&app.store, &mut tx, tenant, &row.id, &Actor::System).await?;
            tx.commit().await?;
            app.wake.notify_one();
            let said = json!({"id": row.id, "result": "message.deleted"});
            Ok((StatusCode::ACCEPTED, Json(said)).into_response())
        }
    }
}

fn passed_over(why: &str) -> Response {
    Json(json!({"result": "passed_over", "why": why})).into_response()
}
