//! What the writer wants, by the examples of the taxonomy.
//!
//! The threshold below which the head abstains comes from leave-one-out scores on those examples: the
//! lowest confidence from which on answers are right as often as the taxonomy asks.

use super::calibrate::{Bend, abstention_threshold, argmax, calibration_error};
use super::evidence::Seen;
use super::features::{Features, Weights};
use super::hierarchy;
use super::linear::Learner;
use super::ridge::{Ridge, RidgeError, RidgeOptions};
use super::surface::{Surface, SurfacePart};
use super::taxonomy::Taxonomy;
use crate::domain::triage::{Abstention, Evidence, Intent, IntentLabel, Probability, Scored};
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
    pub(super) learner: Learner,
    pub(super) labels: Vec<IntentLabel>,
    pub(super) threshold: f32,
    pub(super) bend: Bend,
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
    /// How far confidence and accuracy lie apart.
    pub calibration_error: f32,
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
        let mut judged: Vec<(f32, bool)> = targets
            .iter()
            .enumerate()
            .map(|(i, target)| {
                let probabilities = fit.unseen.row(i);
                let best = argmax(probabilities);
                (probabilities[best], best == *target)
            })
            .collect();
        let bend = Bend::fit(&judged);
        judged.iter_mut().for_each(|(confidence, _)| *confidence = bend.of(*confidence));
        let threshold = abstention_threshold(
            judged.clone(),
            taxonomy.target_accuracy(),
            taxonomy.max_abstention(),
        );
        let head = Self {
            learner: Learner::Kernel(fit.ridge),
            labels: intents.iter().map(|i| i.name.clone()).collect(),
            threshold,
            bend,
        };
        Ok((head, judge(&judged, threshold)))
    }

    /// The intent of a message, with what the taxonomy adds to it.
    #[must_use]
    pub fn classify(&self, surface: &Surface, encoding: &Encoding, taxonomy: &Taxonomy) -> Intent {
        let mut probabilities = self.learner.probabilities(features(&surface.part, encoding));
        self.bend.apply(&mut probabilities);
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        let scored = |index: &usize| Scored {
            label: self.labels[*index].clone(),
            confidence: Probability::clamped(probabilities[*index]),
        };
        let best = order.first().copied().unwrap_or_default();
        let confidence = probabilities[best];
        // A message without a word (a photo, "???") is for a person, whatever the vectors say.
        let abstained = match surface.part.words.is_empty() {
            true => Some(Abstention::NoWords),
            false => (confidence < self.threshold).then_some(Abstention::Unsure),
        };
        let alternatives = order
            .iter()
            .skip(1)
            .take(ALTERNATIVES)
            .filter(|index| probabilities[**index] >= WORTH_NAMING)
            .map(scored)
            .collect();
        let label = self.labels[best].clone();
        let mut intent =
            Intent::new(label, Probability::clamped(confidence), abstained, alternatives);
        let all = self.labels.iter().zip(probabilities.iter().copied());
        hierarchy::complete(&mut intent, all, taxonomy, self.threshold);
        intent
    }

    /// The words that moved the decision.
    #[must_use]
    pub fn explain(&self, intent: &Intent, seen: &Seen<'_>) -> Vec<Evidence> {
        let Some(class) = self.labels.iter().position(|label| *label == intent.label) else {
            return Vec::new();
        };
        let features = features(&seen.surface.part, &seen.reading.encoding);
        seen.evidence(&self.learner, &WEIGHTS, features, class, &[])
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
        calibration_error: calibration_error(judged.to_vec()),
    }
}
