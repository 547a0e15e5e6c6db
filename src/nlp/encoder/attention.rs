//! Self-attention over one sequence: softmax(q kᵀ) v for each head.

use std::ops::Range;

use rten_gemm::{GemmInputA, GemmInputB, GemmOptions};
use rten_simd::SimdOp;
use rten_tensor::{Matrix, NdTensorView};
use rten_vecmath::Softmax;

use super::linear::with_float;

/// Buffers for one thread's attention.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    scores: Vec<f32>,
    head: Vec<f32>,
}

/// Attends from the tokens `queries` to all tokens of their sequence.
///
/// `qkv` is `[tokens, 3 · hidden]`: queries (already divided by √head size), keys, values, each with
/// its heads side by side. `out` is `[queries.len(), hidden]`.
pub(super) fn attend(
    qkv: &[f32],
    hidden: usize,
    heads: usize,
    queries: Range<usize>,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let (width, size) = (3 * hidden, hidden / heads);
    let tokens = qkv.len() / width;
    let Scratch { scores, head: part } = scratch;
    scores.resize(queries.len() * tokens, 0.0);
    part.resize(queries.len() * size, 0.0);
    for head in 0..heads {
        let column = head * size;
        let q = columns(&qkv[queries.start * width..], queries.len(), width, column, size);
        let k = columns(qkv, tokens, width, hidden + column, size);
        let v = columns(qkv, tokens, width, 2 * hidden + column, size);
        multiply(q, k.transposed(), scores);
        for row in scores.chunks_exact_mut(tokens) {
            Softmax::new_mut(row).dispatch();
        }
        multiply(NdTensorView::from_data([queries.len(), tokens], scores.as_slice()), v, part);
        for (out, part) in out.chunks_exact_mut(hidden).zip(part.chunks_exact(size)) {
            out[column..column + size].copy_from_slice(part);
        }
    }
}

/// `size` columns from `column` on, of the first `rows` rows.
fn columns(data: &[f32], rows: usize, width: usize, column: usize, size: usize) -> Matrix<'_, f32> {
    NdTensorView::from_data([rows, width], &data[..rows * width]).slice((.., column..column + size))
}

fn multiply(a: Matrix<'_, f32>, b: Matrix<'_, f32>, out: &mut [f32]) {
    let options = GemmOptions::default();
    let done = with_float(|gemm| {
        gemm.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Unpacked(b), options)
    });
    if let Err(error) = done {
        unreachable!("the shapes follow from one another: {error}");
    }
}
