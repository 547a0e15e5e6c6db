//! What is done to a row of numbers: layer normalisation, quantisation, activation, exponentials.

use std::arch::x86_64::*;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

use super::super::config::Activation;
use super::{LANES, RowScale};

/// A whole vector.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(values: &[f32; LANES]) -> __m512 {
    // SAFETY: the array has the vector's length.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(values: &mut [f32; LANES], vector: __m512) {
    // SAFETY: the array has the vector's length.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), vector) }
}

/// The lanes of the first `count` numbers; all of them from 16 on.
#[inline]
pub(super) fn mask(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}

/// Up to 16 numbers, then zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_some(values: &[f32]) -> __m512 {
    // SAFETY: the mask has as many lanes as there are numbers, or all 16 where there are more.
    unsafe { _mm512_maskz_loadu_ps(mask(values.len()), values.as_ptr()) }
}

/// As many lanes as there is room for.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_some(values: &mut [f32], vector: __m512) {
    // SAFETY: the mask has as many lanes as there is room for, or all 16 where there is more.
    unsafe { _mm512_mask_storeu_ps(values.as_mut_ptr(), mask(values.len()), vector) }
}

/// Layer normalisation of one row in place; the three slices have one length.
#[target_feature(enable = "avx512f")]
pub(super) fn normalise(row: &mut [f32], scale: &[f32], shift: &[f32], epsilon: f32) {
    let width = row.len() as f32;
    let (vectors, rest) = row.as_chunks::<LANES>();
    let mut sum = load_some(rest);
    for vector in vectors {
        sum = _mm512_add_ps(sum, load(vector));
    }
    let mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / width);
    let off = _mm512_maskz_sub_ps(mask(rest.len()), load_some(rest), mean);
    let mut squares = _mm512_mul_ps(off, off);
    for vector in vectors {
        let off = _mm512_sub_ps(load(vector), mean);
        squares = _mm512_fmadd_ps(off, off, squares);
    }
    let inverse = _mm512_set1_ps(1.0 / (_mm512_reduce_add_ps(squares) / width + epsilon).sqrt());
    let (vectors, rest) = row.as_chunks_mut::<LANES>();
    let ((scales, last_scale), (shifts, last_shift)) =
        (scale.as_chunks::<LANES>(), shift.as_chunks::<LANES>());
    for ((vector, scale), shift) in vectors.iter_mut().zip(scales).zip(shifts) {
        let off = _mm512_mul_ps(_mm512_sub_ps(load(vector), mean), inverse);
        store(vector, _mm512_fmadd_ps(off, load(scale), load(shift)));
    }
    let off = _mm512_mul_ps(_mm512_sub_ps(load_some(rest), mean), inverse);
    store_some(rest, _mm512_fmadd_ps(off, load_some(last_scale), load_some(last_shift)));
}

/// Brings `values` to u8 over their own range, stretched to hold zero. `bytes` has the same length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn quantise(values: &[f32], bytes: &mut [u8]) -> RowScale {
    let (vectors, rest) = values.as_chunks::<LANES>();
    let (mut low, mut high) = (_mm512_setzero_ps(), _mm512_setzero_ps());
    for vector in vectors {
        low = _mm512_min_ps(low, load(vector));
        high = _mm512_max_ps(high, load(vector));
    }
    let last = load_some(rest);
    let low = _mm512_reduce_min_ps(_mm512_min_ps(low, last));
    let high = _mm512_reduce_max_ps(_mm512_max_ps(high, last));
    let scale = ((high - low) / 255.0).max(1e-12);
    let zero = (-low / scale).round_ties_even().clamp(0.0, 255.0);
    let inverse = _mm512_set1_ps(1.0 / scale);
    let zeros = _mm512_set1_epi32(zero as i32);
    let (whole, room) = bytes.as_chunks_mut::<LANES>();
    for (vector, bytes) in vectors.iter().zip(whole) {
        // SAFETY: the array has 16 bytes.
        unsafe {
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), to_bytes(load(vector), inverse, zeros))
        };
    }
    // SAFETY: the mask has as many lanes as there is room for.
    unsafe {
        _mm_mask_storeu_epi8(
            room.as_mut_ptr().cast(),
            mask(room.len()),
            to_bytes(last, inverse, zeros),
        )
    };
    RowScale { scale, shift: -scale * zero }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn to_bytes(values: __m512, inverse: __m512, zeros: __m512i) -> __m128i {
    let numbers = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(values, inverse)), zeros);
    _mm512_cvtusepi32_epi8(_mm512_max_epi32(numbers, _mm512_setzero_si512()))
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn activate(activation: Activation, x: __m512) -> __m512 {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Relu => _mm512_max_ps(x, _mm512_setzero_ps()),
    }
}

/// x Φ(x) = x/2 · (1 + erf(x/√2)), to 3e-6 (mostly the rounding of f32).
///
/// erf(z) is taken as z · P(z²) / Q(z²), fitted by us for the least greatest error on |z| ≤ 3.8,
/// which is 1.7e-7; beyond that, erf is one to within 8e-8.
#[inline]
#[target_feature(enable = "avx512f")]
fn gelu(x: __m512) -> __m512 {
    const TOP: f32 = 3.8;
    const P: [f32; 5] = [2.998_289_5e-4, 8.247_089e-3, 6.618_168e-2, 3.061_837_3e-1, 1.128_377_7];
    const Q: [f32; 6] =
        [1.772_998_6e-5, 2.092_215e-3, 2.397_195_2e-2, 1.602_691_3e-1, 6.046_644_4e-1, 1.0];
    let z = _mm512_mul_ps(x, _mm512_set1_ps(FRAC_1_SQRT_2));
    let z = _mm512_max_ps(_mm512_min_ps(z, _mm512_set1_ps(TOP)), _mm512_set1_ps(-TOP));
    let square = _mm512_mul_ps(z, z);
    let erf = _mm512_div_ps(_mm512_mul_ps(z, polynomial(square, P)), polynomial(square, Q));
    let half = _mm512_mul_ps(x, _mm512_set1_ps(0.5));
    _mm512_fmadd_ps(half, erf, half)
}

/// x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) = x / (1 + e^(−2 √(2/π) (x + 0.044715 x³))).
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn gelu_tanh(x: __m512) -> __m512 {
    let cubic =
        _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0.044_715), _mm512_set1_ps(1.0));
    // 2 √(2/π) = 2/√π · √2.
    let inner = _mm512_mul_ps(
        _mm512_mul_ps(x, cubic),
        _mm512_set1_ps(-FRAC_2_SQRT_PI * std::f32::consts::SQRT_2),
    );
    let inner = _mm512_min_ps(inner, _mm512_set1_ps(87.0));
    _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0), exp(inner)))
}

/// eˣ for x ≤ 88, to 2e-7 of itself; e⁻⁸⁷ below −87, so that no slow denormal numbers arise.
///
/// 2ⁿ eʳ with n = x/ln 2 rounded, and Taylor's polynomial of degree 6 for |r| ≤ ln 2 / 2.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn exp(x: __m512) -> __m512 {
    // ln 2 in two parts; n times the first is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const TAYLOR: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let x = _mm512_max_ps(x, _mm512_set1_ps(-87.0));
    let scaled = _mm512_mul_ps(x, _mm512_set1_ps(LOG2_E));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(scaled);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_HIGH), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_LOW), r);
    _mm512_scalef_ps(polynomial(r, TAYLOR), n)
}

/// Horner's scheme, the highest power's factor first.
#[inline]
#[target_feature(enable = "avx512f")]
fn polynomial<const N: usize>(x: __m512, factors: [f32; N]) -> __m512 {
    let mut sum = _mm512_set1_ps(factors[0]);
    for factor in &factors[1..] {
        sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(*factor));
    }
    sum
}
