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
use super::linalg::{Cholesky, Matrix, NotPositiveDefinite, add_scaled, dot, multiply, rectangle};
use super::linear::Slope;
use crate::nlp::encoder::affine::multiply_rows;

/// Rows of the kernel matrix that are computed together.
const TOGETHER: usize = 256;

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
    /// Fewer than two examples or classes, too many examples, or a target beyond the classes.
    #[error(
        "a head needs examples of two classes or more, {MOST_EXAMPLES} at most, each with a target below \
         {classes}"
    )]
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
    /// The examples once more, in the form in which messages are compared with them.
    quick: Quick,
}

/// The examples with 8 bits a number, and for each bucket who is in it: a thousand examples are half a megabyte,
/// and comparing a message with them is a matter of microseconds. Products of unit vectors come out within
/// a thousandth or so.
#[derive(Debug, Clone, PartialEq, Default)]
struct Quick {
    /// `[examples, dims]`.
    bytes: Vec<i8>,
    /// What 1 in `bytes` is worth in each example, and the sum of its bytes.
    rows: Vec<(f32, i32)>,
    /// (example, value in 65,535ths) by bucket, one after the other, and where each bucket begins.
    members: Vec<(u16, u16)>,
    begins: Vec<usize>,
    /// Dual weights, classes × examples.
    alpha: Vec<f32>,
}

/// Most examples: their numbers have 16 bits.
const MOST_EXAMPLES: usize = 1 << 16;
/// Bytes are −127 to 127.
const LARGEST: f32 = 127.0;
/// What is added to a message's bytes: the kernel takes those without a sign.
const MIDDLE: i32 = 128;

/// What 1 is worth if the largest of `values` is to be [`LARGEST`].
fn unit(values: &[f32]) -> f32 {
    let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    (largest / LARGEST).max(f32::MIN_POSITIVE)
}

/// The nearest whole number of one below 2^22, without a call: above 2^23 a float has no fraction left.
fn rounded(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

impl Quick {
    fn of(dense: &Matrix, hashed: &[Vec<(u16, f32)>], alpha: &Matrix) -> Self {
        let mut by_bucket: Vec<Vec<(u16, u16)>> = vec![Vec::new(); BUCKETS];
        for (example, row) in hashed.iter().enumerate() {
            for (bucket, x) in row {
                let value = (x.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16;
                by_bucket[usize::from(*bucket) % BUCKETS].push((example as u16, value));
            }
        }
        let mut begins = vec![0];
        let mut members = Vec::new();
        for bucket in by_bucket {
            members.extend(bucket);
            begins.push(members.len());
        }
        let mut bytes = Vec::with_capacity(dense.values().len());
        let mut rows = Vec::with_capacity(dense.rows());
        for row in (0..dense.rows()).map(|i| dense.row(i)) {
            let unit = unit(row);
            let before = bytes.len();
            bytes.extend(row.iter().map(|x| (x / unit).round() as i8));
            rows.push((unit, bytes[before..].iter().map(|byte| i32::from(*byte)).sum()));
        }
        let class = |class: usize| (0..alpha.rows()).map(move |row| alpha.row(row)[class]);
        let alpha = (0..alpha.columns()).flat_map(class).collect();
        Self { bytes, rows, members, begins, alpha }
    }

    /// The product of a message with each example.
    fn products(&self, features: &Features) -> Vec<f32> {
        let one = unit(&features.dense);
        let message: Vec<u8> =
            features.dense.iter().map(|x| (rounded(x / one) as i32 + MIDDLE) as u8).collect();
        let mut whole = vec![0; self.rows.len()];
        multiply_rows(&self.bytes, &message, &mut whole);
        let rows = whole.into_iter().zip(&self.rows);
        let mut products: Vec<f32> =
            rows.map(|(sum, (unit, all))| (sum - MIDDLE * all) as f32 * unit * one).collect();
        for (bucket, x) in &features.hashed {
            let bucket = usize::from(*bucket) % BUCKETS;
            let x = x / f32::from(u16::MAX);
            for (example, y) in &self.members[self.begins[bucket]..self.begins[bucket + 1]] {
                products[usize::from(*example)] += x * f32::from(*y);
            }
        }
        products
    }
}

/// A fitted head and its calibrated leave-one-out probabilities, examples × classes.
#[derive(Debug)]
pub struct Fit {
    /// The head.
    pub ridge: Ridge,
    /// For each example, the probabilities given by the fit without it.
    pub unseen: Matrix,
    /// For each judged example, the judged one most like it.
    pub nearest: Vec<usize>,
}

impl Ridge {
    /// Fits on examples; `targets` holds a class index for each. Deterministic.
    ///
    /// # Errors
    /// When there is nothing to tell apart or the numbers are not finite.
    pub fn fit(
        examples: Vec<Features>,
        targets: &[usize],
        classes: usize,
        options: RidgeOptions,
    ) -> Result<Fit, RidgeError> {
        let judged = examples.len();
        Self::fit_judged_by(judged, examples, targets, classes, options)
    }

    /// The same with a temperature that is set on the first `judged` examples only: the others help, and aren't
    /// what messages look like.
    ///
    /// # Errors
    /// As [`Ridge::fit`].
    pub fn fit_judged_by(
        judged: usize,
        mut examples: Vec<Features>,
        targets: &[usize],
        classes: usize,
        options: RidgeOptions,
    ) -> Result<Fit, RidgeError> {
        let count = examples.len();
        if !(2..=MOST_EXAMPLES).contains(&count)
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
            quick: Quick::default(),
            dense,
            hashed,
            alpha: Matrix::zeros(count, classes),
        };

        let (kernel, nearest) = ridge.kernel_matrix(options.lambda, judged.min(count));
        let cholesky = Cholesky::new(kernel)?;
        let inverse_diagonal = cholesky.inverse_diagonal();
        // Targets are 1 - 1/k for the class and -1/k for the others: zero on average.
        let mut unseen = Matrix::zeros(count, classes);
        unseen.values_mut().fill(-1.0 / classes as f32);
        for (i, target) in targets.iter().enumerate() {
            unseen.row_mut(i)[*target] += 1.0;
        }
        ridge.alpha = unseen.clone();
        cholesky.solve(&mut ridge.alpha);
        ridge.quick = Quick::of(&ridge.dense, &ridge.hashed, &ridge.alpha);
        for (i, diagonal) in inverse_diagonal.iter().enumerate() {
            add_scaled(unseen.row_mut(i), -1.0 / diagonal, ridge.alpha.row(i));
        }
        ridge.scale = fit_scale((0..judged.min(count)).map(|i| (unseen.row(i), targets[i])));
        for i in 0..count {
            let probabilities = softmax(unseen.row(i), ridge.scale);
            unseen.row_mut(i).copy_from_slice(&probabilities);
        }
        Ok(Fit { ridge, unseen, nearest })
    }

    /// The kernel between all examples with the penalty on its diagonal (lower triangle), and among the first
    /// `judged` each one's nearest other.
    fn kernel_matrix(&self, lambda: f32, judged: usize) -> (Matrix, Vec<usize>) {
        let (count, dims) = (self.dense.rows(), self.dense.columns());
        let mut postings: Vec<Vec<(u32, f32)>> = vec![Vec::new(); BUCKETS];
        let mut kernel = Matrix::zeros(count, count);
        let mut nearest = vec![(f32::NEG_INFINITY, 0); judged];
        let mut products = Vec::new();
        for from in (0..count).step_by(TOGETHER) {
            let to = (from + TOGETHER).min(count);
            products.resize((to - from) * to, 0.0);
            let rows = rectangle(self.dense.values(), dims, from..to, 0..dims);
            let before = rectangle(self.dense.values(), dims, 0..to, 0..dims);
            multiply(&mut products, rows, before.transposed(), 1.0, 0.0);
            for (i, products) in (from..to).zip(products.chunks_exact_mut(to)) {
                for (bucket, x) in &self.hashed[i] {
                    let postings = &mut postings[usize::from(*bucket) % BUCKETS];
                    postings.push((i as u32, *x));
                    for (j, y) in postings {
                        products[*j as usize] += x * *y;
                    }
                }
                let compared = if i < judged { i } else { 0 };
                for (j, product) in products[..compared].iter().enumerate() {
                    for (a, b) in [(i, j), (j, i)] {
                        if *product > nearest[a].0 {
                            nearest[a] = (*product, b);
                        }
                    }
                }
                let row = &mut kernel.row_mut(i)[..=i];
                for (kernel, product) in row.iter_mut().zip(products) {
                    *kernel = (self.gamma * (*product - 1.0)).exp();
                }
                row[i] += lambda;
            }
        }
        (kernel, nearest.into_iter().map(|(_, j)| j).collect())
    }

    /// How many classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.alpha.columns()
    }

    /// Calibrated probabilities, one a class.
    #[must_use]
    pub fn probabilities(&self, mut features: Features) -> Vec<f32> {
        if features.dense.len() != self.centre.len() {
            return softmax(&vec![0.0; self.classes()], self.scale);
        }
        features.centre_and_normalise(&self.centre);
        let mut kernels = self.quick.products(&features);
        kernels.iter_mut().for_each(|product| *product = (self.gamma * (*product - 1.0)).exp());
        let by_class = self.quick.alpha.chunks_exact(kernels.len().max(1));
        let scores: Vec<f32> = by_class.map(|alpha| dot(alpha, &kernels)).collect();
        softmax(&scores, self.scale)
    }

    /// From its parts, as they are stored. `None` when they don't fit each other.
    #[must_use]
    pub(super) fn from_parts(
        (gamma, scale): (f32, f32),
        centre: Vec<f32>,
        dense: Matrix,
        hashed: Vec<Vec<(u16, f32)>>,
        alpha: Matrix,
    ) -> Option<Self> {
        let fits = dense.columns() == centre.len()
            && dense.rows() <= MOST_EXAMPLES
            && dense.rows() == alpha.rows()
            && hashed.len() == dense.rows();
        let quick = Quick::of(&dense, &hashed, &alpha);
        fits.then_some(Self { gamma, scale, centre, dense, hashed, alpha, quick })
    }

    /// The gradient of a class's score at features that are centred and of length one.
    #[must_use]
    pub fn slope(&self, features: &Features, class: usize) -> Slope {
        let mut buckets = vec![0.0; BUCKETS];
        scatter(&mut buckets, &features.hashed);
        let mut slope = Slope { dense: vec![0.0; self.centre.len()], hashed: vec![0.0; BUCKETS] };
        for i in 0..self.dense.rows() {
            let weight = self.scale
                * self.gamma
                * self.kernel(i, &features.dense, &buckets)
                * self.alpha.row(i)[class];
            add_scaled(&mut slope.dense, weight, self.dense.row(i));
            for (bucket, x) in &self.hashed[i] {
                slope.hashed[usize::from(*bucket) % BUCKETS] += weight * x;
            }
        }
        slope
    }

    /// The kernel between an example and a message whose hashed block is spread over the buckets.
    fn kernel(&self, example: usize, dense: &[f32], buckets: &[f32]) -> f32 {
        let hashed = self.hashed[example]
            .iter()
            .map(|(bucket, x)| x * buckets[usize::from(*bucket) % BUCKETS])
            .sum::<f32>();
        (self.gamma * (dot(self.dense.row(example), dense) + hashed - 1.0)).exp()
    }

    /// The same for several messages, messages × classes.
    #[must_use]
    pub fn all_probabilities(&self, messages: Vec<Features>) -> Matrix {
        let mut all = Matrix::zeros(messages.len(), self.classes());
        for (i, message) in messages.into_iter().enumerate() {
            all.row_mut(i).copy_from_slice(&self.probabilities(message));
        }
        all
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
    use super::super::linalg::dot;
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
            let both = fit.ridge.all_probabilities(vec![point(0.3), point(angle)]);
            assert_eq!(both.row(1), p);
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
                    let values = targets
                        .iter()
                        .map(|t| f32::from(u8::from(*t == class)) - 1.0 / 3.0)
                        .collect();
                    let mut b = Matrix::from_values(1, values).unwrap();
                    cholesky.solve(&mut b);
                    examples.iter().zip(b.values()).map(|(e, w)| w * kernel(e, at)).sum()
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
    fn the_quick_products_are_those_of_the_numbers() {
        let rows = [[0.6, -0.64], [-0.28, 0.96], [1.0, 0.0]];
        let dense = Matrix::from_values(2, rows.concat()).unwrap();
        let hashed = vec![vec![(3, 0.48)], vec![], vec![(3, 0.1), (900, 0.2)]];
        let quick = Quick::of(&dense, &hashed, &Matrix::zeros(3, 2));
        let message = Features { dense: vec![0.8, 0.36], hashed: vec![(3, 0.48)] };
        let exact = [0.8 * 0.6 - 0.36 * 0.64 + 0.48 * 0.48, -0.28 * 0.8 + 0.96 * 0.36, 0.8 + 0.048];
        for (quick, exact) in quick.products(&message).iter().zip(exact) {
            assert!((quick - exact).abs() < 0.01, "{quick} {exact}");
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
