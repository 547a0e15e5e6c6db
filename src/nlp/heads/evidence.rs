//! Which words moved a decision.
//!
//! A head's score grows with its features, and what each feature adds at this message is known: exactly for a
//! linear head, by the gradient for the kernel's ([`Slope`]). The states are means over tokens, so each token's
//! share of them is known too; hashed words and concepts belong to words as they are. What belongs to no word
//! (capitals, lengths) is left out. Nothing of this runs unless it is asked for.

use std::ops::Range;

use super::features::{Features, Layout, Weights, buckets_of};
use super::linalg::{dot, norm};
use super::linear::{Slope, Sloped};
use super::places::Places;
use super::surface::Surface;
use super::words::Word;
use crate::domain::triage::{Evidence, Polarity};
use crate::nlp::encoder::{Encoding, Reading};

/// Words named for one decision.
const MOST: usize = 5;
/// A word below this share isn't named.
const LEAST: f32 = 0.02;

/// A message as every head saw it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its surface.
    pub surface: &'a Surface,
    /// Concepts that occur: number, first word, how many words.
    pub concepts: &'a [(usize, usize, usize)],
    /// The pass.
    pub reading: &'a Reading,
    /// How many bytes were read.
    pub length: usize,
    /// Where they stand in what was given.
    pub places: &'a Places<'a>,
}

impl Seen<'_> {
    /// The words that moved a head's decision for a class on the whole message.
    #[must_use]
    pub fn evidence(
        &self,
        learner: &dyn Sloped,
        weights: &Weights,
        features: Features,
        class: usize,
        cues: &[f32],
    ) -> Vec<Evidence> {
        let concepts = if weights.concepts > 0.0 { self.concepts } else { &[] };
        Decision {
            learner,
            weights,
            features,
            class,
            words: &self.surface.part.words,
            reading: self.reading,
            bytes: 0..self.length,
            encoding: &self.reading.encoding,
            concepts: (concepts, self.surface.part.concepts.len()),
            cues,
        }
        .evidence(self.places)
    }
}

/// What a decision was made on.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The head.
    pub learner: &'a dyn Sloped,
    /// The weights of its blocks.
    pub weights: &'a Weights,
    /// What it saw.
    pub features: Features,
    /// The class that was chosen.
    pub class: usize,
    /// The words.
    pub words: &'a [Word],
    /// The pass, and the bytes of it that were read.
    pub reading: &'a Reading,
    /// See `reading`.
    pub bytes: Range<usize>,
    /// The encoding of those bytes.
    pub encoding: &'a Encoding,
    /// Concepts that occur: number, first word, how many words; and how many concepts there are.
    pub concepts: (&'a [(usize, usize, usize)], usize),
    /// How much each word has to do with the head's own numbers, of any size; none has with an empty slice.
    pub cues: &'a [f32],
}

impl Decision<'_> {
    /// The words that moved it most, strongest first.
    #[must_use]
    pub fn evidence(mut self, places: &Places<'_>) -> Vec<Evidence> {
        let (dims, numbers) = (self.encoding.embedding.len(), self.features.dense.len());
        let before = self.weights.layout(dims, self.concepts.1, 0).cues.start;
        let layout = self.weights.layout(dims, self.concepts.1, numbers.saturating_sub(before));
        let own = self.features.dense.get(layout.cues.clone()).unwrap_or_default().to_vec();
        self.features.centre_and_normalise(self.learner.centre());
        let slope = self.learner.slope(&self.features, self.class);
        let mut said = vec![0.0; self.words.len()];
        self.add_states(&slope, &layout, &mut said);
        self.add_hashed(&slope, &mut said);
        for &(number, first, length) in self.concepts.0 {
            let weight = slope.dense.get(layout.concepts.start + number).copied().unwrap_or(0.0);
            let share = weight * self.weights.concepts / length.max(1) as f32;
            said.iter_mut().skip(first).take(length).for_each(|s| *s += share);
        }
        self.add_cues(&slope, &layout, &own, &mut said);
        strongest(&said, self.words, places)
    }

    /// Each token's share of the two mean states, less what an average token of the text says.
    fn add_states(&self, slope: &Slope, layout: &Layout, said: &mut [f32]) {
        let tokens = self.reading.tokens_within(self.bytes.clone());
        let count = tokens.len().max(1) as f32;
        let long = norm(&self.encoding.layer4).max(f32::MIN_POSITIVE) * count;
        let by_last = slope.dense.get(layout.embedding.clone()).unwrap_or_default();
        let by_upper = slope.dense.get(layout.layer4.clone()).unwrap_or_default();
        let mean = self.reading.last_norm(self.bytes.clone()) * count;
        let each: Vec<(usize, f32)> = tokens
            .filter_map(|at| {
                let (last, upper) = self.reading.rows(at)?;
                let last = dot(by_last, &last) * self.weights.embedding / mean;
                let upper = dot(by_upper, &upper) * self.weights.layer4 / long;
                Some((self.reading.tokens.get(at)?.start, last + upper))
            })
            .collect();
        let average = each.iter().map(|(_, x)| x).sum::<f32>() / count;
        for (start, x) in each {
            let word = self.words.partition_point(|word| word.end <= start);
            if self.words.get(word).is_some_and(|word| word.start <= start) {
                said[word] += x - average;
            }
        }
    }

    fn add_hashed(&self, slope: &Slope, said: &mut [f32]) {
        let mut counts = vec![0f32; slope.hashed.len()];
        for word in self.words {
            buckets_of(&word.text, |bucket, value| counts[usize::from(bucket)] += value);
        }
        let scale = self.weights.hashed / norm(&counts).max(f32::MIN_POSITIVE);
        for (word, said) in self.words.iter().zip(said) {
            buckets_of(&word.text, |bucket, value| {
                *said += slope.hashed[usize::from(bucket)] * value * scale;
            });
        }
    }

    /// What the head's own numbers say together, shared out.
    fn add_cues(&self, slope: &Slope, layout: &Layout, own: &[f32], said: &mut [f32]) {
        let all: f32 = self.cues.iter().map(|c| c.abs()).sum();
        let by = slope.dense.get(layout.cues.clone()).unwrap_or_default();
        let centre = self.learner.centre().get(layout.cues.clone()).unwrap_or_default();
        if all > 0.0 {
            let together = dot(by, own) - dot(by, centre);
            let each = said.iter_mut().zip(self.cues);
            each.for_each(|(said, cue)| *said += together * cue.abs() / all);
        }
    }
}

/// The words with the largest shares, as shares of what all words said.
fn strongest(said: &[f32], words: &[Word], places: &Places<'_>) -> Vec<Evidence> {
    let all: f32 = said.iter().map(|s| s.abs()).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..said.len()).collect();
    order.sort_by(|a, b| said[*b].abs().total_cmp(&said[*a].abs()).then(a.cmp(b)));
    let named =
        order.into_iter().take_while(|at| said[*at].abs() >= all * LEAST).filter_map(|at| {
            let span = places.span(words[at].start..words[at].end)?;
            Some(Evidence { span, weight: Polarity::clamped(said[at] / all) })
        });
    named.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Input;
    use super::super::features::BUCKETS;
    use super::super::linalg::Matrix;
    use super::super::linear::{Learner, Linear};
    use super::super::words::words;
    use super::*;
    use crate::nlp::encoder::{Token, TokenStates};

    /// Three words with states along two axes, and a head that goes by the first axis and by a concept.
    fn named(text: &str, concepts: &[(usize, usize, usize)], cues: &[f32]) -> Vec<(usize, f32)> {
        let words = words(text);
        let rows: Vec<f32> = words
            .iter()
            .flat_map(|w| if w.text == "refund" { [2.0, 0.0] } else { [0.0, 1.0] })
            .collect();
        let tokens = words
            .iter()
            .map(|w| Token { id: 0, start: w.start, end: w.end, starts_word: true })
            .collect();
        let encoding = Encoding { embedding: vec![0.8, 0.6], layer4: vec![0.8, 0.6], tokens: 3 };
        let states = TokenStates { middle: rows.clone(), upper: rows.clone(), last: rows };
        let reading = Reading::of(encoding.clone(), tokens, states);
        let weights =
            Weights { embedding: 1.0, layer4: 0.5, concepts: 1.0, hashed: 0.0, cues: 1.0 };
        let mut parameters = Matrix::zeros(2, 6 + BUCKETS + 1);
        parameters.row_mut(1)[..6].copy_from_slice(&[1.0, 0.0, 0.5, 0.0, 0.8, 0.5]);
        let learner = Learner::Linear(Linear::new(vec![0.0; 6], parameters).unwrap());
        let features = Features::new(&weights, &encoding, &words, &[1.0], &[1.0]);
        let decision = Decision {
            learner: &learner,
            weights: &weights,
            features,
            class: 1,
            words: &words,
            reading: &reading,
            bytes: 0..text.len(),
            encoding: &encoding,
            concepts: (concepts, 1),
            cues,
        };
        let input = Input::of(text);
        let evidence = decision.evidence(&Places::of(&input));
        evidence.iter().map(|e| (e.span.start, e.weight.get())).collect()
    }

    #[test]
    fn the_word_that_a_head_goes_by_stands_first() {
        let found = named("my refund please", &[], &[]);
        assert_eq!(found[0].0, 3);
        assert!(found[0].1 > 0.0 && found[1].1 < 0.0, "{found:?}");
        assert!(found.iter().map(|(_, w)| w.abs()).sum::<f32>() <= 1.001);
    }

    #[test]
    fn concepts_and_own_numbers_belong_to_their_words() {
        assert_eq!(named("my order please", &[(0, 1, 1)], &[])[0].0, 3);
        assert_eq!(named("my order please", &[], &[0.0, 0.0, 2.0])[0].0, 9);
        assert_eq!(named("my order please", &[], &[]), []);
    }
}
