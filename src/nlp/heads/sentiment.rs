//! The writer's mood, in five steps.
//!
//! Layer 4 of the encoder, where tone still shows (the last layer has been trained to forget it), beside
//! the words of mood and a few hashed words.

use super::calibrate::argmax;
use super::evidence::Seen;
use super::examples::Examples;
use super::features::{Features, Weights};
use super::linear::Learner;
use super::ridge::{RidgeError, RidgeOptions};
use super::surface::Surface;
use crate::domain::triage::{Evidence, Polarity, Probability, Sentiment, SentimentLabel};
use crate::nlp::encoder::Encoding;

/// How much each block counts; chosen on leave-one-out scores.
const WEIGHTS: Weights =
    Weights { embedding: 0.4, layer4: 1.0, concepts: 0.0, hashed: 0.4, cues: 0.6 };
const OPTIONS: RidgeOptions = RidgeOptions { gamma: 1.5, lambda: 0.5 };

/// Cut points are sought from -CUT_RANGE to CUT_RANGE in steps of CUT_STEP.
const CUT_RANGE: f32 = 0.9;
const CUT_STEP: f32 = 0.02;
/// Cuts around neutral that lose no more than this of the two shares that they part are as good as the best.
const ABOUT_AS_GOOD: f32 = 0.03;

/// A head for mood.
#[derive(Debug, Clone, PartialEq)]
pub struct SentimentHead {
    pub(super) learner: Learner,
    /// Scores at which the label changes, ascending: one fewer than labels.
    pub(super) cuts: Vec<f32>,
}

/// The position of each label on the scale, -1 to 1.
fn position(label: SentimentLabel) -> f32 {
    match label {
        SentimentLabel::VeryNegative => -1.0,
        SentimentLabel::Negative => -0.5,
        SentimentLabel::Neutral => 0.0,
        SentimentLabel::Positive => 0.5,
        SentimentLabel::VeryPositive => 1.0,
    }
}

impl SentimentHead {
    /// Fits on examples whose targets are positions in [`SentimentLabel::ALL`]; says besides how many of
    /// them, 0–1, a fit without them reads right.
    ///
    /// # Errors
    /// When the numbers can't be fitted.
    pub fn fit(
        examples: &Examples,
        surfaces: &[Surface],
        encodings: &[Encoding],
    ) -> Result<(Self, f32), RidgeError> {
        let classes = SentimentLabel::ALL.len();
        let fit = examples.fit(surfaces, encodings, features, classes, OPTIONS)?;
        let scored: Vec<(f32, usize)> = examples
            .targets
            .iter()
            .enumerate()
            .map(|(i, target)| (expected(fit.unseen.row(i)), *target))
            .collect();
        let cuts = cuts(&scored);
        let right = examples.accuracy(&fit, |row| label_index(&cuts, expected(row)));
        Ok((Self { learner: Learner::Kernel(fit.ridge), cuts }, right))
    }

    /// The mood of a message; without a word it is neutral.
    #[must_use]
    pub fn classify(&self, surface: &Surface, encoding: &Encoding) -> Sentiment {
        if surface.part.words.is_empty() && surface.moods.iter().all(|m| *m == 0.0) {
            let (score, confidence) = (Polarity::clamped(0.0), Probability::clamped(0.0));
            return Sentiment::new(SentimentLabel::Neutral, score, confidence);
        }
        let probabilities = self.learner.probabilities(features(surface, encoding));
        let score = expected(&probabilities);
        let index = label_index(&self.cuts, score);
        let label = SentimentLabel::ALL.get(index).copied().unwrap_or(SentimentLabel::Neutral);
        let confidence = probabilities.get(index).copied().unwrap_or_default();
        Sentiment::new(label, Polarity::clamped(score), Probability::clamped(confidence))
    }
}

impl SentimentHead {
    /// The words that moved the decision; `moods` has one number a word.
    #[must_use]
    pub fn explain(&self, mood: &Sentiment, moods: &[f32], seen: &Seen<'_>) -> Vec<Evidence> {
        let features = features(seen.surface, &seen.reading.encoding);
        seen.evidence(&self.learner, &WEIGHTS, features, mood.label.index(), moods)
    }
}

/// Expected position on the scale.
fn expected(probabilities: &[f32]) -> f32 {
    SentimentLabel::ALL.iter().zip(probabilities).map(|(label, p)| position(*label) * p).sum()
}

fn label_index(cuts: &[f32], score: f32) -> usize {
    cuts.iter().filter(|cut| score >= **cut).count()
}

/// For each pair of neighbouring labels the score that parts them best, both sides weighing the same. The label
/// follows from the score this way, so a better score never has a worse label.
fn cuts(scored: &[(f32, usize)]) -> Vec<f32> {
    let share = |label: usize, above: bool, cut: f32| {
        let of_label: Vec<f32> =
            scored.iter().filter(|(_, target)| *target == label).map(|(score, _)| *score).collect();
        of_label.iter().filter(|score| (**score >= cut) == above).count() as f32
            / of_label.len().max(1) as f32
    };
    let steps = (2.0 * CUT_RANGE / CUT_STEP) as usize;
    let neutral = SentimentLabel::Neutral.index();
    let mut cuts: Vec<f32> = (1..SentimentLabel::ALL.len())
        .map(|upper| {
            let quality: Vec<f32> = (0..=steps)
                .map(|step| {
                    let cut = step as f32 * CUT_STEP - CUT_RANGE;
                    share(upper - 1, false, cut) + share(upper, true, cut)
                })
                .collect();
            let best = quality[argmax(&quality)];
            let place = |step: usize| step as f32 * CUT_STEP - CUT_RANGE;
            if upper == neutral || upper == neutral + 1 {
                // On other kinds of text scores shrink towards 0, so of the cuts that are about as good the
                // one nearest to 0 holds best.
                let good = (0..quality.len()).filter(|i| quality[*i] >= best - ABOUT_AS_GOOD);
                let nearest = good.min_by(|a, b| place(*a).abs().total_cmp(&place(*b).abs()));
                return nearest.map_or(0.0, place);
            }
            // The middle of the plateau of best cuts.
            let plateau: Vec<usize> =
                (0..quality.len()).filter(|i| quality[*i] >= best - 1e-6).collect();
            place(plateau[plateau.len() / 2])
        })
        .collect();
    cuts.sort_by(f32::total_cmp);
    cuts
}

fn features(surface: &Surface, encoding: &Encoding) -> Features {
    Features::new(&WEIGHTS, encoding, &surface.part.words, &[], &surface.moods)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_part_neighbours_in_order() {
        let scored: Vec<(f32, usize)> = (0..50)
            .map(|i| ((i / 10) as f32 * 0.4 - 0.8 + (i % 10) as f32 * 0.02, i / 10))
            .collect();
        let cuts = cuts(&scored);
        assert_eq!(cuts.len(), 4);
        assert!(cuts.is_sorted());
        assert!(
            scored.iter().all(|(score, label)| label_index(&cuts, *score) == *label),
            "{cuts:?}"
        );
    }
}
