//! A trained head at work: from what is seen of a message to its part of the wire form.

use serde::{Deserialize, Serialize};

use super::super::calibrate::{Bend, argmax};
use super::super::evidence;
use super::super::features::{Features, Weights};
use super::super::hierarchy;
use super::super::injection::Part;
use super::super::linalg::{add_scaled, dot, norm};
use super::super::ridge::Ridge;
use super::super::surface::Surface;
use super::super::taxonomy::Taxonomy;
use super::super::urgency;
use super::report::Metrics;
use super::task::Task;
use crate::domain::triage::{
    Abstention, Cue, Evidence, Injection, Intent, IntentLabel, Polarity, Probability, Scored,
    Sentiment, SentimentLabel, Spam, SpamLabel, Urgency, UrgencyLevel,
};
use crate::nlp::encoder::Encoding;

/// How many runners-up are named, and from which probability on.
const ALTERNATIVES: usize = 3;
const WORTH_NAMING: f32 = 0.01;
/// The kind of the reason that stands beside a learnt urgency.
const LEARNT: &str = "learnt";
/// The verdict of the rules among the numbers of an urgency head that goes by it: as large as all else together, so
/// that far from everything learnt the rules stand.
const VERDICT: f32 = 4.0;

/// What is seen of a message.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Words, moods, marks.
    pub surface: &'a Surface,
    /// The encoder's states.
    pub encoding: &'a Encoding,
    /// Its sentences.
    pub parts: &'a [Part<'a>],
    /// The score of the injection patterns found.
    pub patterns: f32,
    /// The score of the built-in injection head, or of its part that a trained one stands beside.
    pub orders: f32,
    /// The score of the built-in spam head, for a head that stands beside it.
    pub spam: f32,
    /// The verdict of the rules, for an urgency head that goes by it.
    pub rules: Option<UrgencyLevel>,
}

impl<'a> Seen<'a> {
    /// A message as its words and states show it.
    pub fn of(surface: &'a Surface, encoding: &'a Encoding) -> Self {
        Self { surface, encoding, parts: &[], patterns: 0.0, orders: 0.0, spam: 0.0, rules: None }
    }
}

/// Where a head comes from and how it decides: `head.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The form of the folder's files.
    pub format: u32,
    /// The task and the first digits of a hash over data and encoder, as `intent-1f0c9d2e`.
    pub name: String,
    /// What it decides.
    pub task: Task,
    /// The encoder that it was trained on and reads.
    pub encoder: String,
    /// Hash of the word lists that it reads besides, where it reads any.
    pub lists: Option<String>,
    /// The labels, in the order of the weights.
    pub labels: Vec<String>,
    /// The label of what belongs to none of the others, by its place.
    pub outside: Option<usize>,
    /// How much each block of features counts.
    pub weights: Weights,
    /// Width of the kernel.
    pub gamma: f32,
    /// Penalty of the fit.
    pub lambda: f32,
    /// Inverse temperature.
    pub scale: f32,
    /// How the confidence of an intent is bent, where no label marks what is out of scope.
    #[serde(default)]
    pub bend: Option<Bend>,
    /// Whether what is built in has a say: half of a spam score is the built-in head's, and the verdict of the rules is
    /// among the features of an urgency head. So it is with what is learnt from corrections, which know only what was
    /// wrong. An injection head always stands beside the one that is fitted at start, and with this beside the shipped
    /// one, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// What is added to each label's log-probability before the largest is taken.
    pub offsets: Vec<f32>,
    /// Intent: below it the head abstains. Spam: from it on a message isn't ham. Injection: from it on
    /// a message is flagged.
    pub threshold: f32,
    /// What it was trained on.
    pub data: Data,
    /// How it did on what it hadn't seen.
    pub metrics: Metrics,
}

/// What a head was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// SHA-256 over texts and labels in their order.
    pub sha256: String,
    /// How many texts.
    pub rows: usize,
    /// How many of each label, in the order of the labels.
    pub by_label: Vec<usize>,
}

/// A trained head.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub(super) about: About,
    pub(super) ridge: Ridge,
}

impl Head {
    /// What it decides.
    #[must_use]
    pub fn task(&self) -> Task {
        self.about.task
    }

    /// Its description.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The words that moved the decision for a label, strongest first; `cues` says how much each word has to do
    /// with the head's own numbers.
    pub(in super::super) fn explain(
        &self,
        label: &str,
        by: &Seen<'_>,
        seen: &evidence::Seen<'_>,
        cues: &[f32],
    ) -> Vec<Evidence> {
        let Some(class) = self.about.labels.iter().position(|known| known == label) else {
            return Vec::new();
        };
        let weights = &self.about.weights;
        let features = features(self.about.task, weights, by);
        seen.evidence(&self.ridge, weights, features, class, cues)
    }

    /// Calibrated probabilities, one a label.
    pub(super) fn probabilities(&self, seen: &Seen<'_>) -> Vec<f32> {
        self.ridge.probabilities(features(self.about.task, &self.about.weights, seen))
    }

    /// The intent of a message. `confidence` is the probability of the label with that of belonging to
    /// none taken into account, so what is out of scope ranks below what isn't.
    /// A label that the taxonomy knows has what the taxonomy says of it.
    pub(in super::super) fn intent(&self, seen: &Seen<'_>, taxonomy: &Taxonomy) -> Option<Intent> {
        let words = !seen.surface.part.words.is_empty();
        self.intent_in(taxonomy, &self.probabilities(seen), words)
    }

    /// The intent by these probabilities, with what the taxonomy says of it.
    pub(super) fn intent_in(
        &self,
        taxonomy: &Taxonomy,
        probabilities: &[f32],
        words: bool,
    ) -> Option<Intent> {
        let mut intent = self.intent_of(probabilities, words)?;
        let labels: Option<Vec<IntentLabel>> =
            self.about.labels.iter().map(|label| label.parse().ok()).collect();
        let (labels, bent) = (labels?, self.bent(probabilities));
        let all = labels.iter().zip(bent.iter().copied());
        hierarchy::complete(&mut intent, all, taxonomy, self.about.threshold);
        Some(intent)
    }

    fn bent(&self, probabilities: &[f32]) -> Vec<f32> {
        let mut probabilities = probabilities.to_vec();
        if let Some(bend) = self.about.bend {
            bend.apply(&mut probabilities);
        }
        probabilities
    }

    /// The intent by these probabilities, of a message with words or without.
    pub(super) fn intent_of(&self, probabilities: &[f32], words: bool) -> Option<Intent> {
        let bent = self.bent(probabilities);
        let probabilities = bent.as_slice();
        let (best, outside) = inside(probabilities, self.about.outside);
        let mut order: Vec<usize> =
            (0..probabilities.len()).filter(|i| Some(*i) != self.about.outside).collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        let label = |i: usize| -> Option<IntentLabel> { self.about.labels.get(i)?.parse().ok() };
        let confidence = probabilities.get(best).copied()?;
        let abstained = if !words {
            Some(Abstention::NoWords)
        } else if confidence >= self.about.threshold {
            None
        } else if outside > confidence {
            Some(Abstention::OutOfScope)
        } else {
            Some(Abstention::Unsure)
        };
        let alternatives = order
            .iter()
            .filter(|i| **i != best && probabilities[**i] >= WORTH_NAMING)
            .take(ALTERNATIVES)
            .filter_map(|i| {
                let confidence = Probability::clamped(probabilities[*i]);
                Some(Scored { label: label(*i)?, confidence })
            })
            .collect();
        Some(Intent::new(label(best)?, Probability::clamped(confidence), abstained, alternatives))
    }

    /// The mood of a message. A head of three labels says negative, neutral or positive.
    pub(in super::super) fn sentiment(&self, seen: &Seen<'_>) -> Option<Sentiment> {
        self.sentiment_of(&self.probabilities(seen))
    }

    /// The mood by these probabilities.
    pub(super) fn sentiment_of(&self, probabilities: &[f32]) -> Option<Sentiment> {
        let labels: Vec<SentimentLabel> =
            self.about.labels.iter().filter_map(|l| l.parse().ok()).collect();
        let best = decide(probabilities, &self.about.offsets);
        let steps = labels
            .iter()
            .any(|l| matches!(l, SentimentLabel::VeryNegative | SentimentLabel::VeryPositive));
        let score: f32 =
            labels.iter().zip(probabilities).map(|(l, p)| position(*l, steps) * p).sum();
        let confidence = probabilities.get(best).copied()?;
        Some(Sentiment::new(
            labels.get(best).copied()?,
            Polarity::clamped(score),
            Probability::clamped(confidence),
        ))
    }

    /// How soon somebody should look: the learnt level, as far as the rules leave it. A message without words is left to
    /// them.
    pub(in super::super) fn urgency(&self, seen: &Seen<'_>, rules: Urgency) -> Urgency {
        let seen = Seen { rules: self.about.beside.then_some(rules.level), ..*seen };
        let best = decide(&self.probabilities(&seen), &self.about.offsets);
        let level = self.about.labels.get(best).and_then(|label| label.parse().ok());
        match level.filter(|_| !seen.surface.part.words.is_empty()) {
            Some(level) => {
                let by = Cue { kind: LEARNT.to_owned(), words: self.about.name.clone() };
                urgency::with_learnt(rules, level, by)
            }
            None => rules,
        }
    }

    /// Whether the built-in head or the rules have a say, see [`About::beside`].
    pub(in super::super) fn stands_beside(&self) -> bool {
        self.about.beside
    }

    /// The probability that a message isn't ham by the head alone, before the mean with the built-in one's.
    pub(in super::super) fn own_spam(&self, seen: &Seen<'_>) -> f32 {
        self.probabilities(seen).first().map_or(0.0, |ham| 1.0 - ham)
    }

    /// Whether a message is ham.
    pub(in super::super) fn spam(&self, seen: &Seen<'_>) -> Option<Spam> {
        let mut probabilities = self.probabilities(seen);
        if self.about.beside {
            average_with(&mut probabilities, seen.spam);
        }
        self.spam_of(&probabilities, !seen.surface.part.words.is_empty())
    }

    /// The decision by these probabilities, on a message with words or without.
    pub(super) fn spam_of(&self, probabilities: &[f32], words: bool) -> Option<Spam> {
        let labels: Vec<SpamLabel> =
            self.about.labels.iter().filter_map(|l| l.parse().ok()).collect();
        let ham = labels.iter().position(|l| *l == SpamLabel::Ham)?;
        let score = 1.0 - probabilities.get(ham).copied()?;
        let likeliest = (0..labels.len())
            .filter(|i| *i != ham)
            .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))?;
        let is = words && score >= self.about.threshold;
        let label = if is { labels[likeliest] } else { SpamLabel::Ham };
        Some(Spam::new(label, Probability::clamped(score)))
    }

    /// The probability of an attack by the head alone, before the mean with the shipped one's.
    pub(in super::super) fn own_injection(&self, seen: &Seen<'_>) -> f32 {
        self.probabilities(seen).get(1).copied().unwrap_or_default()
    }

    /// Whether a message gives orders to the model. The cues are those of the patterns. The score is the mean of
    /// the head's own and the shipped head's: that one knows kinds of attack that the data don't hold.
    pub(in super::super) fn injection(&self, seen: &Seen<'_>, reasons: Vec<Cue>) -> Injection {
        let score = f32::midpoint(self.own_injection(seen), seen.orders);
        Injection {
            score: Probability::clamped(score),
            flagged: score >= self.about.threshold,
            reasons,
            evidence: Vec::new(),
        }
    }
}

/// Makes the probability of all labels but the first, which is the quiet one, the mean of it and another head's score.
pub(super) fn average_with(probabilities: &mut [f32], score: f32) {
    let Some((quiet, alarms)) = probabilities.split_first_mut() else { return };
    let own: f32 = alarms.iter().sum();
    let mean = f32::midpoint(1.0 - *quiet, score);
    let even = mean / alarms.len().max(1) as f32;
    for alarm in alarms {
        *alarm = if own > 0.0 { *alarm / own * mean } else { even };
    }
    *quiet = 1.0 - mean;
}

/// The likeliest label but the one outside, and the probability of that one.
pub(super) fn inside(probabilities: &[f32], outside: Option<usize>) -> (usize, f32) {
    let mut within = probabilities.to_vec();
    let outside = outside.and_then(|o| within.get_mut(o));
    let probability = outside.map_or(0.0, |p| std::mem::replace(p, -1.0));
    (argmax(&within), probability)
}

/// The label whose log-probability is the largest with the offsets added.
pub(super) fn decide(probabilities: &[f32], offsets: &[f32]) -> usize {
    let scores: Vec<f32> = probabilities
        .iter()
        .zip(offsets)
        .map(|(p, offset)| p.max(f32::MIN_POSITIVE).ln() + offset)
        .collect();
    argmax(&scores)
}

/// The place of a label on the scale from -1 to 1: the ends are those of the head's own labels.
fn position(label: SentimentLabel, five: bool) -> f32 {
    match label {
        SentimentLabel::VeryNegative => -1.0,
        SentimentLabel::Negative => [-0.8, -0.5][usize::from(five)],
        SentimentLabel::Neutral => 0.0,
        SentimentLabel::Positive => [0.8, 0.5][usize::from(five)],
        SentimentLabel::VeryPositive => 1.0,
    }
}

/// What a head of this task reads of a message.
pub(in super::super) fn features(task: Task, weights: &Weights, seen: &Seen<'_>) -> Features {
    let part = &seen.surface.part;
    let (sentences, verdicts);
    let cues: &[f32] = match task {
        Task::Intent => &[],
        Task::Sentiment => &seen.surface.moods,
        Task::Urgency => match seen.rules {
            Some(level) => {
                let verdict =
                    UrgencyLevel::ALL.iter().map(|l| f32::from(u8::from(*l == level)) * VERDICT);
                verdicts = seen.surface.moods.iter().copied().chain(verdict).collect::<Vec<f32>>();
                &verdicts
            }
            None => &seen.surface.moods,
        },
        Task::Spam => &seen.surface.traits,
        Task::Injection => {
            let pooled = |part: &Part<'_>, last: bool| match last {
                true => part.encoding.embedding.clone(),
                false => part.encoding.layer4.clone(),
            };
            let states =
                |last| seen.parts.iter().map(|part| pooled(part, last)).collect::<Vec<_>>();
            sentences = [seen.patterns, most_foreign(&states(true)), most_foreign(&states(false))];
            &sentences
        }
    };
    Features::new(weights, seen.encoding, &part.words, &part.concepts, cues)
}

/// How far the sentence that goes least with the others is from them: 1 minus the cosine of its state and
/// their mean, 0 of a single one. An order slipped into a letter is about something else than the letter.
fn most_foreign(states: &[Vec<f32>]) -> f32 {
    let (Some(first), true) = (states.first(), states.len() > 1) else { return 0.0 };
    let mut sum = vec![0f32; first.len()];
    states
        .iter()
        .for_each(|state| add_scaled(&mut sum, 1.0 / norm(state).max(f32::MIN_POSITIVE), state));
    let distance = |state: &Vec<f32>| {
        let length = norm(state).max(f32::MIN_POSITIVE);
        let others: Vec<f32> = sum.iter().zip(state).map(|(sum, x)| sum - x / length).collect();
        1.0 - dot(state, &others) / (length * norm(&others)).max(f32::MIN_POSITIVE)
    };
    states.iter().map(distance).fold(0.0, f32::max)
}
