//! The element-wise steps of the encoder, written once and compiled for each instruction set.
//!
//! `rten-simd` picks the set at run time. Closures and functions below are `inline(always)` because
//! an intrinsic that isn't inlined into the dispatched function becomes a call.

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps, ToFloat};
use rten_simd::{Isa, SimdOp, SimdUnaryOp};
use rten_vecmath::{ApproxGelu, Gelu};

use super::config::Activation;

/// Lanes of the widest vector, with room to spare.
const WIDEST: usize = 64;

/// How one row of values was brought to u8: value ≈ scale · (byte − zero).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RowScale {
    pub scale: f32,
    pub zero: i32,
}

/// Brings `values` to u8 over their own range, stretched to hold zero. `bytes` has the same length.
pub(super) fn quantise(values: &[f32], bytes: &mut [u8]) -> RowScale {
    let (low, high) = Range { values }.dispatch();
    let scale = ((high - low) / 255.0).max(1e-12);
    let row = RowScale { scale, zero: (-low / scale).round_ties_even().clamp(0.0, 255.0) as i32 };
    Quantise { values, bytes, row }.dispatch();
    row
}

/// The least and the greatest value, or zero if that is less or greater.
struct Range<'a> {
    values: &'a [f32],
}

impl SimdOp for Range<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> (f32, f32) {
        let ops = isa.f32();
        let (mut low, mut high) = (ops.zero(), ops.zero());
        let mut chunks = self.values.chunks_exact(ops.len());
        for chunk in &mut chunks {
            let values = ops.load(chunk);
            low = ops.min(values, low);
            high = ops.max(values, high);
        }
        let rest = ops.load_pad(chunks.remainder()).0;
        let (low, high) = (ops.min(rest, low), ops.max(rest, high));
        let low = ops.fold_splat(low, 0.0, f32::min);
        let high = ops.fold_splat(high, 0.0, f32::max);
        (first(ops, low), first(ops, high))
    }
}

#[inline(always)]
fn first<O: BitOps<f32>>(ops: O, vector: O::Simd) -> f32 {
    let mut lanes = [0.0; WIDEST];
    ops.store(vector, &mut lanes);
    lanes[0]
}

struct Quantise<'a> {
    values: &'a [f32],
    bytes: &'a mut [u8],
    row: RowScale,
}

impl SimdOp for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (floats, ints) = (isa.f32(), isa.i32());
        let (inverse, zero) = (1.0 / self.row.scale, self.row.zero);
        let (inverses, zeros) = (floats.splat(inverse), ints.splat(zero));
        let lanes = floats.len();
        let mut values = self.values.chunks_exact(4 * lanes);
        let mut bytes = self.bytes.chunks_exact_mut(4 * lanes);
        for (values, bytes) in (&mut values).zip(&mut bytes) {
            let mut parts = [zeros; 4];
            for (part, values) in parts.iter_mut().zip(values.chunks_exact(lanes)) {
                let scaled = floats.mul(floats.load(values), inverses);
                *part = ints.add(floats.to_int_round(scaled), zeros);
            }
            let low = ints.narrow_saturate(parts[0], parts[1]);
            let high = ints.narrow_saturate(parts[2], parts[3]);
            isa.u8().store(isa.i16().narrow_saturate(low, high), bytes);
        }
        for (value, byte) in values.remainder().iter().zip(bytes.into_remainder()) {
            *byte = ((value * inverse).round_ties_even() + zero as f32) as u8;
        }
    }
}

/// The part of an affine map's weights that turns integer sums back into numbers.
#[derive(Debug)]
pub(super) struct ChannelScales {
    /// One for each output channel.
    pub scales: Vec<f32>,
    /// Sum of the channel's quantised weights, times its scale.
    pub offsets: Vec<f32>,
}

/// One row of an affine map from its integer sums: for each group of inputs the sums, how the row was
/// quantised, and the channels' scales.
pub(super) struct Dequantise<'a, G> {
    pub groups: G,
    pub bias: &'a [f32],
    pub out: &'a mut [f32],
    /// Add to what the output holds.
    pub add: bool,
    pub activate: Option<Activation>,
}

impl<'a, G> SimdOp for Dequantise<'a, G>
where
    G: Iterator<Item = (&'a [i32], RowScale, &'a ChannelScales)> + Clone,
{
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        match (self.activate, self.add) {
            (None, false) => self.run(
                isa,
                #[inline(always)]
                |_, value| value,
            ),
            (None, true) => self.run(
                isa,
                #[inline(always)]
                |old, value| ops.add(old, value),
            ),
            (Some(Activation::Gelu), _) => self.run(
                isa,
                #[inline(always)]
                |_, value| Gelu {}.eval(isa, value),
            ),
            (Some(Activation::GeluTanh), _) => {
                self.run(
                    isa,
                    #[inline(always)]
                    |_, value| ApproxGelu {}.eval(isa, value),
                );
            }
            (Some(Activation::Relu), _) => self.run(
                isa,
                #[inline(always)]
                |_, value| ops.max(value, ops.zero()),
            ),
        }
    }
}

impl<'a, G> Dequantise<'a, G>
where
    G: Iterator<Item = (&'a [i32], RowScale, &'a ChannelScales)> + Clone,
{
    #[inline(always)]
    fn run<I: Isa>(self, isa: I, finish: impl Fn(I::F32, I::F32) -> I::F32) {
        let (floats, ints) = (isa.f32(), isa.i32());
        let lanes = floats.len();
        let mut chunks = self.out.chunks_exact_mut(lanes);
        let mut at = 0;
        for out in &mut chunks {
            let mut value = floats.load(&self.bias[at..at + lanes]);
            for (sums, row, channels) in self.groups.clone() {
                let shift = floats.splat(-row.scale * row.zero as f32);
                value =
                    floats.mul_add(shift, floats.load(&channels.offsets[at..at + lanes]), value);
                let scale = floats
                    .mul(floats.splat(row.scale), floats.load(&channels.scales[at..at + lanes]));
                value =
                    floats.mul_add(ints.to_float(ints.load(&sums[at..at + lanes])), scale, value);
            }
            floats.store(finish(floats.load(out), value), out);
            at += lanes;
        }
        let out = chunks.into_remainder();
        if !out.is_empty() {
            let mut value = floats.load_pad(&self.bias[at..]).0;
            for (sums, row, channels) in self.groups {
                let shift = floats.splat(-row.scale * row.zero as f32);
                value = floats.mul_add(shift, floats.load_pad(&channels.offsets[at..]).0, value);
                let scale =
                    floats.mul(floats.splat(row.scale), floats.load_pad(&channels.scales[at..]).0);
                value = floats.mul_add(ints.to_float(ints.load_pad(&sums[at..]).0), scale, value);
            }
            let mut last = [0.0; WIDEST];
            floats.store(finish(floats.load_pad(out).0, value), &mut last);
            out.copy_from_slice(&last[..out.len()]);
        }
    }
}

/// Applies an activation to each value.
pub(super) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Gelu => Gelu {}.map_mut(values),
        Activation::GeluTanh => ApproxGelu {}.map_mut(values),
        Activation::Relu => values.iter_mut().for_each(|value| *value = value.max(0.0)),
    }
}

/// Layer normalisation of one row in place: (x − mean) / √(variance + ε) · scale + shift.
pub(super) struct LayerNorm<'a> {
    pub row: &'a mut [f32],
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub epsilon: f32,
}

impl SimdOp for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        let width = self.row.len() as f32;
        let mut sum = ops.zero();
        for chunk in self.row.chunks(lanes) {
            sum = ops.add(sum, ops.load_pad(chunk).0);
        }
        let mean = ops.splat(ops.sum(sum) / width);
        let mut squares = ops.zero();
        for chunk in self.row.chunks(lanes) {
            let (values, present) = ops.load_pad(chunk);
            let off = ops.select(ops.sub(values, mean), ops.zero(), present);
            squares = ops.mul_add(off, off, squares);
        }
        let inverse = ops.splat(1.0 / (ops.sum(squares) / width + self.epsilon).sqrt());
        let mut rows = self.row.chunks_exact_mut(lanes);
        let (mut scales, mut shifts) =
            (self.scale.chunks_exact(lanes), self.shift.chunks_exact(lanes));
        for ((row, scale), shift) in (&mut rows).zip(&mut scales).zip(&mut shifts) {
            let off = ops.mul(ops.sub(ops.load(row), mean), inverse);
            ops.store(ops.mul_add(off, ops.load(scale), ops.load(shift)), row);
        }
        let (row, scale, shift) = (rows.into_remainder(), scales.remainder(), shifts.remainder());
        if !row.is_empty() {
            let mut last = [0.0; WIDEST];
            let off = ops.mul(ops.sub(ops.load_pad(row).0, mean), inverse);
            ops.store(ops.mul_add(off, ops.load_pad(scale).0, ops.load_pad(shift).0), &mut last);
            row.copy_from_slice(&last[..row.len()]);
        }
    }
}
