//! The few requests of Chatwoot's application API that we make, with answers read up to a bound.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::MARK;
use crate::adapters::{ssrf, webhook};
use crate::domain::retry;
use crate::ports::host::Host;
use crate::ports::platform::Access;

/// Most of an answer that is read.
const MOST: usize = 4 * 1024 * 1024;

/// Why a request did not do what it was for.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It never reached Chatwoot.
    Unreached(String),
    /// Chatwoot asks for a pause: nothing was done.
    Pause { after: Option<Duration>, why: String },
    /// Chatwoot refuses it.
    Refused(String),
    /// Whether it was done can't be told.
    Doubt(String),
}

/// A conversation, as far as we look at it.
#[derive(Debug, Deserialize)]
pub(super) struct Conversation {
    #[serde(default)]
    pub(super) labels: Vec<String>,
    pub(super) priority: Option<String>,
}

#[derive(Deserialize)]
struct Messages {
    payload: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: i64,
    content_attributes: Option<Value>,
    echo_id: Option<String>,
}

/// A client of the API.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    host: Arc<dyn Host>,
    allow_private: bool,
}

impl Api {
    /// Asks through the guard against private addresses; a request may take `timeout`.
    ///
    /// # Errors
    /// When the TLS backend can't be set up.
    pub fn new(
        host: Arc<dyn Host>,
        timeout: Duration,
        allow_private: bool,
    ) -> reqwest::Result<Self> {
        let client = webhook::client(ssrf::Guard::new(allow_private), timeout)?;
        Ok(Self { client, host, allow_private })
    }

    fn request(
        &self,
        method: reqwest::Method,
        a: &Access,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, Trouble> {
        let base = a.url.trim_end_matches('/');
        let url = format!("{base}/api/v1/accounts/{}/conversations/{path}", a.account);
        let url: url::Url =
            url.parse().map_err(|_| Trouble::Refused("the channel has no valid URL".to_owned()))?;
        ssrf::check(&url, self.allow_private).map_err(|e| Trouble::Refused(e.to_string()))?;
        Ok(self.client.request(method, url).header("api_access_token", &a.token))
    }

    async fn ask<T: DeserializeOwned>(&self, r: reqwest::RequestBuilder) -> Result<T, Trouble> {
        let mut answer = r.send().await.map_err(|e| unanswered(&e))?;
        let status = answer.status().as_u16();
        let why = format!("Chatwoot answered {status}");
        match status {
            200..=299 => {}
            429 => {
                let asked = answer.headers().get("retry-after").and_then(|v| v.to_str().ok());
                let after = asked.and_then(|v| retry::retry_after(v, self.host.now()));
                return Err(Trouble::Pause { after, why });
            }
            408 | 500..=599 => return Err(Trouble::Doubt(why)),
            _ => return Err(Trouble::Refused(why)),
        }
        let broken = |why: &str| Trouble::Doubt(format!("Chatwoot's answer {why}"));
        let mut body = Vec::new();
        while let Some(more) = answer.chunk().await.map_err(|_| broken("broke off"))? {
            if body.len() + more.len() > MOST {
                return Err(broken("is too long"));
            }
            body.extend_from_slice(&more);
        }
        serde_json::from_slice(&body).map_err(|_| broken("can't be read"))
    }

    /// The conversation's labels and priority.
    pub(super) async fn conversation(&self, a: &Access, id: i64) -> Result<Conversation, Trouble> {
        self.ask(self.request(reqwest::Method::GET, a, &id.to_string())?).await
    }

    /// Gives the conversation these labels and no others: that is how the API works.
    pub(super) async fn label(
        &self,
        a: &Access,
        id: i64,
        labels: &[String],
    ) -> Result<(), Trouble> {
        let r = self.request(reqwest::Method::POST, a, &format!("{id}/labels"))?;
        self.ask::<Value>(with(r, &json!({"labels": labels}))).await.map(drop)
    }

    /// Sets the conversation's priority.
    pub(super) async fn prioritise(&self, a: &Access, id: i64, to: &str) -> Result<(), Trouble> {
        let r = self.request(reqwest::Method::POST, a, &format!("{id}/toggle_priority"))?;
        let sent = self.ask::<Value>(with(r, &json!({"priority": to}))).await;
        match sent {
            // Newer versions answer 200 with an empty body.
            Err(Trouble::Doubt(why)) if why.ends_with("can't be read") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Writes a message; gives its number.
    pub(super) async fn post(&self, a: &Access, id: i64, body: &Value) -> Result<String, Trouble> {
        let r = self.request(reqwest::Method::POST, a, &format!("{id}/messages"))?;
        let made: Message = self.ask(with(r, body)).await?;
        Ok(made.id.to_string())
    }

    /// The number of our message with this mark, if it is among those after `after` or, without it,
    /// among the newest.
    pub(super) async fn find(
        &self,
        a: &Access,
        id: i64,
        after: Option<i64>,
        mark: &str,
    ) -> Result<Option<String>, Trouble> {
        let path = match after {
            Some(after) => format!("{id}/messages?after={after}"),
            None => format!("{id}/messages"),
        };
        let r = self.request(reqwest::Method::GET, a, &path)?;
        let all: Messages = self.ask(r).await?;
        let ours = |m: &Message| {
            let marked = m.content_attributes.as_ref().and_then(|c| c.get(MARK));
            marked.and_then(Value::as_str) == Some(mark) || m.echo_id.as_deref() == Some(mark)
        };
        Ok(all.payload.iter().find(|m| ours(m)).map(|m| m.id.to_string()))
    }
}

fn with(r: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    r.header("content-type", "application/json").body(body.to_string())
}

/// Why there was no answer, without the URL.
fn unanswered(e: &reqwest::Error) -> Trouble {
    let guarded = std::iter::successors(std::error::Error::source(e), |e| e.source())
        .any(|e| e.downcast_ref::<ssrf::Forbidden>().is_some());
    if guarded {
        Trouble::Refused(ssrf::Forbidden::Address.to_string())
    } else if e.is_connect() {
        Trouble::Unreached("could not connect to Chatwoot".to_owned())
    } else if e.is_timeout() {
        Trouble::Doubt("Chatwoot did not answer in time".to_owned())
    } else {
        Trouble::Doubt("the connection to Chatwoot broke".to_owned())
    }
}
