//! What Chatwoot's webhook says: its signature and its payload. `X-Chatwoot-Signature` is `sha256=`
//! and the hex HMAC-SHA256 of `timestamp.body` under the webhook's secret, `X-Chatwoot-Timestamp` the
//! epoch seconds.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::MARK;
use crate::adapters::standard_webhooks::{BadSignature, TOLERANCE_S};
use crate::domain::ids::Micros;
use crate::domain::message::{Direction, NewMessage, Party};
use crate::domain::platform::external_id;

/// The headers of a delivery, of the right form and time.
pub struct Presented<'a> {
    timestamp: &'a str,
    signature: [u8; 32],
}

impl<'a> Presented<'a> {
    /// Reads the two headers.
    ///
    /// # Errors
    /// [`BadSignature::Headers`] or [`BadSignature::Timestamp`].
    pub fn read(timestamp: &'a str, signature: &str, now: Micros) -> Result<Self, BadSignature> {
        let at: i64 = timestamp.parse().map_err(|_| BadSignature::Headers)?;
        let mut bytes = [0u8; 32];
        let hex = signature.strip_prefix("sha256=").ok_or(BadSignature::Headers)?;
        hex::decode_to_slice(hex, &mut bytes).map_err(|_| BadSignature::Headers)?;
        if (now.0.div_euclid(1_000_000)).saturating_sub(at).saturating_abs() > TOLERANCE_S {
            return Err(BadSignature::Timestamp);
        }
        Ok(Self { timestamp, signature: bytes })
    }

    /// Verifies the raw body, in constant time for each secret.
    ///
    /// # Errors
    /// [`BadSignature::Mismatch`] or [`BadSignature::NoSecret`].
    pub fn verify(&self, secrets: &[String], body: &[u8]) -> Result<(), BadSignature> {
        let mut usable = false;
        for secret in secrets.iter().filter(|s| !s.is_empty()) {
            let Some(mac) = mac(secret, self.timestamp, body) else { continue };
            usable = true;
            if mac.verify_slice(&self.signature).is_ok() {
                return Ok(());
            }
        }
        Err(if usable { BadSignature::Mismatch } else { BadSignature::NoSecret })
    }
}

fn mac(secret: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// The two headers of a body, as Chatwoot makes them.
pub fn sign(secret: &str, at: Micros, body: &[u8]) -> (String, String) {
    let timestamp = at.0.div_euclid(1_000_000).to_string();
    let signature = mac(secret, &timestamp, body)
        .map(|m| format!("sha256={}", hex::encode(m.finalize().into_bytes())));
    (timestamp, signature.unwrap_or_default())
}

/// What a delivery means to us.
#[derive(Debug)]
pub enum Heard {
    /// A message of the customer, or one that an agent has sent.
    Message(Box<NewMessage>),
    /// A message was deleted.
    Deleted {
        /// As we know it.
        external_id: String,
    },
    /// Nothing, and why.
    Nothing(&'static str),
}

#[derive(Deserialize)]
struct Payload {
    event: String,
    id: Option<i64>,
    content: Option<String>,
    message_type: Option<Value>,
    #[serde(default)]
    private: bool,
    created_at: Option<Value>,
    additional_attributes: Option<Value>,
    content_attributes: Option<Value>,
    sender: Option<Person>,
    conversation: Option<Conversation>,
    account: Option<Account>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
struct Account {
    id: i64,
}

#[derive(Deserialize)]
struct Attachment {
    file_type: Option<String>,
}

#[derive(Deserialize, Clone)]
struct Person {
    id: Option<i64>,
    name: Option<String>,
    email: Option<String>,
    phone_number: Option<String>,
}

#[derive(Deserialize)]
struct Conversation {
    id: i64,
    meta: Option<Meta>,
    additional_attributes: Option<Value>,
}

#[derive(Deserialize)]
struct Meta {
    sender: Option<Person>,
}

/// Who is to be reached in Chatwoot: the address that a person is known by there, or their number.
fn party(p: &Person) -> Option<Party> {
    let said = |t: &Option<String>| t.clone().filter(|t| !t.trim().is_empty());
    let number = || p.id.map(|id| format!("contact-{id}"));
    let address = said(&p.email).or_else(|| said(&p.phone_number)).or_else(number)?;
    Some(Party { address, name: said(&p.name) })
}

/// Reads a delivery whose signature stands. `ours` is the account's number, `us` the sender of replies.
///
/// # Errors
/// What serde says of a body that isn't Chatwoot's.
pub fn read(body: &[u8], ours: i64, us: &str) -> serde_json::Result<Heard> {
    let p: Payload = serde_json::from_slice(body)?;
    Ok(meaning(p, ours, us))
}

fn meaning(p: Payload, ours: i64, us: &str) -> Heard {
    if p.account.is_some_and(|a| a.id != ours) {
        return Heard::Nothing("another account");
    }
    let attribute = |key: &str| p.content_attributes.as_ref().and_then(|a| a.get(key));
    let (Some(id), Some(c)) = (p.id, &p.conversation) else {
        return Heard::Nothing("no message");
    };
    let external_id = external_id(c.id, id);
    match p.event.as_str() {
        "message_created" => {}
        "message_updated" if attribute("deleted") == Some(&Value::Bool(true)) => {
            return Heard::Deleted { external_id };
        }
        _ => return Heard::Nothing("an event that isn't ours"),
    }
    if p.private {
        return Heard::Nothing("a private note");
    }
    let of_campaign = p.additional_attributes.as_ref().is_some_and(|a| !a["campaign_id"].is_null());
    let direction = match p.message_type.as_ref().map(|t| (t.as_str(), t.as_i64())) {
        Some((Some("incoming"), _) | (_, Some(0))) => Direction::In,
        Some((Some("outgoing"), _) | (_, Some(1))) if attribute(MARK).is_some() => {
            return Heard::Nothing("our own");
        }
        // Of a rule or a campaign: nobody has answered.
        Some((Some("outgoing"), _) | (_, Some(1)))
            if attribute("automation_rule_id").is_some() || of_campaign =>
        {
            return Heard::Nothing("an automatic message");
        }
        Some((Some("outgoing"), _) | (_, Some(1))) => Direction::Out,
        _ => return Heard::Nothing("neither incoming nor outgoing"),
    };
    let contact = c.meta.as_ref().and_then(|m| m.sender.as_ref()).and_then(party);
    let writer = p.sender.as_ref().and_then(party);
    let (from, to) = match direction {
        Direction::In => (writer.or(contact), Vec::new()),
        // An agent: to us all of them are the sender of replies.
        Direction::Out => {
            (Some(Party { address: us.to_owned(), name: None }), contact.into_iter().collect())
        }
    };
    let text = text(p.content.as_deref(), &p.attachments);
    let subject = c
        .additional_attributes
        .as_ref()
        .and_then(|a| a.get("mail_subject"))
        .and_then(Value::as_str);
    Heard::Message(Box::new(NewMessage {
        channel: None,
        external_id: Some(external_id),
        from,
        to,
        cc: Vec::new(),
        thread: Some(c.id.to_string()),
        references: Vec::new(),
        subject: subject.map(str::to_owned),
        text: Some(text),
        html: None,
        eml_b64: None,
        sent_at: p.created_at.as_ref().and_then(time),
        direction,
    }))
}

/// A message that is nothing but files says so: somebody waits for an answer to it all the same.
fn text(content: Option<&str>, files: &[Attachment]) -> String {
    match content.filter(|t| !t.trim().is_empty()) {
        Some(text) => text.to_owned(),
        None => {
            let of = |f: &Attachment| f.file_type.clone().unwrap_or_else(|| "file".to_owned());
            let all: Vec<String> = files.iter().map(of).collect();
            format!("(no text; attached: {})", all.join(", "))
        }
    }
}

/// A time that can be read; another one is left out rather than the message.
fn time(v: &Value) -> Option<String> {
    let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    Micros::parse(&text).map(Micros::rfc3339)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Micros = Micros(1_763_805_600_000_000);

    #[test]
    fn signatures_stand_over_time_and_body() {
        let secrets = ["old".to_owned(), "s3cret".to_owned()];
        let check = |ts: &str, sig: &str, body: &[u8]| {
            Presented::read(ts, sig, NOW).and_then(|p| p.verify(&secrets, body))
        };
        let (ts, sig) = sign("s3cret", NOW, b"{}");
        assert_eq!(check(&ts, &sig, b"{}"), Ok(()));
        assert_eq!(check(&ts, &sig, b"{ }"), Err(BadSignature::Mismatch));
        let (late, sig) = sign("s3cret", Micros(NOW.0 - 301_000_000), b"{}");
        assert_eq!(check(&late, &sig, b"{}"), Err(BadSignature::Timestamp));
        for (ts, sig) in [("", "sha256=00"), ("x", ""), (ts.as_str(), "00"), (&ts, "sha256=zz")] {
            assert_eq!(check(ts, sig, b"{}"), Err(BadSignature::Headers), "{ts} {sig}");
        }
        let p = Presented::read(&ts, &sign("", NOW, b"{}").1, NOW);
        assert_eq!(p.and_then(|p| p.verify(&[], b"{}")), Err(BadSignature::NoSecret));
    }

    /// The published value of HMAC-SHA256 (RFC 4231, test case 2), so that it isn't only ourselves
    /// whom we agree with.
    #[test]
    fn the_code_is_hmac_sha256() {
        let mut m = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        m.update(b"what do ya want for nothing?");
        let hex = hex::encode(m.finalize().into_bytes());
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    fn created(more: Value) -> Value {
        let mut v = json!({"event": "message_created", "id": 7, "content": "Hi", "private": false,
            "message_type": "incoming", "created_at": "2026-11-22T10:00:00.000Z",
            "sender": {"id": 3, "name": "Robin", "email": "robin@example.com"},
            "conversation": {"id": 21, "meta": {"sender": {"id": 3, "email": "robin@example.com"}}},
            "account": {"id": 1}});
        for (k, x) in more.as_object().unwrap() {
            v[k] = x.clone();
        }
        v
    }

    fn heard(v: Value) -> Heard {
        read(v.to_string().as_bytes(), 1, "shop").unwrap()
    }

    #[test]
    fn a_customer_s_message_is_taken() {
        let Heard::Message(m) = heard(created(json!({}))) else { panic!() };
        assert_eq!(m.external_id.as_deref(), Some("21:7"));
        assert_eq!(m.thread.as_deref(), Some("21"));
        assert_eq!(m.from.unwrap().address, "robin@example.com");
        assert_eq!((m.direction, m.text.as_deref()), (Direction::In, Some("Hi")));
        assert_eq!(m.sent_at.as_deref(), Some("2026-11-22T10:00:00.000Z"));
        let Heard::Message(m) = heard(created(json!({"content": null, "message_type": 0,
            "sender": {"id": 3}, "attachments": [{"file_type": "image"}]})))
        else {
            panic!()
        };
        assert_eq!(m.from.unwrap().address, "contact-3");
        assert_eq!(m.text.as_deref(), Some("(no text; attached: image)"));
    }

    #[test]
    fn an_agent_s_message_is_a_reply_sent_outside() {
        let Heard::Message(m) = heard(created(json!({"message_type": "outgoing",
            "sender": {"id": 9, "name": "Agent"}})))
        else {
            panic!()
        };
        assert_eq!((m.direction, m.from.unwrap().address.as_str()), (Direction::Out, "shop"));
        assert_eq!(m.to[0].address, "robin@example.com");
    }

    #[test]
    fn what_is_not_for_us_is_passed_over() {
        for (more, why) in [
            (json!({"private": true}), "a private note"),
            (json!({"account": {"id": 2}}), "another account"),
            (json!({"event": "conversation_created"}), "an event that isn't ours"),
            (json!({"event": "message_updated"}), "an event that isn't ours"),
            (json!({"message_type": "template"}), "neither incoming nor outgoing"),
            (
                json!({"message_type": "outgoing", "content_attributes": {"countersign": "x"}}),
                "our own",
            ),
            (
                json!({"message_type": "outgoing", "sender": null,
                    "content_attributes": {"automation_rule_id": 3}}),
                "an automatic message",
            ),
            (
                json!({"message_type": 1, "additional_attributes": {"campaign_id": 3}}),
                "an automatic message",
            ),
            (json!({"id": null}), "no message"),
        ] {
            assert!(matches!(heard(created(more)), Heard::Nothing(w) if w == why), "{why}");
        }
        let gone = json!({"event": "message_updated", "content_attributes": {"deleted": true}});
        assert!(
            matches!(heard(created(gone)), Heard::Deleted { external_id } if external_id == "21:7")
        );
        // A customer can't make a message of their own pass for ours.
        let forged = json!({"content_attributes": {"countersign": "x"}});
        assert!(matches!(heard(created(forged)), Heard::Message(_)));
    }
}
