//! What a client may read of an error (RFC 9457 problem details with a stable `code`), and what only
//! the log may read. Each error is logged once, here.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::intake::IntakeError;
use crate::pipeline::retrieve::SearchError;
use crate::receive::Refusal;
use crate::review::ReviewError;
use crate::store;

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after_s: Option<u32>,
    extra: Map<String, Value>,
}

impl Problem {
    /// A problem with a stable code and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_s: None, extra: Map::new() }
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// 500: what went wrong is for the log.
    pub fn internal() -> Self {
        let why = "something went wrong on our side";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why)
    }

    /// 400.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Asks the client to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// A member of its own, by name.
    pub fn member(&self, key: &str) -> Option<&Value> {
        self.extra.get(key)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

/// The form of a problem's body.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457). Some problems have more members.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string", "description": "A URN that ends in the code."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "description": "Stable; what programs go by."},
            "detail": {"type": "string", "description": "For people."},
        },
    })
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:countersign:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(o) = body.as_object_mut() {
            o.extend(self.extra);
        }
        let mut r = (self.status, Json(body)).into_response();
        r.headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(s) = self.retry_after_s {
            r.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(s));
        }
        r
    }
}

impl From<store::Error> for Problem {
    fn from(e: store::Error) -> Self {
        match &e {
            store::Error::NotFound(what) => Self::not_found(what),
            store::Error::Erased => {
                Self::new(StatusCode::GONE, "erased", "this person's data has been erased")
            }
            store::Error::Unavailable(_) => {
                tracing::warn!(error = %e, "answered 503");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_unavailable",
                    "the database is not available; nothing was stored",
                )
                .retry_after(2)
            }
            store::Error::Full(_) => {
                tracing::error!(error = %e, "answered 507");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "storage_full",
                    "the disk is full; nothing was stored",
                )
                .retry_after(60)
            }
            store::Error::Fenced => Self::new(
                StatusCode::CONFLICT,
                "revision_changed",
                "somebody else changed this a moment ago",
            ),
            _ => {
                tracing::error!(error = %e, source = ?std::error::Error::source(&e), "answered 500");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something went wrong on our side; the request id leads to it in the log",
                )
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(e: sqlx::Error) -> Self {
        store::Error::from(e).into()
    }
}

impl From<SearchError> for Problem {
    fn from(e: SearchError) -> Self {
        match e {
            SearchError::Store(e) => e.into(),
            SearchError::Index(e) => {
                tracing::error!(error = %e, "answered 500");
                Self::internal()
            }
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(e: IntakeError) -> Self {
        match e {
            IntakeError::Busy => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "busy",
                "too many messages wait to be stored",
            )
            .retry_after(1),
            IntakeError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the service is stopping")
                    .retry_after(5)
            }
            IntakeError::Store(e) => e.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(r: Refusal) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, r.code, r.detail)
    }
}

impl From<ReviewError> for Problem {
    fn from(e: ReviewError) -> Self {
        match e {
            ReviewError::NotFound => Self::not_found("review"),
            ReviewError::State(r) => Self::new(StatusCode::CONFLICT, "wrong_state", r.to_string())
                .with("state", r.state.as_str()),
            ReviewError::Changed { code, what } => Self::new(StatusCode::CONFLICT, code, what),
            ReviewError::Forbidden(why) => Self::new(StatusCode::FORBIDDEN, "forbidden", why),
            ReviewError::Invalid(why) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why)
            }
            ReviewError::Store(e) => e.into(),
        }
    }
}
