//! Multinomial logistic regression with an L2 penalty, fitted by L-BFGS: the learner of the shipped heads,
//! which are linear so that they are small and quick.
//!
//! The objective is the mean cross-entropy plus `l2 / 2` times the squared weights (not the biases), so
//! `l2` means the same whatever the number of rows. It is convex: the result doesn't depend on a start
//! value or a seed. Rows are summed in fixed blocks, so it doesn't depend on the number of threads either.

use super::calibrate::softmax;
use super::linalg::{Matrix, add_scaled, dot, norm};

/// Rows summed by one thread before the sums are added in order.
const BLOCK: usize = 512;
/// Steps that L-BFGS remembers.
const MEMORY: usize = 8;

/// What the fit is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticOptions {
    /// Penalty, above 0; 1e-4 suits a few thousand rows of unit length.
    pub l2: f32,
    /// At most this many steps.
    pub iterations: usize,
    /// Stop when the gradient's length falls below this.
    pub tolerance: f32,
    /// Threads to sum with, at least 1.
    pub threads: usize,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self { l2: 1e-4, iterations: 200, tolerance: 1e-4, threads: 1 }
    }
}

/// Rows and targets that don't make a head.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LogisticError {
    /// No rows, fewer than two classes, or a target beyond the classes.
    #[error("a head needs rows of two classes or more, each with a target below {classes}")]
    Targets {
        /// How many classes were announced.
        classes: usize,
    },
    /// A row weight that is negative or not finite, or not one a row.
    #[error("row weights must be one a row, finite and not negative, and not all 0")]
    Weights,
    /// A feature or the penalty is not a finite number.
    #[error("the fit ran into a number that is not finite")]
    NotFinite,
}

/// Weights and biases, one row a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// Classes × (dimensions + 1); the last column is the bias.
    parameters: Matrix,
}

impl Logistic {
    /// Fits on rows of features; `targets` holds a class index for each, `weights` (when given) how much each
    /// row counts.
    ///
    /// # Errors
    /// When rows, targets and weights don't match or hold numbers that are not finite.
    pub fn fit(
        rows: &Matrix,
        targets: &[usize],
        weights: Option<&[f32]>,
        classes: usize,
        options: &LogisticOptions,
    ) -> Result<Self, LogisticError> {
        let count = rows.rows();
        if count == 0
            || classes < 2
            || targets.len() != count
            || targets.iter().any(|t| *t >= classes)
        {
            return Err(LogisticError::Targets { classes });
        }
        let weights = match weights {
            None => vec![1.0 / count as f32; count],
            Some(given) => {
                let sum: f32 = given.iter().sum();
                let fits = given.len() == count
                    && given.iter().all(|w| w.is_finite() && *w >= 0.0)
                    && sum > 0.0;
                if !fits {
                    return Err(LogisticError::Weights);
                }
                given.iter().map(|w| w / sum).collect()
            }
        };
        let problem = Problem { rows, targets, weights: &weights, classes, options };
        let parameters = minimise(&problem, vec![0.0; classes * (rows.columns() + 1)])?;
        Matrix::from_values(rows.columns() + 1, parameters)
            .map(|parameters| Self { parameters })
            .ok_or(LogisticError::NotFinite)
    }

    /// Classes × (dimensions + 1), biases last.
    #[must_use]
    pub fn parameters(&self) -> &Matrix {
        &self.parameters
    }

    /// Logits, one a class.
    #[cfg(test)]
    #[must_use]
    pub fn scores(&self, row: &[f32]) -> Vec<f32> {
        (0..self.parameters.rows()).map(|class| score(self.parameters.row(class), row)).collect()
    }

    /// Probabilities, one a class (before any temperature).
    #[cfg(test)]
    #[must_use]
    pub fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        softmax(&self.scores(row), 1.0)
    }
}

fn score(parameters: &[f32], row: &[f32]) -> f32 {
    parameters.split_last().map_or(0.0, |(bias, weights)| dot(weights, row) + bias)
}

struct Problem<'a> {
    rows: &'a Matrix,
    targets: &'a [usize],
    weights: &'a [f32],
    classes: usize,
    options: &'a LogisticOptions,
}

impl Problem<'_> {
    /// The objective and its gradient at some parameters.
    fn evaluate(&self, parameters: &[f32]) -> (f64, Vec<f32>) {
        let blocks = self.rows.rows().div_ceil(BLOCK);
        let threads = self.options.threads.clamp(1, blocks.max(1));
        let mut sums: Vec<(usize, (f64, Vec<f32>))> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|worker| {
                    scope.spawn(move || {
                        (worker..blocks)
                            .step_by(threads)
                            .map(|b| (b, self.block(b, parameters)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            // A worker can't panic short of memory running out; its sums would be missing and the fit fail below.
            workers.into_iter().filter_map(|w| w.join().ok()).flatten().collect()
        });
        sums.sort_by_key(|(block, _)| *block);
        let mut loss = if sums.len() == blocks { 0.0 } else { f64::NAN };
        let mut gradient = vec![0.0; parameters.len()];
        for (_, (block_loss, block_gradient)) in &sums {
            loss += block_loss;
            add_scaled(&mut gradient, 1.0, block_gradient);
        }
        let width = self.rows.columns() + 1;
        for (gradient, weights) in
            gradient.chunks_exact_mut(width).zip(parameters.chunks_exact(width))
        {
            let weights = &weights[..width - 1];
            loss += f64::from(0.5 * self.options.l2 * dot(weights, weights));
            add_scaled(&mut gradient[..width - 1], self.options.l2, weights);
        }
        (loss, gradient)
    }

    fn block(&self, block: usize, parameters: &[f32]) -> (f64, Vec<f32>) {
        let width = self.rows.columns() + 1;
        let mut loss = 0.0;
        let mut gradient = vec![0.0; parameters.len()];
        let mut scores = vec![0.0; self.classes];
        for i in block * BLOCK..((block + 1) * BLOCK).min(self.rows.rows()) {
            let row = self.rows.row(i);
            for (score, class) in scores.iter_mut().zip(parameters.chunks_exact(width)) {
                *score = self::score(class, row);
            }
            let probabilities = softmax(&scores, 1.0);
            let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let log_sum = top + scores.iter().map(|s| (s - top).exp()).sum::<f32>().ln();
            loss += f64::from(self.weights[i] * (log_sum - scores[self.targets[i]]));
            for (class, gradient) in gradient.chunks_exact_mut(width).enumerate() {
                let target = f32::from(u8::from(class == self.targets[i]));
                let residual = self.weights[i] * (probabilities[class] - target);
                add_scaled(&mut gradient[..width - 1], residual, row);
                gradient[width - 1] += residual;
            }
        }
        (loss, gradient)
    }
}

/// L-BFGS with a backtracking line search (Nocedal & Wright 2006, algorithms 7.4 and 3.1).
fn minimise(problem: &Problem<'_>, mut x: Vec<f32>) -> Result<Vec<f32>, LogisticError> {
    let (mut loss, mut gradient) = problem.evaluate(&x);
    let mut memory: Vec<(Vec<f32>, Vec<f32>, f32)> = Vec::new();
    for _ in 0..problem.options.iterations {
        if !loss.is_finite() {
            return Err(LogisticError::NotFinite);
        }
        if norm(&gradient) <= problem.options.tolerance {
            break;
        }
        let direction = descent(&gradient, &memory);
        let slope = f64::from(dot(&direction, &gradient));
        let mut step = if memory.is_empty() { 1.0 / norm(&gradient).max(1.0) } else { 1.0 };
        let mut moved = None;
        for _ in 0..30 {
            let mut candidate = x.clone();
            add_scaled(&mut candidate, step, &direction);
            let (new_loss, new_gradient) = problem.evaluate(&candidate);
            if new_loss <= loss + 1e-4 * f64::from(step) * slope {
                moved = Some((candidate, new_loss, new_gradient));
                break;
            }
            step *= 0.5;
        }
        // No step lowers the loss any further: the minimum is reached within rounding.
        let Some((candidate, new_loss, new_gradient)) = moved else { break };
        let change: Vec<f32> = candidate.iter().zip(&x).map(|(a, b)| a - b).collect();
        let bend: Vec<f32> = new_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&change, &bend);
        if curvature > 1e-10 {
            memory.push((change, bend, 1.0 / curvature));
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
        (x, loss, gradient) = (candidate, new_loss, new_gradient);
    }
    if loss.is_finite() { Ok(x) } else { Err(LogisticError::NotFinite) }
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f32], memory: &[(Vec<f32>, Vec<f32>, f32)]) -> Vec<f32> {
    let mut q: Vec<f32> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for (change, bend, rho) in memory.iter().rev() {
        let alpha = rho * dot(change, &q);
        add_scaled(&mut q, -alpha, bend);
        alphas.push(alpha);
    }
    if let Some((_, bend, rho)) = memory.last() {
        let gamma = 1.0 / (rho * dot(bend, bend)).max(f32::MIN_POSITIVE);
        q.iter_mut().for_each(|x| *x *= gamma);
    }
    for ((change, bend, rho), alpha) in memory.iter().zip(alphas.iter().rev()) {
        let beta = rho * dot(bend, &q);
        add_scaled(&mut q, alpha - beta, change);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Matrix, Vec<usize>) {
        // A fixed scatter of three clouds that overlap.
        let mut state = 7u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
        };
        let mut values = Vec::new();
        let targets: Vec<usize> = (0..150).map(|i| i % 3).collect();
        for t in &targets {
            values.extend([
                *t as f32 * 0.5 + noise(),
                (*t == 1) as u8 as f32 * 0.5 + noise(),
                noise(),
                1.0 + noise(),
            ]);
        }
        (Matrix::from_values(4, values).unwrap(), targets)
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (rows, targets) = sample();
        let weights: Vec<f32> = (0..150).map(|i| (1 + i % 4) as f32 / 375.0).collect();
        let options = LogisticOptions { l2: 0.1, ..LogisticOptions::default() };
        let problem = Problem {
            rows: &rows,
            targets: &targets,
            weights: &weights,
            classes: 3,
            options: &options,
        };
        let at: Vec<f32> = (0..15).map(|i| (i as f32 * 0.7).sin()).collect();
        let (_, gradient) = problem.evaluate(&at);
        for i in 0..15 {
            let (mut up, mut down) = (at.clone(), at.clone());
            up[i] += 0.01;
            down[i] -= 0.01;
            let slope = (problem.evaluate(&up).0 - problem.evaluate(&down).0) / 0.02;
            assert!((slope - f64::from(gradient[i])).abs() < 1e-3, "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn two_points_have_the_closed_form() {
        // Symmetric points at +1 and -1: the weights are ±w/2 with w = tanh-like fixed point of
        // l2 * w/2 = 1/2 * (1 - sigmoid(w)), which is checked instead of solved.
        let rows = Matrix::from_values(1, vec![1.0, -1.0]).unwrap();
        let options = LogisticOptions { l2: 0.2, tolerance: 1e-6, ..LogisticOptions::default() };
        let head = Logistic::fit(&rows, &[0, 1], None, 2, &options).unwrap();
        let (a, b) = (head.parameters().row(0)[0], head.parameters().row(1)[0]);
        assert!((a + b).abs() < 1e-4);
        let miss = 1.0 / (1.0 + (a - b).exp());
        assert!((0.2 * a - miss).abs() < 1e-4, "{a} {b} {miss}");
    }

    #[test]
    fn without_features_it_learns_the_shares() {
        let rows = Matrix::from_values(1, vec![0.0; 10]).unwrap();
        let targets = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2];
        let head = Logistic::fit(&rows, &targets, None, 3, &LogisticOptions::default()).unwrap();
        for (p, share) in head.probabilities(&[0.0]).iter().zip([0.5, 0.3, 0.2]) {
            assert!((p - share).abs() < 1e-3);
        }
        let weights = [1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 0.0, 0.0, 2.5, 2.5];
        let head =
            Logistic::fit(&rows, &targets, Some(&weights), 3, &LogisticOptions::default()).unwrap();
        assert!(head.probabilities(&[0.0]).iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-3));
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (rows, targets) = sample();
        let many = Matrix::from_values(4, rows.values().repeat(10)).unwrap();
        let targets = targets.repeat(10);
        let fit = |threads| {
            let options = LogisticOptions { threads, ..LogisticOptions::default() };
            Logistic::fit(&many, &targets, None, 3, &options).unwrap()
        };
        assert_eq!(fit(1), fit(3));
    }

    #[test]
    fn bad_input_is_an_error() {
        let rows = Matrix::from_values(1, vec![1.0, f32::NAN]).unwrap();
        let options = LogisticOptions::default();
        assert_eq!(Logistic::fit(&rows, &[0, 1], None, 2, &options), Err(LogisticError::NotFinite));
        let rows = Matrix::from_values(1, vec![1.0, 2.0]).unwrap();
        assert!(Logistic::fit(&rows, &[0, 2], None, 2, &options).is_err());
        assert_eq!(
            Logistic::fit(&rows, &[0, 1], Some(&[1.0]), 2, &options),
            Err(LogisticError::Weights)
        );
        assert_eq!(
            Logistic::fit(&rows, &[0, 1], Some(&[0.0, 0.0]), 2, &options),
            Err(LogisticError::Weights)
        );
    }
}
