//! The little dense linear algebra that fitting a head needs.
//!
//! Sums run over sixteen lanes in a fixed order, so the compiler can use vector registers and the same
//! input gives the same bits. What is large goes block by block through `rten-gemm`'s products, whose sums
//! have a fixed order too on one kind of CPU, however many threads there are.

use std::ops::Range;

use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::{Layout as _, NdTensorView};

/// Lanes of a running sum.
const LANES: usize = 16;

/// Scalar product of two slices of the same length (the shorter one decides).
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let (mut lanes, split) = ([0f32; LANES], length - length % LANES);
    for (x, y) in a[..split].chunks_exact(LANES).zip(b[..split].chunks_exact(LANES)) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let tail: f32 = a[split..].iter().zip(&b[split..]).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + tail
}

/// `y += scale * x`.
pub fn add_scaled(y: &mut [f32], scale: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}

/// Euclidean length.
#[must_use]
pub fn norm(a: &[f32]) -> f32 {
    dot(a, a).sqrt()
}

/// A row-major matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// All zeros.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { columns, values: vec![0.0; rows * columns] }
    }

    /// From values row after row; `None` when they don't fill whole rows.
    #[must_use]
    pub fn from_values(columns: usize, values: Vec<f32>) -> Option<Self> {
        (columns > 0 && values.len().is_multiple_of(columns)).then_some(Self { columns, values })
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// How many columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The row at an index below [`Self::rows`].
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.columns..][..self.columns]
    }

    /// The row at an index below [`Self::rows`], to change.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.columns..][..self.columns]
    }

    /// All values, row after row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row after row, to change.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

/// Rows and columns of a block in the factorisation.
const BLOCK: usize = 128;

/// A rectangle of a row-major matrix with so many columns, in place.
pub fn rectangle(
    values: &[f32],
    columns: usize,
    rows: Range<usize>,
    within: Range<usize>,
) -> NdTensorView<'_, f32, 2> {
    let shape = [rows.len(), within.len()];
    let from = (rows.start * columns + within.start).min(values.len());
    // It can only fail for a rectangle that doesn't lie within, and callers take theirs from the sizes.
    NdTensorView::from_slice_with_strides(shape, &values[from..], [columns, 1])
        .unwrap_or_else(|_| NdTensorView::from_data([0, 0], &[]))
}

/// `out = scale · a b + keep · out`, row by row.
pub fn multiply(
    out: &mut [f32],
    a: NdTensorView<'_, f32, 2>,
    b: NdTensorView<'_, f32, 2>,
    scale: f32,
    keep: f32,
) {
    if a.shape()[1] == 0 {
        out.iter_mut().for_each(|x| *x *= keep);
        return;
    }
    let gemm: GemmExecutor<f32, f32, f32> = GemmExecutor::new();
    let options = GemmOptions { alpha: scale, beta: keep, ..GemmOptions::default() };
    let done = gemm.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Unpacked(b), options);
    debug_assert!(done.is_ok(), "the shapes are made to fit");
}

/// The Cholesky factor L of a symmetric positive definite matrix A = L Lᵀ.
#[derive(Debug)]
pub struct Cholesky {
    lower: Matrix,
}

/// The matrix handed to [`Cholesky::new`] is not positive definite (or holds a NaN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kernel matrix is not positive definite at row {row}")]
pub struct NotPositiveDefinite {
    /// Where the pivot failed.
    pub row: usize,
}

impl Cholesky {
    /// Factorises a square matrix of which the lower triangle is read, a panel of columns after the other.
    ///
    /// # Errors
    /// When a pivot is not a positive number.
    pub fn new(mut a: Matrix) -> Result<Self, NotPositiveDefinite> {
        let n = a.rows();
        for from in (0..n).step_by(BLOCK) {
            let to = (from + BLOCK).min(n);
            let width = to - from;
            let mut panel: Vec<f32> = (from..n).flat_map(|i| a.row(i)[from..to].to_vec()).collect();
            let done = rectangle(&a.values, n, from..n, 0..from);
            let above = rectangle(&a.values, n, from..to, 0..from);
            multiply(&mut panel, done, above.transposed(), -1.0, 1.0);
            let (square, below) = panel.split_at_mut(width * width);
            factorise(square, width).map_err(|row| NotPositiveDefinite { row: from + row })?;
            below.par_chunks_mut(width).for_each(|row| {
                for j in 0..width {
                    let l = &square[j * width..][..=j];
                    row[j] = (row[j] - dot(&row[..j], &l[..j])) / l[j];
                }
            });
            for (i, row) in (from..n).zip(panel.chunks_exact(width)) {
                a.row_mut(i)[from..to].copy_from_slice(row);
            }
        }
        Ok(Self { lower: a })
    }

    /// Solves A X = B in place, a column of B for each right-hand side.
    pub fn solve(&self, b: &mut Matrix) {
        let (n, columns) = (self.lower.rows(), b.columns());
        let l = &self.lower;
        let blocks: Vec<Range<usize>> =
            (0..n).step_by(BLOCK).map(|from| from..(from + BLOCK).min(n)).collect();
        for block in &blocks {
            let (done, rest) = b.values.split_at_mut(block.start * columns);
            let rows = &mut rest[..block.len() * columns];
            let known = rectangle(done, columns, 0..block.start, 0..columns);
            let factors = rectangle(&l.values, n, block.clone(), 0..block.start);
            multiply(rows, factors, known, -1.0, 1.0);
            for i in block.clone() {
                forward(rows, columns, i - block.start, &l.row(i)[block.start..=i]);
            }
        }
        for block in blocks.iter().rev() {
            let (rows, done) = b.values.split_at_mut(block.end * columns);
            let rows = &mut rows[block.start * columns..];
            let known = rectangle(done, columns, 0..n - block.end, 0..columns);
            let factors = rectangle(&l.values, n, block.end..n, block.clone());
            multiply(rows, factors.transposed(), known, -1.0, 1.0);
            for i in block.clone().rev() {
                let (above, own) = rows.split_at_mut((i - block.start) * columns);
                let own = &mut own[..columns];
                let pivot = l.row(i)[i];
                own.iter_mut().for_each(|x| *x /= pivot);
                for (row, factor) in above.chunks_exact_mut(columns).zip(&l.row(i)[block.start..i])
                {
                    add_scaled(row, -factor, own);
                }
            }
        }
    }

    /// The diagonal of A⁻¹: the squared lengths of the columns of L⁻¹, which is zero above its diagonal.
    #[must_use]
    pub fn inverse_diagonal(&self) -> Vec<f32> {
        let n = self.lower.rows();
        let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
        starts.par_iter().flat_map_iter(|from| self.inverse_columns(*from)).collect()
    }

    /// Squared lengths of the columns of L⁻¹ in the block that begins here.
    fn inverse_columns(&self, from: usize) -> Vec<f32> {
        let (n, l) = (self.lower.rows(), &self.lower);
        let width = (from + BLOCK).min(n) - from;
        let mut inverse = vec![0f32; (n - from) * width];
        for i in 0..width {
            inverse[i * width + i] = 1.0;
        }
        for start in (from..n).step_by(BLOCK) {
            let end = (start + BLOCK).min(n);
            let (done, rest) = inverse.split_at_mut((start - from) * width);
            let rows = &mut rest[..(end - start) * width];
            let known = rectangle(done, width, 0..start - from, 0..width);
            multiply(rows, rectangle(&l.values, n, start..end, from..start), known, -1.0, 1.0);
            for i in start..end {
                forward(rows, width, i - start, &l.row(i)[start..=i]);
            }
        }
        let mut lengths = vec![0f32; width];
        for row in inverse.chunks_exact(width) {
            lengths.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
        }
        lengths
    }
}

/// Forward substitution of one row of a block: `factors` are those of the rows before it and its pivot.
fn forward(rows: &mut [f32], columns: usize, at: usize, factors: &[f32]) {
    let (above, own) = rows.split_at_mut(at * columns);
    let own = &mut own[..columns];
    let Some((pivot, factors)) = factors.split_last() else { return };
    for (row, factor) in above.chunks_exact(columns).zip(factors) {
        add_scaled(own, -factor, row);
    }
    own.iter_mut().for_each(|x| *x /= pivot);
}

/// Factorises a small square in place; the row of a pivot that isn't positive.
fn factorise(a: &mut [f32], n: usize) -> Result<(), usize> {
    for i in 0..n {
        let (above, current) = a.split_at_mut(i * n);
        for j in 0..i {
            let upper = &above[j * n..][..=j];
            current[j] = (current[j] - dot(&current[..j], upper)) / upper[j];
        }
        let pivot = current[i] - dot(&current[..i], &current[..i]);
        if pivot.is_nan() || pivot <= 0.0 {
            return Err(i);
        }
        current[i] = pivot.sqrt();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_any_length() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        assert_eq!(dot(&a, &a), (0..37).map(|i| (i * i) as f32).sum::<f32>());
        assert_eq!(dot(&[], &[1.0]), 0.0);
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
    }

    #[test]
    fn cholesky_solves_and_inverts() {
        let a = Matrix::from_values(3, vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0]).unwrap();
        let cholesky = Cholesky::new(a).unwrap();
        // A · (1, 2, 3) and A · (1, 0, 0).
        let mut b = Matrix::from_values(2, vec![11.0, 4.0, 21.0, 2.0, 25.0, 1.0]).unwrap();
        cholesky.solve(&mut b);
        for (x, expected) in b.values().iter().zip([1.0, 1.0, 2.0, 0.0, 3.0, 0.0]) {
            assert!((x - expected).abs() < 1e-5, "{b:?}");
        }
        // The inverse's diagonal by cofactors; det = 67.
        for (x, expected) in
            cholesky.inverse_diagonal().iter().zip([21.0 / 67.0, 23.0 / 67.0, 16.0 / 67.0])
        {
            assert!((x - expected).abs() < 1e-5);
        }
    }

    /// Larger than two blocks, against products with the matrix itself.
    #[test]
    fn blocks_do_not_show() {
        let n = 2 * BLOCK + 37;
        let entry = |i: usize, j: usize| {
            let near = (-(i.abs_diff(j) as f32) / 3.0).exp();
            near + f32::from(u8::from(i == j)) * 0.5
        };
        let full =
            Matrix::from_values(n, (0..n * n).map(|k| entry(k / n, k % n)).collect()).unwrap();
        let cholesky = Cholesky::new(full.clone()).unwrap();
        // The first three columns are unit vectors, whose solutions are columns of the inverse.
        let columns = [0, BLOCK + 5, n - 1];
        let mut b = Matrix::zeros(n, 3);
        for (k, column) in columns.iter().enumerate() {
            b.row_mut(*column)[k] = 1.0;
        }
        cholesky.solve(&mut b);
        let diagonal = cholesky.inverse_diagonal();
        assert_eq!(diagonal.len(), n);
        for (k, column) in columns.iter().enumerate() {
            assert!((b.row(*column)[k] - diagonal[*column]).abs() < 1e-4);
            for i in 0..n {
                let product: f32 = (0..n).map(|j| full.row(i)[j] * b.row(j)[k]).sum();
                assert!((product - f32::from(u8::from(i == *column))).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        let a = Matrix::from_values(2, vec![1.0, 0.0, 2.0, 1.0]).unwrap();
        assert_eq!(Cholesky::new(a).unwrap_err().row, 1);
        let n = BLOCK + 3;
        let mut a = Matrix::zeros(n, n);
        (0..n - 1).for_each(|i| a.row_mut(i)[i] = 1.0);
        assert_eq!(Cholesky::new(a).unwrap_err().row, n - 1);
    }
}
