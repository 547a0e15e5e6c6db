//! A message as a channel hands it in, before anything of it is understood. Types that hold raw
//! personal data print nothing of it in their Debug form.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::{MessageId, Micros};

/// What sort of inbox a channel is; it decides the tone and length of a draft and how addresses
/// are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Internet mail.
    Email,
    /// Text messages.
    Sms,
    /// WhatsApp.
    Whatsapp,
    /// Facebook Messenger.
    Messenger,
    /// A web chat.
    Chat,
    /// Anything that posts the generic webhook.
    Webhook,
    /// The local test channel.
    Sandbox,
    /// An inbox of Chatwoot, whatever its own channels are.
    Chatwoot,
}

impl ChannelKind {
    /// The name used in storage, on the API and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
            Self::Sandbox => "sandbox",
            Self::Chatwoot => "chatwoot",
        }
    }

    /// The comparable form of an address: e-mail addresses are lower-cased, phone numbers keep
    /// their digits and a leading `+`, everything else is trimmed.
    pub fn normalise_address(self, address: &str) -> String {
        let a = address.trim();
        match self {
            Self::Email => a.to_lowercase(),
            Self::Sms | Self::Whatsapp => {
                let digits: String = a
                    .chars()
                    .enumerate()
                    .filter(|(i, c)| c.is_ascii_digit() || (*i == 0 && *c == '+'))
                    .map(|(_, c)| c)
                    .collect();
                if digits.is_empty() { a.to_lowercase() } else { digits }
            }
            _ if a.contains('@') => a.to_lowercase(),
            _ => a.to_owned(),
        }
    }
}

impl std::str::FromStr for ChannelKind {
    type Err = UnknownName;
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Ok(match s {
            "email" => Self::Email,
            "sms" => Self::Sms,
            "whatsapp" => Self::Whatsapp,
            "messenger" => Self::Messenger,
            "chat" => Self::Chat,
            "webhook" => Self::Webhook,
            "sandbox" => Self::Sandbox,
            "chatwoot" => Self::Chatwoot,
            _ => {
                return Err(UnknownName {
                    what: "a channel kind",
                    value: s.chars().take(40).collect(),
                    expected: "email, sms, whatsapp, messenger, chat, webhook, sandbox or chatwoot",
                });
            }
        })
    }
}

/// A word that is not one of a closed set.
#[derive(Debug, thiserror::Error)]
#[error("`{value}` is not {what}: expected {expected}")]
pub struct UnknownName {
    /// What was asked for.
    pub what: &'static str,
    /// What was given, clipped.
    pub value: String,
    /// The words that would do.
    pub expected: &'static str,
}

/// From the customer, or a reply that went out through somebody else's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From outside.
    #[default]
    In,
    /// To the customer: sent by us, or reported as sent elsewhere.
    Out,
}

impl Direction {
    /// `in` or `out`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A correspondent: address as the channel gave it, and a display name. Debug shows neither.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// E-mail address, phone number or handle.
    #[schema(max_length = 998)]
    pub address: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Party(…)")
    }
}

/// The domain of addresses that stand for a missing sender; nothing can be delivered there (RFC 2606).
const NOBODY: &str = "@no-sender.invalid";

impl Party {
    /// Stands for the sender of a message that names none: another one for each message, so that two
    /// of them are not taken for one person.
    pub fn nobody(message: &MessageId) -> Self {
        Self { address: format!("{message}{NOBODY}"), name: None }
    }
}

/// Whether an address stands for a missing sender: no reply can go there.
pub fn is_nobody(address: &str) -> bool {
    address.trim().is_empty() || address.ends_with(NOBODY)
}

/// The body of `POST /v1/messages` and of the generic webhook's `data`: a message, or a raw
/// MIME message in base64.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The channel's slug. The webhook takes it from its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The channel's own id of this message; what duplicates are found by. With `eml_b64` it may
    /// be left out (the Message-ID is taken, or one is derived from the content).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 998)]
    pub external_id: Option<String>,
    /// The sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Party>,
    /// The recipients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 200)]
    pub to: Vec<Party>,
    /// Copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 200)]
    pub cc: Vec<Party>,
    /// The platform's own id of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 998)]
    pub thread: Option<String>,
    /// External ids of the messages that this one answers, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The subject line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// HTML, when there is no plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// A whole RFC 5322 message in base64; excludes the fields above except `channel`,
    /// `external_id`, `thread` and `direction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eml_b64: Option<String>,
    /// When it was sent: RFC 3339, RFC 5322 or epoch seconds or milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// `in` (default), or `out` for a reply that was sent elsewhere.
    #[serde(default)]
    pub direction: Direction,
}

impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("channel", &self.channel)
            .field("direction", &self.direction)
            .field("mime", &self.eml_b64.is_some())
            .finish_non_exhaustive()
    }
}

/// Stands between an external id and a digest when an import finds a second body under an id that
/// is taken: both are kept, and the second says so.
pub const SAME_ID_MARK: &str = "#other-body-";

/// A message that has been checked and is ready to be stored.
#[derive(Clone)]
pub struct Incoming {
    /// The channel's own id of this message.
    pub external_id: String,
    /// Which way it went.
    pub direction: Direction,
    /// The sender's address, for the data key (normalised later by channel kind).
    pub sender: String,
    /// When it was sent, if it says so.
    pub sent_at: Option<Micros>,
    /// What is kept and understood later.
    pub raw: Raw,
}

/// The stored original.
#[derive(Clone)]
pub enum Raw {
    /// RFC 5322 bytes, with what the caller said beside them.
    Mime {
        /// The message itself.
        bytes: Vec<u8>,
        /// The platform's thread id, if any.
        thread: Option<String>,
    },
    /// A JSON message.
    Json(Box<NewMessage>),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("direction", &self.direction)
            .field("sent_at", &self.sent_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_raw_types_shows_nothing_personal() {
        let m = NewMessage {
            channel: Some("mail".into()),
            external_id: Some("secret-id".into()),
            from: Some(Party { address: "anna@example.com".into(), name: Some("Anna".into()) }),
            to: vec![],
            cc: vec![],
            thread: None,
            references: vec![],
            subject: Some("private".into()),
            text: Some("private".into()),
            html: None,
            eml_b64: None,
            sent_at: None,
            direction: Direction::In,
        };
        let shown = format!("{m:?} {:?}", m.from);
        for word in ["anna", "Anna", "private", "secret"] {
            assert!(!shown.contains(word), "{shown}");
        }
    }

    #[test]
    fn addresses_compare_by_kind() {
        assert_eq!(ChannelKind::Email.normalise_address(" Anna@Example.COM "), "anna@example.com");
        assert_eq!(ChannelKind::Sms.normalise_address("+1 (202) 555-0100"), "+12025550100");
        assert_eq!(ChannelKind::Chat.normalise_address("User7"), "User7");
    }
}
