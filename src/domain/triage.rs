//! What reading a message yields: intent, sentiment, urgency, language, spam and injection.
//!
//! These types are stored with every message, shown to reviewers and printed by `classify`, so they
//! are plain values with one wire form. The heads in `nlp::heads` make them; nothing here computes.
//!
//! Labels come from the taxonomy, a [`Cue`] names words of our own phrase lists, and places in the
//! text are given as spans without its words. [`Analysis::summary`] alone quotes the text that was
//! read: masked where that was masked. [`Analysis::for_log`] leaves it out.

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

/// A label with its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// The intent.
    pub label: IntentLabel,
    /// Calibrated probability of this intent.
    pub confidence: Probability,
}

/// Which of a message's texts a span lies in.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The text.
    #[default]
    Text,
    /// The subject line.
    Subject,
}

/// A part of the message in code points, half open, without its words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub struct TextSpan {
    /// The text that it is a part of.
    #[serde(default)]
    pub field: Field,
    /// First code point.
    pub start: usize,
    /// One past the last code point.
    pub end: usize,
}

/// A word that moved a decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WordEvidence)]
pub struct Evidence {
    /// Where it stands.
    #[serde(flatten)]
    pub span: TextSpan,
    /// How much it spoke for the label given (above 0) or against it, as a share of what all words
    /// said: -1 to 1.
    pub weight: Polarity,
}

/// Why the intent is for a person to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Abstention {
    /// The message has no words.
    NoWords,
    /// No intent is likely enough.
    #[serde(rename = "low_confidence")]
    Unsure,
    /// The message is about nothing that the intents are about.
    OutOfScope,
}

/// What the taxonomy says should be done with a message of this intent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Routing {
    /// Where urgency starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<UrgencyLevel>,
    /// The queue that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Within what time it should be answered, as `4h` or `1d 12h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<String>,
    /// How a draft should sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<String>,
    /// Whether the team allows an answer without a person.
    #[serde(default)]
    pub may_be_automated: bool,
}

/// What the writer wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Intent {
    /// The likeliest intent, even when abstained (callers route on `abstained`, not on the label).
    pub label: IntentLabel,
    /// Calibrated probability of `label`.
    pub confidence: Probability,
    /// The head is not sure enough: a person should choose.
    pub abstained: bool,
    /// The runners-up, likeliest first, at most three.
    pub alternatives: Vec<Scored>,
    /// Why it abstained.
    #[serde(rename = "abstained_reason", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Abstention>,
    /// The intent above `label` in the taxonomy, with the probability of everything below it. Sure
    /// where the children alone are not: with `abstained` it says that the parent may be routed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Scored>,
    /// The label was taken from the thread, because the message alone says too little.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_thread: bool,
    /// `priority`, `queue`, `sla`, `tone` and `may_be_automated`: of the label, of the parent where only
    /// that is sure, of none where nothing is.
    #[serde(flatten)]
    pub routing: Routing,
    /// The words that moved it, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Intent {
    /// A decision without what the taxonomy adds to it.
    #[must_use]
    pub fn new(
        label: IntentLabel,
        confidence: Probability,
        abstained: Option<Abstention>,
        alternatives: Vec<Scored>,
    ) -> Self {
        Self {
            label,
            confidence,
            abstained: abstained.is_some(),
            alternatives,
            reason: abstained,
            parent: None,
            from_thread: false,
            routing: Routing::default(),
            evidence: Vec::new(),
        }
    }
}

/// The writer's mood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sentiment {
    /// The likeliest of five steps.
    pub label: SentimentLabel,
    /// Expected mood, -1 to 1.
    pub score: Polarity,
    /// Probability of `label`.
    pub confidence: Probability,
    /// The words that moved it, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Sentiment {
    /// A mood without its evidence.
    #[must_use]
    pub fn new(label: SentimentLabel, score: Polarity, confidence: Probability) -> Self {
        Self { label, score, confidence, evidence: Vec::new() }
    }
}

closed_labels!(
    /// Where the mood of a thread is going.
    TrendDirection {
        /// Better from message to message.
        Improving => "improving",
        /// As it was.
        Steady => "steady",
        /// Worse from message to message.
        Worsening => "worsening",
    }
);

/// The mood of a thread's messages over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trend {
    /// Where it is going.
    pub direction: TrendDirection,
    /// Change of the score from one message to the next: the slope of the line through them by least
    /// squares, held to -1..=1.
    pub slope: Polarity,
}

/// From this slope on a mood rises or falls.
const SLOPE: f32 = 0.1;

impl Trend {
    /// The trend of scores, the latest last. `None` of fewer than two.
    #[must_use]
    pub fn of(scores: &[Polarity]) -> Option<Self> {
        if scores.len() < 2 {
            return None;
        }
        let middle = (scores.len() - 1) as f32 / 2.0;
        let mean = scores.iter().map(|s| s.get()).sum::<f32>() / scores.len() as f32;
        let (mut over, mut under) = (0.0, 0.0);
        for (at, score) in scores.iter().enumerate() {
            let x = at as f32 - middle;
            over += x * (score.get() - mean);
            under += x * x;
        }
        let slope = over / under;
        let direction = match slope {
            s if s >= SLOPE => TrendDirection::Improving,
            s if s <= -SLOPE => TrendDirection::Worsening,
            _ => TrendDirection::Steady,
        };
        Some(Self { direction, slope: Polarity::clamped(slope) })
    }
}

/// Words or facts that moved a decision. `words` are from our own lists, never free text of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cue {
    /// The family, such as `deadline` or `instruction_override`.
    pub kind: String,
    /// The listed words that matched, such as `ignore … instructions`.
    pub words: String,
}

/// How soon somebody should look, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Urgency {
    /// The level.
    #[serde(rename = "urgency")]
    pub level: UrgencyLevel,
    /// What raised or lowered it.
    #[serde(rename = "urgency_reasons", default)]
    pub reasons: Vec<Cue>,
}

/// The language of the text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Language {
    /// ISO 639-1, or `und`.
    #[serde(rename = "language")]
    pub code: LanguageCode,
    /// How sure; 0 for `und`.
    #[serde(rename = "language_confidence")]
    pub confidence: Probability,
}

/// Whether the message is worth a person's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spam {
    /// The decision; anything but `ham` needed a high score.
    pub label: SpamLabel,
    /// Probability that the message is not ham.
    pub score: Probability,
    /// The words that moved it, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Spam {
    /// A decision without its evidence.
    #[must_use]
    pub fn new(label: SpamLabel, score: Probability) -> Self {
        Self { label, score, evidence: Vec::new() }
    }
}

/// Whether the text tries to give orders to the model that will draft the reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Injection {
    /// Probability-like score, 0 to 1.
    pub score: Probability,
    /// The score passed the threshold.
    pub flagged: bool,
    /// Which words gave it away; empty when only the embedding did.
    #[serde(default)]
    pub reasons: Vec<Cue>,
    /// The words that moved it, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// Whether a machine wrote the message by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AutoReply {
    /// An out-of-office note, a delivery report or the like, which wants no answer.
    #[serde(rename = "auto_reply", default)]
    pub is: bool,
    /// What says so.
    #[serde(rename = "auto_reply_reasons", default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Cue>,
}

/// How likely the writer is to lose patience or to leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Risk {
    /// Anger, 0 to 1.
    pub anger: Probability,
    /// Leaving, 0 to 1.
    pub churn: Probability,
}

impl Default for Risk {
    fn default() -> Self {
        Self { anger: Probability::clamped(0.0), churn: Probability::clamped(0.0) }
    }
}

/// Something in the message that a colleague would underline: an order number, a product, an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mention {
    /// The type: `ORDER_NUMBER`, `AMOUNT`, `DATE_TIME`, `PRODUCT`, or that of a placeholder.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands.
    #[serde(flatten)]
    pub span: TextSpan,
    /// The product's name in the taxonomy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A time by which the writer wants something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deadline {
    /// Where it stands.
    #[serde(flatten)]
    pub span: TextSpan,
    /// The listed words that matched, such as `by … tomorrow`.
    pub words: String,
}

/// What made an analysis, so that it can be explained and repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// The encoder's id.
    pub encoder: String,
    /// Content hash of the taxonomy, or the name of a trained intent head.
    pub taxonomy: String,
    /// Content hash of the example files and phrase lists of the built-in heads.
    pub heads: String,
}

/// Everything read off one message. Serialised, its fields are those of a `classify` line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Analysis {
    /// What the writer wants.
    pub intent: Intent,
    /// The writer's mood.
    pub sentiment: Sentiment,
    /// `urgency` and `urgency_reasons`.
    #[serde(flatten)]
    pub urgency: Urgency,
    /// `language` and `language_confidence`.
    #[serde(flatten)]
    pub language: Language,
    /// Ham or not.
    pub spam: Spam,
    /// Orders to the model.
    pub injection: Injection,
    /// `auto_reply` and `auto_reply_reasons`.
    #[serde(flatten)]
    pub auto: AutoReply,
    /// Anger and churn.
    #[serde(default)]
    pub risk: Risk,
    /// The mood of the thread with this message, where earlier scores were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// Times by which something is wanted, in the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<Deadline>,
    /// Order numbers, products, amounts, in the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Mention>,
    /// The sentence that carries the wish, in the words of the text that was read, at most 120
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What made it.
    pub versions: Versions,
}

impl Analysis {
    /// The same without words of the message, for logs, events and metrics.
    #[must_use]
    pub fn for_log(&self) -> Self {
        Self { summary: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Analysis {
        Analysis {
            intent: Intent::new(
                "refund_status".parse().unwrap(),
                Probability::clamped(0.912_345),
                None,
                vec![Scored {
                    label: "return_request".parse().unwrap(),
                    confidence: Probability::clamped(0.05),
                }],
            ),
            sentiment: Sentiment::new(
                SentimentLabel::VeryNegative,
                Polarity::clamped(-3.0),
                Probability::clamped(0.5),
            ),
            urgency: Urgency {
                level: UrgencyLevel::High,
                reasons: vec![Cue { kind: "deadline".into(), words: "by tomorrow".into() }],
            },
            language: Language {
                code: "de".parse().unwrap(),
                confidence: Probability::clamped(1.0),
            },
            spam: Spam::new(SpamLabel::Ham, Probability::clamped(0.01)),
            injection: Injection {
                score: Probability::clamped(f32::NAN),
                flagged: false,
                reasons: vec![],
                evidence: vec![],
            },
            auto: AutoReply::default(),
            risk: Risk::default(),
            trend: None,
            deadlines: vec![],
            entities: vec![],
            summary: Some("Where is it?".into()),
            versions: Versions { encoder: "e".into(), taxonomy: "t".into(), heads: "h".into() },
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_classify_filter_and_comes_back_the_same() {
        let line = serde_json::to_value(sample()).unwrap();
        assert_eq!(line["urgency"], "high");
        assert_eq!(line["language"], "de");
        assert_eq!(line["sentiment"]["label"], "very_negative");
        assert_eq!(line["sentiment"]["score"], -1.0);
        assert_eq!(line["intent"]["alternatives"][0]["label"], "return_request");
        assert_eq!(line["spam"]["label"], "ham");
        assert_eq!(line["intent"]["confidence"], 0.9123);
        assert_eq!(line["injection"]["flagged"], false);
        assert_eq!(line["auto_reply"], false);
        assert_eq!(serde_json::from_value::<Analysis>(line).unwrap(), sample());
    }

    /// What was stored before a field was added is read as if it said nothing.
    #[test]
    fn the_first_form_is_still_read() {
        let line = serde_json::json!({
            "intent": {"label": "a", "confidence": 0.5, "abstained": true, "alternatives": []},
            "sentiment": {"label": "neutral", "score": 0.0, "confidence": 0.5},
            "urgency": "normal", "urgency_reasons": [], "language": "en",
            "language_confidence": 1.0, "spam": {"label": "ham", "score": 0.0},
            "injection": {"score": 0.0, "flagged": false, "reasons": []},
            "versions": {"encoder": "e", "taxonomy": "t", "heads": "h"},
        });
        let read: Analysis = serde_json::from_value(line).unwrap();
        assert_eq!(read.intent.routing, Routing::default());
        assert!(!read.auto.is && read.summary.is_none() && read.trend.is_none());
    }

    #[test]
    fn words_of_the_message_stay_out_of_logs() {
        let line = serde_json::to_value(sample().for_log()).unwrap();
        assert!(line.get("summary").is_none());
        assert_eq!(line["intent"]["label"], "refund_status");
    }

    #[test]
    fn spans_and_routing_stand_beside_the_other_fields() {
        let mut analysis = sample();
        analysis.intent.routing.queue = Some("returns".into());
        let span = TextSpan { field: Field::Subject, start: 3, end: 9 };
        analysis.intent.evidence = vec![Evidence { span, weight: Polarity::clamped(0.4) }];
        analysis.entities = vec![Mention { kind: "AMOUNT".into(), span, name: None }];
        let line = serde_json::to_value(&analysis).unwrap();
        assert_eq!(line["intent"]["queue"], "returns");
        assert_eq!(line["intent"]["may_be_automated"], false);
        assert_eq!(line["intent"]["evidence"][0]["start"], 3);
        assert_eq!(line["intent"]["evidence"][0]["field"], "subject");
        assert_eq!(line["entities"][0]["type"], "AMOUNT");
        assert_eq!(serde_json::from_value::<Analysis>(line).unwrap(), analysis);
    }

    #[test]
    fn a_trend_follows_the_line_through_the_scores() {
        let trend = |scores: &[f32]| {
            Trend::of(&scores.iter().map(|s| Polarity::clamped(*s)).collect::<Vec<_>>())
        };
        assert_eq!(trend(&[]), None);
        assert_eq!(trend(&[0.4]), None);
        let better = trend(&[-0.8, -0.2, 0.4]).unwrap();
        assert_eq!((better.direction, better.slope.get()), (TrendDirection::Improving, 0.6));
        assert_eq!(trend(&[0.5, 0.0]).unwrap().direction, TrendDirection::Worsening);
        assert_eq!(trend(&[0.1, 0.2, 0.1, 0.15]).unwrap().direction, TrendDirection::Steady);
    }

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
