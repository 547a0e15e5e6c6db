//! Ham, spam, phishing or abuse.
//!
//! A customer taken for a spammer is the worse mistake, so anything but ham needs a high score: higher
//! than nearly every ham example gets from a fit without it.

use super::calibrate::argmax;
use super::evidence::Seen;
use super::examples::Examples;
use super::features::{Features, Weights};
use super::linear::Learner;
use super::ridge::{Fit, RidgeError, RidgeOptions};
use super::surface::Surface;
use crate::domain::triage::{Evidence, Probability, Spam, SpamLabel};
use crate::nlp::encoder::Encoding;

/// How much each block counts; chosen on leave-one-out scores.
const WEIGHTS: Weights =
    Weights { embedding: 0.8, layer4: 0.6, concepts: 0.2, hashed: 0.5, cues: 0.5 };
const OPTIONS: RidgeOptions = RidgeOptions { gamma: 1.0, lambda: 0.5 };
/// Never call a message anything but ham below this.
const LEAST: f32 = 0.55;
/// How far the threshold stands above the highest-scoring ham example, towards 1.
const MARGIN: f32 = 0.05;

/// A head for messages that deserve no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SpamHead {
    pub(super) learner: Learner,
    pub(super) threshold: f32,
}

impl SpamHead {
    /// Fits on examples whose targets are positions in [`SpamLabel::ALL`]; says besides how many of them,
    /// 0–1, a fit without them reads right.
    ///
    /// # Errors
    /// When the numbers can't be fitted.
    pub fn fit(
        examples: &Examples,
        surfaces: &[Surface],
        encodings: &[Encoding],
    ) -> Result<(Self, f32), RidgeError> {
        let fit = examples.fit(surfaces, encodings, features, SpamLabel::ALL.len(), OPTIONS)?;
        let threshold = threshold(&fit, &examples.targets);
        let right = examples.accuracy(&fit, argmax);
        Ok((Self { learner: Learner::Kernel(fit.ridge), threshold }, right))
    }

    /// Whether a message is ham.
    #[must_use]
    pub fn classify(&self, surface: &Surface, encoding: &Encoding) -> Spam {
        let probabilities = self.learner.probabilities(features(surface, encoding));
        let ham = SpamLabel::Ham.index();
        let score = 1.0 - probabilities[ham];
        let label = if score < self.threshold || surface.part.words.is_empty() {
            SpamLabel::Ham
        } else {
            let best = argmax(&probabilities[ham + 1..]) + ham + 1;
            SpamLabel::ALL.get(best).copied().unwrap_or(SpamLabel::Ham)
        };
        Spam::new(label, Probability::clamped(score))
    }
}

impl SpamHead {
    /// The words that moved the decision.
    #[must_use]
    pub fn explain(&self, spam: &Spam, seen: &Seen<'_>) -> Vec<Evidence> {
        let features = features(seen.surface, &seen.reading.encoding);
        seen.evidence(&self.learner, &WEIGHTS, features, spam.label.index(), &[])
    }
}

/// Above what all but one in a hundred ham examples score unseen, and a margin towards certainty.
fn threshold(fit: &Fit, targets: &[usize]) -> f32 {
    let ham = SpamLabel::Ham.index();
    let mut scores: Vec<f32> = targets
        .iter()
        .enumerate()
        .filter(|(_, t)| **t == ham)
        .map(|(i, _)| 1.0 - fit.unseen.row(i)[ham])
        .collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let worst = scores.get(scores.len() / 100).copied().unwrap_or(0.0);
    LEAST.max(worst + (1.0 - worst) * MARGIN)
}

pub(super) fn features(surface: &Surface, encoding: &Encoding) -> Features {
    Features::new(&WEIGHTS, encoding, &surface.part.words, &surface.part.concepts, &surface.traits)
}
