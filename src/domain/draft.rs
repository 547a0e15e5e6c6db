//! A reply before anybody has signed it: what a drafter is given, and what it gives back. Every sentence says which
//! passages it rests on, because a reviewer signs for facts and must see where each comes from.
//!
//! Texts in here are rendered (`<EMAIL_1>`), so a drafter never holds a raw value.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::masking::RenderedText;
use super::message::{ChannelKind, Direction};
use super::triage::{IntentLabel, LanguageCode, SentimentLabel};

/// How a reply sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// To the point and polite.
    #[default]
    Neutral,
    /// Warm: the customer is content or thankful.
    Friendly,
    /// Takes the trouble seriously: the customer is unhappy.
    Empathetic,
    /// Says sorry for the experience first: the customer is angry.
    Apologetic,
}

impl Tone {
    /// Every tone.
    pub const ALL: [Self; 4] = [Self::Neutral, Self::Friendly, Self::Empathetic, Self::Apologetic];

    /// The name in storage, in prompts and on the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Friendly => "friendly",
            Self::Empathetic => "empathetic",
            Self::Apologetic => "apologetic",
        }
    }

    /// The tone that fits a mood.
    #[must_use]
    pub fn for_mood(mood: SentimentLabel) -> Self {
        match mood {
            SentimentLabel::VeryNegative => Self::Apologetic,
            SentimentLabel::Negative => Self::Empathetic,
            SentimentLabel::Neutral => Self::Neutral,
            SentimentLabel::Positive | SentimentLabel::VeryPositive => Self::Friendly,
        }
    }
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tone {
    type Err = UnknownTone;

    fn from_str(s: &str) -> Result<Self, UnknownTone> {
        Self::ALL
            .into_iter()
            .find(|t| t.as_str() == s)
            .ok_or_else(|| UnknownTone(s.chars().take(40).collect()))
    }
}

/// A word that names no tone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tone: expected neutral, friendly, empathetic or apologetic")]
pub struct UnknownTone(String);

/// A piece of evidence: a chunk of an article, or of a reply that was approved before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Passage {
    /// The chunk's id.
    pub id: String,
    /// The article's or message's id.
    pub source_id: String,
    /// The source's title, if it has one.
    pub title: String,
    /// The chunk.
    pub text: RenderedText,
    /// How well retrieval thinks it fits, higher is better.
    pub score: f32,
    /// Published knowledge, as opposed to a past conversation.
    pub public: bool,
}

/// One earlier message of the thread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    /// From the customer, or to them.
    pub direction: Direction,
    /// What was written, without quotes and signature.
    pub text: RenderedText,
}

/// Everything that a drafter may use.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftRequest {
    /// The subject line, where the channel has one.
    pub subject: Option<RenderedText>,
    /// What has to be answered: the visible text of the customer's message, or of a burst of them.
    pub message: RenderedText,
    /// What was said before, oldest first.
    pub history: Vec<Turn>,
    /// The evidence, best first. Citations are its numbers, from 1.
    pub passages: Vec<Passage>,
    /// How to address the customer, as `<PERSON_1>`; none if unknown.
    pub addressee: Option<RenderedText>,
    /// The language to answer in.
    pub language: LanguageCode,
    /// How long and how formal a reply may be.
    pub channel: ChannelKind,
    /// The customer's mood.
    pub mood: SentimentLabel,
    /// What the customer wants, unless the head abstained.
    pub intent: Option<IntentLabel>,
    /// The tone to take; by mood if none.
    pub tone: Option<Tone>,
}

impl DraftRequest {
    /// The tone to take.
    #[must_use]
    pub fn tone(&self) -> Tone {
        self.tone.unwrap_or_else(|| Tone::for_mood(self.mood))
    }
}

/// What a sentence of a reply is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SentenceRole {
    /// Says something that must be in the evidence.
    #[default]
    Statement,
    /// Greets, thanks, regrets, closes: claims nothing.
    Courtesy,
}

/// A sentence of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// White space between the sentence before and this one, as it will be sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// The sentence.
    pub text: String,
    /// Numbers of the passages that it rests on, from 1, ascending. A statement without any is uncited.
    pub citations: Vec<usize>,
    /// What it is for.
    #[serde(default)]
    pub role: SentenceRole,
}

impl Sentence {
    /// A sentence that greets, thanks, regrets or closes.
    #[must_use]
    pub fn courtesy(before: &str, text: impl Into<String>) -> Self {
        Self {
            before: before.to_owned(),
            text: text.into(),
            citations: Vec::new(),
            role: SentenceRole::Courtesy,
        }
    }

    /// A sentence that says something.
    #[must_use]
    pub fn statement(before: &str, text: impl Into<String>, citations: Vec<usize>) -> Self {
        Self {
            before: before.to_owned(),
            text: text.into(),
            citations,
            role: SentenceRole::Statement,
        }
    }
}

/// A reply for a person to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The whole reply: each sentence's `before` and `text`, in order.
    pub text: String,
    /// The reply in sentences.
    pub sentences: Vec<Sentence>,
    /// How it sounds.
    pub tone: Tone,
    /// The language it is written in.
    pub language: LanguageCode,
    /// Questions of the customer that the evidence does not answer, in the customer's words.
    pub unanswered: Vec<String>,
    /// Other answers that a reviewer may prefer, each a whole reply; never more than three.
    pub alternatives: Vec<String>,
}

impl Draft {
    /// Puts a reply together from its sentences.
    #[must_use]
    pub fn new(sentences: Vec<Sentence>, tone: Tone, language: LanguageCode) -> Self {
        let text = sentences.iter().flat_map(|s| [s.before.as_str(), s.text.as_str()]).collect();
        Self { text, sentences, tone, language, unanswered: Vec::new(), alternatives: Vec::new() }
    }
}

/// Why nothing was drafted although nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMatchReason {
    /// There is no evidence at all.
    NoPassages,
    /// The evidence is about something else.
    LowScore,
    /// The evidence is near, but in no sentence of it is the answer.
    NotAnswered,
}

impl NoMatchReason {
    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPassages => "no_passages",
            Self::LowScore => "low_score",
            Self::NotAnswered => "not_answered",
        }
    }
}

/// What drafting comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftOutcome {
    /// A reply for review.
    Draft(Draft),
    /// A person has to write: the knowledge does not hold the answer.
    NoMatch {
        /// Why.
        reason: NoMatchReason,
        /// The best score that any evidence reached, 0–1.
        best_score: f32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_its_sentences_in_order() {
        let sentences = vec![
            Sentence::courtesy("", "Hello,"),
            Sentence::statement("\n\n", "It takes 3 days.", vec![1]),
            Sentence::courtesy("\n\n", "Kind regards"),
        ];
        let draft = Draft::new(sentences, Tone::Neutral, LanguageCode::EN);
        assert_eq!(draft.text, "Hello,\n\nIt takes 3 days.\n\nKind regards");
    }

    #[test]
    fn tones_follow_the_mood_and_have_names() {
        assert_eq!(Tone::for_mood(SentimentLabel::VeryNegative), Tone::Apologetic);
        assert!(Tone::ALL.into_iter().all(|t| t.as_str().parse() == Ok(t)));
        assert!("rude".parse::<Tone>().is_err());
    }
}
