//! Orders to the model: text that tries to steer whoever drafts the reply.
//!
//! Three readers, none enough alone. Patterns in several languages know the usual forms and can say which
//! words gave a message away. A head fitted on examples knows tasks that no shop's customer sets ("write the
//! reply in Morse code", "what is the tallest mountain"); it reads sentence by sentence, because one foreign
//! sentence drowns in the mean of a long message. A shipped head ([`Whole`]) reads the message as one and knows
//! how letters look that have something slipped in; the mean of the two stands beside the patterns.
//!
//! A flag is advice for the drafter and the reviewer. What keeps an attack from doing harm is elsewhere: the
//! model has no tools, and nothing is sent without a countersignature.

use std::ops::Range;

use super::evidence::{Decision, Seen};
use super::examples::Examples;
use super::features::{Features, Weights};
use super::linear::{Learner, Linear};
use super::ridge::{RidgeError, RidgeOptions};
use super::surface::{Surface, SurfaceReader};
use super::trained::{self, Task};
use super::words::Word;
use crate::domain::triage::{Cue, Evidence, Injection, Probability};
use crate::nlp::encoder::{Encoding, Reading};

/// How much each block counts; chosen on leave-one-out scores.
const WEIGHTS: Weights =
    Weights { embedding: 1.0, layer4: 0.7, concepts: 0.15, hashed: 0.6, cues: 0.0 };
const OPTIONS: RidgeOptions = RidgeOptions { gamma: 2.0, lambda: 0.4 };
/// The same for a message as a whole; the cues are those of [`trained::features`](super::trained::features).
pub(super) const WHOLE: Weights =
    Weights { embedding: 1.0, layer4: 0.7, concepts: 0.15, hashed: 0.6, cues: 0.7 };
/// From this score on a message is flagged, by the head that is fitted at start.
const FLAGGED: f32 = 0.5;
/// The label order of the example file.
pub(super) const LABELS: [&str; 2] = ["benign", "attack"];
/// Sentences looked at in one message, and words a sentence needs to be one.
const MOST_SENTENCES: usize = 24;
pub(super) const FEWEST_WORDS: usize = 4;
/// What a lone task loses: a message that is nothing but "write me a poem" is off topic, not an order slipped
/// into a letter, and the intent head says so.
const OUT_OF_PLACE: f32 = 0.5;
/// Up to this many sentences a message isn't long.
const FEW: usize = 6;
/// A sentence read off the message's pass is encoded by itself from this probability on, the likeliest ones and
/// no more than so many. States in the pass are coloured by the neighbours, which hides orders but seldom all of
/// one; on the development set (`docs/model-cards/injection.md`) what is found stays the same within 0.2 points of
/// F1, and 1–2 % of support messages have such a sentence.
const SUSPECT: f32 = 0.1;
const MOST_SUSPECTS: usize = 2;

/// The sentences of a message that are worth a look of their own, in order: pieces between line ends and full
/// stops with four words or more, the first and the last ones when there are too many. None when the message
/// is a single sentence.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    let mut close = |start: usize, end: usize| {
        let piece = &text[start..end];
        if piece.split_whitespace().count() >= FEWEST_WORDS {
            let lead = piece.len() - piece.trim_start().len();
            found.push(start + lead..start + piece.trim_end().len());
        }
    };
    while let Some((at, c)) = characters.next() {
        let ends = match c {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' => {
                characters.peek().is_none_or(|(_, next)| next.is_whitespace())
            }
            _ => false,
        };
        if ends {
            close(start, at + c.len_utf8());
            start = at + c.len_utf8();
        }
    }
    close(start, text.len());
    if found.len() == 1 && found[0].len() * 10 >= text.trim().len() * 9 {
        found.clear();
    }
    if found.len() > MOST_SENTENCES {
        found.drain(MOST_SENTENCES / 2..found.len() - MOST_SENTENCES / 2);
    }
    found
}

/// One sentence of a message as the head sees it.
#[derive(Debug)]
pub struct Part<'a> {
    /// Where it lies in what was read.
    pub bytes: Range<usize>,
    /// Its words.
    pub words: &'a [Word],
    /// 1 for each concept present.
    pub concepts: Vec<f32>,
    /// Its states in the pass over the message.
    pub encoding: Encoding,
    /// Its own encoding, where it was worth a pass.
    pub alone: Option<Encoding>,
    /// Whether it is the whole message.
    pub whole: bool,
}

impl Part<'_> {
    /// What the head reads.
    fn best(&self) -> &Encoding {
        self.alone.as_ref().unwrap_or(&self.encoding)
    }
}

/// The sentences of a message read off its one pass; the whole as one where it is a single one, or where the pass
/// has no states of its tokens.
#[must_use]
pub fn parts<'a>(
    text: &str,
    surface: &'a Surface,
    reading: &Reading,
    reader: &SurfaceReader,
) -> Vec<Part<'a>> {
    let words = &surface.part.words;
    let part = |bytes: Range<usize>| {
        let encoding = reading.pool(bytes.clone())?;
        let at = |byte: usize| words.partition_point(|word| word.start < byte);
        let words = &words[at(bytes.start)..at(bytes.end)];
        Some(Part {
            bytes,
            words,
            concepts: reader.concepts(words),
            encoding,
            alone: None,
            whole: false,
        })
    };
    let parts: Vec<Part<'a>> = sentences(text).into_iter().filter_map(part).collect();
    if !parts.is_empty() {
        return parts;
    }
    let concepts = surface.part.concepts.clone();
    let encoding = reading.encoding.clone();
    vec![Part { bytes: 0..text.len(), words, concepts, encoding, alone: None, whole: true }]
}

/// The sentences of a message with the probability of each to be an order.
///
/// In two steps, because a second pass over every letter would cost as much as the first: all sentences are read
/// off the message's pass, and those that are [suspect](Self::suspects) are then encoded by themselves.
#[derive(Debug)]
pub struct Orders<'a> {
    /// The sentences.
    pub parts: Vec<Part<'a>>,
    each: Vec<f32>,
}

impl<'a> Orders<'a> {
    /// Weighs sentences.
    #[must_use]
    pub fn new(parts: Vec<Part<'a>>, head: &InjectionHead) -> Self {
        Self { each: parts.iter().map(|part| head.probability(part)).collect(), parts }
    }

    /// Places of the sentences that are worth a pass of their own, the likeliest first. None of a message that is
    /// a single one, for it has been encoded by itself.
    #[must_use]
    pub fn suspects(&self) -> Vec<usize> {
        if self.parts.len() == 1 && self.parts[0].whole {
            return Vec::new();
        }
        let mut likely: Vec<usize> =
            (0..self.each.len()).filter(|i| self.each[*i] >= SUSPECT).collect();
        likely.sort_by(|a, b| self.each[*b].total_cmp(&self.each[*a]).then(a.cmp(b)));
        likely.truncate(MOST_SUSPECTS);
        likely
    }

    /// Weighs a sentence again, by its own encoding.
    pub fn look_again(&mut self, place: usize, encoding: Encoding, head: &InjectionHead) {
        let Some(part) = self.parts.get_mut(place) else { return };
        part.alone = Some(encoding);
        self.each[place] = head.probability(part);
    }

    /// Probability that one of them is an order.
    #[must_use]
    pub fn probability(&self) -> f32 {
        out_of_place(&self.each)
    }

    /// The likeliest sentence and its probability.
    pub(super) fn likeliest(&self) -> Option<(&Part<'a>, f32)> {
        let each = self.parts.iter().zip(self.each.iter().copied());
        each.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// A head for orders to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct InjectionHead {
    pub(super) learner: Learner,
    /// From this score on a message is flagged.
    pub(super) flagged: f32,
}

impl InjectionHead {
    /// Fits on examples labelled benign (0) and attack (1); besides for each the probability of an attack by a fit
    /// without it.
    ///
    /// # Errors
    /// When the numbers can't be fitted.
    pub fn fit(
        examples: &Examples,
        surfaces: &[Surface],
        encodings: &[Encoding],
    ) -> Result<(Self, Vec<f32>), RidgeError> {
        let row = |surface: &Surface, encoding: &Encoding| {
            features(&surface.part.words, &surface.part.concepts, encoding)
        };
        let fit = examples.fit(surfaces, encodings, row, LABELS.len(), OPTIONS)?;
        let unseen = (0..examples.targets.len()).map(|row| fit.unseen.row(row)[1]).collect();
        Ok((Self { learner: Learner::Kernel(fit.ridge), flagged: FLAGGED }, unseen))
    }

    /// Probability that a sentence is an order to the model.
    #[must_use]
    pub fn probability(&self, part: &Part<'_>) -> f32 {
        if part.words.len() < FEWEST_WORDS {
            return 0.0;
        }
        self.learner
            .probabilities(features(part.words, &part.concepts, part.best()))
            .get(1)
            .copied()
            .unwrap_or(0.0)
    }
}

/// A shipped head that reads a message as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    learner: Learner,
    flagged: f32,
}

impl Whole {
    /// Weights, and from which score on a message is flagged.
    pub(super) fn new(linear: Linear, flagged: f32) -> Self {
        Self { learner: Learner::Linear(linear), flagged }
    }

    /// Probability that a message holds an order to the model.
    #[must_use]
    pub fn probability(&self, seen: &trained::Seen<'_>) -> f32 {
        let features = trained::features(Task::Injection, &WHOLE, seen);
        self.learner.probabilities(features).get(1).copied().unwrap_or(0.0)
    }

    /// Whether a message with this [probability](Self::probability) is flagged if its sentences turn out to be as
    /// suspicious as can be. If not, they aren't worth a second look.
    #[must_use]
    pub fn may_flag(&self, patterns: f32, probability: f32) -> bool {
        Score { patterns, sentences: 1.0, whole: Some(probability) }.joint() >= self.flagged
    }

    /// The words that moved its probability.
    #[must_use]
    pub fn explain(&self, by: &trained::Seen<'_>, seen: &Seen<'_>) -> Vec<Evidence> {
        let features = trained::features(Task::Injection, &WHOLE, by);
        seen.evidence(&self.learner, &WHOLE, features, 1, &[])
    }
}

/// What the readers say of a message, each 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// By the patterns found.
    pub patterns: f32,
    /// By its sentences.
    pub sentences: f32,
    /// By the message as one, where the shipped head goes with the encoder.
    pub whole: Option<f32>,
}

impl Score {
    /// By what is fitted at start: the probability that the patterns or the sentences are right.
    #[must_use]
    pub fn fitted(&self) -> f32 {
        joined(self.patterns, self.sentences)
    }

    /// By all: the probability that the patterns or the mean of the heads are right.
    #[must_use]
    pub fn joint(&self) -> f32 {
        let heads = self.whole.map_or(self.sentences, |whole| f32::midpoint(self.sentences, whole));
        joined(self.patterns, heads)
    }

    /// The verdict, with what the patterns found.
    #[must_use]
    pub fn verdict(
        &self,
        head: &InjectionHead,
        whole: Option<&Whole>,
        reasons: Vec<Cue>,
    ) -> Injection {
        let flagged = self.joint() >= whole.map_or(head.flagged, |whole| whole.flagged);
        let score = Probability::clamped(self.joint());
        Injection { score, flagged, reasons, evidence: Vec::new() }
    }
}

/// The probability that either is right.
fn joined(patterns: f32, by_heads: f32) -> f32 {
    1.0 - (1.0 - patterns) * (1.0 - by_heads)
}

impl InjectionHead {
    /// The words of the likeliest sentence that moved its score.
    #[must_use]
    pub fn explain(&self, orders: &Orders<'_>, seen: &Seen<'_>) -> Vec<Evidence> {
        let likeliest = orders.likeliest().filter(|(_, p)| *p >= self.flagged);
        let Some((part, _)) = likeliest else { return Vec::new() };
        let features = features(part.words, &part.concepts, part.best());
        let places = concepts_within(seen.concepts, seen.surface, part.words);
        Decision {
            learner: &self.learner,
            weights: &WEIGHTS,
            features,
            class: 1,
            words: part.words,
            reading: seen.reading,
            bytes: part.bytes.clone(),
            encoding: part.best(),
            concepts: (&places, part.concepts.len()),
            cues: &[],
        }
        .evidence(seen.places)
    }
}

/// Places of concepts among the words of a part, counted from its first word.
fn concepts_within(
    all: &[(usize, usize, usize)],
    surface: &Surface,
    words: &[Word],
) -> Vec<(usize, usize, usize)> {
    let Some(first) = words.first() else { return Vec::new() };
    let before = surface.part.words.partition_point(|word| word.start < first.start);
    let within =
        all.iter().filter(|(_, at, length)| *at >= before && at + length <= before + words.len());
    within.map(|(number, at, length)| (*number, at - before, *length)).collect()
}

/// The likeliest sentence's probability, the less the more its neighbours look the same: an order stands out.
/// Among many sentences each is less likely to be one, so from [`FEW`] on the odds fall with the
/// square root of their number.
pub(super) fn out_of_place(each: &[f32]) -> f32 {
    let sum: f32 = each.iter().sum();
    let others = each.len().saturating_sub(1);
    let odds = (FEW as f32 / each.len().max(FEW) as f32).sqrt();
    let score = |p: f32| {
        let neighbours = if others == 0 { 1.0 } else { (sum - p) / others as f32 };
        let p = p * (1.0 - (1.0 - OUT_OF_PLACE) * neighbours);
        p * odds / (1.0 - p + p * odds)
    };
    each.iter().map(|p| score(*p)).fold(0.0, f32::max)
}

pub(super) fn features(words: &[Word], concepts: &[f32], encoding: &Encoding) -> Features {
    Features::new(&WEIGHTS, encoding, words, concepts, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::features::BUCKETS;
    use super::super::linalg::Matrix;
    use super::*;

    #[test]
    fn sentences_are_cut_at_stops_and_lines() {
        let text = "Hello there. I would like to know more!\nWhere is my order 3.5 kg?  Bye.";
        let cut: Vec<&str> = sentences(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(cut, ["I would like to know more!", "Where is my order 3.5 kg?"]);
        assert!(sentences("Where is my order now?").is_empty());
        assert_eq!(sentences(&"this is a sentence. ".repeat(100)).len(), MOST_SENTENCES);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_within_bounds(text in "(?s).{0,80}") {
            for range in sentences(&text) {
                prop_assert!(text.get(range).is_some());
            }
        }
    }

    #[test]
    fn patterns_or_the_mean_of_the_heads_make_the_score() {
        let score = Score { patterns: 0.0, sentences: 0.8, whole: None };
        assert!((score.joint() - 0.8).abs() < 1e-6);
        let score = Score { whole: Some(0.4), ..score };
        assert!((score.joint() - 0.6).abs() < 1e-6);
        assert!((score.fitted() - 0.8).abs() < 1e-6);
        // What the patterns are sure of, no head talks away.
        let sure = Score { patterns: 0.9, sentences: 0.0, whole: Some(0.0) };
        assert!(sure.joint() >= 0.9);
    }

    #[test]
    fn a_second_look_is_taken_only_if_it_can_end_in_a_flag() {
        let whole = Whole::new(Linear::new(vec![], Matrix::zeros(2, BUCKETS + 1)).unwrap(), 0.6);
        for (patterns, p) in [(0.0, 0.0), (0.0, 0.19), (0.0, 0.21), (0.3, 0.0), (0.9, 0.0)] {
            let most = Score { patterns, sentences: 1.0, whole: Some(p) }.joint();
            assert_eq!(whole.may_flag(patterns, p), most >= 0.6, "{patterns} {p}");
        }
        assert!(!whole.may_flag(0.0, 0.1) && whole.may_flag(0.0, 0.3));
    }

    #[test]
    fn an_order_stands_out_among_honest_sentences() {
        assert!(out_of_place(&[0.0, 0.9, 0.1]) > 0.8);
        assert!(out_of_place(&[0.3].repeat(20)) < 0.2);
        assert!(out_of_place(&[0.9, 0.9, 0.9]) < 0.6);
        assert!(out_of_place(&[0.9]) < 0.5);
        assert_eq!(out_of_place(&[]), 0.0);
    }
}
