//! What sends a reply. An [`Outgoing`] can only be made from a [`Verified`] approval, so there is
//! no way to hand a channel something that nobody signed.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::domain::approval::Verified;
use crate::domain::ids::{ApprovalId, SendId, TenantId};

/// A restored reply on its way out; Debug shows ids only.
#[derive(Clone)]
pub struct Outgoing {
    tenant: TenantId,
    send: SendId,
    approval: ApprovalId,
    content: Content,
}

/// What the recipient gets.
#[derive(Clone)]
pub struct Content {
    /// Recipients' addresses; the first is the customer.
    pub to: Vec<String>,
    /// Copies.
    pub cc: Vec<String>,
    /// The sending identity.
    pub sender: String,
    /// The subject, where the channel has one.
    pub subject: String,
    /// The body with its values restored.
    pub body: String,
    /// The channel's own id of the message that is answered.
    pub in_reply_to: Option<String>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("send", &self.send).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// A reply that was signed and whose signature was checked just now.
    pub fn new(tenant: TenantId, send: SendId, approval: &Verified, content: Content) -> Self {
        Self { tenant, send, approval: approval.id().clone(), content }
    }

    /// Whose.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The delivery's id: stable over retries, the provider's idempotency key.
    pub fn send(&self) -> &SendId {
        &self.send
    }

    /// The signature that lets it out.
    pub fn approval(&self) -> &ApprovalId {
        &self.approval
    }

    /// What the recipient gets.
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived; the provider's own id of it.
    Receipt(String),
    /// It was certainly not processed: nothing was sent yet, or the provider said so (429).
    NotProcessed {
        /// The provider's wish.
        retry_after: Option<Duration>,
        /// Why, for the log.
        why: String,
    },
    /// The provider refused it for good.
    Refused {
        /// Why, for people.
        why: String,
        /// The endpoint is gone (410): switch the channel off.
        gone: bool,
    },
    /// Whether it was processed can't be told.
    Unknown {
        /// Why, for people.
        why: String,
    },
}

/// A way out.
pub trait Channel: Send + Sync {
    /// Delivers. Must be called only after the send was committed as begun.
    fn deliver<'a>(&'a self, out: &'a Outgoing) -> BoxFuture<'a, Delivery>;

    /// Whether such a reply could be delivered at all, as far as can be told before it is signed.
    ///
    /// # Errors
    /// Says to a person why not.
    fn accepts(&self, _reply: &Content) -> Result<(), String> {
        Ok(())
    }

    /// Whether repeating a delivery with the same send id has no second effect. Only then may an
    /// attempt that was cut off be repeated without a person.
    fn idempotent(&self) -> bool;
}
