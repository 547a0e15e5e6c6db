//! Products with weight matrices.
//!
//! The outer loop goes over panels of weights, the inner one over tiles of rows: a panel comes from
//! memory once and from the cache after that.

use std::arch::x86_64::*;

use super::super::linear::Then;
use super::rows::{self, activate};
use super::{
    ByteMap, ByteRows, COLUMNS, FloatMap, Floats, LANES, Place, QUAD, ROWS, RowScale, tiles,
};

/// How far ahead weights are fetched from the outer caches, in bytes.
const AHEAD: usize = 4096;

/// Calls a function with the height of a tile as its first constant.
macro_rules! with_height {
    ($rows:expr, $function:ident :: <_ $(, $more:tt)*> ( $($argument:expr),* $(,)? )) => {
        match $rows {
            1 => $function::<1 $(, $more)*>($($argument),*),
            2 => $function::<2 $(, $more)*>($($argument),*),
            3 => $function::<3 $(, $more)*>($($argument),*),
            4 => $function::<4 $(, $more)*>($($argument),*),
            5 => $function::<5 $(, $more)*>($($argument),*),
            6 => $function::<6 $(, $more)*>($($argument),*),
            7 => $function::<7 $(, $more)*>($($argument),*),
            8 => $function::<8 $(, $more)*>($($argument),*),
            9 => $function::<9 $(, $more)*>($($argument),*),
            10 => $function::<10 $(, $more)*>($($argument),*),
            11 => $function::<11 $(, $more)*>($($argument),*),
            _ => $function::<{ super::ROWS } $(, $more)*>($($argument),*),
        }
    };
}
pub(super) use with_height;

/// Numbers in memory, row by row: where they begin and how far apart the rows are.
#[derive(Clone, Copy)]
pub(super) struct Rows<P> {
    pub start: P,
    pub stride: usize,
}

/// Adds to `sums` the products of `R` rows of `a`, `depth` numbers each, with `depth` rows of `b`,
/// `H` vectors each.
///
/// # Safety
/// Memory holds as much behind the pointers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add_products<const R: usize, const H: usize>(
    mut sums: [[__m512; H]; R],
    depth: usize,
    a: Rows<*const f32>,
    b: Rows<*const f32>,
) -> [[__m512; H]; R] {
    for at in 0..depth {
        // SAFETY: `at` < `depth`, and the caller answers for that much; a prefetch may go anywhere.
        unsafe {
            let b = b.start.add(at * b.stride);
            let vectors: [__m512; H] =
                std::array::from_fn(|half| _mm512_loadu_ps(b.add(half * LANES)));
            for half in 0..H {
                _mm_prefetch::<_MM_HINT_T0>(
                    b.wrapping_add(half * LANES).wrapping_byte_add(AHEAD).cast(),
                );
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = _mm512_set1_ps(*a.start.add(row * a.stride + at));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = _mm512_fmadd_ps(factor, vector, *sum);
                }
            }
        }
    }
    sums
}

/// A tile of the output: which rows, which panel, and where its numbers go.
pub(super) struct Tile {
    pub first: usize,
    pub rows: usize,
    pub panel: usize,
    pub out: Rows<*mut f32>,
}

/// Walks over the tiles of `out`, which is `[_, outputs]` with `rows` rows: `HEIGHT` rows at most of
/// a panel of `WIDTH` columns. `fill` computes one of them.
#[inline]
pub(super) fn each_tile<const HEIGHT: usize, const WIDTH: usize>(
    outputs: usize,
    rows: usize,
    out: &mut [f32],
    fill: impl Fn(&Tile),
) {
    for panel in 0..outputs.div_ceil(WIDTH) {
        let columns = WIDTH.min(outputs - panel * WIDTH);
        for part in tiles(0..rows, HEIGHT) {
            let (first, count) = (part.start, part.len());
            let part =
                &mut out[first * outputs + panel * WIDTH..][..(count - 1) * outputs + columns];
            if columns == WIDTH {
                let out = Rows { start: part.as_mut_ptr(), stride: outputs };
                fill(&Tile { first, rows: count, panel, out });
            } else {
                let mut whole = [[0.0; WIDTH]; HEIGHT];
                for (whole, part) in whole.iter_mut().zip(part.chunks(outputs)) {
                    whole[..columns].copy_from_slice(&part[..columns]);
                }
                let out = Rows { start: whole.as_mut_ptr().cast(), stride: WIDTH };
                fill(&Tile { first, rows: count, panel, out });
                for (whole, part) in whole.iter().zip(part.chunks_mut(outputs)) {
                    part[..columns].copy_from_slice(&whole[..columns]);
                }
            }
        }
    }
}

/// Applies the activation to a tile, if there is one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn finish(tile: &Tile, then: Then) {
    let Then::Activate(activation) = then else { return };
    for row in 0..tile.rows {
        for half in 0..COLUMNS / LANES {
            // SAFETY: a tile has `rows` rows of COLUMNS numbers.
            unsafe {
                let at = tile.out.start.add(row * tile.out.stride + half * LANES);
                _mm512_storeu_ps(at, activate(activation, _mm512_loadu_ps(at)));
            }
        }
    }
}

/// # Safety
/// `x` is `[rows, inputs]` and `out` is `[rows, outputs]` of the map.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn multiply_floats(map: &FloatMap, x: &[f32], out: &mut [f32], then: Then) {
    each_tile::<ROWS, COLUMNS>(map.outputs, x.len() / map.inputs, out, |tile| {
        // SAFETY: the tile lies in both matrices; the panel is one of the map's.
        unsafe {
            let x = Rows { start: x.as_ptr().add(tile.first * map.inputs), stride: map.inputs };
            let panel = map.panels.as_ptr().cast::<f32>().add(tile.panel * map.inputs * COLUMNS);
            let bias = map.bias.as_ptr().cast::<f32>().add(tile.panel * COLUMNS);
            let add = then == Then::Accumulate;
            with_height!(tile.rows, float_tile::<_>(map.inputs, x, panel, bias, add, tile.out));
        }
        finish(tile, then);
    });
}

/// # Safety
/// Memory holds `R` rows of `depth` behind `x`, `depth` · COLUMNS numbers behind `panel`, COLUMNS
/// behind `bias`, `R` rows of COLUMNS behind `out`.
#[target_feature(enable = "avx512f")]
unsafe fn float_tile<const R: usize>(
    depth: usize,
    x: Rows<*const f32>,
    panel: *const f32,
    bias: *const f32,
    add: bool,
    out: Rows<*mut f32>,
) {
    // SAFETY: as the caller answers for.
    unsafe {
        let mut sums = [[_mm512_loadu_ps(bias), _mm512_loadu_ps(bias.add(LANES))]; R];
        if add {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (half, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_add_ps(
                        *sum,
                        _mm512_loadu_ps(out.start.add(row * out.stride + half * LANES)),
                    );
                }
            }
        }
        let sums = add_products::<R, 2>(sums, depth, x, Rows { start: panel, stride: COLUMNS });
        for (row, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.start.add(row * out.stride + half * LANES), *sum);
            }
        }
    }
}

/// Quantises the rows of `x`, group by group, into `rows`, whose buffers have the size.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn quantise(map: &ByteMap, x: &[f32], rows: &mut ByteRows) {
    map.each_group(x, rows, |x, bytes| rows::quantise(x, bytes));
}

/// # Safety
/// `rows` were quantised for this map, and `out` is `[rows, outputs]`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn multiply_bytes(map: &ByteMap, rows: &ByteRows, out: &mut [f32], then: Then) {
    let width = map.quads * QUAD;
    each_tile::<ROWS, COLUMNS>(map.outputs, rows.bytes.len() / width, out, |tile| {
        // SAFETY: the tile lies in both matrices; the panel is one of the map's.
        unsafe {
            let x = Rows { start: rows.bytes.as_ptr().add(tile.first * width), stride: width };
            let scales = &rows.scales[tile.first * map.places.len()..];
            let add = then == Then::Accumulate;
            with_height!(tile.rows, byte_tile::<_>(map, x, scales, tile.panel, add, tile.out));
        }
        finish(tile, then);
    });
}

/// # Safety
/// Memory holds `R` rows of the map's quads behind `x`, `R` rows of COLUMNS behind `out`; `scales`
/// are those of the rows; the panel is one of the map's.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn byte_tile<const R: usize>(
    map: &ByteMap,
    x: Rows<*const u8>,
    scales: &[RowScale],
    panel: usize,
    add: bool,
    out: Rows<*mut f32>,
) {
    let groups = map.places.len();
    for (group, place) in map.places.iter().enumerate() {
        // SAFETY: groups begin inside a row and a panel; the rest as the caller answers for.
        unsafe {
            let x = Rows { start: x.start.add(place.start), stride: x.stride };
            let first_quad = panel * map.quads + place.start / QUAD;
            let weights = map.panels.as_ptr().cast::<__m512i>().add(first_quad * 2);
            let sums = byte_products::<R>(place.quads, x, weights);
            let scales = Rows { start: scales.as_ptr().add(group), stride: groups };
            match (group, add) {
                (0, false) => scale_sums::<R, true, false>(map, place, panel, sums, scales, out),
                (0, true) => scale_sums::<R, true, true>(map, place, panel, sums, scales, out),
                _ => scale_sums::<R, false, true>(map, place, panel, sums, scales, out),
            }
        }
    }
}

/// Turns sums of bytes into numbers and writes them, with the bias if it is `BIASED`, and with what
/// is there already if it is `ADDED`.
///
/// # Safety
/// Memory holds `R` scales behind `scales` and `R` rows of COLUMNS behind `out`; the place and the
/// panel are the map's.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn scale_sums<const R: usize, const BIASED: bool, const ADDED: bool>(
    map: &ByteMap,
    place: &Place,
    panel: usize,
    sums: [[__m512i; 2]; R],
    scales: Rows<*const RowScale>,
    out: Rows<*mut f32>,
) {
    let pair =
        |lines: &[Floats]| [rows::load(&lines[panel * 2].0), rows::load(&lines[panel * 2 + 1].0)];
    let (channels, offsets, bias) = (pair(&place.scales), pair(&place.offsets), pair(&map.bias));
    for (row, sums) in sums.into_iter().enumerate() {
        // SAFETY: `row` < `R`, and the caller answers for that much.
        unsafe {
            let scale = scales.start.add(row * scales.stride).read();
            let (scale, shift) = (_mm512_set1_ps(scale.scale), _mm512_set1_ps(scale.shift));
            for (half, sum) in sums.into_iter().enumerate() {
                let to = out.start.add(row * out.stride + half * LANES);
                let mut value = if BIASED {
                    _mm512_fmadd_ps(shift, offsets[half], bias[half])
                } else {
                    _mm512_mul_ps(shift, offsets[half])
                };
                if ADDED {
                    value = _mm512_add_ps(value, _mm512_loadu_ps(to));
                }
                let scale = _mm512_mul_ps(scale, channels[half]);
                _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, value));
            }
        }
    }
}

/// # Safety
/// Memory holds `R` rows of `quads` behind `x`, and `quads` · 2 vectors behind `weights`.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn byte_products<const R: usize>(
    quads: usize,
    x: Rows<*const u8>,
    weights: *const __m512i,
) -> [[__m512i; 2]; R] {
    let mut sums = [[_mm512_setzero_si512(); 2]; R];
    for at in 0..quads {
        // SAFETY: `at` < `quads`, and the caller answers for that much; a prefetch may go anywhere.
        unsafe {
            let weights = weights.add(at * 2);
            let vectors = [_mm512_loadu_si512(weights), _mm512_loadu_si512(weights.add(1))];
            _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_byte_add(AHEAD).cast());
            _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add(1).wrapping_byte_add(AHEAD).cast());
            for (row, sums) in sums.iter_mut().enumerate() {
                let quad = x.start.add(row * x.stride + at * QUAD).cast::<i32>().read_unaligned();
                let quad = _mm512_set1_epi32(quad);
                sums[0] = _mm512_dpbusd_epi32(sums[0], quad, vectors[0]);
                sums[1] = _mm512_dpbusd_epi32(sums[1], quad, vectors[1]);
            }
        }
    }
    sums
}
