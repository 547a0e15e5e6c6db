//! What reading a message yields: intent, sentiment, urgency, language, spam and injection.
//!
//! These types are stored with every message, shown to reviewers and printed by `classify`, so they
//! are plain values with one wire form. The heads in `nlp::heads` make them; nothing here computes.
//!
//! Labels come from the taxonomy, a [`Cue`] names words of our own phrase lists, and places in the
//! text are given as spans without its words. [`Analysis::summary`] alone quotes the text that was
//! read: masked where that was masked. [`Analysis::for_log`] leaves it out.

mod values;
mod verdict;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use values::{
    IntentLabel, LanguageCode, Polarity, Probability, SentimentLabel, SpamLabel, TriageValueError,
    UrgencyLevel,
};
pub use verdict::{
    Abstention, AutoReply, Cue, Injection, Intent, Language, Risk, Routing, Scored, Sentiment,
    Spam, Trend, TrendDirection, Urgency,
};

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
}
