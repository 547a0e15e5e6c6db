//! Our own kernels for CPUs with 8-bit dot products (VNNI), and the only module of the crate with
//! `unsafe` in it.
//!
//! The portable kernels (`linear`, `attention`, `simd`) serve every CPU. These serve the one kind of
//! server CPU that is common, with AVX-512, and they are shaped for what this encoder multiplies: a few
//! to some hundred token rows with a weight matrix that never changes. So weights are laid out once, in
//! panels of [`COLUMNS`] output channels that are read straight through, tiles of up to [`ROWS`] token
//! rows stay in registers over the whole depth, and bias, residual sum and activation happen while a
//! tile is in the first-level cache.
//!
//! CPUs with AVX-VNNI instead (Intel's for desktops and laptops since 2021, and its servers of
//! efficiency cores) get the products of bytes only (`avx_vnni`): the portable ones don't use the
//! instruction and need weights of 7 bits. Quantisation, activations, attention, layer normalisation
//! and all maps in f32 stay portable there.
//!
//! A number comes out with the same bits in whatever tile, block or thread it is computed: each is
//! summed over the depth in one order, whatever else is in the pass.
//!
//! # Why the unsafe code is sound
//!
//! Two things need `unsafe`: instructions that a CPU may lack, and loads and stores by pointer.
//!
//! - **Features.** A function that needs more than any x86-64 has carries `#[target_feature]`; all of
//!   them ask for subsets of what [`Avx512::detect`] looks for, in `avx_vnni` of what
//!   [`AvxVnni::detect`] looks for, or `detect_evex` where the tests' [`Encoding`] is in it. The
//!   functions of this page that call them take an [`Avx512`], an [`AvxVnni`], one of both ([`Dots`])
//!   or a map made with one, and these can't be made otherwise. On CPUs other than x86-64 `none` stands
//!   in for this module, where the types have no values.
//! - **Lengths.** The functions of this page are safe to call with any arguments. They assert that
//!   the slices fit the shapes before they pass them on, and inside, pointers stay in these slices:
//!   - `matrix`: a tile has `rows` ≥ 1 rows from `first` on, `first + rows` ≤ the rows of `x` and of
//!     `out`. It reads `depth` numbers in each row of `x` and `depth · COLUMNS` in one panel, whose
//!     columns beyond the last output channel are there and hold zeros. It writes `COLUMNS` numbers
//!     in each row of `out`, or of a buffer on the stack where fewer channels are left. The same holds
//!     in `avx_vnni` with its own `COLUMNS`, for which the panels of its maps are laid out.
//!   - `attention`: the buffers are grown to the sequence before use. Head sizes are multiples of
//!     16 ([`supports_heads`]), so rows of a head are whole vectors.
//!   - `dots`: there are as many rows as products, each as long as `x`; whole blocks are read of both,
//!     and what is left is loaded under a mask. `avx_vnni` takes vectors of both as arrays instead.
//!   - `rows`: whole vectors are taken as `[f32; 16]`; what is left of a row is loaded and stored
//!     under a mask, and lanes that the mask leaves out aren't touched in memory.
//! - **Alignment.** Weights lie in [`Line`]s so that no vector of them straddles two cache lines, but
//!   every load and store is an unaligned one: nothing depends on alignment but speed.
//! - **Initialised memory.** All buffers are ordinary vectors of numbers; nothing is read that
//!   wasn't written. Padding is zeros or left-overs of earlier rows, and meets weights of zero.

mod attention;
mod avx_vnni;
mod dots;
mod matrix;
mod rows;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::affine::LONGEST_ROW;
use super::linear::{ByteGroup, Then};
use super::simd;

/// Most token rows of a tile.
const ROWS: usize = 12;
/// Output channels of a panel: two vectors of f32, or of four bytes each.
const COLUMNS: usize = 32;
/// Numbers in a vector.
const LANES: usize = 16;
/// Bytes that one instruction multiplies and adds for each output.
const QUAD: usize = 4;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line<T, const N: usize>([T; N]);

type Floats = Line<f32, LANES>;
type Bytes = Line<i8, 64>;

/// The proof that this CPU has AVX-512 (F, BW, DQ, VL) and VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Asks the CPU; the standard library remembers the answer.
    fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Avx512(()))
    }
}

/// The proof that this CPU has AVX2, FMA and VNNI in vectors of 256 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct AvxVnni(Encoding);

/// Which encoding of the dot product the CPU has.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    /// That of AVX-VNNI.
    Vex,
    /// That of AVX-512, for tests.
    #[cfg(test)]
    Evex,
}

impl AvxVnni {
    /// Asks the CPU.
    fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avxvnni");
        found.then_some(AvxVnni(Encoding::Vex))
    }

    /// The same kernels with the other encoding.
    #[cfg(test)]
    fn detect_evex() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(AvxVnni(Encoding::Evex))
    }
}

/// The proof that this CPU has 8-bit dot products, of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dots {
    Avx512(Avx512),
    AvxVnni(AvxVnni),
}

impl Dots {
    /// The wider ones where there are both.
    pub(super) fn detect() -> Option<Self> {
        Avx512::detect().map(Dots::Avx512).or_else(|| AvxVnni::detect().map(Dots::AvxVnni))
    }

    /// All that can run here.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let narrow = [AvxVnni::detect(), AvxVnni::detect_evex()].into_iter().flatten();
        Avx512::detect().map(Dots::Avx512).into_iter().chain(narrow.map(Dots::AvxVnni))
    }

    /// Output channels of a panel.
    fn columns(self) -> usize {
        match self {
            Dots::Avx512(_) => COLUMNS,
            Dots::AvxVnni(_) => avx_vnni::COLUMNS,
        }
    }
}

/// An affine map y = x Wᵀ + b in f32.
pub(super) struct FloatMap {
    _proof: Avx512,
    inputs: usize,
    outputs: usize,
    /// `[⌈outputs / COLUMNS⌉, inputs, COLUMNS]`.
    panels: Vec<Floats>,
    /// Padded to whole panels.
    bias: Vec<Floats>,
}

impl FloatMap {
    /// `weights` is `[bias.len(), inputs]`, row by row, one row per output channel.
    pub(super) fn new(cpu: Avx512, weights: &[f32], bias: &[f32]) -> Self {
        let (inputs, outputs) = (weights.len() / bias.len(), bias.len());
        let mut panels = lines(outputs.div_ceil(COLUMNS) * inputs * COLUMNS / LANES);
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let start = output / COLUMNS * inputs * COLUMNS + output % COLUMNS;
            for (input, weight) in weights.iter().enumerate() {
                let at = start + input * COLUMNS;
                panels[at / LANES].0[at % LANES] = *weight;
            }
        }
        FloatMap { _proof: cpu, inputs, outputs, panels, bias: padded(bias, COLUMNS) }
    }

    /// `x` is `[rows, inputs]`, `out` is `[rows, outputs]`.
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32], then: Then) {
        let rows = x.len() / self.inputs;
        assert!(x.len() == rows * self.inputs && out.len() == rows * self.outputs);
        // SAFETY: the map has its proof of the features, and the shapes fit.
        unsafe { matrix::multiply_floats(self, x, out, then) };
    }
}

/// How one row of values, or one group of its columns, was brought to u8:
/// value ≈ scale · byte + shift.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct RowScale {
    scale: f32,
    shift: f32,
}

/// Where a group lies in a row of `x`, in a quantised row and in a panel.
struct Place {
    inputs: Range<usize>,
    /// First byte in a quantised row.
    start: usize,
    /// Its inputs in fours, rounded up.
    quads: usize,
    scales: Vec<Floats>,
    offsets: Vec<Floats>,
}

/// An affine map whose weights and inputs have eight bits.
pub(super) struct ByteMap {
    cpu: Dots,
    inputs: usize,
    outputs: usize,
    places: Vec<Place>,
    /// Quads of a whole row.
    quads: usize,
    /// `[⌈outputs / columns⌉, quads, columns, QUAD]`, with the columns of the CPU's panels.
    panels: Vec<Bytes>,
    bias: Vec<Floats>,
}

/// Quantised inputs of an affine map.
#[derive(Debug, Default)]
pub(super) struct ByteRows {
    bytes: Vec<u8>,
    /// `[rows, groups]`.
    scales: Vec<RowScale>,
}

impl ByteMap {
    /// `groups` cover the inputs in order, without gap or overlap.
    pub(super) fn new(cpu: Dots, groups: &[ByteGroup], bias: &[f32]) -> Self {
        let (outputs, columns) = (bias.len(), cpu.columns());
        let (mut places, mut quads, mut inputs) = (Vec::new(), 0, 0);
        for group in groups {
            assert!(
                group.inputs.start == inputs && group.bytes.len() == outputs * group.inputs.len()
            );
            let place = Place {
                inputs: group.inputs.clone(),
                start: quads * QUAD,
                quads: group.inputs.len().div_ceil(QUAD),
                scales: padded(&group.channels.scales, columns),
                offsets: padded(&group.channels.offsets, columns),
            };
            quads += place.quads;
            inputs = group.inputs.end;
            places.push(place);
        }
        let mut panels =
            vec![Line([0; 64]); outputs.div_ceil(columns) * quads * QUAD * columns / 64];
        for (group, place) in groups.iter().zip(&places) {
            for (output, bytes) in group.bytes.chunks_exact(group.inputs.len()).enumerate() {
                let panel = output / columns * quads * QUAD * columns;
                for (input, byte) in bytes.iter().enumerate() {
                    let quad = (place.start + input) / QUAD;
                    let at = panel + (quad * columns + output % columns) * QUAD + input % QUAD;
                    panels[at / 64].0[at % 64] = *byte;
                }
            }
        }
        ByteMap { cpu, inputs, outputs, places, quads, panels, bias: padded(bias, columns) }
    }

    /// `x` is `[rows, inputs]`, `out` is `[rows, outputs]`.
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32], then: Then, scratch: &mut ByteRows) {
        let rows = x.len() / self.inputs;
        assert!(x.len() == rows * self.inputs && out.len() == rows * self.outputs);
        scratch.bytes.resize(rows * self.quads * QUAD, 0);
        scratch.scales.resize(rows * self.places.len(), RowScale::default());
        match self.cpu {
            // SAFETY: the map has its proof of the features; `x` and the buffers have as many rows as
            // `out`, of the map's widths.
            Dots::Avx512(_) => unsafe {
                matrix::quantise(self, x, scratch);
                matrix::multiply_bytes(self, scratch, out, then);
            },
            Dots::AvxVnni(cpu) => {
                self.each_group(x, scratch, |x, bytes| {
                    let simd::RowScale { scale, zero } = simd::quantise(x, bytes);
                    RowScale { scale, shift: -scale * zero as f32 }
                });
                let add = then == Then::Accumulate;
                // SAFETY: as above.
                unsafe { avx_vnni::multiply_bytes(cpu, self, scratch, out, add) };
                if let Then::Activate(activation) = then {
                    simd::activate(activation, out);
                }
            }
        }
    }

    /// Quantises the rows of `x`, group by group, into `rows`, whose buffers have the size.
    #[inline]
    fn each_group(
        &self,
        x: &[f32],
        rows: &mut ByteRows,
        quantise: impl Fn(&[f32], &mut [u8]) -> RowScale,
    ) {
        let bytes = rows.bytes.chunks_exact_mut(self.quads * QUAD);
        let scales = rows.scales.chunks_exact_mut(self.places.len());
        for ((x, bytes), scales) in x.chunks_exact(self.inputs).zip(bytes).zip(scales) {
            for (place, scale) in self.places.iter().zip(scales) {
                let x = &x[place.inputs.clone()];
                *scale = quantise(x, &mut bytes[place.start..][..x.len()]);
            }
        }
    }
}

/// Layer normalisation of each row in place: (x − mean) / √(variance + ε) · scale + shift. `rows` is
/// `[_, scale.len()]`.
pub(super) fn normalise(
    _proof: Avx512,
    rows: &mut [f32],
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
) {
    assert!(scale.len() == shift.len() && rows.len().is_multiple_of(scale.len().max(1)));
    for row in rows.chunks_exact_mut(scale.len().max(1)) {
        // SAFETY: the features have been seen; the three slices have one length.
        unsafe { rows::normalise(row, scale, shift, epsilon) };
    }
}

/// Buffers for one thread's attention.
#[derive(Debug, Default)]
pub(super) struct AttentionScratch {
    /// `[⌈tokens / COLUMNS⌉, head size, COLUMNS]`: the keys of a head, turned on their side.
    keys: Vec<Floats>,
    /// `[tokens, head size]`.
    values: Vec<Floats>,
    /// `[ROWS, tokens]`, rows padded to whole panels.
    scores: Vec<Floats>,
}

/// Whether [`attend`] can be used with heads of this size.
pub(super) fn supports_heads(size: usize) -> bool {
    size > 0 && size.is_multiple_of(LANES)
}

/// Attends from the tokens `queries` to all tokens of their sequence.
///
/// `qkv` is `[tokens, 3 · hidden]`: queries (already divided by √head size), keys, values, each with
/// its heads side by side. `out` is `[queries.len(), hidden]`.
pub(super) fn attend(
    _proof: Avx512,
    qkv: &[f32],
    hidden: usize,
    heads: usize,
    queries: Range<usize>,
    out: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let (tokens, size) = (qkv.len() / (3 * hidden), hidden / heads);
    assert!(supports_heads(size) && size * heads == hidden && qkv.len() == tokens * 3 * hidden);
    assert!(
        queries.start <= queries.end
            && queries.end <= tokens
            && out.len() == queries.len() * hidden
    );
    scratch.keys.resize(tokens.div_ceil(COLUMNS) * size * COLUMNS / LANES, Line([0.0; LANES]));
    scratch.values.resize(tokens * size / LANES, Line([0.0; LANES]));
    scratch.scores.resize(ROWS * tokens.div_ceil(COLUMNS) * COLUMNS / LANES, Line([0.0; LANES]));
    for head in 0..heads {
        let columns = head * size..(head + 1) * size;
        // SAFETY: the features have been seen; shapes and ranges fit, the buffers have grown to them.
        unsafe { attention::attend_head(qkv, hidden, columns, queries.clone(), out, scratch) };
    }
}

/// The product of each row of `rows`, which is `[products.len(), x.len()]`, with `x`, exact.
pub(super) fn multiply_rows(cpu: Dots, rows: &[i8], x: &[u8], products: &mut [i32]) {
    assert!(rows.len() == x.len() * products.len() && x.len() <= LONGEST_ROW);
    // SAFETY: the features have been seen; there are as many rows of the length of `x` as products.
    unsafe {
        match cpu {
            Dots::Avx512(_) => dots::multiply_rows(rows, x, products),
            Dots::AvxVnni(cpu) => avx_vnni::multiply_rows(cpu, rows, x, products),
        }
    };
}

fn lines(count: usize) -> Vec<Floats> {
    vec![Line([0.0; LANES]); count]
}

/// `values` in lines, with zeros up to a whole panel of so many columns.
fn padded(values: &[f32], columns: usize) -> Vec<Floats> {
    let mut padded = lines(values.len().div_ceil(columns) * columns / LANES);
    for (line, values) in padded.iter_mut().zip(values.chunks(LANES)) {
        line.0[..values.len()].copy_from_slice(values);
    }
    padded
}

/// Splits rows into as few tiles of like height, `most` at most, as can be.
fn tiles(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = rows.len().div_ceil(most);
    (0..count).map(move |tile| {
        rows.start + rows.len() * tile / count..rows.start + rows.len() * (tile + 1) / count
    })
}
