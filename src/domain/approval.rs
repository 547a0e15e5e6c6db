//! What exactly a person signs. The digest is SHA-256 over canonical JSON (RFC 8785) of
//! [`SignedContent`]; the page shows its first digits, the client sends it back with its approval,
//! and the sender computes it again in the transaction that marks the send as started.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::ids::{ApprovalId, ChannelId, DraftId, IdError, MessageId, TenantId, UserId};

/// A SHA-256, 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Digest(String);

impl Digest {
    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(s: &str) -> Result<Self, DigestError> {
        let hex = s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if s.len() == 64 && hex { Ok(Self(s.to_owned())) } else { Err(DigestError) }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(s: String) -> Result<Self, DigestError> {
        s.parse()
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> String {
        d.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits (SHA-256)")]
pub struct DigestError;

/// Everything that an approval binds. Recipients are keyed hashes in the clear part of storage;
/// here they are the addresses themselves, which is why the stored copy is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedContent {
    /// Of this structure; 1.
    pub version: u32,
    /// Whose.
    pub tenant: TenantId,
    /// Where it goes out.
    pub channel: ChannelId,
    /// The sending identity: the channel's own address or slug.
    pub sender: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Copies.
    pub cc: Vec<String>,
    /// Blind copies.
    pub bcc: Vec<String>,
    /// The subject as masked text in stored form; empty where the channel has none.
    pub subject: String,
    /// The body as masked text in stored form.
    pub masked_body: String,
    /// Keyed HMAC of the body with its values restored, hex: a changed vault value changes it.
    pub body_hmac: String,
    /// SHA-256 of each attachment, hex.
    pub attachments: Vec<String>,
    /// The newest message of the thread when the draft was made.
    pub thread_head: MessageId,
    /// The thread's head number then; it moves with every new, edited or deleted message.
    pub thread_head_seq: i64,
    /// The draft.
    pub draft: DraftId,
    /// Its revision.
    pub draft_revision: i64,
    /// What the policy vouched for; empty when a person signs.
    pub vouched: Vec<String>,
}

impl fmt::Debug for SignedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedContent")
            .field("draft", &self.draft)
            .field("draft_revision", &self.draft_revision)
            .field("thread_head", &self.thread_head)
            .finish_non_exhaustive()
    }
}

impl SignedContent {
    /// The canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// Only when serialisation fails, which no value of this type does.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json_canonicalizer::to_vec(self)
    }

    /// The digest of the canonical JSON.
    ///
    /// # Errors
    /// As [`Self::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&self.canonical()?))
    }
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// A person with a login.
    Person(UserId),
    /// A policy, by its version.
    Policy {
        /// Content hash of the policy file.
        version: String,
    },
}

impl Approver {
    /// `person` or `policy`, and the id or version.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Person(id) => ("person", id.as_str()),
            Self::Policy { version } => ("policy", version),
        }
    }

    /// Back from storage.
    ///
    /// # Errors
    /// When the kind is neither, or a person's id is not one.
    pub fn from_parts(kind: &str, who: &str) -> Result<Self, IdError> {
        match kind {
            "policy" => Ok(Self::Policy { version: who.to_owned() }),
            _ => Ok(Self::Person(who.parse()?)),
        }
    }
}

/// A countersignature that was read back, whose digest was computed again from what would be
/// sent now and found equal. The sender takes nothing else. Only [`Verified::check`] makes one.
#[derive(Debug)]
pub struct Verified {
    id: ApprovalId,
    digest: Digest,
}

/// Why a stored approval doesn't stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalVoid {
    /// It was taken back or superseded.
    #[error("the approval is no longer live")]
    NotLive,
    /// What would be sent is not what was signed.
    #[error("what would be sent differs from what was signed")]
    Differs,
}

impl Verified {
    /// Compares a stored approval with the digest of what would be sent now.
    ///
    /// # Errors
    /// [`ApprovalVoid`] when it is not live or the digests differ.
    pub fn check(
        id: ApprovalId,
        live: bool,
        signed: &Digest,
        now: &Digest,
    ) -> Result<Self, ApprovalVoid> {
        if !live {
            return Err(ApprovalVoid::NotLive);
        }
        if signed != now {
            return Err(ApprovalVoid::Differs);
        }
        Ok(Self { id, digest: now.clone() })
    }

    /// Which approval.
    pub fn id(&self) -> &ApprovalId {
        &self.id
    }

    /// Of what.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> SignedContent {
        let id = |n: u128| uuid::Uuid::from_u128(n);
        SignedContent {
            version: 1,
            tenant: TenantId::from_uuid(id(1)),
            channel: ChannelId::from_uuid(id(2)),
            sender: "shop".into(),
            to: vec!["a@example.com".into()],
            cc: vec![],
            bcc: vec![],
            subject: "Re: x".into(),
            masked_body: "Hello".into(),
            body_hmac: "00".into(),
            attachments: vec![],
            thread_head: MessageId::from_uuid(id(3)),
            thread_head_seq: 1,
            draft: DraftId::from_uuid(id(4)),
            draft_revision: 1,
            vouched: vec![],
        }
    }

    #[test]
    fn every_field_changes_the_digest() {
        let base = content().digest().unwrap();
        type Change = fn(&mut SignedContent);
        let changes: [Change; 14] = [
            |c| c.version = 2,
            |c| c.tenant = TenantId::from_uuid(uuid::Uuid::from_u128(9)),
            |c| c.channel = ChannelId::from_uuid(uuid::Uuid::from_u128(9)),
            |c| c.sender.push('x'),
            |c| c.to.push("b@example.com".into()),
            |c| c.cc.push("b@example.com".into()),
            |c| c.bcc.push("b@example.com".into()),
            |c| c.subject.push('x'),
            |c| c.masked_body.push(' '),
            |c| c.body_hmac = "01".into(),
            |c| c.attachments.push("aa".into()),
            |c| c.thread_head = MessageId::from_uuid(uuid::Uuid::from_u128(9)),
            |c| c.thread_head_seq = 2,
            |c| c.draft_revision = 2,
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut c = content();
            change(&mut c);
            assert_ne!(c.digest().unwrap(), base, "change {i}");
        }
        assert_eq!(content().digest().unwrap(), base);
    }

    #[test]
    fn only_a_live_equal_approval_is_verified() {
        let id = ApprovalId::from_uuid(uuid::Uuid::from_u128(7));
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert!(Verified::check(id.clone(), true, &a, &a).is_ok());
        assert_eq!(Verified::check(id.clone(), false, &a, &a).unwrap_err(), ApprovalVoid::NotLive);
        assert_eq!(Verified::check(id, true, &a, &b).unwrap_err(), ApprovalVoid::Differs);
    }
}
