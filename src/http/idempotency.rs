//! `Idempotency-Key` on writes: the first answer is stored and given again; another request under
//! the same key is a 409. An answer of 5xx is not kept, so that the client may try again.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, server};
use crate::domain::approval::Digest;
use crate::domain::ids::TenantId;
use crate::store::idempotency::{self, Known};

const MAX_KEY: usize = 255;
/// So long after the request's time a claim without an answer is given up.
const AFTER_TIMEOUT: Duration = Duration::from_secs(30);

/// The layer over `/v1`.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let key = request.headers().get("idempotency-key").cloned();
    match key {
        Some(key) if write => {
            guarded(app, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        _ => next.run(request).await,
    }
}

async fn guarded(
    app: App,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key
        .to_str()
        .ok()
        .filter(|k| (1..=MAX_KEY).contains(&k.len()) && k.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| {
            Problem::bad_request(
                "bad_idempotency_key",
                "Idempotency-Key: 1 to 255 visible characters",
            )
        })?
        .to_owned();
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let limit = app.config.server.body_limit_mib * 1024 * 1024;
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is larger than {limit} bytes or did not arrive"),
        )
    })?;
    let what = [
        caller.0.id.as_str().as_bytes(),
        parts.method.as_str().as_bytes(),
        parts.uri.to_string().as_bytes(),
        &bytes,
    ]
    .join(&0u8);
    let hash = Digest::of(&what);
    let tenant = caller.tenant().clone();
    let stale = Duration::from_secs(app.config.server.request_timeout_s) + AFTER_TIMEOUT;
    match idempotency::claim(&app.store, &tenant, &key, hash.as_str(), stale).await? {
        Known::Fresh => {}
        Known::Running => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "idempotency_running",
                "the first request with this key is still running",
            )
            .retry_after(1));
        }
        Known::Differs => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "idempotency_key_reused",
                "this key was used for another request",
            ));
        }
        Known::Done(status, body) => return Ok(replay(status, body)),
    }
    // Goes on when the client leaves or the request's time is over, so that the key is never left without an answer.
    let (tell, told) = oneshot::channel();
    let (request, work) = (Request::from_parts(parts, Body::from(bytes)), app.clone());
    let work = async move {
        let _ = tell.send(answered(&work, &tenant, &key, request, next).await);
    };
    app.intake.spawn(work.in_current_span());
    told.await.unwrap_or_else(|_| Err(Problem::internal()))
}

/// Runs the request and stores its answer under the key.
async fn answered(
    app: &App,
    tenant: &TenantId,
    key: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let answer = next.run(request).await;
    let (head, body) = answer.into_parts();
    let bytes = server::collect(body).await.unwrap_or_default();
    let keep = !head.status.is_server_error() && head.status != StatusCode::TOO_MANY_REQUESTS;
    let text = String::from_utf8_lossy(&bytes);
    let stored = keep.then_some((head.status.as_u16(), &*text));
    idempotency::settle(&app.store, tenant, key, stored).await?;
    Ok(Response::from_parts(head, Body::from(bytes)))
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let mut r = (status, body).into_response();
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    r.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    r
}
