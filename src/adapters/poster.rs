//! Posts events to endpoints, signed as Standard Webhooks, through the guard against private
//! addresses. Redirects are not followed and of an answer only its head is read.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};

use super::{ssrf, standard_webhooks, webhook};
use crate::domain::retry;
use crate::ports::host::Host;
use crate::ports::poster::{Posted, Poster};

/// Posts over HTTP.
#[derive(Clone)]
pub struct HttpPoster {
    host: Arc<dyn Host>,
    client: reqwest::Client,
    allow_private: bool,
}

impl HttpPoster {
    /// Posts with a client of its own.
    ///
    /// # Errors
    /// When the TLS backend can't be set up.
    pub fn new(
        host: Arc<dyn Host>,
        timeout: Duration,
        allow_private: bool,
    ) -> reqwest::Result<Self> {
        let client = webhook::client(ssrf::Guard::new(allow_private), timeout)?;
        Ok(Self { host, client, allow_private })
    }

    async fn send(&self, url: &str, secrets: &[String], id: &str, body: String) -> Posted {
        let nothing = |why: &str| Posted::Nothing { why: why.to_owned() };
        let Ok(url) = url.parse::<url::Url>() else { return nothing("the URL can't be read") };
        if let Err(e) = ssrf::check(&url, self.allow_private) {
            return nothing(&e.to_string());
        }
        let at = (id, self.host.now());
        let request = standard_webhooks::signed(&self.client, url, secrets, at, body.into_bytes());
        let Some(request) = request else {
            return nothing("the endpoint has no signing secret");
        };
        match request.send().await {
            Ok(answer) => {
                let asked = answer.headers().get("retry-after").and_then(|v| v.to_str().ok());
                Posted::Answer {
                    status: answer.status().as_u16(),
                    retry_after: asked.and_then(|v| retry::retry_after(v, self.host.now())),
                }
            }
            Err(e) => nothing(&reason(&e)),
        }
    }
}

/// Why there was no answer, without the URL.
fn reason(e: &reqwest::Error) -> String {
    let guarded = std::iter::successors(std::error::Error::source(e), |e| e.source())
        .any(|e| e.downcast_ref::<ssrf::Forbidden>().is_some());
    if guarded {
        ssrf::Forbidden::Address.to_string()
    } else if e.is_timeout() {
        "no answer in time".to_owned()
    } else if e.is_connect() {
        "could not connect".to_owned()
    } else {
        "the connection broke".to_owned()
    }
}

impl Poster for HttpPoster {
    fn post<'a>(
        &'a self,
        url: &'a str,
        secrets: &'a [String],
        id: &'a str,
        body: String,
    ) -> BoxFuture<'a, Posted> {
        self.send(url, secrets, id, body).boxed()
    }
}
