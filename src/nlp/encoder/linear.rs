//! Affine maps y = x Wᵀ + b, the encoder's work: in f32, or with 8-bit weights and activations.
//!
//! Callers see [`Linear`] only. How the weights are laid out and which kernel runs is decided when
//! the model is loaded: our own (`kernels`) where the CPU has what they need, `rten-gemm`'s elsewhere.
//!
//! Eight bits: the inputs are quantised in groups (see `order` for the first one). In a group, each
//! output channel of W has its own symmetric scale, each row of x is brought to u8 on the spot with
//! its own scale and zero point, and the products are summed exactly in i32:
//! y ≈ Σ_groups s_row · s_channel · (Σ q_x q_w − zero_row · Σ q_w) + b. The last sum is known at load
//! time. It is applied here and not by `rten-gemm`, which (0.27) reads the zero points of the first
//! row tile for all rows.

use std::ops::Range;

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;

use super::config::Activation;
use super::kernels::{Avx512, AvxVnni, ByteMap, ByteRows, Dots, FloatMap};
use super::simd::{ChannelScales, Dequantise, RowScale, activate, quantise};

thread_local! {
    // An executor is a kernel choice, not `Send`, and asks the CPU for its features when it is made.
    static FLOAT: GemmExecutor<f32, f32, f32> = GemmExecutor::new();
    static BYTES: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
}

/// Runs `use_executor` with this thread's f32 kernels.
pub(super) fn with_float<T>(use_executor: impl FnOnce(&GemmExecutor<f32, f32, f32>) -> T) -> T {
    FLOAT.with(use_executor)
}

/// Which kernels compute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kernels {
    /// `rten`'s, on any CPU.
    Portable,
    /// Our own in the affine maps with eight bits, `rten`'s for the rest.
    AvxVnni(AvxVnni),
    /// Our own.
    Avx512(Avx512),
}

impl Kernels {
    /// The fastest that this CPU can run.
    pub(super) fn for_cpu() -> Self {
        Dots::detect().map_or(Kernels::Portable, Kernels::with)
    }

    /// Those that use these dot products.
    pub(super) fn with(dots: Dots) -> Self {
        match dots {
            Dots::Avx512(cpu) => Kernels::Avx512(cpu),
            Dots::AvxVnni(cpu) => Kernels::AvxVnni(cpu),
        }
    }

    /// The dot products of our own 8-bit kernels, if they are among these.
    pub(super) fn dots(self) -> Option<Dots> {
        match self {
            Kernels::Portable => None,
            Kernels::AvxVnni(cpu) => Some(Dots::AvxVnni(cpu)),
            Kernels::Avx512(cpu) => Some(Dots::Avx512(cpu)),
        }
    }
}

/// How weights and activations are held in the affine maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Float,
    Bytes(Range8),
}

/// What eight bits are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range8 {
    /// Weights lie in −`limit`..=`limit`.
    limit: i8,
    /// Most inputs that share a scale.
    group: usize,
}

impl Range8 {
    /// For kernels that sum products in 32 bits.
    pub(super) const FULL: Range8 = Range8 { limit: 127, group: 384 };
    /// For kernels that add pairs of u8 × i8 products in saturating 16 bits: 2 · 255 · 64 = 32,640
    /// still fits. Smaller groups make up for most of the lost bit.
    pub(super) const NARROW: Range8 = Range8 { limit: 64, group: 64 };

    /// The same in groups of so many inputs at most.
    pub(super) fn in_groups(self, group: usize) -> Self {
        Range8 { group: group.max(1), ..self }
    }
}

impl Precision {
    /// How the precision reads in an encoder's id.
    pub(super) fn label(self) -> &'static str {
        match self {
            Precision::Float => "f32",
            Precision::Bytes(Range8::FULL) => "int8",
            Precision::Bytes(_) => "int8w7",
        }
    }

    /// Eight bits as far as these kernels can be trusted with them on this CPU: the portable ones may
    /// saturate where they have no dot-product instruction (on x86, that of AVX-512).
    pub(super) fn bytes(kernels: Kernels) -> Self {
        let may_saturate = kernels.dots().is_none() && BYTES.with(GemmExecutor::may_saturate);
        Precision::Bytes(if may_saturate { Range8::NARROW } else { Range8::FULL })
    }
}

/// What happens to the result of an affine map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Store,
    Activate(Activation),
    /// Add to what the output holds (a residual connection).
    Accumulate,
}

/// Buffers for one thread's affine maps.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Quantised inputs and integer sums: group by group, row by row.
    bytes: Vec<u8>,
    rows: Vec<RowScale>,
    sums: Vec<i32>,
    own: ByteRows,
}

/// One affine map with its weights laid out for the kernel.
pub(super) struct Linear {
    inputs: usize,
    outputs: usize,
    bias: Vec<f32>,
    kernel: Kernel,
}

enum Kernel {
    Float(PackedBMatrix<f32>),
    Bytes(Vec<Group>),
    OwnFloat(FloatMap),
    OwnBytes(ByteMap),
}

/// Some neighbouring inputs of an affine map, whose weights are quantised together.
pub(super) struct ByteGroup {
    pub inputs: Range<usize>,
    /// `[outputs, inputs.len()]`, row by row.
    pub bytes: Vec<i8>,
    pub channels: ChannelScales,
}

/// Such a group, laid out for `rten-gemm`.
struct Group {
    inputs: Range<usize>,
    weights: PackedBMatrix<i8>,
    channels: ChannelScales,
}

impl Linear {
    /// `weights` is `[bias.len(), inputs]`, row by row, one row per output channel. The first
    /// `outliers` inputs are expected to be larger than the rest.
    pub(super) fn new(
        weights: &[f32],
        bias: Vec<f32>,
        precision: Precision,
        outliers: usize,
        kernels: Kernels,
    ) -> Self {
        let outputs = bias.len();
        let inputs = weights.len() / outputs;
        let groups = |range: Range8| {
            group_ranges(inputs, outliers, range.group)
                .map(move |group| quantise_group(weights, inputs, group, range))
        };
        let kernel = match (precision, kernels) {
            (Precision::Float, Kernels::Portable | Kernels::AvxVnni(_)) => {
                let matrix = NdTensorView::from_data([outputs, inputs], weights);
                Kernel::Float(with_float(|gemm| gemm.prepack_b(matrix.transposed())))
            }
            (Precision::Float, Kernels::Avx512(cpu)) => {
                Kernel::OwnFloat(FloatMap::new(cpu, weights, &bias))
            }
            (Precision::Bytes(range), kernels) => match kernels.dots() {
                None => Kernel::Bytes(groups(range).map(Group::pack).collect()),
                Some(cpu) => {
                    Kernel::OwnBytes(ByteMap::new(cpu, &groups(range).collect::<Vec<_>>(), &bias))
                }
            },
        };
        Linear { inputs, outputs, bias, kernel }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x` is `[rows, inputs]`, `out` is `[rows, outputs]`.
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32], then: Then, scratch: &mut Scratch) {
        match &self.kernel {
            Kernel::Float(weights) => self.apply_float(weights, x, out, then),
            Kernel::Bytes(groups) => self.apply_bytes(groups, x, out, then, scratch),
            Kernel::OwnFloat(map) => map.apply(x, out, then),
            Kernel::OwnBytes(map) => map.apply(x, out, then, &mut scratch.own),
        }
    }

    fn apply_float(&self, weights: &PackedBMatrix<f32>, x: &[f32], out: &mut [f32], then: Then) {
        let a = NdTensorView::from_data([x.len() / self.inputs, self.inputs], x);
        let options = GemmOptions {
            beta: if then == Then::Accumulate { 1.0 } else { 0.0 },
            bias: Some(BiasVector::Row(&self.bias)),
            ..GemmOptions::default()
        };
        let done = with_float(|gemm| {
            gemm.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Packed(weights), options)
        });
        if let Err(error) = done {
            unreachable!("the shapes were fixed when the model was loaded: {error}");
        }
        if let Then::Activate(activation) = then {
            activate(activation, out);
        }
    }

    fn apply_bytes(
        &self,
        groups: &[Group],
        x: &[f32],
        out: &mut [f32],
        then: Then,
        scratch: &mut Scratch,
    ) {
        let rows = x.len() / self.inputs;
        let Scratch { bytes, rows: scales, sums, .. } = scratch;
        sums.resize(groups.len() * rows * self.outputs, 0);
        scales.clear();
        for (group, sums) in groups.iter().zip(sums.chunks_exact_mut(rows * self.outputs)) {
            group.multiply(x, self.inputs, bytes, scales, sums);
        }
        for (row, out) in out.chunks_exact_mut(self.outputs).enumerate() {
            let sums = sums.chunks_exact(self.outputs).skip(row).step_by(rows);
            let scales = scales.iter().skip(row).step_by(rows);
            let channels = groups.iter().map(|group| &group.channels);
            Dequantise {
                groups: sums
                    .zip(scales)
                    .zip(channels)
                    .map(|((sums, row), channels)| (sums, *row, channels)),
                bias: &self.bias,
                out,
                add: then == Then::Accumulate,
                activate: match then {
                    Then::Activate(activation) => Some(activation),
                    Then::Store | Then::Accumulate => None,
                },
            }
            .dispatch();
        }
    }
}

/// The outliers, then the rest in parts of like size.
fn group_ranges(inputs: usize, outliers: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let outliers = outliers.min(inputs);
    let rest = inputs - outliers;
    let size = rest.div_ceil(rest.div_ceil(most).max(1)).max(1);
    let parts = (outliers..inputs).step_by(size).map(move |start| start..inputs.min(start + size));
    (outliers > 0).then_some(0..outliers).into_iter().chain(parts)
}

/// Quantises the weights of some neighbouring inputs, each output channel by its own range.
fn quantise_group(weights: &[f32], width: usize, inputs: Range<usize>, range: Range8) -> ByteGroup {
    let bound = f32::from(range.limit);
    let (mut bytes, mut scales, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    for channel in weights.chunks_exact(width) {
        let channel = &channel[inputs.clone()];
        let largest = channel.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        let scale = (largest / bound).max(f32::MIN_POSITIVE);
        let before = bytes.len();
        bytes.extend(
            channel
                .iter()
                .map(|weight| (weight / scale).round_ties_even().clamp(-bound, bound) as i8),
        );
        let sum: i32 = bytes[before..].iter().map(|&byte| i32::from(byte)).sum();
        offsets.push(sum as f32 * scale);
        scales.push(scale);
    }
    ByteGroup { inputs, bytes, channels: ChannelScales { scales, offsets } }
}

impl Group {
    fn pack(group: ByteGroup) -> Self {
        let ByteGroup { inputs, bytes, channels } = group;
        let matrix =
            NdTensorView::from_data([channels.scales.len(), inputs.len()], bytes.as_slice());
        Group { weights: BYTES.with(|gemm| gemm.prepack_b(matrix.transposed())), inputs, channels }
    }

    /// Quantises this group's columns of `x`, appends how to `scales`, and multiplies.
    fn multiply(
        &self,
        x: &[f32],
        width: usize,
        bytes: &mut Vec<u8>,
        scales: &mut Vec<RowScale>,
        sums: &mut [i32],
    ) {
        let (rows, size) = (x.len() / width, self.inputs.len());
        bytes.resize(rows * size, 0);
        for (row, bytes) in x.chunks_exact(width).zip(bytes.chunks_exact_mut(size)) {
            scales.push(quantise(&row[self.inputs.clone()], bytes));
        }
        let a = NdTensorView::from_data([rows, size], bytes.as_slice());
        let options = GemmOptions::default();
        let done = BYTES.with(|gemm| {
            gemm.gemm(sums, GemmInputA::Unpacked(a), GemmInputB::Packed(&self.weights), options)
        });
        if let Err(error) = done {
            unreachable!("the shapes were fixed when the model was loaded: {error}");
        }
    }
}
