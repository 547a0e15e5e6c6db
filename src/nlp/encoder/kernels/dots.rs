//! Products of many rows of bytes with one: what a head that knows its examples does for a message. The rows
//! come from the outer caches, once, so they are read straight through and asked for ahead of time.

use std::arch::x86_64::*;

/// Bytes in a vector.
const WIDE: usize = 64;
/// Sums that are under way together.
const SUMS: usize = 4;
/// How far ahead rows are fetched from the outer caches, in bytes.
const AHEAD: usize = 2048;

/// # Safety
/// `rows` is `[products.len(), x.len()]`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn multiply_rows(rows: &[i8], x: &[u8], products: &mut [i32]) {
    for (i, product) in products.iter_mut().enumerate() {
        // SAFETY: a row of `x.len()` begins here.
        *product = unsafe { multiply_row(rows.as_ptr().add(i * x.len()), x) };
    }
}

/// # Safety
/// Memory holds `x.len()` numbers behind `row`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn multiply_row(row: *const i8, x: &[u8]) -> i32 {
    let mut sums = [_mm512_setzero_si512(); SUMS];
    let (blocks, rest) = x.as_chunks::<{ SUMS * WIDE }>();
    for (block, x) in blocks.iter().enumerate() {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the block lies in `x` and in the row; a prefetch may go anywhere.
            unsafe {
                let row = row.add((block * SUMS + part) * WIDE);
                _mm_prefetch::<_MM_HINT_T0>(row.wrapping_byte_add(AHEAD));
                let x = _mm512_loadu_epi8(x.as_ptr().add(part * WIDE).cast());
                *sum = _mm512_dpbusd_epi32(*sum, x, _mm512_loadu_epi8(row));
            }
        }
    }
    let done = x.len() - rest.len();
    for (part, sum) in (0..rest.len()).step_by(WIDE).zip(&mut sums) {
        let left = rest.len() - part;
        let mask: __mmask64 = if left >= WIDE { !0 } else { (1 << left) - 1 };
        // SAFETY: the mask has as many lanes as numbers are left, in `x` and in the row.
        unsafe {
            let x = _mm512_maskz_loadu_epi8(mask, rest.as_ptr().add(part).cast());
            let row = _mm512_maskz_loadu_epi8(mask, row.add(done + part));
            *sum = _mm512_dpbusd_epi32(*sum, x, row);
        }
    }
    let [a, b, c, d] = sums;
    _mm512_reduce_add_epi32(_mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)))
}
