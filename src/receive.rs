//! Step 1: what a caller hands in is checked here, whichever door it came through, and becomes an
//! [`Incoming`]. What is refused is refused with a reason that a person can act on and that repeats
//! nothing of the message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::Ingest;
use crate::domain::ids::{ContactId, Micros, TenantId};
use crate::domain::message::{Direction, Incoming, NewMessage, Raw};
use crate::pipeline::normalise;
use crate::pipeline::understand::mime_limits;
use crate::store::channel::Channel;
use crate::store::message::{self, Prepared};
use crate::store::{Store, contact};

/// Longest external id, address or name, in bytes.
const MAX_ID: usize = 998;
/// Most recipients of one message.
const MAX_PARTIES: usize = 200;

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

fn refuse<T>(code: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, detail: detail.into() })
}

/// Checks a message in JSON form, or the MIME message inside it.
///
/// # Errors
/// [`Refusal`].
pub fn json(m: NewMessage, ingest: &Ingest) -> Result<Incoming, Refusal> {
    let sent_at = match m.sent_at.as_deref() {
        None => None,
        Some(s) => match Micros::parse(s) {
            Some(t) => Some(t),
            None => {
                return refuse("bad_time", "sent_at: expected RFC 3339, RFC 5322 or an epoch time");
            }
        },
    };
    if let Some(b64) = &m.eml_b64 {
        let bytes = STANDARD
            .decode(b64.split_whitespace().collect::<String>())
            .map_err(|_| Refusal { code: "bad_base64", detail: "eml_b64 isn't base64".into() })?;
        return mime(bytes, m.external_id, m.thread, m.direction, ingest);
    }
    let Some(external_id) = m.external_id.clone().filter(|id| !id.trim().is_empty()) else {
        return refuse(
            "external_id_missing",
            "external_id: the channel's own id is needed to find duplicates",
        );
    };
    let Some(from) = m.from.as_ref().filter(|f| !f.address.trim().is_empty()) else {
        return refuse("from_missing", "from.address is missing");
    };
    let empty = |t: &Option<String>| t.as_deref().is_none_or(|t| t.trim().is_empty());
    if empty(&m.text) && empty(&m.html) && empty(&m.subject) {
        return refuse("empty", "the message has no text, html or subject");
    }
    let longest = [external_id.len(), from.address.len(), m.thread.as_ref().map_or(0, String::len)]
        .into_iter()
        .chain(m.to.iter().chain(&m.cc).map(|p| p.address.len()))
        .chain(m.references.iter().map(String::len))
        .max();
    if longest.is_some_and(|n| n > MAX_ID) {
        return refuse("id_too_long", format!("an id or address is longer than {MAX_ID} bytes"));
    }
    if m.to.len() + m.cc.len() > MAX_PARTIES {
        return refuse("too_many_recipients", format!("more than {MAX_PARTIES} recipients"));
    }
    Ok(Incoming {
        external_id,
        direction: direction(m.direction, &from.address, ingest),
        sender: from.address.clone(),
        sent_at,
        raw: Raw::Json(Box::new(m)),
    })
}

/// Checks a MIME message. It is parsed once here, so that what can't be read is refused at the door.
///
/// # Errors
/// [`Refusal`].
pub fn mime(
    bytes: Vec<u8>,
    external_id: Option<String>,
    thread: Option<String>,
    said: Direction,
    ingest: &Ingest,
) -> Result<Incoming, Refusal> {
    let limits = mime_limits(ingest);
    let parsed = normalise::parse_mime(&bytes, &limits)
        .map_err(|e| Refusal { code: e.code(), detail: e.to_string() })?;
    let external_id = external_id.or(parsed.message_id).unwrap_or_default();
    if external_id.is_empty() || external_id.len() > MAX_ID {
        return refuse(
            "bad_message_id",
            format!("the Message-ID is empty or longer than {MAX_ID} bytes"),
        );
    }
    let sender = parsed.from.map(|a| a.address).unwrap_or_default();
    Ok(Incoming {
        external_id,
        direction: direction(said, &sender, ingest),
        sender,
        sent_at: parsed.date_micros.map(Micros),
        raw: Raw::Mime { bytes, thread },
    })
}

fn direction(said: Direction, sender: &str, ingest: &Ingest) -> Direction {
    let own = ingest.own_addresses.iter().any(|a| a.eq_ignore_ascii_case(sender.trim()));
    if own { Direction::Out } else { said }
}

/// Hashes a checked message for its insert.
///
/// # Errors
/// Serialisation errors only.
pub fn prepare(
    store: &Store,
    tenant: &TenantId,
    channel: &Channel,
    incoming: Incoming,
) -> crate::store::Result<Prepared> {
    let subject: ContactId = contact::id_of(store, tenant, channel.kind, &incoming.sender);
    message::prepare(store, tenant, &channel.id, subject, incoming)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingest() -> Ingest {
        crate::config::Config::load(
            None,
            &|_| None,
            &["ingest.own_addresses=us@shop.example".into()],
        )
        .unwrap()
        .ingest
    }

    fn message(json: serde_json::Value) -> Result<Incoming, Refusal> {
        super::json(serde_json::from_value(json).unwrap(), &ingest())
    }

    #[test]
    fn what_is_refused_says_why_and_repeats_nothing() {
        use serde_json::json;
        for (body, code) in [
            (json!({}), "external_id_missing"),
            (json!({"external_id": "1"}), "from_missing"),
            (json!({"external_id": "1", "from": {"address": "secret@x.example"}}), "empty"),
            (
                json!({"external_id": "x".repeat(2000), "from": {"address": "secret@x.example"}, "text": "hi"}),
                "id_too_long",
            ),
            (
                json!({"external_id": "1", "from": {"address": "secret@x.example"}, "text": "hi", "sent_at": "soon"}),
                "bad_time",
            ),
            (json!({"eml_b64": "§"}), "bad_base64"),
        ] {
            let e = message(body).unwrap_err();
            assert_eq!(e.code, code);
            assert!(!e.detail.contains("secret"), "{e}");
        }
    }

    #[test]
    fn mail_from_our_own_address_is_a_reply() {
        use serde_json::json;
        let m = |from: &str| {
            message(json!({"external_id": "1", "from": {"address": from}, "text": "hi"}))
                .unwrap()
                .direction
        };
        assert_eq!(m("a@b.example"), Direction::In);
        assert_eq!(m("US@shop.example"), Direction::Out);
    }
}
