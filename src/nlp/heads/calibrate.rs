//! From scores to honest probabilities, and from probabilities to a threshold.
//!
//! Both are set on scores of examples that the fit didn't see (leave-one-out or cross-validation);
//! on its own examples a head is always sure.

use serde::{Deserialize, Serialize};

/// Softmax of `scores * scale`.
#[must_use]
pub fn softmax(scores: &[f32], scale: f32) -> Vec<f32> {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut weights: Vec<f32> = scores.iter().map(|s| ((s - top) * scale).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    weights
}

/// Index of the largest value; the first one among equals, 0 when empty.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// The inverse temperature that makes unseen scores likeliest: the minimum of the mean negative
/// log-likelihood over the scale, found by golden section on its logarithm (the function is convex in
/// the scale). See Guo et al. 2017, "On Calibration of Modern Neural Networks".
#[must_use]
pub fn fit_scale<'a>(scored: impl Iterator<Item = (&'a [f32], usize)> + Clone) -> f32 {
    let loss = |log_scale: f32| -> f64 {
        let scale = log_scale.exp();
        scored
            .clone()
            .map(|(scores, truth)| {
                let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = scores.iter().map(|s| ((s - top) * scale).exp()).sum();
                f64::from(sum.ln() - (scores[truth] - top) * scale)
            })
            .sum()
    };
    let golden = 0.618_034_f32;
    let (mut low, mut high) = (-2.0_f32, 5.5_f32);
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut loss_a, mut loss_b) = (loss(a), loss(b));
    for _ in 0..32 {
        if loss_a <= loss_b {
            (high, b, loss_b) = (b, a, loss_a);
            a = high - golden * (high - low);
            loss_a = loss(a);
        } else {
            (low, a, loss_a) = (a, b, loss_b);
            b = low + golden * (high - low);
            loss_b = loss(b);
        }
    }
    f32::midpoint(low, high).exp()
}

/// How the confidence of the chosen label is bent so that it means what it says: the log-odds times a slope,
/// plus a shift. A temperature is one number for all classes and all confidences; on scores of few examples the
/// top of the scale comes out too sure and the middle not sure enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bend {
    /// Slope on the log-odds.
    pub slope: f32,
    /// Added to them.
    pub shift: f32,
}

impl Bend {
    /// Leaves a confidence as it is.
    pub const NONE: Self = Self { slope: 1.0, shift: 0.0 };

    /// The likeliest bend of unseen (confidence, right?) pairs, drawn a little towards [`Self::NONE`]; by
    /// Newton's method. See Platt 1999, "Probabilistic Outputs for Support Vector Machines".
    #[must_use]
    pub fn fit(judged: &[(f32, bool)]) -> Self {
        let (mut slope, mut shift) = (1.0f64, 0.0f64);
        for _ in 0..20 {
            // The prior counts as much as a few examples.
            let (mut g, mut h) = ([slope - 1.0, shift], [1.0, 0.0, 1.0]);
            for (confidence, right) in judged {
                let x = f64::from(log_odds(*confidence));
                let p = 1.0 / (1.0 + (-(slope * x + shift)).exp());
                let (miss, spread) = (p - f64::from(u8::from(*right)), p * (1.0 - p));
                g = [g[0] + miss * x, g[1] + miss];
                h = [h[0] + spread * x * x, h[1] + spread * x, h[2] + spread];
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            slope -= (h[2] * g[0] - h[1] * g[1]) / determinant;
            shift -= (h[0] * g[1] - h[1] * g[0]) / determinant;
        }
        let bend = Self { slope: slope as f32, shift: shift as f32 };
        let sane = bend.slope.is_finite() && bend.shift.is_finite() && bend.slope > 0.0;
        if sane { bend } else { Self::NONE }
    }

    /// A confidence, bent.
    #[must_use]
    pub fn of(self, confidence: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * log_odds(confidence) + self.shift)).exp())
    }

    /// Bends the chosen label's probability and shares the rest among the others as before; the chosen one stays
    /// the likeliest.
    pub fn apply(self, probabilities: &mut [f32]) {
        let best = argmax(probabilities);
        let Some(p) = probabilities.get(best).copied() else { return };
        let others = 1.0 - p;
        let least = 1.0 / probabilities.len() as f32;
        let bent = self.of(p).max(least);
        if others > 1e-6 {
            let share = (1.0 - bent) / others;
            probabilities.iter_mut().for_each(|other| *other = (*other * share).min(bent));
        }
        probabilities[best] = bent;
    }
}

fn log_odds(p: f32) -> f32 {
    let p = p.clamp(1e-4, 1.0 - 1e-4);
    (p / (1.0 - p)).ln()
}

/// The expected calibration error: how far confidence and accuracy lie apart on average, in ten bins of as many
/// answers each. See Guo et al. 2017.
#[must_use]
pub fn calibration_error(mut judged: Vec<(f32, bool)>) -> f32 {
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = judged.len().div_ceil(10).max(1);
    let apart = |bin: &[(f32, bool)]| {
        let right = bin.iter().filter(|(_, right)| *right).count() as f32;
        (bin.iter().map(|(confidence, _)| confidence).sum::<f32>() - right).abs()
    };
    judged.chunks(size).map(apart).sum::<f32>() / judged.len().max(1) as f32
}

/// The lowest confidence from which on unseen answers are right at least `target` of the time, but not so
/// high that more than `max_abstention` of them fall below it. `judged` holds (confidence, right?).
#[must_use]
pub fn abstention_threshold(mut judged: Vec<(f32, bool)>, target: f32, max_abstention: f32) -> f32 {
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let needed = judged.len() as f32 * (1.0 - max_abstention);
    let mut right = 0usize;
    let mut threshold = 1.0;
    for (kept, (confidence, correct)) in judged.iter().enumerate() {
        right += usize::from(*correct);
        let accurate = right as f32 >= target * (kept + 1) as f32;
        if accurate || (kept as f32) < needed {
            threshold = *confidence;
        }
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_found_back() {
        // Labels drawn to fit softmax(scores * 4): of each pair, the share that scores highest is that probability.
        let p = softmax(&[0.5, 0.0], 4.0)[0];
        let rows = [0.5f32, 0.0];
        let hundred: Vec<(&[f32], usize)> =
            (0..1000).map(|i| (rows.as_slice(), usize::from(i as f32 >= p * 1000.0))).collect();
        let scale = fit_scale(hundred.iter().copied());
        assert!((scale - 4.0).abs() < 0.05, "{scale}");
    }

    #[test]
    fn a_bend_makes_confidence_mean_what_it_says() {
        // Too sure: of those said with .98, .9 are right, of those said with .6, .7.
        let pairs = |confidence: f32, of_ten: usize| {
            (0..1000).map(move |i| (confidence, i % 10 < of_ten)).collect::<Vec<_>>()
        };
        let judged = [pairs(0.98, 9), pairs(0.6, 7)].concat();
        let bend = Bend::fit(&judged);
        assert!((bend.of(0.98) - 0.9).abs() < 0.01 && (bend.of(0.6) - 0.7).abs() < 0.01);
        let bent = judged.iter().map(|(c, right)| (bend.of(*c), *right)).collect();
        assert!(calibration_error(judged) > 0.08 && calibration_error(bent) < 0.02);
        let mut p = [0.98, 0.015, 0.005];
        bend.apply(&mut p);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5 && p[0] > p[1] && p[1] > p[2]);
        let mut sure = [1.0, 0.0, 0.0];
        bend.apply(&mut sure);
        assert!(sure[0] > 0.9 && sure[1] == 0.0, "{sure:?}");
        assert_eq!(Bend::fit(&[]), Bend::NONE);
    }

    #[test]
    fn softmax_sums_to_one_and_survives_large_scores() {
        let p = softmax(&[1000.0, 999.0, -1000.0], 1.0);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(argmax(&p), 0);
    }

    #[test]
    fn the_threshold_keeps_the_target_unless_too_many_would_fall() {
        let judged = vec![(0.9, true), (0.8, true), (0.7, true), (0.6, false), (0.5, false)];
        assert_eq!(abstention_threshold(judged.clone(), 0.75, 0.5), 0.6);
        assert_eq!(abstention_threshold(judged.clone(), 1.0, 0.5), 0.7);
        assert_eq!(abstention_threshold(judged, 1.0, 0.0), 0.5);
        assert_eq!(abstention_threshold(vec![], 0.9, 0.2), 1.0);
    }
}
