//! Affine maps y = x Wᵀ + b, the encoder's work: in f32, or with 8-bit weights and activations.
//!
//! Callers see [`Linear`] only. How the weights are laid out and which kernel runs is decided when
//! the model is loaded, so faster kernels for one kind of CPU become another variant of `Kernel` and
//! nothing else changes.
//!
//! Eight bits: each output channel of W has its own symmetric scale, each row of x is quantised on
//! the spot to u8 with its own scale and zero point, and the products are summed exactly in i32:
//! y ≈ s_row · s_channel · (Σ q_x q_w − zero_row · Σ q_w) + b. The second sum is known at load time.
//! It is applied here and not by `rten-gemm`, which (0.27) reads the zero points of the first row
//! tile for all rows.

use std::ops::Range;

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_tensor::NdTensorView;
use rten_vecmath::{ApproxGelu, Gelu};

use super::config::Activation;
use super::simd::{ChannelScales, Dequantise, RowScale, quantise};

/// Inputs that share a scale. Smaller groups cost time and save precision: with all 384 inputs in
/// one, short texts lose twice as much against f32.
const GROUP: usize = 128;

thread_local! {
    // An executor is a kernel choice, not `Send`, and asks the CPU for its features when it is made.
    static FLOAT: GemmExecutor<f32, f32, f32> = GemmExecutor::new();
    static BYTES: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
}

/// Runs `use_executor` with this thread's f32 kernels.
pub(super) fn with_float<T>(use_executor: impl FnOnce(&GemmExecutor<f32, f32, f32>) -> T) -> T {
    FLOAT.with(use_executor)
}

/// How weights and activations are held in the affine maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Float,
    /// Weights in −`limit`..=`limit`.
    Bytes { limit: i8 },
}

impl Precision {
    /// How the precision reads in an encoder's id.
    pub(super) fn label(self) -> &'static str {
        match self {
            Precision::Float => "f32",
            Precision::Bytes { limit: 127 } => "int8",
            Precision::Bytes { .. } => "int8w7",
        }
    }

    /// Eight bits as far as this CPU can be trusted with them.
    ///
    /// Without a dot-product instruction (VNNI on x86) the kernels add pairs of u8 × i8 products in
    /// saturating 16-bit arithmetic: 2 · 255 · 64 = 32,640 still fits, anything above may not.
    pub(super) fn bytes_for_cpu() -> Self {
        let may_saturate = BYTES.with(GemmExecutor::may_saturate);
        Precision::Bytes {
            limit: if may_saturate { 64 } else { 127 },
        }
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
pub(super) struct Scratch {
    /// Quantised inputs and integer sums: group by group, row by row.
    bytes: Vec<u8>,
    rows: Vec<RowScale>,
    sums: Vec<i32>,
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
}

/// Some neighbouring inputs of an affine map, quantised together.
struct Group {
    inputs: Range<usize>,
    weights: PackedBMatrix<i8>,
    channels: ChannelScales,
}

impl Linear {
    /// `weights` is `[bias.len(), inputs]`, row by row, one row per output channel.
    pub(super) fn new(weights: &[f32], bias: Vec<f32>, precision: Precision) -> Self {
        let outputs = bias.len();
        let inputs = weights.len() / outputs;
        let kernel = match precision {
            Precision::Float => {
                let matrix = NdTensorView::from_data([outputs, inputs], weights);
                Kernel::Float(with_float(|gemm| gemm.prepack_b(matrix.transposed())))
            }
            Precision::Bytes { limit } => {
                let size = inputs.div_ceil(inputs.div_ceil(GROUP));
                let group = |start| Group::new(weights, inputs, start..inputs.min(start + size), limit);
                let f: usize = std::env::var("FIRST").map_or(0, |s| s.parse().unwrap_or(0));
                let _ = size; let _ = group;
                let n = inputs.div_ceil(GROUP); 
                let e = |k: &str, d: usize| std::env::var(k).map_or(d, |s| s.parse().unwrap_or(d));
                let (f, n) = if inputs > 400 { (e("DFIRST", 0), e("DN", n)) } else { (f, e("REST", n - 1)) };
                let size = ((inputs - f) / n).next_multiple_of(4);
                let mut v = vec![]; if f > 0 { v.push(Group::new(weights, inputs, 0..f, limit)); } let mut at = f; while at < inputs { v.push(Group::new(weights, inputs, at..inputs.min(at + size), limit)); at += size; }
                Kernel::Bytes(v)
            }
        };
        Linear {
            inputs,
            outputs,
            bias,
            kernel,
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x` is `[rows, inputs]`, `out` is `[rows, outputs]`.
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32], then: Then, scratch: &mut Scratch) {
        match &self.kernel {
            Kernel::Float(weights) => self.apply_float(weights, x, out, then),
            Kernel::Bytes(groups) => self.apply_bytes(groups, x, out, then, scratch),
        }
    }

    fn apply_float(&self, weights: &PackedBMatrix<f32>, x: &[f32], out: &mut [f32], then: Then) {
        let a = NdTensorView::from_data([x.len() / self.inputs, self.inputs], x);
        let options = GemmOptions {
            beta: if then == Then::Accumulate { 1.0 } else { 0.0 },
            bias: Some(BiasVector::Row(&self.bias)),
            ..GemmOptions::default()
        };
        let done = with_float(|gemm| gemm.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Packed(weights), options));
        if let Err(error) = done {
            unreachable!("the shapes were fixed when the model was loaded: {error}");
        }
        match then {
            Then::Activate(Activation::Gelu) => Gelu {}.map_mut(out),
            Then::Activate(Activation::GeluTanh) => ApproxGelu {}.map_mut(out),
            Then::Activate(Activation::Relu) => out.iter_mut().for_each(|value| *value = value.max(0.0)),
            Then::Store | Then::Accumulate => {}
        }
    }

    fn apply_bytes(&self, groups: &[Group], x: &[f32], out: &mut [f32], then: Then, scratch: &mut Scratch) {
        let rows = x.len() / self.inputs;
        let Scratch {
            bytes,
            rows: scales,
            sums,
        } = scratch;
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
                groups: sums.zip(scales).zip(channels).map(|((sums, row), channels)| (sums, *row, channels)),
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

impl Group {
    fn new(weights: &[f32], width: usize, inputs: Range<usize>, limit: i8) -> Self {
        let bound = f32::from(limit);
        let (mut bytes, mut scales, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        for channel in weights.chunks_exact(width) {
            let channel = &channel[inputs.clone()];
            let largest = channel.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            let scale = (largest / bound).max(f32::MIN_POSITIVE);
            let before = bytes.len();
            bytes.extend(channel.iter().map(|weight| (weight / scale).round_ties_even().clamp(-bound, bound) as i8));
            let sum: i32 = bytes[before..].iter().map(|&byte| i32::from(byte)).sum();
            offsets.push(sum as f32 * scale);
            scales.push(scale);
        }
        let matrix = NdTensorView::from_data([scales.len(), inputs.len()], bytes.as_slice());
        Group {
            weights: BYTES.with(|gemm| gemm.prepack_b(matrix.transposed())),
            inputs,
            channels: ChannelScales { scales, offsets },
        }
    }

    /// Quantises this group's columns of `x`, appends how to `scales`, and multiplies.
    fn multiply(&self, x: &[f32], width: usize, bytes: &mut Vec<u8>, scales: &mut Vec<RowScale>, sums: &mut [i32]) {
        let (rows, size) = (x.len() / width, self.inputs.len());
        bytes.resize(rows * size, 0);
        for (row, bytes) in x.chunks_exact(width).zip(bytes.chunks_exact_mut(size)) {
            scales.push(quantise(&row[self.inputs.clone()], bytes));
        }
        let a = NdTensorView::from_data([rows, size], bytes.as_slice());
        let options = GemmOptions::default();
        let done =
            BYTES.with(|gemm| gemm.gemm(sums, GemmInputA::Unpacked(a), GemmInputB::Packed(&self.weights), options));
        if let Err(error) = done {
            unreachable!("the shapes were fixed when the model was loaded: {error}");
        }
    }
}
