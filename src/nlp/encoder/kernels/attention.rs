//! Attention of one head: softmax(q kᵀ) v, a tile of queries at a time.
//!
//! Keys are turned on their side once for a head and sequence, so that both products are the same
//! tile kernel; values are copied together, because their rows lie a page apart.

use std::arch::x86_64::*;
use std::ops::Range;

use super::matrix::{Rows, add_products, with_height};
use super::rows::{exp, load, mask};
use super::{AttentionScratch, COLUMNS, LANES, Line, ROWS, tiles};

/// Attends with the head that has the columns `columns` of queries, keys and values.
///
/// # Safety
/// `qkv` is `[tokens, 3 · hidden]`, `out` is `[queries.len(), hidden]`, `columns` is a whole number
/// of vectors below `hidden`, `queries` lie in the tokens, and `scratch` has the size.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn attend_head(
    qkv: &[f32],
    hidden: usize,
    columns: Range<usize>,
    queries: Range<usize>,
    out: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let (width, size) = (3 * hidden, columns.len());
    let tokens = qkv.len() / width;
    let padded = tokens.next_multiple_of(COLUMNS);
    let head = Head { tokens, size, padded };
    turn_keys(&head, qkv, width, hidden + columns.start, &mut scratch.keys);
    for (token, row) in qkv.chunks_exact(width).enumerate() {
        let values = row[2 * hidden + columns.start..][..size].as_chunks::<LANES>().0;
        for (line, values) in scratch.values[token * size / LANES..].iter_mut().zip(values) {
            line.0 = *values;
        }
    }
    for tile in tiles(queries.clone(), ROWS) {
        // SAFETY: the tile's rows are among the queries, and so in `qkv` and in `out`; the buffers
        // hold keys and values of all tokens and scores for ROWS rows.
        unsafe {
            let start = qkv.as_ptr().add(tile.start * width + columns.start);
            let q = Rows { start, stride: width };
            let at = (tile.start - queries.start) * hidden + columns.start;
            let out = Rows { start: out[at..].as_mut_ptr(), stride: hidden };
            with_height!(tile.len(), attend_tile::<_>(&head, q, out, scratch));
        }
    }
}

struct Head {
    tokens: usize,
    size: usize,
    /// Tokens, rounded up to whole panels.
    padded: usize,
}

/// # Safety
/// Memory holds `R` rows of the head's size behind `q` and `out`; `scratch` holds the head's keys
/// and values and has room for scores.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn attend_tile<const R: usize>(
    head: &Head,
    q: Rows<*const f32>,
    out: Rows<*mut f32>,
    scratch: &mut AttentionScratch,
) {
    let keys = scratch.keys.as_ptr().cast::<f32>();
    let values = scratch.values.as_ptr().cast::<f32>();
    let scores = scratch.scores.as_mut_ptr().cast::<f32>();
    // SAFETY: panels of keys begin below the padded number of tokens, and a row of scores has that
    // length; rows of values have the head's size.
    unsafe {
        for panel in (0..head.tokens).step_by(COLUMNS) {
            let keys = Rows { start: keys.add(panel * head.size), stride: COLUMNS };
            let out = Rows { start: scores.add(panel), stride: head.padded };
            if head.tokens - panel > LANES {
                products_to::<R, 2>(head.size, q, keys, [1.0; R], out);
            } else {
                products_to::<R, 1>(head.size, q, keys, [1.0; R], out);
            }
        }
        let stride = head.padded / LANES;
        let mut inverses = [0.0; R];
        for (row, inverse) in inverses.iter_mut().enumerate() {
            *inverse =
                1.0 / exponentials(&mut scratch.scores[row * stride..][..stride], head.tokens);
        }
        let scores = Rows { start: scratch.scores.as_ptr().cast::<f32>(), stride: head.padded };
        for column in (0..head.size).step_by(COLUMNS) {
            let values = Rows { start: values.add(column), stride: head.size };
            let out = Rows { start: out.start.add(column), stride: out.stride };
            if head.size - column > LANES {
                products_to::<R, 2>(head.tokens, scores, values, inverses, out);
            } else {
                products_to::<R, 1>(head.tokens, scores, values, inverses, out);
            }
        }
    }
}

/// Products of `a` and `b`, each row times a factor, to `out`.
///
/// # Safety
/// Memory holds `R` rows of `depth` behind `a`, `depth` rows of `H` vectors behind `b`, and `R` rows
/// of `H` vectors behind `out`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn products_to<const R: usize, const H: usize>(
    depth: usize,
    a: Rows<*const f32>,
    b: Rows<*const f32>,
    factors: [f32; R],
    out: Rows<*mut f32>,
) {
    // SAFETY: as the caller answers for.
    unsafe {
        let sums = add_products::<R, H>([[_mm512_setzero_ps(); H]; R], depth, a, b);
        for (row, (sums, factor)) in sums.iter().zip(factors).enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                let at = out.start.add(row * out.stride + half * LANES);
                _mm512_storeu_ps(at, _mm512_mul_ps(*sum, _mm512_set1_ps(factor)));
            }
        }
    }
}

/// Puts e^(score − greatest score) in place of the first `tokens` scores and returns their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn exponentials(scores: &mut [Line<f32, LANES>], tokens: usize) -> f32 {
    let (whole, last) = (tokens / LANES, mask(tokens % LANES));
    let mut greatest = _mm512_set1_ps(f32::MIN);
    for scores in &scores[..whole] {
        greatest = _mm512_max_ps(greatest, load(&scores.0));
    }
    if last != 0 {
        greatest = _mm512_mask_max_ps(greatest, last, greatest, load(&scores[whole].0));
    }
    let greatest = _mm512_set1_ps(_mm512_reduce_max_ps(greatest));
    let mut sum = _mm512_setzero_ps();
    for scores in &mut scores[..whole] {
        let power = exp(_mm512_sub_ps(load(&scores.0), greatest));
        sum = _mm512_add_ps(sum, power);
        super::rows::store(&mut scores.0, power);
    }
    if last != 0 {
        let power = exp(_mm512_sub_ps(load(&scores[whole].0), greatest));
        sum = _mm512_mask_add_ps(sum, last, sum, power);
        super::rows::store(&mut scores[whole].0, power);
    }
    _mm512_reduce_add_ps(sum)
}

/// Writes the keys of a head, `size` columns of `qkv` from `column` on, as `[panel, size, COLUMNS]`;
/// columns beyond the last token become zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn turn_keys(head: &Head, qkv: &[f32], width: usize, column: usize, keys: &mut [Line<f32, LANES>]) {
    let lines = COLUMNS / LANES;
    for token in (0..head.tokens).step_by(LANES) {
        let start = token / COLUMNS * head.size * lines + token % COLUMNS / LANES;
        for part in (0..head.size).step_by(LANES) {
            let mut square = [_mm512_setzero_ps(); LANES];
            let rows = qkv[token * width..].chunks_exact(width);
            for (vector, row) in square.iter_mut().zip(rows) {
                if let Some(key) = row[column + part..].first_chunk() {
                    *vector = load(key);
                }
            }
            for (row, vector) in transpose(square).into_iter().enumerate() {
                super::rows::store(&mut keys[start + (part + row) * lines].0, vector);
            }
        }
    }
}

/// Turns 16 rows of 16 into columns.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn transpose(rows: [__m512; LANES]) -> [__m512; LANES] {
    let zero = _mm512_setzero_ps();
    // Each step doubles the length of the pieces that lie as they should: 1, 2, 4, 8, 16.
    let mut pairs = [zero; LANES];
    for (to, from) in pairs.chunks_exact_mut(2).zip(rows.chunks_exact(2)) {
        to[0] = _mm512_unpacklo_ps(from[0], from[1]);
        to[1] = _mm512_unpackhi_ps(from[0], from[1]);
    }
    let mut fours = [zero; LANES];
    for (to, from) in fours.chunks_exact_mut(4).zip(pairs.chunks_exact(4)) {
        let from: [__m512d; 4] = std::array::from_fn(|at| _mm512_castps_pd(from[at]));
        to[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(from[0], from[2]));
        to[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(from[0], from[2]));
        to[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(from[1], from[3]));
        to[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(from[1], from[3]));
    }
    // fours[4 i + j] holds in its quarters the columns j, 4 + j, 8 + j, 12 + j of the rows 4 i to 4 i + 3.
    let mut turned = [zero; LANES];
    for j in 0..4 {
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(fours[j], fours[4 + j]);
        let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(fours[j], fours[4 + j]);
        let even_below = _mm512_shuffle_f32x4::<0b10_00_10_00>(fours[8 + j], fours[12 + j]);
        let odd_below = _mm512_shuffle_f32x4::<0b11_01_11_01>(fours[8 + j], fours[12 + j]);
        turned[j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(even, even_below);
        turned[4 + j] = _mm512_shuffle_f32x4::<0b10_00_10_00>(odd, odd_below);
        turned[8 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(even, even_below);
        turned[12 + j] = _mm512_shuffle_f32x4::<0b11_01_11_01>(odd, odd_below);
    }
    turned
}
