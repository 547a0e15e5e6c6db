//! What happens, for those who listen: the types of events and the one form in which an event leaves
//! the service, by stream and by webhook alike. An event holds ids, labels and masked text only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{EventId, Micros};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum EventKind {
    /// A message was stored; nothing of it has been read yet.
    MessageReceived,
    /// A message was read; the analysis is in it.
    MessageClassified,
    /// The platform reported a message as deleted; what was kept of it is gone.
    MessageDeleted,
    /// An item came into the queue.
    ReviewCreated,
    /// An item of the queue changed.
    ReviewChanged,
    /// A reply went out.
    SendSent,
    /// A reply certainly did not go out.
    SendFailed,
    /// Nobody knows whether a reply went out.
    SendUnknown,
    /// Somebody tried a webhook.
    WebhookTest,
}

impl EventKind {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::MessageReceived,
        Self::MessageClassified,
        Self::MessageDeleted,
        Self::ReviewCreated,
        Self::ReviewChanged,
        Self::SendSent,
        Self::SendFailed,
        Self::SendUnknown,
        Self::WebhookTest,
    ];

    /// The type as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageReceived => "message.received",
            Self::MessageClassified => "message.classified",
            Self::MessageDeleted => "message.deleted",
            Self::ReviewCreated => "review.created",
            Self::ReviewChanged => "review.changed",
            Self::SendSent => "send.sent",
            Self::SendFailed => "send.failed",
            Self::SendUnknown => "send.unknown",
            Self::WebhookTest => "webhook.test",
        }
    }

    /// Reads a list of types, separated by commas or blanks.
    ///
    /// # Errors
    /// [`UnknownKind`] for the first that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, UnknownKind> {
        text.split([',', ' ']).filter(|s| !s.is_empty()).map(str::parse).collect()
    }
}

/// A word that names no type of event; it isn't repeated, as it may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a type of event: expected {}", EventKind::ALL.map(EventKind::as_str).join(", "))]
pub struct UnknownKind;

impl FromStr for EventKind {
    type Err = UnknownKind;
    fn from_str(s: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|k| k.as_str() == s).ok_or(UnknownKind)
    }
}

impl TryFrom<String> for EventKind {
    type Error = UnknownKind;
    fn try_from(s: String) -> Result<Self, UnknownKind> {
        s.parse()
    }
}

impl From<EventKind> for &'static str {
    fn from(k: EventKind) -> Self {
        k.as_str()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A numbered event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id; stable, so whoever gets it twice can tell.
    pub id: EventId,
    /// Its number within the tenant. Numbers rise, without gaps.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Micros,
    /// Ids, labels, masked text.
    pub data: Value,
}

impl Event {
    /// The form in which it leaves the service: one line of JSON, the same each time.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            id: &'a EventId,
            seq: i64,
            #[serde(rename = "type")]
            kind: EventKind,
            timestamp: String,
            data: &'a Value,
        }
        let e = Envelope {
            id: &self.id,
            seq: self.seq,
            kind: self.kind,
            timestamp: self.at.rfc3339(),
            data: &self.data,
        };
        serde_json::to_string(&e).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_read_as_they_are_written() {
        for k in EventKind::ALL {
            assert_eq!(k.as_str().parse(), Ok(k));
        }
        assert_eq!(
            EventKind::list("message.received, review.changed"),
            Ok(vec![EventKind::MessageReceived, EventKind::ReviewChanged])
        );
        let e = EventKind::list("message.received,secret").unwrap_err().to_string();
        assert!(e.contains("message.classified") && !e.contains("secret"), "{e}");
    }

    #[test]
    fn an_event_is_one_line_of_json() {
        let e = Event {
            id: "0198d9a0-0000-7000-8000-000000000001".parse().unwrap(),
            seq: 7,
            kind: EventKind::ReviewChanged,
            at: Micros(1_763_805_600_000_000),
            data: json!({"text": "one\ntwo"}),
        };
        assert_eq!(
            e.to_json(),
            r#"{"id":"0198d9a0-0000-7000-8000-000000000001","seq":7,"type":"review.changed","timestamp":"2025-11-22T10:00:00.000Z","data":{"text":"one\ntwo"}}"#
        );
    }
}
