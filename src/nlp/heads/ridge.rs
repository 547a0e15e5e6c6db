//! Kernel ridge classification: the learner behind the built-in heads.
//!
//! They are fitted at load on some hundred examples, and what matters then is an honest idea of how sure
//! an answer is. Ridge regression onto the classes has a closed form, and so have its leave-one-out scores
//! (each example scored by a fit without it, without fitting again), so temperature and thresholds are set
//! on unseen scores at the price of one Cholesky factor. The Gaussian kernel on unit vectors makes it a
//! blend of a linear head and of nearest examples; on the cross-validated examples it beat both.
//!
//! See Rifkin & Lippert 2007, "Notes on Regularized Least Squares" (leave-one-out: section 3).

use super::calibrate::{fit_scale, softmax};
use super::features::{BUCKETS, Features};
use super::linalg::{Cholesky, Matrix, NotPositiveDefinite, add_scaled, dot};

/// What the fit is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeOptions {
    /// Width of the kernel `exp(gamma * (a·b - 1))` on unit vectors: 0 is flat, 10 sees only neighbours.
    pub gamma: f32,
    /// Penalty on the diagonal, above 0.
    pub lambda: f32,
}

/// Examples and targets that don't make a head.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RidgeError {
    /// Fewer than two examples or classes, or a target beyond the classes.
    #[error("a head needs examples of two classes or more, each with a target below {classes}")]
    Targets {
        /// How many classes were announced.
        classes: usize,
    },
    /// Numbers that can't be factorised: a NaN in an embedding, or a penalty of 0.
    #[error("the examples cannot be fitted")]
    Numbers(#[from] NotPositiveDefinite),
}

/// A fitted head: scores for each class from a message's features.
#[derive(Debug, Clone, PartialEq)]
pub struct Ridge {
    pub(super) gamma: f32,
    /// Inverse temperature for the softmax over scores.
    pub(super) scale: f32,
    /// Mean of the examples' dense blocks.
    pub(super) centre: Vec<f32>,
    /// The examples' dense blocks, one a row.
    pub(super) dense: Matrix,
    /// The examples' hashed blocks.
    pub(super) hashed: Vec<Vec<(u16, f32)>>,
    /// Dual weights, examples × classes.
    pub(super) alpha: Matrix,
}

/// A fitted head and its calibrated leave-one-out probabilities, examples × classes.
#[derive(Debug)]
pub struct Fit {
    /// The head.
    pub ridge: Ridge,
    /// For each example, the probabilities given by the fit without it.
    pub unseen: Matrix,
}

impl Ridge {
    /// Fits on examples; `targets` holds a class index for each. Deterministic.
    ///
    /// # Errors
    /// When there is nothing to tell apart or the numbers are not finite.
    pub fn fit(
        mut examples: Vec<Features>,
        targets: &[usize],
        classes: usize,
        options: RidgeOptions,
    ) -> Result<Fit, RidgeError> {
        let count = examples.len();
        if count < 2
            || classes < 2
            || targets.len() != count
            || targets.iter().any(|t| *t >= classes)
        {
            return Err(RidgeError::Targets { classes });
        }
        let centre = mean(&examples);
        examples.iter_mut().for_each(|e| e.centre_and_normalise(&centre));
        let mut dense = Matrix::zeros(count, centre.len());
        for (i, example) in examples.iter().enumerate() {
            dense.row_mut(i).copy_from_slice(&example.dense);
        }
        let hashed: Vec<Vec<(u16, f32)>> = examples.into_iter().map(|e| e.hashed).collect();
        let mut ridge = Self {
            gamma: options.gamma,
            scale: 1.0,
            centre,
            dense,
            hashed,
            alpha: Matrix::zeros(count, classes),
        };

        let mut kernel = Matrix::zeros(count, count);
        let mut buckets = vec![0.0; BUCKETS];
        for i in 0..count {
            scatter(&mut buckets, &ridge.hashed[i]);
            for j in 0..=i {
                kernel.row_mut(i)[j] = ridge.kernel(j, ridge.dense.row(i), &buckets);
            }
            kernel.row_mut(i)[i] += options.lambda;
        }
        let cholesky = Cholesky::new(kernel)?;
        let inverse_diagonal = cholesky.inverse_diagonal();
        let mut unseen = Matrix::zeros(count, classes);
        for class in 0..classes {
            // Targets are 1 - 1/k for the class and -1/k for the others: zero on average.
            let target = |t: &usize| f32::from(u8::from(*t == class)) - 1.0 / classes as f32;
            let wanted: Vec<f32> = targets.iter().map(target).collect();
            let mut weights = wanted.clone();
            cholesky.solve(&mut weights);
            for i in 0..count {
                ridge.alpha.row_mut(i)[class] = weights[i];
                unseen.row_mut(i)[class] = wanted[i] - weights[i] / inverse_diagonal[i];
            }
        }
        ridge.scale = fit_scale((0..count).map(|i| (unseen.row(i), targets[i])));
        for i in 0..count {
            let probabilities = softmax(unseen.row(i), ridge.scale);
            unseen.row_mut(i).copy_from_slice(&probabilities);
        }
        Ok(Fit { ridge, unseen })
    }

    /// How many classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.alpha.columns()
    }

    /// Calibrated probabilities, one a class.
    #[must_use]
    pub fn probabilities(&self, mut features: Features) -> Vec<f32> {
        features.centre_and_normalise(&self.centre);
        let mut buckets = vec![0.0; BUCKETS];
        scatter(&mut buckets, &features.hashed);
        let mut scores = vec![0.0; self.classes()];
        for i in 0..self.dense.rows() {
            add_scaled(&mut scores, self.kernel(i, &features.dense, &buckets), self.alpha.row(i));
        }
        softmax(&scores, self.scale)
    }

    /// The kernel between an example and a message whose hashed block is spread over the buckets.
    fn kernel(&self, example: usize, dense: &[f32], buckets: &[f32]) -> f32 {
        let hashed = self.hashed[example]
            .iter()
            .map(|(bucket, x)| x * buckets[usize::from(*bucket) % BUCKETS])
            .sum::<f32>();
        (self.gamma * (dot(self.dense.row(example), dense) + hashed - 1.0)).exp()
    }
}

fn scatter(buckets: &mut [f32], hashed: &[(u16, f32)]) {
    buckets.fill(0.0);
    for (bucket, x) in hashed {
        buckets[usize::from(*bucket) % BUCKETS] = *x;
    }
}

fn mean(examples: &[Features]) -> Vec<f32> {
    let mut centre = vec![0.0; examples.iter().map(|e| e.dense.len()).max().unwrap_or(0)];
    for example in examples {
        add_scaled(&mut centre, 1.0 / examples.len() as f32, &example.dense);
    }
    centre
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: RidgeOptions = RidgeOptions { gamma: 1.0, lambda: 0.3 };

    fn point(angle: f32) -> Features {
        Features { dense: vec![angle.cos(), angle.sin()], hashed: vec![] }
    }

    /// Three arcs of a circle.
    fn arcs() -> (Vec<Features>, Vec<usize>) {
        let angles = (0..30).map(|i| (i % 3) as f32 * 2.0 + (i / 3) as f32 * 0.1);
        (angles.map(point).collect(), (0..30).map(|i| i % 3).collect())
    }

    #[test]
    fn classes_are_told_apart_with_probabilities() {
        let (examples, targets) = arcs();
        let fit = Ridge::fit(examples, &targets, 3, OPTIONS).unwrap();
        for (class, angle) in [(0, 0.45f32), (1, 2.45), (2, 4.45)] {
            let p = fit.ridge.probabilities(point(angle));
            assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(p[class] > 0.9, "{p:?}");
        }
    }

    #[test]
    fn leave_one_out_equals_a_fit_without_the_example() {
        let (examples, targets) = arcs();
        // Centring and the temperature depend on the example left out, so compare raw scores on given centres.
        let raw = |examples: &[Features], targets: &[usize], at: &Features| -> Vec<f32> {
            let n = examples.len();
            let kernel = |a: &Features, b: &Features| {
                (OPTIONS.gamma * (dot(&a.dense, &b.dense) - 1.0)).exp()
            };
            let mut k = Matrix::zeros(n, n);
            for i in 0..n {
                for j in 0..n {
                    k.row_mut(i)[j] = kernel(&examples[i], &examples[j])
                        + if i == j { OPTIONS.lambda } else { 0.0 };
                }
            }
            let cholesky = Cholesky::new(k).unwrap();
            (0..3)
                .map(|class| {
                    let mut b: Vec<f32> = targets
                        .iter()
                        .map(|t| f32::from(u8::from(*t == class)) - 1.0 / 3.0)
                        .collect();
                    cholesky.solve(&mut b);
                    examples.iter().zip(&b).map(|(e, w)| w * kernel(e, at)).sum()
                })
                .collect()
        };
        let fit = Ridge::fit(examples.clone(), &targets, 3, OPTIONS).unwrap();
        let centre = mean(&examples);
        let centred: Vec<Features> = examples
            .into_iter()
            .map(|mut e| {
                e.centre_and_normalise(&centre);
                e
            })
            .collect();
        for left_out in [0, 7, 29] {
            let mut rest = centred.clone();
            let mut rest_targets = targets.clone();
            let at = rest.remove(left_out);
            rest_targets.remove(left_out);
            let expected = softmax(&raw(&rest, &rest_targets, &at), fit.ridge.scale);
            for (a, b) in fit.unseen.row(left_out).iter().zip(&expected) {
                assert!((a - b).abs() < 2e-3, "{:?} {expected:?}", fit.unseen.row(left_out));
            }
        }
    }

    #[test]
    fn the_same_examples_give_the_same_bits() {
        let (examples, targets) = arcs();
        let one = Ridge::fit(examples.clone(), &targets, 3, OPTIONS).unwrap().ridge;
        assert_eq!(one, Ridge::fit(examples, &targets, 3, OPTIONS).unwrap().ridge);
    }

    #[test]
    fn nothing_to_tell_apart_is_an_error() {
        let (examples, targets) = arcs();
        assert!(Ridge::fit(vec![], &[], 3, OPTIONS).is_err());
        assert!(Ridge::fit(examples.clone(), &targets, 2, OPTIONS).is_err());
        assert!(Ridge::fit(examples.clone(), &targets[1..], 3, OPTIONS).is_err());
        let mut broken = examples;
        broken[3].dense[0] = f32::NAN;
        assert!(matches!(Ridge::fit(broken, &targets, 3, OPTIONS), Err(RidgeError::Numbers(_))));
    }
}
