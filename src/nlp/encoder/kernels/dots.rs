//! Products of many rows of bytes with one: what a head that knows its examples does for a message. The rows
//! come from the outer caches, once, so they are read straight through and asked for ahead of time.

use std::arch::x86_64::*;

/// Bytes in a vector.
const WIDE: usize = 64;
/// Rows that are multiplied together: their sums are under way side by side.
const TOGETHER: usize = 4;
/// How many such groups ahead rows are fetched from the outer caches.
const AHEAD: usize = 2;

/// # Safety
/// `rows` is `[products.len(), x.len()]`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn multiply_rows(rows: &[i8], x: &[u8], products: &mut [i32]) {
    let (groups, rest) = products.as_chunks_mut::<TOGETHER>();
    let done = groups.len() * TOGETHER;
    for (i, group) in groups.iter_mut().enumerate() {
        // SAFETY: so many rows of `x.len()` begin here.
        *group = unsafe { multiply_some(rows.as_ptr().add(i * TOGETHER * x.len()), x) };
    }
    for (i, product) in rest.iter_mut().enumerate() {
        // SAFETY: a row of `x.len()` begins here.
        [*product] = unsafe { multiply_some(rows.as_ptr().add((done + i) * x.len()), x) };
    }
}

/// # Safety
/// Memory holds `[ROWS, x.len()]` numbers behind `rows`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn multiply_some<const ROWS: usize>(rows: *const i8, x: &[u8]) -> [i32; ROWS] {
    let mut sums = [_mm512_setzero_si512(); ROWS];
    let (blocks, rest) = x.as_chunks::<WIDE>();
    for (block, x_block) in blocks.iter().enumerate() {
        // SAFETY: the block lies in `x` and in each row; a prefetch may go anywhere.
        unsafe {
            let x_block = _mm512_loadu_epi8(x_block.as_ptr().cast());
            for (i, sum) in sums.iter_mut().enumerate() {
                let row = rows.add(i * x.len() + block * WIDE);
                _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(AHEAD * ROWS * x.len()));
                *sum = _mm512_dpbusd_epi32(*sum, x_block, _mm512_loadu_epi8(row));
            }
        }
    }
    if !rest.is_empty() {
        let mask: __mmask64 = (1 << rest.len()) - 1;
        // SAFETY: the mask has as many lanes as numbers are left, in `x` and in each row.
        unsafe {
            let x_block = _mm512_maskz_loadu_epi8(mask, rest.as_ptr().cast());
            for (i, sum) in sums.iter_mut().enumerate() {
                let row = rows.add(i * x.len() + blocks.len() * WIDE);
                *sum = _mm512_dpbusd_epi32(*sum, x_block, _mm512_maskz_loadu_epi8(mask, row));
            }
        }
    }
    sums.map(|sum| _mm512_reduce_add_epi32(sum))
}
