//! Chatwoot: countersigned replies as public messages, and labels, a priority and a private note for
//! its agents, through the API of conversations and messages.
//!
//! Whatever we write there carries a mark in its `content_attributes`. Before anything is written, and
//! after an answer that leaves doubt, the mark is looked for among the conversation's messages; so a
//! repetition writes nothing twice, and our own messages are known when the webhook reports them.
//! (`source_id` would not do: Chatwoot takes a message that has one for already sent.)

mod api;
mod heard;

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::json;

pub use self::api::Api;
use self::api::Trouble;
pub use self::heard::{Heard, Presented, read, sign};
use crate::domain::platform::numbers;
use crate::ports::channel::{Channel, Delivery, Outgoing};
use crate::ports::platform::{Access, NotTold, Platform, Telling};
use crate::store::{self, Store, approval, channel, review, thread};

/// The key of our mark among a message's `content_attributes`.
const MARK: &str = "countersign";
/// How long a reply that may have arrived is given before its mark is looked for.
const SETTLE: Duration = Duration::from_secs(1);

/// What a note begins with.
const HEAD: &str =
    "Draft by countersign. Nothing has been sent: it goes out when a person signs it.";

/// Priorities, from least to most.
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];

/// Writes to Chatwoot.
#[derive(Clone)]
pub struct Chatwoot {
    store: Store,
    api: Api,
}

impl Chatwoot {
    /// Writes by way of `api`; `store` tells which channel a reply belongs to.
    pub fn new(store: Store, api: Api) -> Self {
        Self { store, api }
    }

    async fn access(&self, out: &Outgoing) -> store::Result<Option<Access>> {
        let mut c = self.store.db.read().await?;
        let a = approval::get(&mut c, out.tenant(), out.approval()).await?;
        let r = review::get(&mut c, out.tenant(), &a.review).await?;
        let t = thread::get(&mut c, out.tenant(), &r.thread).await?;
        let ch = channel::get(&self.store, &mut c, out.tenant(), &t.channel).await?;
        Ok(if ch.disabled { None } else { ch.access() })
    }

    async fn send(&self, out: &Outgoing) -> Delivery {
        let refused = |why: &str| Delivery::Refused { why: why.to_owned(), gone: false };
        let access = match self.access(out).await {
            Ok(Some(access)) => access,
            Ok(None) => return refused("the channel is switched off or lacks its account"),
            Err(e) => return Delivery::NotProcessed { retry_after: None, why: e.to_string() },
        };
        let answered = out.content().in_reply_to.as_deref().and_then(numbers);
        let Some((conversation, message)) = answered else {
            return refused("the message that is answered is none of Chatwoot's");
        };
        let mark = format!("send:{}", out.send());
        // An earlier attempt may have arrived.
        match self.api.find(&access, conversation, Some(message), &mark).await {
            Ok(Some(id)) => return Delivery::Receipt(id),
            Ok(None) => {}
            Err(e) => return undelivered(e),
        }
        let body = json!({"content": out.content().body, "message_type": "outgoing",
            "private": false, "echo_id": mark, "content_attributes": {MARK: mark}});
        let trouble = match self.api.post(&access, conversation, &body).await {
            Ok(id) => return Delivery::Receipt(id),
            Err(Trouble::Doubt(why)) => why,
            Err(e) => return undelivered(e),
        };
        // It may be there, whatever the answer was.
        tokio::time::sleep(SETTLE).await;
        match self.api.find(&access, conversation, Some(message), &mark).await {
            Ok(Some(id)) => Delivery::Receipt(id),
            Ok(None) | Err(_) => Delivery::Unknown { why: trouble },
        }
    }

    async fn write(&self, a: &Access, t: &Telling) -> Result<(), Trouble> {
        if !t.labels.is_empty() || !t.without.is_empty() || t.priority.is_some() {
            let now = self.api.conversation(a, t.conversation).await?;
            let mut labels: Vec<String> =
                now.labels.iter().filter(|l| !t.without.contains(l)).cloned().collect();
            labels.extend(t.labels.iter().filter(|l| !now.labels.contains(l)).cloned());
            if labels != now.labels {
                self.api.label(a, t.conversation, &labels).await?;
            }
            let rank = |p: &str| PRIORITIES.iter().position(|x| *x == p);
            let has = now.priority.as_deref().and_then(rank);
            if let Some(p) = t.priority
                && rank(p) > has
            {
                self.api.prioritise(a, t.conversation, p).await?;
            }
        }
        let Some(note) = &t.note else { return Ok(()) };
        if self.api.find(a, t.conversation, Some(t.after), &note.mark).await?.is_none() {
            let content = format!("{HEAD}\n\n{}\n\n{}", note.text, note.page);
            let body = json!({"content": content, "message_type": "outgoing",
                "private": true, "content_attributes": {MARK: note.mark}});
            self.api.post(a, t.conversation, &body).await?;
        }
        Ok(())
    }
}

/// Trouble before anything was written, or with an answer that says that nothing was.
fn undelivered(e: Trouble) -> Delivery {
    match e {
        Trouble::Pause { after, why } => Delivery::NotProcessed { retry_after: after, why },
        Trouble::Unreached(why) | Trouble::Doubt(why) => {
            Delivery::NotProcessed { retry_after: None, why }
        }
        Trouble::Refused(why) => Delivery::Refused { why, gone: false },
    }
}

impl Channel for Chatwoot {
    fn deliver<'a>(&'a self, out: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        self.send(out).boxed()
    }

    /// The mark is looked for before a reply is written. An attempt that was cut off is repeated when
    /// its lease has run out, by when a request that was under way has long ended.
    fn idempotent(&self) -> bool {
        true
    }
}

impl Platform for Chatwoot {
    fn tell<'a>(
        &'a self,
        access: &'a Access,
        telling: &'a Telling,
    ) -> BoxFuture<'a, Result<(), NotTold>> {
        async move {
            self.write(access, telling).await.map_err(|e| match e {
                Trouble::Pause { after, why } => NotTold::Later { after, why },
                Trouble::Unreached(why) | Trouble::Doubt(why) => {
                    NotTold::Later { after: None, why }
                }
                Trouble::Refused(why) => NotTold::Never { why },
            })
        }
        .boxed()
    }
}
