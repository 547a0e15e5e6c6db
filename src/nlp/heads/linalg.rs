//! The little dense linear algebra that fitting a head needs.
//!
//! Sums run over sixteen lanes in a fixed order, so the compiler can use vector registers and the same
//! input gives the same bits on every machine of one architecture.

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
    /// Factorises a square matrix of which the lower triangle is read.
    ///
    /// # Errors
    /// When a pivot is not a positive number.
    pub fn new(mut a: Matrix) -> Result<Self, NotPositiveDefinite> {
        for i in 0..a.rows() {
            let (above, current) = a.values.split_at_mut(i * a.columns);
            for j in 0..i {
                let upper = &above[j * a.columns..][..=j];
                current[j] = (current[j] - dot(&current[..j], upper)) / upper[j];
            }
            let pivot = current[i] - dot(&current[..i], &current[..i]);
            if pivot.is_nan() || pivot <= 0.0 {
                return Err(NotPositiveDefinite { row: i });
            }
            current[i] = pivot.sqrt();
        }
        Ok(Self { lower: a })
    }

    /// Solves A x = b in place.
    pub fn solve(&self, b: &mut [f32]) {
        let n = self.lower.rows();
        for i in 0..n {
            let row = self.lower.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
        for i in (0..n).rev() {
            let row = self.lower.row(i);
            let x = b[i] / row[i];
            b[i] = x;
            add_scaled(&mut b[..i], -x, &row[..i]);
        }
    }

    /// The diagonal of A⁻¹.
    #[must_use]
    pub fn inverse_diagonal(&self) -> Vec<f32> {
        let n = self.lower.rows();
        let mut column = vec![0f32; n];
        (0..n)
            .map(|j| {
                // Column j of L⁻¹ by forward substitution; it is zero above j.
                column[j] = 1.0 / self.lower.row(j)[j];
                for i in j + 1..n {
                    let row = self.lower.row(i);
                    column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
                }
                dot(&column[j..], &column[j..])
            })
            .collect()
    }
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
        let mut b = vec![9.0, 21.0, 25.0]; // A · (1, 2, 3) + rounding-free integers
        b[0] = 4.0 + 4.0 + 3.0;
        b[1] = 2.0 + 10.0 + 9.0;
        b[2] = 1.0 + 6.0 + 18.0;
        cholesky.solve(&mut b);
        for (x, expected) in b.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-5, "{b:?}");
        }
        // The inverse's diagonal by cofactors; det = 67.
        for (x, expected) in
            cholesky.inverse_diagonal().iter().zip([21.0 / 67.0, 23.0 / 67.0, 16.0 / 67.0])
        {
            assert!((x - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        let a = Matrix::from_values(2, vec![1.0, 0.0, 2.0, 1.0]).unwrap();
        assert_eq!(Cholesky::new(a).unwrap_err().row, 1);
    }
}
