//! The webhook channel: a signed POST of the reply to a URL. What is not certainly unprocessed is
//! unknown: only a failure to connect and a 429 are tried again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::json;

use super::{ssrf, standard_webhooks};
use crate::domain::retry;
use crate::ports::channel::{Channel, Content, Delivery, Outgoing};
use crate::ports::host::Host;
use crate::store::{self, Store, approval, channel, review, thread};

/// Largest body that is posted, as Standard Webhooks advises.
const MAX_BODY: usize = 20 * 1024;
const TOO_LARGE: &str =
    "the reply is larger than a webhook may be (20 KiB with its envelope): shorten it";
/// Longest id of a send.
const LONGEST_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Posts replies.
#[derive(Clone)]
pub struct Webhook {
    store: Store,
    host: Arc<dyn Host>,
    client: reqwest::Client,
    allow_private: bool,
}

/// A client that follows no redirects, resolves through the guard and keeps idle connections for a
/// minute.
///
/// # Errors
/// When the TLS backend can't be set up.
pub fn client(guard: ssrf::Guard, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(guard))
        .connect_timeout(Duration::from_secs(5))
        .timeout(timeout)
        .pool_idle_timeout(Duration::from_secs(60))
        .no_proxy()
        .user_agent("countersign")
        .build()
}

impl Webhook {
    /// Posts with a [`client`] of its own.
    ///
    /// # Errors
    /// When the TLS backend can't be set up.
    pub fn new(
        store: Store,
        host: Arc<dyn Host>,
        timeout: Duration,
        allow_private: bool,
    ) -> reqwest::Result<Self> {
        let client = client(ssrf::Guard::new(allow_private), timeout)?;
        Ok(Self { store, host, client, allow_private })
    }

    async fn channel_of(&self, out: &Outgoing) -> store::Result<channel::Channel> {
        let mut c = self.store.db.read().await?;
        let a = approval::get(&mut c, out.tenant(), out.approval()).await?;
        let r = review::get(&mut c, out.tenant(), &a.review).await?;
        let t = thread::get(&mut c, out.tenant(), &r.thread).await?;
        channel::get(&self.store, &mut c, out.tenant(), &t.channel).await
    }

    async fn post(&self, out: &Outgoing) -> Delivery {
        let channel = match self.channel_of(out).await {
            Ok(c) => c,
            Err(e) => return Delivery::NotProcessed { retry_after: None, why: e.to_string() },
        };
        if channel.disabled {
            return refused("the channel is switched off");
        }
        let Some(url) = channel.settings.url.as_deref().and_then(|u| u.parse::<url::Url>().ok())
        else {
            return refused("the channel has no valid URL");
        };
        if let Err(e) = ssrf::check(&url, self.allow_private) {
            return refused(&e.to_string());
        }
        let body = body(out.content(), out.send().as_str(), &self.host.now().rfc3339());
        if body.len() > MAX_BODY {
            return refused(TOO_LARGE);
        }
        let id = format!("{}{}", standard_webhooks::OURS, out.send());
        let at = (id.as_str(), self.host.now());
        let request = standard_webhooks::signed(&self.client, url, channel.signing(), at, body);
        let Some(request) = request else {
            return refused("the channel has no signing secret");
        };
        match request.send().await {
            Ok(answer) => self.judge(&answer),
            Err(e) => failed(&e),
        }
    }

    fn judge(&self, answer: &reqwest::Response) -> Delivery {
        let status = answer.status();
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        match status.as_u16() {
            200..=299 => {
                let own = header("x-message-id").unwrap_or("accepted");
                Delivery::Receipt(own.chars().take(200).collect())
            }
            // It has this id already: an earlier attempt arrived.
            409 => Delivery::Receipt(
                header("x-message-id").unwrap_or("known").chars().take(200).collect(),
            ),
            // Whether it was read before the endpoint lost patience can't be told.
            408 => Delivery::Unknown { why: "the endpoint answered 408 (time-out)".into() },
            429 => Delivery::NotProcessed {
                retry_after: header("retry-after")
                    .and_then(|v| retry::retry_after(v, self.host.now())),
                why: "the endpoint asked us to slow down (429)".into(),
            },
            410 => Delivery::Refused { why: "the endpoint is gone (410)".into(), gone: true },
            400..=499 => refused(&format!("the endpoint refused it ({})", status.as_u16())),
            code => Delivery::Unknown { why: format!("the endpoint answered {code}") },
        }
    }
}

fn refused(why: &str) -> Delivery {
    Delivery::Refused { why: why.to_owned(), gone: false }
}

/// Only a connection that was never made is certainly unprocessed.
fn failed(e: &reqwest::Error) -> Delivery {
    let guarded = std::iter::successors(std::error::Error::source(e), |e| e.source())
        .any(|e| e.downcast_ref::<ssrf::Forbidden>().is_some());
    if guarded {
        return refused(&ssrf::Forbidden::Address.to_string());
    }
    if e.is_connect() {
        return Delivery::NotProcessed {
            retry_after: None,
            why: "could not connect to the endpoint".into(),
        };
    }
    let why =
        if e.is_timeout() { "the endpoint did not answer in time" } else { "the connection broke" };
    Delivery::Unknown { why: why.into() }
}

fn body(c: &Content, id: &str, at: &str) -> Vec<u8> {
    json!({
        "type": "reply.approved",
        "timestamp": at,
        "data": {
            "id": id,
            "to": c.to,
            "cc": c.cc,
            "from": c.sender,
            "subject": c.subject,
            "text": c.body,
            "in_reply_to": c.in_reply_to,
        }
    })
    .to_string()
    .into_bytes()
}

impl Channel for Webhook {
    fn deliver<'a>(&'a self, out: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        self.post(out).boxed()
    }

    fn accepts(&self, reply: &Content) -> Result<(), String> {
        let len = body(reply, LONGEST_ID, &self.host.now().rfc3339()).len();
        if len > MAX_BODY { Err(TOO_LARGE.to_owned()) } else { Ok(()) }
    }

    /// The id is stable, but nothing obliges a receiver to remember it.
    fn idempotent(&self) -> bool {
        false
    }
}
