//! Numbers within their bounds, labels of closed sets, and names that were looked at when they were made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// A number outside the range its type promises, or a label that cannot be one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TriageValueError {
    /// Not a finite number within the bounds.
    #[error("{value} is not within {low}..={high}")]
    OutOfRange {
        /// What was given.
        value: f32,
        /// Lower bound, inclusive.
        low: f32,
        /// Upper bound, inclusive.
        high: f32,
    },
    /// An intent label is 1 to 64 bytes without blanks at the ends or control characters.
    #[error(
        "{0:?} is not an intent label: 1 to 64 bytes, no blanks at the ends, no control characters"
    )]
    Label(String),
    /// A language is two lower-case letters (ISO 639-1) or `und`.
    #[error("{0:?} is not an ISO 639-1 code or \"und\"")]
    Language(String),
    /// None of the labels of a closed set.
    #[error("{given:?} is not one of {expected}")]
    Unknown {
        /// What was given.
        given: String,
        /// The labels, joined by `, `.
        expected: String,
    },
}

/// Four decimals are enough for a reader and keep stored JSON the same across builds.
fn rounded(value: f32) -> f32 {
    (value * 10_000.0).round() / 10_000.0
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $low:expr, $high:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f32);

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let number = ObjectBuilder::new().schema_type(Type::Number);
                number.minimum(Some($low)).maximum(Some($high)).into()
            }
        }

        impl ToSchema for $name {}

        impl $name {
            /// The nearest value in range, kept to four decimals; a NaN becomes the lower bound.
            #[must_use]
            pub fn clamped(value: f32) -> Self {
                if value.is_nan() {
                    return Self($low);
                }
                Self(rounded(value.clamp($low, $high)))
            }

            /// The number itself.
            #[must_use]
            pub fn get(self) -> f32 {
                self.0
            }
        }

        impl TryFrom<f32> for $name {
            type Error = TriageValueError;

            fn try_from(value: f32) -> Result<Self, Self::Error> {
                if ($low..=$high).contains(&value) {
                    Ok(Self(rounded(value)))
                } else {
                    Err(TriageValueError::OutOfRange { value, low: $low, high: $high })
                }
            }
        }

        impl TryFrom<f64> for $name {
            type Error = TriageValueError;

            fn try_from(value: f64) -> Result<Self, Self::Error> {
                Self::try_from(value as f32)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                // Rounded again, so that JSON shows 0.7438 and not the nearest f32 in all its digits.
                (f64::from(value.0) * 10_000.0).round() / 10_000.0
            }
        }

        impl From<$name> for f32 {
            fn from(value: $name) -> f32 {
                value.0
            }
        }
    };
}

bounded!(
    /// A probability in 0..=1.
    Probability, 0.0, 1.0
);
bounded!(
    /// A position between the worst (-1) and the best (1) mood.
    Polarity, -1.0, 1.0
);

macro_rules! closed_labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        // The derive doesn't see names that a macro puts in.
        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let label = ObjectBuilder::new().schema_type(Type::String);
                label.enum_values(Some([$($text),+])).into()
            }
        }

        impl ToSchema for $name {}

        impl $name {
            /// Every label, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label as it stands on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The position in [`Self::ALL`].
            #[must_use]
            pub fn index(self) -> usize {
                self as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = TriageValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|label| label.as_str() == text).ok_or_else(|| {
                    TriageValueError::Unknown { given: text.to_owned(), expected: [$($text),+].join(", ") }
                })
            }
        }
    };
}

closed_labels!(
    /// Mood in five steps, from worst to best.
    SentimentLabel {
        /// Furious, threatening to leave, insulted.
        VeryNegative => "very_negative",
        /// Unhappy or let down.
        Negative => "negative",
        /// Matter of fact.
        Neutral => "neutral",
        /// Content, thankful.
        Positive => "positive",
        /// Delighted.
        VeryPositive => "very_positive",
    }
);

closed_labels!(
    /// How soon somebody should look, from least to most.
    UrgencyLevel {
        /// Can wait: thanks, feedback, advertising.
        Low => "low",
        /// The ordinary case.
        Normal => "normal",
        /// Today: money at stake, a near deadline, an angry or repeated message.
        High => "high",
        /// Now: danger to people, fraud in progress, a legal threat with a date.
        Critical => "critical",
    }
);

closed_labels!(
    /// Whether a message deserves an answer.
    SpamLabel {
        /// A real message.
        Ham => "ham",
        /// Unasked-for advertising.
        Spam => "spam",
        /// Tries to obtain credentials, money or data by deceit.
        Phishing => "phishing",
        /// Insults or threatens the people who read it.
        Abuse => "abuse",
    }
);

/// The name of an intent, from the taxonomy or from the labels a head was trained on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64)]
pub struct IntentLabel(String);

impl IntentLabel {
    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IntentLabel {
    type Error = TriageValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=64).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(TriageValueError::Label(text)) }
    }
}

impl FromStr for IntentLabel {
    type Err = TriageValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<IntentLabel> for String {
    fn from(label: IntentLabel) -> String {
        label.0
    }
}

impl fmt::Display for IntentLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An ISO 639-1 code, or `und` when the text gives no hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^([a-z]{2}|und)$")]
pub struct LanguageCode([u8; 3]);

impl LanguageCode {
    /// Undetermined (ISO 639-3's `und`).
    pub const UND: Self = Self(*b"und");
    /// English.
    pub const EN: Self = Self(*b"en\0");

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = if self.0[2] == 0 { 2 } else { 3 };
        // Only ASCII letters get past `try_from`, so the fallback is never taken.
        std::str::from_utf8(&self.0[..length]).unwrap_or("und")
    }

    /// Whether the language is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::UND
    }
}

impl FromStr for LanguageCode {
    type Err = TriageValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            b"und" => Ok(Self::UND),
            [a, b] if a.is_ascii_lowercase() && b.is_ascii_lowercase() => Ok(Self([*a, *b, 0])),
            _ => Err(TriageValueError::Language(text.to_owned())),
        }
    }
}

impl TryFrom<String> for LanguageCode {
    type Error = TriageValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LanguageCode> for String {
    fn from(code: LanguageCode) -> String {
        code.as_str().to_owned()
    }
}

impl fmt::Display for LanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(super) use closed_labels;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(Probability::try_from(1.01).is_err());
        assert!(Probability::try_from(f32::NAN).is_err());
        assert!(Polarity::try_from(-1.0).is_ok());
        assert!(serde_json::from_str::<Probability>("2").is_err());
        assert!("english".parse::<LanguageCode>().is_err());
        assert!("EN".parse::<LanguageCode>().is_err());
        assert!(" x".parse::<IntentLabel>().is_err());
        assert!("".parse::<IntentLabel>().is_err());
        let error = "meh".parse::<SpamLabel>().unwrap_err().to_string();
        assert!(error.contains("phishing"), "{error}");
    }

    #[test]
    fn labels_print_as_they_parse() {
        for label in SentimentLabel::ALL {
            assert_eq!(label.as_str().parse::<SentimentLabel>().unwrap(), *label);
        }
        assert_eq!(LanguageCode::UND.to_string(), "und");
        assert_eq!(LanguageCode::EN.to_string(), "en");
        assert!(UrgencyLevel::Critical > UrgencyLevel::High);
    }
}
