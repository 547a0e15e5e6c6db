//! HTTP: the API under `/v1`, the webhooks in, the page. Handlers are thin: they read the request,
//! call `intake`, `review` or `store`, and shape the answer.

pub mod auth;
mod body;
mod chatwoot;
pub mod classify;
pub mod events;
pub mod health;
pub mod hooks;
pub mod idempotency;
pub mod knowledge;
pub mod labels;
pub mod limits;
mod mask;
pub mod messages;
mod models;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod reviews;
pub mod server;
pub mod threads;
pub mod webhooks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::{self, Config};
use crate::domain::ids::{Micros, TenantId};
use crate::intake::Intake;
use crate::pipeline::Pipeline;
use crate::pipeline::classify::Classifier;
use crate::review::actions::Desk;
use crate::store::Store;
use crate::store::key::{self, Key};
pub use body::Limits as BodyLimits;
use page::render::Pages;
use problem::Problem;

/// What handlers hold.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Settings.
    pub config: Arc<Config>,
    /// The way in.
    pub intake: Intake,
    /// What reviewers ask.
    pub desk: Desk,
    /// The steps (the encoder and the search are asked by the API too).
    pub pipeline: Arc<Pipeline>,
    /// Classifies texts that aren't kept.
    pub classifier: Classifier,
    /// The page's templates.
    pub pages: Arc<Pages>,
    /// The tenant that people log in to on the page.
    pub home: TenantId,
    /// Credentials to show on the login page of a demonstration.
    pub demo: Option<(String, String)>,
    /// Wakes the worker.
    pub wake: Arc<tokio::sync::Notify>,
    /// Logins that failed, and room for checking passwords.
    pub logins: Arc<page::Logins>,
    /// Channels that deliveries came in on lately.
    pub doors: Arc<hooks::Doors>,
    /// Streams of events that are open.
    pub streams: Arc<events::Streams>,
    /// When each key was last noted as used.
    pub key_uses: Arc<Mutex<HashMap<String, Micros>>>,
    /// What API keys may do.
    pub key_limits: limits::Limits,
    /// Requests at once, and their bodies.
    pub limits: body::Limits,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// Whether the page is reached over TLS; then its cookie is `__Host-` and Secure.
    pub fn secure(&self) -> bool {
        self.config.server.public_url.scheme() == "https"
    }

    /// The session cookie's name.
    pub fn cookie_name(&self) -> &'static str {
        if self.secure() { "__Host-countersign" } else { "countersign" }
    }

    /// Notes a key's use, at most once a minute, without holding up the request.
    fn key_used(&self, k: &Key, now: Micros) {
        {
            let mut seen = self.key_uses.lock().unwrap_or_else(PoisonError::into_inner);
            let last = seen.insert(k.id.to_string(), now);
            if last.is_some_and(|l| now.since(l) < Duration::from_secs(60)) {
                if let Some(l) = last {
                    seen.insert(k.id.to_string(), l);
                }
                return;
            }
        }
        let (store, k) = (self.store.clone(), k.clone());
        self.intake.spawn(async move {
            let noted = async {
                let mut tx = store.db.begin().await?;
                key::used(&mut tx, &k, now).await?;
                tx.commit().await.map_err(crate::store::Error::from)
            };
            if let Err(e) = noted.await {
                tracing::debug!(error = %e, "could not note a key's use");
            }
        });
    }
}

/// Routes of `/v1` whose writes may carry an `Idempotency-Key`.
fn stored() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(messages::create))
        .routes(routes!(messages::show, messages::edit, messages::remove))
        .routes(routes!(labels::create))
        .routes(routes!(threads::list))
        .routes(routes!(threads::show))
        .merge(reviews::routes())
        .routes(routes!(knowledge::list, knowledge::create))
        .routes(routes!(knowledge::search))
        .routes(routes!(knowledge::show, knowledge::remove))
        .routes(routes!(models::list))
        .routes(routes!(models::roll_back))
        .routes(routes!(models::show))
        .routes(routes!(models::promote))
        .routes(routes!(models::topics))
}

/// Routes of `/v1` that store no answer: there is nothing to replay.
fn unstored() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(mask::mask))
        .routes(routes!(classify::classify))
        .routes(routes!(hooks::receive))
        .routes(routes!(events::stream))
        // A secret is shown once, so the answer isn't kept to be given again.
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show, webhooks::change, webhooks::remove))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(openapi::show))
}

/// The whole service as a router.
pub fn router(app: App) -> Router {
    let limit = app.config.server.body_limit_mib * 1024 * 1024;
    let stored =
        stored().route_layer(middleware::from_fn_with_state(app.clone(), idempotency::layer));
    let v1 = Router::from(stored)
        .merge(Router::from(unstored()))
        .layer(middleware::from_fn_with_state(app.clone(), limits::layer))
        .layer(middleware::from_fn(as_problems))
        .fallback(|| async { Problem::not_found("resource") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "not with this method",
            )
        });
    let traced = TraceLayer::new_for_http().make_span_with(|r: &Request| {
        let id = r.headers().get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
        // The path of a route, not the URI: query strings may hold what people typed.
        let path = r
            .extensions()
            .get::<axum::extract::MatchedPath>()
            .map_or("", axum::extract::MatchedPath::as_str);
        tracing::info_span!("request", method = %r.method(), path, request_id = id)
    });
    let bound = || middleware::from_fn_with_state(app.clone(), bounded);
    // Only the API, and outside of what may refuse, so that a browser can read the refusal.
    let api = Router::new().nest("/v1", v1).layer(bound());
    let api = match cors(&app.config.server) {
        Some(cors) => api.layer(cors),
        None => api,
    };
    Router::new()
        .merge(api)
        .merge(page::routes().layer(bound()))
        // Whether the process lives must not depend on how busy it is.
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .layer(traced)
        .layer(middleware::from_fn(security_headers))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::internal().into_response()
        }))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(middleware::from_fn(own_request_id))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(app)
}

/// Which pages of other origins may call the API with a key of theirs: the configured ones. Never with
/// our cookies.
fn cors(set: &config::Server) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        set.cors_origins.iter().filter_map(|o| HeaderValue::from_str(o).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let named = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            named("idempotency-key"),
            named("last-event-id"),
            named("x-request-id"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            named("ratelimit"),
            named("ratelimit-policy"),
            named("idempotency-replayed"),
            named("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    Some(layer)
}

/// Request ids are logged, so a caller's own is taken only if it is a UUID and can't be anything
/// else.
async fn own_request_id(mut request: Request, next: Next) -> Response {
    let id = request.headers().get("x-request-id").and_then(|v| v.to_str().ok());
    if id.is_some_and(|id| uuid::Uuid::try_parse(id).is_err()) {
        request.headers_mut().remove("x-request-id");
    }
    next.run(request).await
}

/// Bounds requests at once, the bytes and the time that their bodies may take, and the time that all may take.
async fn bounded(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    let Some(place) = app.limits.place() else {
        return Problem::from(body::Broke::NoPlace).into_response();
    };
    // A stream's body is read a line at a time for as long as it comes; `classify` bounds it.
    let streams = request.uri().path() == "/v1/classify" && classify::streams(&request);
    let request = match streams {
        true => request,
        false => request.map(|b| place.meter(b, &app.limits)),
    };
    let patience = Duration::from_secs(app.config.server.request_timeout_s);
    let Ok(answer) = tokio::time::timeout(patience, next.run(request)).await else {
        tracing::warn!("answered 503: no answer within server.request_timeout_s");
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timed_out",
            "no answer within server.request_timeout_s; what was asked may have been done: look, or ask again with the \
             Idempotency-Key that was given",
        )
        .retry_after(5)
        .into_response();
    };
    // A handler sees only that the body broke off; why is known here.
    match place.broke() {
        Some(why) => Problem::from(why).into_response(),
        None => answer,
    }
}

/// What the framework refuses by itself (a body too large or too slow) becomes a problem, too.
async fn as_problems(request: Request, next: Next) -> Response {
    let r = next.run(request).await;
    let status = r.status();
    let ours = r
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("json"));
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return r;
    }
    let (code, detail) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("too_large", "the body is larger than server.body_limit_mib")
        }
        StatusCode::BAD_REQUEST => ("bad_request", "the request could not be read"),
        _ => ("refused", "the request was refused"),
    };
    Problem::new(status, code, detail).into_response()
}

async fn security_headers(request: Request, next: Next) -> Response {
    let mut r = next.run(request).await;
    let h = r.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        h.insert(name, HeaderValue::from_static(value));
    }
    h.entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    h.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    r
}

/// Reads a JSON body, with a problem that says where it is wrong and nothing of what it holds.
///
/// # Errors
/// 400, 413 or 415.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|e| {
        // serde's message may quote a value; its category and place don't.
        let what = match e.classify() {
            serde_json::error::Category::Data => data_error(&e),
            serde_json::error::Category::Eof => "it ends too early".to_owned(),
            _ => "it isn't JSON".to_owned(),
        };
        Problem::bad_request(
            "bad_json",
            format!("line {}, column {}: {what}", e.line(), e.column()),
        )
    })
}

/// What is wrong with a value's form. Field names are ours; values are not repeated.
pub(crate) fn data_error(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let safe = ["missing field", "unknown field", "duplicate field"];
    if safe.iter().any(|s| text.starts_with(s)) && !text.starts_with("unknown field") {
        text.split(" at line").next().unwrap_or_default().to_owned()
    } else if text.starts_with("unknown field") {
        // From the last one on: the unknown name may hold the word itself.
        let known = text.rsplit_once("`, expected ").map_or("", |(_, known)| known);
        format!("unknown field; expected {}", known.split(" at line").next().unwrap_or_default())
    } else {
        "a value has the wrong type".to_owned()
    }
}

/// Reads an id from a path: rubbish names nothing.
///
/// # Errors
/// 404.
pub(crate) fn id<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found(what))
}
