//! What can be trained, and how the labels of people's files read on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::features::Weights;
use crate::domain::triage::{IntentLabel, SentimentLabel, SpamLabel, UrgencyLevel};

/// What a trained head decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// What the writer wants: any labels.
    Intent,
    /// The mood: three or five labels.
    Sentiment,
    /// How soon: four labels.
    Urgency,
    /// Ham or not.
    Spam,
    /// An order to the model or not.
    Injection,
}

/// A label that the task doesn't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the label isn't one of {task}: expected {expected}")]
pub struct LabelError {
    /// The task.
    pub task: Task,
    /// What would do.
    pub expected: &'static str,
}

/// What a label may be called that marks what belongs to no intent.
const OUTSIDE: [&str; 4] = ["oos", "out_of_scope", "out-of-scope", "ood"];

/// With fewer rows a label than this the meaning counts more and the single word less.
const FEW_A_LABEL: usize = 25;

impl Task {
    /// Every task.
    pub const ALL: [Self; 5] =
        [Self::Intent, Self::Sentiment, Self::Urgency, Self::Spam, Self::Injection];

    /// The task's name, which is also that of its output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Urgency => "urgency",
            Self::Spam => "spam",
            Self::Injection => "injection",
        }
    }

    /// A file's label in the form in which heads hold it.
    ///
    /// # Errors
    /// When the task has no such label. The error doesn't repeat the label, which may be text.
    pub fn label(self, given: &str) -> Result<String, LabelError> {
        let given = given.trim();
        let lower = given.to_lowercase().replace([' ', '-'], "_");
        let wrong = |expected| LabelError { task: self, expected };
        match self {
            Self::Intent if OUTSIDE.contains(&lower.as_str()) => Ok(OUTSIDE[0].to_owned()),
            Self::Intent => IntentLabel::try_from(given.to_owned())
                .map(String::from)
                .map_err(|_| wrong("up to 64 bytes without control characters")),
            Self::Sentiment => match lower.as_str() {
                "neg" => Ok(SentimentLabel::Negative),
                "neu" | "mixed" => Ok(SentimentLabel::Neutral),
                "pos" => Ok(SentimentLabel::Positive),
                other => other.parse(),
            }
            .map(|l: SentimentLabel| l.to_string())
            .map_err(|_| wrong("very_negative, negative, neutral, positive, very_positive")),
            Self::Urgency => lower
                .parse::<UrgencyLevel>()
                .map(|l| l.to_string())
                .map_err(|_| wrong("low, normal, high, critical")),
            Self::Spam => match lower.as_str() {
                "0" | "false" | "not_spam" | "no_spam" => Ok(SpamLabel::Ham),
                "1" | "true" => Ok(SpamLabel::Spam),
                other => other.parse(),
            }
            .map(|l: SpamLabel| l.to_string())
            .map_err(|_| wrong("ham, spam, phishing, abuse, or 0 and 1")),
            Self::Injection => match lower.as_str() {
                "0" | "false" | "benign" | "no" | "clean" => Ok("benign".to_owned()),
                "1" | "true" | "attack" | "injection" | "yes" => Ok("attack".to_owned()),
                _ => Err(wrong("benign and attack, or 0 and 1")),
            },
        }
    }

    /// Whether this is the label of what belongs to no intent.
    #[must_use]
    pub fn is_outside(self, label: &str) -> bool {
        self == Self::Intent && label == OUTSIDE[0]
    }

    /// The order of labels in a head: that of the wire form where there is one, else the alphabet's.
    #[must_use]
    pub fn rank(self, label: &str) -> usize {
        match self {
            Self::Intent => 0,
            Self::Sentiment => label.parse::<SentimentLabel>().map_or(0, SentimentLabel::index),
            Self::Urgency => label.parse::<UrgencyLevel>().map_or(0, UrgencyLevel::index),
            Self::Spam => label.parse::<SpamLabel>().map_or(0, SpamLabel::index),
            Self::Injection => usize::from(label == "attack"),
        }
    }

    /// The label without which the task makes no sense; the first one of every head of it.
    pub(super) fn needed(self) -> Option<&'static str> {
        match self {
            Self::Spam => Some(SpamLabel::Ham.as_str()),
            Self::Injection => Some("benign"),
            Self::Intent | Self::Sentiment | Self::Urgency => None,
        }
    }

    /// Whether what is built in may have a say beside a head of this task, see
    /// [`About::beside`](super::About::beside).
    pub(super) fn may_stand_beside(self) -> bool {
        matches!(self, Self::Spam | Self::Urgency | Self::Injection)
    }

    /// Whether labels with so many rows each may lend their names to the fit, see
    /// [`name_in_words`](Self::name_in_words).
    pub(super) fn reads_names(self, rows_a_label: usize) -> bool {
        self == Self::Intent && rows_a_label < FEW_A_LABEL
    }

    /// A label's name as something that might be written: `card_arrival` as "card arrival". None of a name that
    /// holds no word, as `c-12`.
    pub(super) fn name_in_words(label: &str) -> Option<String> {
        let words: Vec<String> = label
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let says = |word: &String| word.chars().filter(|c| c.is_alphabetic()).count() > 2;
        words.iter().any(says).then(|| words.join(" "))
    }

    /// Whether its heads read our word lists: when those change, such a head has to be trained again.
    pub(super) fn reads_lists(self) -> bool {
        self != Self::Intent
    }

    /// How much each block of features counts, with so many rows a label; chosen by cross-validation on
    /// labelled sets. Words count less where few examples can show which of them matter.
    pub(super) fn weights(self, rows_a_label: usize) -> Weights {
        let (embedding, layer4, concepts, hashed, cues) = match self {
            Self::Intent if rows_a_label < FEW_A_LABEL => (1.0, 0.3, 0.0, 0.3, 0.0),
            Self::Intent => (1.0, 0.7, 0.0, 0.7, 0.0),
            Self::Sentiment => (0.5, 1.0, 0.0, 0.4, 0.6),
            Self::Urgency => (1.0, 0.7, 0.3, 0.6, 0.4),
            Self::Spam => (0.8, 0.6, 0.2, 0.8, 0.5),
            Self::Injection => (1.0, 0.7, 0.15, 0.6, 0.7),
        };
        Weights { embedding, layer4, concepts, hashed, cues }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|task| task.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::as_str).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_files_read_as_on_the_wire() {
        for (task, given, wire) in [
            (Task::Intent, "card arrival", "card arrival"),
            (Task::Intent, " OOS ", "oos"),
            (Task::Intent, "out-of-scope", "oos"),
            (Task::Sentiment, "Very Negative", "very_negative"),
            (Task::Sentiment, "pos", "positive"),
            (Task::Urgency, "HIGH", "high"),
            (Task::Spam, "1", "spam"),
            (Task::Spam, "phishing", "phishing"),
            (Task::Injection, "0", "benign"),
            (Task::Injection, "attack", "attack"),
        ] {
            assert_eq!(task.label(given).as_deref(), Ok(wire));
        }
        let error = Task::Spam.label("my secret").unwrap_err().to_string();
        assert!(error.contains("phishing") && !error.contains("secret"), "{error}");
        assert!(Task::Intent.label("").is_err());
        assert!(Task::Intent.is_outside("oos") && !Task::Spam.is_outside("oos"));
    }

    #[test]
    fn a_name_is_read_where_it_holds_words() {
        assert_eq!(Task::name_in_words("Refund_not-showing up?").unwrap(), "refund not showing up");
        assert_eq!(Task::name_in_words("c-12"), None);
        assert!(Task::Intent.reads_names(10) && !Task::Intent.reads_names(100));
        assert!(!Task::Spam.reads_names(10));
    }

    #[test]
    fn names_parse_back() {
        for task in Task::ALL {
            assert_eq!(task.as_str().parse::<Task>(), Ok(task));
        }
        assert!("names".parse::<Task>().unwrap_err().contains("intent"));
    }
}
