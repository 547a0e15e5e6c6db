//! What would be sent, put together from what is stored now. The page shows its digest, an approval
//! stores it, the sender computes it again: one function for all three, so they can't drift apart.

use std::fmt;

use sqlx::AnyConnection;

use crate::domain::approval::{Digest, SignedContent};
use crate::domain::ids::{ContactId, TenantId};
use crate::domain::masking::{MaskedText, Numbering, RestorePolicy, Restored, VaultId};
use crate::domain::message::{ChannelKind, Direction};
use crate::pipeline::answer::StoredDetail;
use crate::pipeline::threads;
use crate::ports::channel::Content;
use crate::store::channel::Channel;
use crate::store::review::Review;
use crate::store::thread::Thread;
use crate::store::{self, Store, channel, contact, draft, message, thread, vault};

/// A reply as it would go out now; Debug shows the digest only.
pub struct Signable {
    /// What is signed.
    pub content: SignedContent,
    /// Its digest.
    pub digest: Digest,
    /// The channel.
    pub channel: Channel,
    /// The conversation.
    pub thread: Thread,
    /// Who gets it: the sender of the message that is answered, whose key seals the signed copy.
    pub customer: ContactId,
    /// How that message named its sender, masked as stored.
    pub customer_masked: Option<String>,
    /// The body with its values restored, and what was not restored.
    pub body: Restored,
    /// The subject with its values restored.
    pub subject: String,
    /// The message that is answered, as the channel knows it.
    pub in_reply_to: Option<String>,
}

impl fmt::Debug for Signable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signable").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Signable {
    /// The reply as a channel gets it.
    pub fn outgoing(&self) -> Content {
        Content {
            to: self.content.to.clone(),
            cc: self.content.cc.clone(),
            sender: self.content.sender.clone(),
            subject: self.subject.clone(),
            body: self.body.text.clone(),
            in_reply_to: self.in_reply_to.clone(),
        }
    }
}

/// Puts together what `review` would send now.
///
/// # Errors
/// Store errors; [`store::Error::Erased`] when the customer's data is gone.
pub async fn signable(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    review: &Review,
) -> store::Result<Signable> {
    let thread = thread::get(c, tenant, &review.thread).await?;
    let channel = channel::get(store, c, tenant, &thread.channel).await?;
    let draft = draft::get(c, tenant, &review.draft, review.draft_revision).await?;
    let answered = message::get(c, tenant, &review.message).await?;
    let customer = match answered.direction {
        Direction::In => answered.subject.clone(),
        Direction::Out => thread.contact.clone().ok_or(store::Error::NotFound("customer"))?,
    };
    let to = contact::get(store, c, tenant, &customer).await?;
    let entries = vault::values(store, c, tenant, &review.thread).await?;
    let numbering = numbering(&entries);
    let lookup = |id: &VaultId| {
        let id = id.to_string();
        entries.iter().find(|e| e.id == id).map(|e| e.surface.clone())
    };
    let body = MaskedText::from_store(draft.body.clone());
    let restored = body.restore(&numbering, &lookup, RestorePolicy::ForSend);
    let masked_subject = if channel.kind == ChannelKind::Email {
        let detail: StoredDetail = serde_json::from_str(&draft.detail)?;
        detail.subject.unwrap_or_else(|| {
            threads::reply_subject(thread.subject_masked.as_deref().unwrap_or_default())
        })
    } else {
        String::new()
    };
    let subject = MaskedText::from_store(masked_subject.clone())
        .restore(&numbering, &lookup, RestorePolicy::ForSend)
        .text;
    let customer_masked = answered.sender;
    let answered = message::raw(store, c, tenant, &review.message).await.ok();
    let content = SignedContent {
        version: 1,
        tenant: tenant.clone(),
        channel: channel.id.clone(),
        sender: if channel.settings.sender.is_empty() {
            channel.slug.to_string()
        } else {
            channel.settings.sender.clone()
        },
        to: vec![to.address],
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: masked_subject,
        masked_body: draft.body,
        body_hmac: store.keys.hash_full(tenant, "restored", restored.text.as_bytes()),
        attachments: Vec::new(),
        thread_head: review.message.clone(),
        thread_head_seq: review.head_seq,
        draft: review.draft.clone(),
        draft_revision: review.draft_revision,
        vouched: Vec::new(),
    };
    let digest = content.digest()?;
    Ok(Signable {
        content,
        digest,
        channel,
        thread,
        customer,
        customer_masked,
        body: restored,
        subject,
        in_reply_to: answered.map(|a| a.external_id),
    })
}

/// Whether the thread is still where it was when the draft was made.
pub fn thread_unmoved(thread: &Thread, review: &Review) -> bool {
    thread.head_seq == review.head_seq
}

fn numbering(entries: &[vault::Entry]) -> Numbering {
    entries.iter().filter_map(|e| threads::vault_key(&e.id, &e.entity, &e.value_hash)).collect()
}
