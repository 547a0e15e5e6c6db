//! The 8-bit products in vectors of 256 bits, for CPUs that have AVX-VNNI and no AVX-512.
//!
//! There are sixteen registers: twelve hold the sums of a tile, two the weights and one the inputs.
//! The dot product is the one instruction that AVX2 and FMA lack. What contains it is compiled for
//! tests with AVX-512's encoding of it too, the only one that many CPUs have on which they run.

use std::arch::x86_64::*;

use super::matrix::{Rows, Tile, each_tile};
use super::{AvxVnni, ByteMap, ByteRows, Encoding, Floats, QUAD, RowScale};

/// Most token rows of a tile.
const ROWS: usize = 6;
/// Output channels of a panel: two vectors of f32, or of four bytes each, which fill a cache line.
pub(super) const COLUMNS: usize = 16;
/// Numbers in a vector.
const LANES: usize = 8;
/// Bytes in a vector.
const WIDE: usize = 32;
/// Sums of a row of bytes that are under way together.
const SUMS: usize = 4;
/// How far ahead weights and rows of bytes are fetched from the outer caches, in bytes.
const AHEAD: usize = 2048;

macro_rules! with_instruction {
    ($name:ident, $features:literal, $dot:ident) => {
        mod $name {
            use super::*;

            /// # Safety
            /// Memory holds `R` rows of `quads` behind `x`, and `quads` · 2 vectors behind `weights`.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn byte_products<const R: usize>(
                quads: usize,
                x: Rows<*const u8>,
                weights: *const __m256i,
            ) -> [[__m256i; 2]; R] {
                let mut sums = [[_mm256_setzero_si256(); 2]; R];
                for at in 0..quads {
                    // SAFETY: `at` < `quads`, and the caller answers for that much; a prefetch may
                    // go anywhere.
                    unsafe {
                        let weights = weights.add(at * 2);
                        let vectors =
                            [_mm256_loadu_si256(weights), _mm256_loadu_si256(weights.add(1))];
                        _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_byte_add(AHEAD).cast());
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let quad = x.start.add(row * x.stride + at * QUAD);
                            let quad = _mm256_set1_epi32(quad.cast::<i32>().read_unaligned());
                            sums[0] = $dot(sums[0], quad, vectors[0]);
                            sums[1] = $dot(sums[1], quad, vectors[1]);
                        }
                    }
                }
                sums
            }

            /// `row` and `x` have one length.
            #[target_feature(enable = $features)]
            pub(super) fn multiply_row(row: &[i8], x: &[u8]) -> i32 {
                let mut sums = [_mm256_setzero_si256(); SUMS];
                let ((row, row_rest), (x, x_rest)) = (row.as_chunks(), x.as_chunks());
                let (row_blocks, row_more) = row.as_chunks::<SUMS>();
                let (x_blocks, x_more) = x.as_chunks::<SUMS>();
                for (row, x) in row_blocks.iter().zip(x_blocks) {
                    for ((row, x), sum) in row.iter().zip(x).zip(&mut sums) {
                        _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(AHEAD));
                        let (x, row) = load(x, row);
                        *sum = $dot(*sum, x, row);
                    }
                }
                for ((row, x), sum) in row_more.iter().zip(x_more).zip(&mut sums) {
                    let (x, row) = load(x, row);
                    *sum = $dot(*sum, x, row);
                }
                let [a, b, c, d] = sums;
                let sum = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
                let rest = row_rest.iter().zip(x_rest).map(|(a, b)| i32::from(*a) * i32::from(*b));
                total(sum) + rest.sum::<i32>()
            }
        }
    };
}

with_instruction!(vex, "avx2,fma,avxvnni", _mm256_dpbusd_avx_epi32);
#[cfg(test)]
with_instruction!(evex, "avx2,fma,avx512vl,avx512vnni", _mm256_dpbusd_epi32);

/// Both as vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn load(x: &[u8; WIDE], row: &[i8; WIDE]) -> (__m256i, __m256i) {
    let (x, row) = (x.as_ptr().cast(), row.as_ptr().cast());
    // SAFETY: the arrays have the vector's length.
    unsafe { (_mm256_loadu_si256(x), _mm256_loadu_si256(row)) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn total(vector: __m256i) -> i32 {
    let mut lanes = [0i32; LANES];
    // SAFETY: the array has the vector's length.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) };
    lanes.iter().sum()
}

/// The product of each row of `rows`, which is `[products.len(), x.len()]`, with `x`.
///
/// # Safety
/// The CPU has what `cpu` stands for.
pub(super) unsafe fn multiply_rows(cpu: AvxVnni, rows: &[i8], x: &[u8], products: &mut [i32]) {
    products.fill(0);
    for (row, product) in rows.chunks_exact(x.len().max(1)).zip(products) {
        // SAFETY: as the caller answers for.
        *product = unsafe {
            match cpu.0 {
                Encoding::Vex => vex::multiply_row(row, x),
                #[cfg(test)]
                Encoding::Evex => evex::multiply_row(row, x),
            }
        };
    }
}

/// Writes the map's results to `out`, or adds them to what is there.
///
/// # Safety
/// `rows` were quantised for this map, `out` is `[rows, outputs]`, and the CPU has what `cpu` stands
/// for.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply_bytes(
    cpu: AvxVnni,
    map: &ByteMap,
    rows: &ByteRows,
    out: &mut [f32],
    add: bool,
) {
    let count = rows.bytes.len() / (map.quads * QUAD);
    each_tile::<ROWS, COLUMNS>(map.outputs, count, out, |tile| {
        // SAFETY: the tile lies in both matrices and has as many rows as it is called with.
        unsafe {
            match tile.rows {
                1 => byte_tile::<1>(cpu, map, rows, tile, add),
                2 => byte_tile::<2>(cpu, map, rows, tile, add),
                3 => byte_tile::<3>(cpu, map, rows, tile, add),
                4 => byte_tile::<4>(cpu, map, rows, tile, add),
                5 => byte_tile::<5>(cpu, map, rows, tile, add),
                _ => byte_tile::<ROWS>(cpu, map, rows, tile, add),
            }
        }
    });
}

/// # Safety
/// The tile has `R` rows of `rows`, which were quantised for this map, and lies in a panel of it; the
/// CPU has what `cpu` stands for.
#[target_feature(enable = "avx2,fma")]
unsafe fn byte_tile<const R: usize>(
    cpu: AvxVnni,
    map: &ByteMap,
    rows: &ByteRows,
    tile: &Tile,
    add: bool,
) {
    let (width, groups) = (map.quads * QUAD, map.places.len());
    for (group, place) in map.places.iter().enumerate() {
        let panel = tile.panel * map.quads + place.start / QUAD;
        let x =
            Rows { start: rows.bytes[tile.first * width + place.start..].as_ptr(), stride: width };
        let weights = map.panels[panel..].as_ptr().cast();
        // SAFETY: from there on, the tile's rows and its panel hold the quads of the group; the CPU
        // is as the caller answers for.
        let sums = unsafe {
            match cpu.0 {
                Encoding::Vex => vex::byte_products::<R>(place.quads, x, weights),
                #[cfg(test)]
                Encoding::Evex => evex::byte_products::<R>(place.quads, x, weights),
            }
        };
        let [channels, offsets, bias] =
            [&place.scales, &place.offsets, &map.bias].map(|lines| halves(&lines[tile.panel]));
        for (row, sums) in sums.into_iter().enumerate() {
            let RowScale { scale, shift } = rows.scales[(tile.first + row) * groups + group];
            for (half, sum) in sums.into_iter().enumerate() {
                let start = if group == 0 { bias[half] } else { _mm256_setzero_ps() };
                let mut value = _mm256_fmadd_ps(_mm256_set1_ps(shift), offsets[half], start);
                let scale = _mm256_mul_ps(_mm256_set1_ps(scale), channels[half]);
                // SAFETY: a tile has `R` rows of COLUMNS numbers.
                unsafe {
                    let to = tile.out.start.add(row * tile.out.stride + half * LANES);
                    if group > 0 || add {
                        value = _mm256_add_ps(value, _mm256_loadu_ps(to));
                    }
                    _mm256_storeu_ps(to, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, value));
                }
            }
        }
    }
}

/// The numbers of a panel's channels.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(line: &Floats) -> [__m256; 2] {
    let start = line.0.as_ptr();
    // SAFETY: a line has twice the vector's length.
    unsafe { [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(LANES))] }
}
