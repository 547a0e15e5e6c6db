//! Which conversation a message belongs to: by its references, then the platform's conversation
//! id, then subject and participant within a window; else it begins a new one. A reference counts
//! only for a sender who already takes part; a stranger who names one gets a thread of his own,
//! shown as related.

use std::time::Duration;

use sqlx::AnyConnection;

use crate::domain::ids::{ContactId, MessageId, Micros, TenantId, ThreadId};
use crate::domain::masking::{Entity, Numbering, ValueHash, VaultId, VaultKey};
use crate::domain::message::{ChannelKind, Direction};
use crate::store::channel::Channel;
use crate::store::{self, Store, thread, vault};

/// What threading looks at.
#[derive(Debug, Clone)]
pub struct Clues<'a> {
    /// Where it came in.
    pub channel: &'a Channel,
    /// Who sent it.
    pub sender: &'a ContactId,
    /// Which way it went.
    pub direction: Direction,
    /// Its own id.
    pub own: &'a str,
    /// What it refers to, newest last.
    pub refs: &'a [String],
    /// The platform's conversation id.
    pub external: Option<&'a str>,
    /// The subject, as received.
    pub subject: &'a str,
    /// When it was sent (or received).
    pub at: Micros,
    /// How long a subject joins.
    pub window: Duration,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// An existing thread, or none.
    pub thread: Option<ThreadId>,
    /// The message that it answers.
    pub parent: Option<MessageId>,
    /// A thread that it names but may not join.
    pub related: Option<ThreadId>,
}

/// Resolves the thread of a message.
///
/// # Errors
/// Store errors.
pub async fn resolve(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    k: &Clues<'_>,
) -> store::Result<Place> {
    let mut place = Place { thread: None, parent: None, related: None };
    // Newest reference first; last, whether somebody has referred to this message already.
    let ids = k.refs.iter().rev().map(String::as_str).chain([k.own]);
    for id in ids {
        let Some((t, message)) = thread::by_ref(store, c, tenant, &k.channel.id, id).await? else {
            continue;
        };
        if may_join(c, tenant, &t, k).await? {
            place.parent = message;
            place.thread = Some(t);
            return Ok(place);
        }
        place.related.get_or_insert(t);
    }
    if let Some(external) = k.external {
        // The platform vouches for its own conversation id.
        place.thread = thread::by_external(store, c, tenant, &k.channel.id, external).await?;
        return Ok(place);
    }
    if place.related.is_some() || !k.refs.is_empty() && k.channel.kind != ChannelKind::Email {
        return Ok(place);
    }
    // A reply of ours answers by reference. What merely claims to come from us, under a subject that
    // anybody can repeat, must not count as the customer's answer.
    if k.direction == Direction::In {
        place.thread = by_subject(store, c, tenant, k).await?;
    }
    Ok(place)
}

async fn may_join(
    c: &mut AnyConnection,
    tenant: &TenantId,
    t: &ThreadId,
    k: &Clues<'_>,
) -> store::Result<bool> {
    Ok(k.direction == Direction::Out || thread::has_participant(c, tenant, t, k.sender).await?)
}

async fn by_subject(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    k: &Clues<'_>,
) -> store::Result<Option<ThreadId>> {
    let since = Micros(k.at.0.saturating_sub(i64::try_from(k.window.as_micros()).unwrap_or(0)));
    let subject = normalise_subject(k.subject);
    // Mail: only what is marked as a reply joins by its subject; a second mail headed "Question"
    // is a second question. Channels without subjects: the sender's own running conversation.
    let joins = match k.channel.kind {
        ChannelKind::Email => is_reply(k.subject) && !subject.is_empty(),
        _ => true,
    };
    if !joins {
        return Ok(None);
    }
    thread::by_subject(store, c, tenant, &k.channel.id, &subject, k.sender, since).await
}

/// Reply and forward marks in front of subjects, in the languages that mail programs speak.
const MARKS: &[&str] = &[
    "re", "aw", "wg", "fw", "fwd", "tr", "rv", "sv", "vs", "antw", "odp", "rif", "res", "enc",
    "doorst", "ynt", "ilt", "回复", "答复", "转发", "回覆", "転送", "返信", "ref",
];

fn strip_mark(subject: &str) -> Option<&str> {
    let s = subject.trim_start();
    let (head, rest) = s.split_once([':', '：'])?;
    // `Re[2]:` and `Re(3):` count messages.
    let word = head.trim_end_matches(|c: char| c.is_ascii_digit() || "[]()".contains(c)).trim();
    MARKS.contains(&word.to_lowercase().as_str()).then_some(rest)
}

/// Whether a subject is marked as a reply or forward.
pub fn is_reply(subject: &str) -> bool {
    strip_mark(subject).is_some()
}

/// A subject without its marks.
pub fn bare_subject(subject: &str) -> &str {
    let mut s = subject;
    while let Some(rest) = strip_mark(s) {
        s = rest;
    }
    s.trim()
}

/// A subject without marks, folded, lower-cased: what two mails of a thread have in common.
pub fn normalise_subject(subject: &str) -> String {
    bare_subject(subject).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The subject of a reply.
pub fn reply_subject(subject: &str) -> String {
    let s = bare_subject(subject);
    if s.is_empty() { String::new() } else { format!("Re: {s}") }
}

/// A vault id from its 16 hex digits.
pub fn vault_id(hex: &str) -> VaultId {
    VaultId::from_u64(u64::from_str_radix(hex, 16).unwrap_or(0))
}

/// What numbering needs of a stored entry; none when the stored type's name isn't one.
pub fn vault_key(id: &str, entity: &str, value_hash: &str) -> Option<VaultKey> {
    Some(VaultKey {
        id: vault_id(id),
        entity: entity.parse::<Entity>().ok()?,
        value: ValueHash::new(value_hash.as_bytes().to_vec()),
    })
}

/// The numbers of a thread's placeholders.
///
/// # Errors
/// Store errors.
pub async fn numbering(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ThreadId,
) -> store::Result<Numbering> {
    Ok(numbering_of(&vault::outline(c, tenant, id).await?))
}

/// The numbers that go with a vault's outline: id, type and value hash of each entry.
pub fn numbering_of(outline: &[(String, String, String)]) -> Numbering {
    outline.iter().filter_map(|(id, entity, value)| vault_key(id, entity, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_off_in_many_languages() {
        for s in [
            "Re: Order",
            "RE: AW: order",
            "Fwd: Re[2]: Order",
            "SV:  Order",
            "回复：Order",
            "Antw: ORDER",
        ] {
            assert_eq!(normalise_subject(s), "order", "{s}");
            assert!(is_reply(s), "{s}");
        }
        for s in ["Order: new", "Regarding: x", "Order"] {
            assert!(!is_reply(s), "{s}");
        }
        assert_eq!(reply_subject("AW: Re: Order 7"), "Re: Order 7");
        assert_eq!(reply_subject(""), "");
    }
}
