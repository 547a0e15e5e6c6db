//! From scores to honest probabilities, and from probabilities to a threshold.
//!
//! Both are set on scores of examples that the fit didn't see (leave-one-out or cross-validation);
//! on its own examples a head is always sure.

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
