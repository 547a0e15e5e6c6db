//! What may stand for a masked value besides its placeholder, for those who mask texts that they
//! keep themselves. The service's own threads always hold placeholders, as only these come back.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::entity::{Entity, EntityError};
use super::fake::{self, keyed_hash};
use super::numbering::{Numbering, Placeholder};
use super::placeholder;
use super::stored::{Masked, MaskedSpan, Segment};

/// What a value is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Operator {
    /// `<EMAIL_1>`: numbered within the thread, so that a reader can still tell people apart.
    #[default]
    Placeholder,
    /// Nothing.
    Redact,
    /// Stars but for the last four letters or digits; all stars when there are fewer than eight.
    Partial,
    /// `<EMAIL:9f86d081884c7d65>`: HMAC-SHA256 of the normalised value, so that equal values can be
    /// joined over texts and nobody without the key can guess them.
    Hash,
    /// Another value of the same form, the same for the same value and key: digits for digits,
    /// letters for letters, valid check digits for cards and IBANs, reserved names and ranges for
    /// addresses.
    Fake,
    /// The value itself: the type is found and reported, but not masked.
    Keep,
}

/// A text that names no operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No such operator.
    #[error("`{0}` is not an operator: expected placeholder, redact, partial, hash, fake or keep")]
    Unknown(String),
    /// A type's name can't be one.
    #[error(transparent)]
    Entity(#[from] EntityError),
    /// Not `TYPE=operator`.
    #[error("`{0}` is not of the form TYPE=operator")]
    Form(String),
}

impl FromStr for Operator {
    type Err = OperatorError;

    fn from_str(s: &str) -> Result<Self, OperatorError> {
        Ok(match s {
            "placeholder" => Self::Placeholder,
            "redact" => Self::Redact,
            "partial" => Self::Partial,
            "hash" => Self::Hash,
            "fake" => Self::Fake,
            "keep" => Self::Keep,
            _ => return Err(OperatorError::Unknown(s.chars().take(40).collect())),
        })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placeholder => "placeholder",
            Self::Redact => "redact",
            Self::Partial => "partial",
            Self::Hash => "hash",
            Self::Fake => "fake",
            Self::Keep => "keep",
        })
    }
}

/// The operators of all types: one for each that was named, one for the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Operators {
    rest: Operator,
    named: HashMap<Entity, Operator>,
}

impl Operators {
    /// Reads (type, operator) pairs; the type `*` means all that aren't named. Later pairs win.
    ///
    /// # Errors
    /// [`OperatorError`] names what is neither.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OperatorError> {
        Self::default().with(pairs)
    }

    /// These, with further pairs on top.
    ///
    /// # Errors
    /// As [`Operators::read`].
    pub fn with<'a>(
        mut self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OperatorError> {
        for (entity, operator) in pairs {
            let operator = operator.parse()?;
            if entity == "*" {
                self.rest = operator;
            } else {
                self.named.insert(entity.parse()?, operator);
            }
        }
        Ok(self)
    }

    /// Whether any of them needs a key.
    pub fn need_key(&self) -> bool {
        let keyed = |o: &Operator| matches!(o, Operator::Hash | Operator::Fake);
        keyed(&self.rest) || self.named.values().any(keyed)
    }

    /// The operator of a type.
    pub fn of(&self, entity: &Entity) -> Operator {
        self.named.get(entity).copied().unwrap_or(self.rest)
    }
}

/// The key of hashes and fakes. Debug shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorKey([u8; 32]);

impl OperatorKey {
    /// Wraps a key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey(…)")
    }
}

/// A masked text with each value's replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The text; look-alikes of placeholders are escaped in it.
    pub text: String,
    /// Bytes of `text` that stand for each span, in order; empty for what was redacted.
    pub ranges: Vec<Range<usize>>,
}

impl Masked {
    /// The text with each value replaced as its type's operator says. `normalise` is the one that
    /// the text was masked with.
    pub fn replace(
        &self,
        numbering: &Numbering,
        operators: &Operators,
        key: &OperatorKey,
        normalise: &dyn Fn(&Entity, &str) -> String,
    ) -> Replaced {
        let mut text = String::with_capacity(self.text.as_stored().len());
        let mut ranges = Vec::with_capacity(self.spans.len());
        let mut literal = String::new();
        let mut spans = self.spans.iter();
        for segment in self.text.segments() {
            match segment {
                Segment::Literal(part) => literal.push_str(part),
                Segment::Token { id, .. } => {
                    placeholder::push_escaped(&mut text, &literal, numbering.labels());
                    literal.clear();
                    let Some(span) = spans.next() else { continue };
                    let from = text.len();
                    let number = numbering.placeholder(&id);
                    let normalised = || normalise(&span.entity, span.surface.expose());
                    push(&mut text, operators.of(&span.entity), span, number, key, normalised);
                    ranges.push(from..text.len());
                }
            }
        }
        placeholder::push_escaped(&mut text, &literal, numbering.labels());
        Replaced { text, ranges }
    }
}

fn push(
    out: &mut String,
    operator: Operator,
    span: &MaskedSpan,
    number: Option<&Placeholder>,
    key: &OperatorKey,
    normalised: impl Fn() -> String,
) {
    let (entity, surface) = (&span.entity, span.surface.expose());
    match operator {
        Operator::Placeholder => match number {
            Some(p) => out.push_str(&p.to_string()),
            None => out.push_str(&format!("<{}>", entity.label())),
        },
        Operator::Redact => {}
        Operator::Partial if is_secret(entity) => {
            out.extend(surface.chars().map(|c| if c.is_whitespace() { c } else { '*' }));
        }
        Operator::Partial => partial(out, surface),
        Operator::Hash => {
            let hash = keyed_hash(&key.0, entity.as_str(), &normalised());
            out.push_str(&format!("<{}:{}>", entity.label(), hex::encode(&hash[..8])));
        }
        Operator::Fake => out.push_str(&fake::fake(&key.0, entity, surface, &normalised())),
        Operator::Keep => out.push_str(surface),
    }
}

/// What opens something shows nothing, its signs neither.
fn is_secret(entity: &Entity) -> bool {
    [Entity::PASSWORD, Entity::API_KEY, Entity::ONE_TIME_CODE].contains(entity)
}

const LAST: usize = 4;

fn partial(out: &mut String, surface: &str) {
    let all = surface.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = if all < 2 * LAST { all } else { all - LAST };
    let mut seen = 0;
    for c in surface.chars() {
        let hide = c.is_alphanumeric() && seen < hidden;
        seen += usize::from(c.is_alphanumeric());
        out.push(if hide { '*' } else { c });
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::MaskedText;
    use super::super::{Span, ValueHash, VaultId, VaultKey};
    use super::*;

    fn replaced(text: &str, value: &str, entity: Entity, operator: &str) -> Replaced {
        let start = text.find(value).unwrap();
        let end = start + value.len();
        let span =
            Span { start, end, entity: entity.clone(), score: 1.0, recognizer: "test".into() };
        let mut numbering = Numbering::new();
        let id = VaultId::from_u64(1);
        numbering.add(VaultKey { id, entity, value: ValueHash::new(*b"v") });
        let lower = |_: &Entity, s: &str| s.to_lowercase();
        let masked = MaskedText::apply(text, &[span], &lower, &mut |_, _, _| id).unwrap();
        let operators = Operators::read([("*", operator)]).unwrap();
        masked.replace(&numbering, &operators, &OperatorKey::new([7; 32]), &lower)
    }

    #[test]
    fn each_operator_does_its_own() {
        let card = |op| {
            replaced(
                "Card 4111 1111 1111 1111, thanks",
                "4111 1111 1111 1111",
                Entity::CREDIT_CARD,
                op,
            )
            .text
        };
        assert_eq!(card("placeholder"), "Card <CARD_1>, thanks");
        assert_eq!(card("redact"), "Card , thanks");
        assert_eq!(card("partial"), "Card **** **** **** 1111, thanks");
        assert_eq!(card("keep"), "Card 4111 1111 1111 1111, thanks");
        let fake = card("fake");
        assert_eq!(fake.len(), "Card 4111 1111 1111 1111, thanks".len());
        assert!(!fake.contains("4111 1111"), "{fake}");
        assert_eq!(fake, card("fake"));
        let hash = card("hash");
        assert!(
            hash.starts_with("Card <CARD:")
                && hash.len() == "Card <CARD:0123456789abcdef>, thanks".len()
        );
    }

    #[test]
    fn equal_values_in_other_spellings_have_one_hash() {
        let hash = |text: &str, value| replaced(text, value, Entity::EMAIL_ADDRESS, "hash").text;
        assert_eq!(hash("a@x.example", "a@x.example"), hash("A@X.example", "A@X.example"));
        assert_ne!(hash("a@x.example", "a@x.example"), hash("b@x.example", "b@x.example"));
    }

    #[test]
    fn ranges_tell_where_the_replacement_stands_behind_an_escape() {
        let r = replaced(
            "<EMAIL_1> wrote from a@x.example.",
            "a@x.example",
            Entity::EMAIL_ADDRESS,
            "partial",
        );
        assert_eq!(r.text, "<=EMAIL_1> wrote from *@*.***mple.");
        assert_eq!(&r.text[r.ranges[0].clone()], "*@*.***mple");
    }

    #[test]
    fn short_values_keep_nothing() {
        assert_eq!(replaced("PIN 1234", "1234", Entity::PASSWORD, "partial").text, "PIN ****");
        assert_eq!(
            replaced("pw hunter2-Blue!", "hunter2-Blue!", Entity::PASSWORD, "partial").text,
            "pw *************"
        );
    }

    #[test]
    fn what_is_no_operator_is_named() {
        assert!(Operators::read([("EMAIL_ADDRESS", "hide")]).is_err());
        assert!(Operators::read([("email", "hash")]).is_err());
        let ops = Operators::read([("*", "redact"), ("URL", "keep")]).unwrap();
        assert_eq!(ops.of(&Entity::URL), Operator::Keep);
        assert_eq!(ops.of(&Entity::PERSON), Operator::Redact);
    }
}
