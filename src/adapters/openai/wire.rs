//! The transport under the OpenAI client: one request, no retry, a limit on what is read, and the reason of a failure
//! kept in a form that says whether to try again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use tower::Service;

use crate::domain::retry::retry_after;
use crate::ports::host::Host;

/// Bytes of an error's body that are read to learn its code.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// Characters of an endpoint's error code that are kept.
const MAX_CODE: usize = 64;

/// What went wrong between us and the endpoint. No variant holds text of a prompt or an answer, so each may be logged.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// No connection, or it broke.
    #[error("the connection to the model failed")]
    Connection(#[source] reqwest::Error),
    /// No whole answer in time.
    #[error("the model gave no answer within {0:?}")]
    TimedOut(Duration),
    /// Another status than 2xx.
    #[error("the model answered with status {status}{}", code.as_ref().map(|c| format!(" ({c})")).unwrap_or_default())]
    Status {
        /// The HTTP status.
        status: u16,
        /// The Retry-After header, if it could be read.
        wait: Option<Duration>,
        /// The endpoint's own code for it, such as `context_length_exceeded`.
        code: Option<String>,
    },
    /// More than the limit, in bytes.
    #[error("the model's answer has more than {0} bytes")]
    TooLarge(usize),
    /// 2xx, but no JSON.
    #[error("the model's answer is not JSON")]
    NotJson,
}

impl WireError {
    /// Whether the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connection(_) | Self::TimedOut(_) => true,
            // A quota that is used up is a 429 as well, but waiting doesn't refill it.
            Self::Status { code: Some(code), .. } if code == "insufficient_quota" => false,
            Self::Status { status, .. } => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
            Self::TooLarge(_) | Self::NotJson => false,
        }
    }
}

impl From<WireError> for OpenAIError {
    fn from(error: WireError) -> Self {
        Self::Boxed(Box::new(error))
    }
}

/// Sends a request as it is.
#[derive(Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    max_bytes: usize,
    host: Arc<dyn Host>,
}

impl Wire {
    /// A transport that reads at most `max_bytes` of an answer.
    pub(super) fn new(http: reqwest::Client, max_bytes: usize, host: Arc<dyn Host>) -> Self {
        Self { http, max_bytes, host }
    }

    async fn send(self, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
        let mut response = self.http.execute(request.build().await?).await.map_err(connection)?;
        let status = response.status();
        if !status.is_success() {
            let header = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
            let wait = header.and_then(|v| retry_after(v, self.host.now()));
            let code = error_code(&mut response).await;
            return Err(WireError::Status { status: status.as_u16(), wait, code }.into());
        }
        let body = read_up_to(&mut response, self.max_bytes).await?;
        // The client logs what it can't parse; such a text stays here.
        if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(WireError::NotJson.into());
        }
        Ok(hyper::http::Response::new(body).into())
    }
}

impl Service<HttpRequestFactory> for Wire {
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<reqwest::Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

fn connection(error: reqwest::Error) -> WireError {
    WireError::Connection(error.without_url())
}

/// The whole body, or an error once it is longer than `limit`: nothing beyond is kept in memory.
async fn read_up_to(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(connection)? {
        if body.len() + chunk.len() > limit {
            return Err(WireError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `error.code` or `error.type` of an error's body. Its message is left where it is: it may quote the prompt.
async fn error_code(response: &mut reqwest::Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: Fields,
    }
    #[derive(Deserialize)]
    struct Fields {
        code: Option<serde_json::Value>,
        r#type: Option<String>,
    }
    let body = read_up_to(response, MAX_ERROR_BYTES).await.ok()?;
    let Body { error } = serde_json::from_slice(&body).ok()?;
    let code = error.code.and_then(|c| c.as_str().map(str::to_owned)).or(error.r#type)?;
    Some(
        code.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            .take(MAX_CODE)
            .collect(),
    )
}
