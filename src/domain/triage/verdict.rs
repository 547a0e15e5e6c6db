//! What the heads say of a message, one type each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::values::closed_labels;
use super::{
    Evidence, IntentLabel, LanguageCode, Polarity, Probability, SentimentLabel, SpamLabel,
    TriageValueError, UrgencyLevel,
};

/// A label with its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// The intent.
    pub label: IntentLabel,
    /// Calibrated probability of this intent.
    pub confidence: Probability,
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
