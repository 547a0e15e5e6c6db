//! Types of personal data. They are open: the product brings its own, a tenant adds more, and both
//! go the same way through tokens, labels and rules of release.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name of a type, in bytes; with an id and the brackets a token stays below 80 bytes.
const MAX_NAME: usize = 40;

/// The name of a type, such as `EMAIL_ADDRESS`; Presidio's names are used where it has one.
///
/// Upper-case ASCII letters, digits and underscores, beginning with a letter and ending with a
/// letter or digit, at most 40 bytes: the alphabet that tokens and placeholders can carry.
/// Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Entity(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

/// A text that can't name a type of personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an entity type: expected up to {MAX_NAME} of A–Z, 0–9 and inner underscores, beginning with a letter"
)]
pub struct EntityError(String);

/// What the product knows about a type beyond its name.
struct Known {
    entity: Entity,
    /// The short word in placeholders.
    label: &'static str,
    /// Whether a reply may carry the value back to the customer.
    sendable: bool,
}

const fn known(entity: Entity, label: &'static str, sendable: bool) -> Known {
    Known { entity, label, sendable }
}

/// Types with a label of their own or values that may be sent. All others are labelled by their
/// name, and their values stay inside: a national id that somebody adds is safe without a line here.
static KNOWN: [Known; 15] = [
    known(Entity::EMAIL_ADDRESS, "EMAIL", true),
    known(Entity::PHONE_NUMBER, "PHONE", true),
    known(Entity::CREDIT_CARD, "CARD", false),
    known(Entity::IBAN_CODE, "IBAN", true),
    known(Entity::IP_ADDRESS, "IP", true),
    known(Entity::URL, "URL", true),
    known(Entity::MAC_ADDRESS, "MAC", true),
    known(Entity::US_SSN, "SSN", false),
    known(Entity::PERSON, "PERSON", true),
    known(Entity::LOCATION, "LOCATION", true),
    known(Entity::ORGANIZATION, "ORGANIZATION", true),
    known(Entity::DATE_TIME, "DATE", true),
    known(Entity::PASSWORD, "PASSWORD", false),
    known(Entity::ONE_TIME_CODE, "CODE", false),
    known(Entity::API_KEY, "KEY", false),
];

impl Entity {
    /// An e-mail address.
    pub const EMAIL_ADDRESS: Self = Self(Name::Static("EMAIL_ADDRESS"));
    /// A telephone number, with its extension.
    pub const PHONE_NUMBER: Self = Self(Name::Static("PHONE_NUMBER"));
    /// A payment card's number.
    pub const CREDIT_CARD: Self = Self(Name::Static("CREDIT_CARD"));
    /// An international bank account number.
    pub const IBAN_CODE: Self = Self(Name::Static("IBAN_CODE"));
    /// An IPv4 or IPv6 address, with its zone and prefix length.
    pub const IP_ADDRESS: Self = Self(Name::Static("IP_ADDRESS"));
    /// A web address, with or without scheme.
    pub const URL: Self = Self(Name::Static("URL"));
    /// A network interface's hardware address.
    pub const MAC_ADDRESS: Self = Self(Name::Static("MAC_ADDRESS"));
    /// A United States social security number.
    pub const US_SSN: Self = Self(Name::Static("US_SSN"));
    /// A person's name.
    pub const PERSON: Self = Self(Name::Static("PERSON"));
    /// A place or postal address.
    pub const LOCATION: Self = Self(Name::Static("LOCATION"));
    /// A company or institution.
    pub const ORGANIZATION: Self = Self(Name::Static("ORGANIZATION"));
    /// A date or time.
    pub const DATE_TIME: Self = Self(Name::Static("DATE_TIME"));
    /// A password or passphrase.
    pub const PASSWORD: Self = Self(Name::Static("PASSWORD"));
    /// A one-time or verification code.
    pub const ONE_TIME_CODE: Self = Self(Name::Static("ONE_TIME_CODE"));
    /// A key or token of a programming interface.
    pub const API_KEY: Self = Self(Name::Static("API_KEY"));

    /// The type's full name, as stored and reported.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(s) => s,
            Name::Shared(s) => s,
        }
    }

    /// The word used in placeholders: `EMAIL` for `EMAIL_ADDRESS`, else the name itself.
    pub fn label(&self) -> &str {
        self.known().map_or(self.as_str(), |k| k.label)
    }

    /// Whether a reply may carry the value. Cards, national ids, passwords, codes and keys never
    /// leave again, and neither does a type that this list does not know.
    pub fn is_sendable(&self) -> bool {
        self.known().is_some_and(|k| k.sendable)
    }

    /// The labels of the product's own types.
    pub(super) fn builtin_labels() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|k| k.label)
    }

    fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|k| k.entity == *self)
    }
}

impl FromStr for Entity {
    type Err = EntityError;

    fn from_str(s: &str) -> Result<Self, EntityError> {
        if let Some(k) = KNOWN.iter().find(|k| k.entity.as_str() == s) {
            return Ok(k.entity.clone());
        }
        let b = s.as_bytes();
        let fits = b.len() <= MAX_NAME
            && b.first().is_some_and(u8::is_ascii_uppercase)
            && b.last().is_some_and(|&c| c != b'_')
            && b.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'_');
        if fits {
            Ok(Self(Name::Shared(Arc::from(s))))
        } else {
            Err(EntityError(s.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for Entity {
    type Error = EntityError;

    fn try_from(s: String) -> Result<Self, EntityError> {
        s.parse()
    }
}

impl From<Entity> for String {
    fn from(e: Entity) -> String {
        e.as_str().to_owned()
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// By name, however it is held.
impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Entity {}

impl PartialOrd for Entity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Entity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_what_tokens_cannot_carry_is_refused() {
        assert_eq!("EMAIL_ADDRESS".parse::<Entity>(), Ok(Entity::EMAIL_ADDRESS));
        assert_eq!(
            "DE_TAX_ID".parse::<Entity>().map(|e| e.label().to_owned()),
            Ok("DE_TAX_ID".into())
        );
        let long = "A".repeat(41);
        for bad in ["", "email", "E:MAIL", "_X", "X_", "1X", "Ä", "A B", "A⟧", long.as_str()] {
            assert!(bad.parse::<Entity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_type_is_not_sendable() -> Result<(), EntityError> {
        assert!(!"MEMBER_ID".parse::<Entity>()?.is_sendable());
        assert!(!Entity::US_SSN.is_sendable());
        assert!(Entity::EMAIL_ADDRESS.is_sendable());
        Ok(())
    }
}
