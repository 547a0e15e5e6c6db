//! The sandbox channel: a local outbox that the page shows. Nothing leaves the machine. Repeating a
//! send id changes nothing, so an attempt that was cut off may be repeated.

use futures::future::{BoxFuture, FutureExt as _};

use crate::domain::message::ChannelKind;
use crate::ports::channel::{Channel, Delivery, Outgoing};
use crate::store::{self, Store, contact, outbox};

/// Delivers into the database.
#[derive(Debug, Clone)]
pub struct Sandbox {
    store: Store,
}

impl Sandbox {
    /// Over a store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn put(&self, out: &Outgoing) -> store::Result<()> {
        let c = out.content();
        let to = c.to.first().map(String::as_str).unwrap_or_default();
        let subject = contact::id_of(&self.store, out.tenant(), ChannelKind::Sandbox, to);
        let content = outbox::Content {
            to: c.to.join(", "),
            subject: c.subject.clone(),
            body: c.body.clone(),
        };
        let mut tx = self.store.db.begin().await?;
        outbox::deliver(&self.store, &mut tx, out.tenant(), out.send(), &subject, &content).await?;
        Ok(tx.commit().await?)
    }
}

impl Channel for Sandbox {
    fn deliver<'a>(&'a self, out: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        async move {
            match self.put(out).await {
                Ok(()) => Delivery::Receipt(format!("sandbox-{}", out.send())),
                Err(e) => Delivery::NotProcessed { retry_after: None, why: e.to_string() },
            }
        }
        .boxed()
    }

    fn idempotent(&self) -> bool {
        true
    }
}
