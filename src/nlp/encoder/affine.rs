//! The encoder's kernels for other small networks: affine maps, and products with many rows.

use super::config::Activation;
use super::kernels::{self, Dots};
use super::linear::{Kernels, Linear, Precision, Range8, Then};

pub use super::linear::Scratch;

/// An affine map y = x Wᵀ + b, with or without ReLU behind it.
pub struct Affine {
    linear: Linear,
    then: Then,
}

impl Affine {
    /// `weights` is `[bias.len(), inputs]`, row by row, one row per output. With `together`, weights and
    /// inputs have eight bits where this CPU has fast kernels for them; as many neighbouring inputs share a
    /// scale.
    #[must_use]
    pub fn new(weights: &[f32], bias: Vec<f32>, together: Option<usize>, relu: bool) -> Self {
        let kernels = Kernels::for_cpu();
        let precision = match (together, kernels.dots()) {
            (Some(group), Some(_)) => Precision::Bytes(Range8::FULL.in_groups(group)),
            _ => Precision::Float,
        };
        let then = if relu { Then::Activate(Activation::Relu) } else { Then::Store };
        Affine { linear: Linear::new(weights, bias, precision, 0, kernels), then }
    }

    /// How many outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.linear.outputs()
    }

    /// `x` is `[rows, inputs]`, `out` is `[rows, outputs]`.
    ///
    /// # Panics
    /// When the lengths don't fit each other.
    pub fn apply(&self, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        self.linear.apply(x, out, self.then, scratch);
    }
}

/// Longest rows of [`multiply_rows`]: their sums stay within 32 bits.
pub(super) const LONGEST_ROW: usize = 1 << 16;

/// The product of each row of `rows`, which is `[products.len(), x.len()]`, with `x`. Exact; `x` has at most 65,536
/// numbers.
///
/// # Panics
/// When the lengths don't fit each other, or `x` is longer.
pub fn multiply_rows(rows: &[i8], x: &[u8], products: &mut [i32]) {
    match Dots::detect() {
        Some(cpu) => kernels::multiply_rows(cpu, rows, x, products),
        None => multiply_rows_plainly(rows, x, products),
    }
}

/// The same on any CPU.
pub(super) fn multiply_rows_plainly(rows: &[i8], x: &[u8], products: &mut [i32]) {
    assert!(x.len() <= LONGEST_ROW && rows.len() == x.len() * products.len());
    products.fill(0);
    for (row, product) in rows.chunks_exact(x.len().max(1)).zip(products) {
        *product = row.iter().zip(x).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    }
}
