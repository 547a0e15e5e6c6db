//! What the writer wants, by the examples of the taxonomy.
//!
//! The threshold below which the head abstains comes from leave-one-out scores on those examples: the
//! lowest confidence from which on answers are right as often as the taxonomy asks.

use super::calibrate::{abstention_threshold, argmax};
use super::features::{Features, Weights};
use super::ridge::{Ridge, RidgeError, RidgeOptions};
use super::surface::{Surface, SurfacePart};
use super::taxonomy::Taxonomy;
use crate::domain::triage::{Intent, IntentLabel, Probability, Scored};
use crate::nlp::encoder::Encoding;

/// How much each block counts; chosen on leave-one-out scores.
const WEIGHTS: Weights =
    Weights { embedding: 1.0, layer4: 0.7, concepts: 0.3, hashed: 0.8, cues: 0.0 };
const OPTIONS: RidgeOptions = RidgeOptions { gamma: 2.0, lambda: 0.4 };
/// How many runners-up are named, and from which probability on.
const ALTERNATIVES: usize = 3;
const WORTH_NAMING: f32 = 0.01;

/// A head that knows the intents of one taxonomy.
#[derive(Debug, Clone, PartialEq)]
pub struct IntentHead {
    pub(super) ridge: Ridge,
    pub(super) labels: Vec<IntentLabel>,
    pub(super) threshold: f32,
}

/// How the head did on its examples, each scored by a fit without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unseen {
    /// How many examples.
    pub examples: usize,
    /// Share that was right, abstentions counted as answers.
    pub accuracy: f32,
    /// Share below the threshold.
    pub abstained: f32,
    /// Share that was right among the others.
    pub accuracy_kept: f32,
}

impl IntentHead {
    /// Fits on the taxonomy's examples; surfaces and encodings stand in the order of the file.
    ///
    /// # Errors
    /// When the numbers can't be fitted.
    pub fn fit(
        taxonomy: &Taxonomy,
        surfaces: &[Surface],
        encodings: &[Encoding],
    ) -> Result<(Self, Unseen), RidgeError> {
        let intents = taxonomy.intents();
        let targets: Vec<usize> = intents
            .iter()
            .enumerate()
            .flat_map(|(number, intent)| vec![number; intent.examples.len()])
            .collect();
        let examples = surfaces
            .iter()
            .zip(encodings)
            .map(|(surface, encoding)| features(&surface.part, encoding))
            .collect();
        let fit = Ridge::fit(examples, &targets, intents.len(), OPTIONS)?;
        let judged: Vec<(f32, bool)> = targets
            .iter()
            .enumerate()
            .map(|(i, target)| {
                let probabilities = fit.unseen.row(i);
                let best = argmax(probabilities);
                (probabilities[best], best == *target)
            })
            .collect();
        let threshold = abstention_threshold(
            judged.clone(),
            taxonomy.target_accuracy(),
            taxonomy.max_abstention(),
        );
        let head = Self {
            ridge: fit.ridge,
            labels: intents.iter().map(|i| i.name.clone()).collect(),
            threshold,
        };
        Ok((head, judge(&judged, threshold)))
    }

    /// The intent of a message.
    #[must_use]
    pub fn classify(&self, surface: &Surface, encoding: &Encoding) -> Intent {
        let probabilities = self.ridge.probabilities(features(&surface.part, encoding));
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        let scored = |index: &usize| Scored {
            label: self.labels[*index].clone(),
            confidence: Probability::clamped(probabilities[*index]),
        };
        let best = order.first().copied().unwrap_or_default();
        let confidence = probabilities[best];
        Intent {
            label: self.labels[best].clone(),
            confidence: Probability::clamped(confidence),
            // A message without a word (a photo, "???") is for a person, whatever the vectors say.
            abstained: confidence < self.threshold || surface.part.words.is_empty(),
            alternatives: order
                .iter()
                .skip(1)
                .take(ALTERNATIVES)
                .filter(|index| probabilities[**index] >= WORTH_NAMING)
                .map(scored)
                .collect(),
        }
    }
}

fn features(surface: &SurfacePart, encoding: &Encoding) -> Features {
    Features::new(&WEIGHTS, encoding, &surface.words, &surface.concepts, &[])
}

fn judge(judged: &[(f32, bool)], threshold: f32) -> Unseen {
    let share = |part: usize, of: usize| part as f32 / of.max(1) as f32;
    let right = judged.iter().filter(|(_, right)| *right).count();
    let kept: Vec<bool> =
        judged.iter().filter(|(c, _)| *c >= threshold).map(|(_, right)| *right).collect();
    Unseen {
        examples: judged.len(),
        accuracy: share(right, judged.len()),
        abstained: share(judged.len() - kept.len(), judged.len()),
        accuracy_kept: share(kept.iter().filter(|right| **right).count(), kept.len()),
    }
}
