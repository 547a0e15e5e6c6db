//! Typed ids, so that a thread's id can never be passed where a message's is wanted, and the
//! clock's unit. Ids are UUIDv7 text (sortable by creation) unless their docs say otherwise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An id that is not of the form its type asks for.
#[derive(Debug, thiserror::Error)]
#[error("`{value}` is not {what}: expected {expected}")]
pub struct IdError {
    what: &'static str,
    expected: &'static str,
    value: String,
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident: $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(String);

        impl $name {
            /// Takes a fresh UUID (version 7 by convention; the caller's clock mints it).
            pub fn from_uuid(id: uuid::Uuid) -> Self {
                Self(id.hyphenated().to_string())
            }

            /// The hyphenated, lower-case text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                match uuid::Uuid::try_parse(s) {
                    Ok(id) => Ok(Self(id.hyphenated().to_string())),
                    Err(_) => Err(IdError {
                        what: $what,
                        expected: "a UUID",
                        value: s.chars().take(64).collect(),
                    }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

uuid_id! {
    /// A tenant: the wall between two customers' data.
    TenantId: "a tenant id";
    /// One received or sent message.
    MessageId: "a message id";
    /// A conversation.
    ThreadId: "a thread id";
    /// An inbox: where messages come from and replies go to.
    ChannelId: "a channel id";
    /// One item of the review queue.
    ReviewId: "a review id";
    /// A draft; its revisions are numbered from 1.
    DraftId: "a draft id";
    /// A countersignature.
    ApprovalId: "an approval id";
    /// One delivery to one recipient; also the provider's idempotency key.
    SendId: "a send id";
    /// A piece of durable work.
    JobId: "a job id";
    /// A knowledge article.
    ArticleId: "an article id";
    /// A chunk of an article or a message.
    ChunkId: "a chunk id";
    /// A person with a login.
    UserId: "a user id";
    /// An API key (its id, never the key).
    KeyId: "an API key id";
    /// A row of the audit log, or an event for those who listen.
    EventId: "an event id";
    /// An endpoint that events are posted to.
    EndpointId: "a webhook id";
    /// A head that was learnt from corrections.
    ModelId: "a model id";
}

/// A person outside: the keyed hash of channel kind and normalised address, 32 hex digits. Being
/// derived, it needs no look-up; being keyed, it can't be guessed from an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContactId(String);

impl ContactId {
    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContactId {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        if s.len() == 32 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Self(s.to_owned()))
        } else {
            Err(IdError {
                what: "a contact id",
                expected: "32 lower-case hex digits",
                value: s.chars().take(64).collect(),
            })
        }
    }
}

impl TryFrom<String> for ContactId {
    type Error = IdError;
    fn try_from(s: String) -> Result<Self, IdError> {
        s.parse()
    }
}

impl From<ContactId> for String {
    fn from(id: ContactId) -> String {
        id.0
    }
}

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A short name in an address or a path: 1–64 of `a-z`, `0-9`, `-`, `_`, beginning with a letter
/// or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        let ok = (1..=64).contains(&s.len())
            && s.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            && !s.starts_with(['-', '_']);
        if ok {
            Ok(Self(s.to_owned()))
        } else {
            Err(IdError {
                what: "a name",
                expected: "1 to 64 of a-z, 0-9, - and _",
                value: s.chars().take(64).collect(),
            })
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = IdError;
    fn try_from(s: String) -> Result<Self, IdError> {
        s.parse()
    }
}

impl From<Slug> for String {
    fn from(s: Slug) -> String {
        s.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Microseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// This time plus `d`, saturating.
    pub fn plus(self, d: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` to this time; zero when it lies after.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(
            u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0),
        )
    }

    /// RFC 3339 in UTC with milliseconds; an empty string outside the calendar's range.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map(|t| format!("{t:.3}")).unwrap_or_default()
    }

    /// Reads RFC 3339 / ISO 8601 (`2026-11-22T10:00:00.000+0100` too; a date or time without a
    /// zone is taken as UTC), RFC 5322 or epoch seconds or milliseconds.
    pub fn parse(s: &str) -> Option<Self> {
        let s = s.trim();
        if let Ok(t) = s.parse::<jiff::Timestamp>() {
            return Some(Self(t.as_microsecond()));
        }
        if let Ok(n) = s.parse::<i64>() {
            // Seconds until the year 5138, milliseconds after 1973: the ranges don't meet in use.
            let micros = if n.abs() < 100_000_000_000 {
                n.checked_mul(1_000_000)?
            } else {
                n.checked_mul(1_000)?
            };
            return Some(Self(micros));
        }
        if let Ok(z) = jiff::fmt::rfc2822::parse(s) {
            return Some(Self(z.timestamp().as_microsecond()));
        }
        let zoned = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", s);
        if let Ok(t) = zoned.and_then(|b| b.to_timestamp()) {
            return Some(Self(t.as_microsecond()));
        }
        let utc =
            s.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(utc.timestamp().as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_vendors_send() {
        let want = Micros(1_763_805_600_000_000);
        for s in [
            "2025-11-22T10:00:00Z",
            "2025-11-22T11:00:00.000+0100",
            "2025-11-22T11:00:00+01:00",
            "Sat, 22 Nov 2025 10:00:00 +0000",
            "1763805600",
            "1763805600000",
            "2025-11-22T10:00:00",
        ] {
            assert_eq!(Micros::parse(s), Some(want), "{s}");
        }
        assert_eq!(want.rfc3339(), "2025-11-22T10:00:00.000Z");
        assert_eq!(
            Micros::parse("2025-11-22").map(Micros::rfc3339).as_deref(),
            Some("2025-11-22T00:00:00.000Z")
        );
        assert_eq!(Micros::parse("yesterday"), None);
    }

    #[test]
    fn ids_refuse_what_is_not_theirs() {
        assert!("x".parse::<TenantId>().is_err());
        assert!("018F-..".parse::<MessageId>().is_err());
        assert!("Shop".parse::<Slug>().is_err());
        assert!("shop-mail".parse::<Slug>().is_ok());
        assert!("zz".parse::<ContactId>().is_err());
    }
}
