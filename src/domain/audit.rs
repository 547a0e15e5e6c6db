//! The audit log's events and the arithmetic of its chain: hash_n = SHA-256(hash_{n-1} || event_n
//! as canonical JSON). The first link's predecessor is 64 zeros. No body text goes in, so erasing
//! a person's data leaves the chain whole.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::ids::{EventId, KeyId, Micros, TenantId, UserId};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// A program with an API key.
    Key(KeyId),
    /// countersign itself.
    System,
    /// The command line, on the machine itself.
    Operator,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::System => f.write_str("system"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its id; UUIDv7.
    pub id: EventId,
    /// When.
    pub at: Micros,
    /// Who, as [`Actor`] prints it.
    pub actor: String,
    /// What was done, as `review.approved`.
    pub action: String,
    /// To what, as `review:<id>`.
    pub object: String,
    /// Ids, states, digests, versions. Never text of a message.
    pub detail: Value,
}

/// The hash before the first link.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The link's hash: over the previous hash, the tenant, the sequence number and the event.
///
/// # Errors
/// Only when serialisation fails, which no event does.
pub fn link(
    prev: &str,
    tenant: &TenantId,
    seq: i64,
    event: &Event,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Linked<'a> {
        tenant: &'a TenantId,
        seq: i64,
        event: &'a Event,
    }
    let mut h = Sha256::new();
    h.update(prev.as_bytes());
    h.update(serde_json_canonicalizer::to_vec(&Linked { tenant, seq, event })?);
    Ok(hex::encode(h.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_depends_on_all_that_it_covers() {
        let t = TenantId::from_uuid(uuid::Uuid::from_u128(1));
        let e = Event {
            id: EventId::from_uuid(uuid::Uuid::from_u128(2)),
            at: Micros(5),
            actor: "system".into(),
            action: "message.received".into(),
            object: "message:1".into(),
            detail: serde_json::json!({"b": 1, "a": 2}),
        };
        let base = link(GENESIS, &t, 1, &e).unwrap();
        assert_ne!(link(&base, &t, 1, &e).unwrap(), base);
        assert_ne!(link(GENESIS, &t, 2, &e).unwrap(), base);
        let mut other = e.clone();
        other.detail = serde_json::json!({"b": 1, "a": 3});
        assert_ne!(link(GENESIS, &t, 1, &other).unwrap(), base);
        other.detail = serde_json::json!({"a": 2, "b": 1});
        assert_eq!(link(GENESIS, &t, 1, &other).unwrap(), base);
    }
}
