//! Each kernel against a plain loop in f64, on odd shapes too, and against itself on fewer rows: the
//! bits of a row must not depend on the rows beside it. On CPUs without the features there is
//! nothing to test.

use proptest::prelude::*;

use super::super::affine;
use super::super::config::Activation;
use super::super::simd::{self, ChannelScales};
use super::*;

/// Numbers in −1..1 from a seed; a linear congruential generator is random enough here.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn any_then() -> impl Strategy<Value = Then> {
    prop_oneof![
        Just(Then::Store),
        Just(Then::Accumulate),
        Just(Then::Activate(Activation::Gelu)),
        Just(Then::Activate(Activation::GeluTanh)),
        Just(Then::Activate(Activation::Relu)),
    ]
}

/// erf by its power series, which is exact enough in f64 for |z| ≤ 4; one beyond.
fn erf(z: f64) -> f64 {
    if z.abs() > 4.0 {
        return z.signum();
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn finished(then: Then, before: f32, value: f64) -> f64 {
    match then {
        Then::Store => value,
        Then::Accumulate => f64::from(before) + value,
        Then::Activate(Activation::Relu) => value.max(0.0),
        Then::Activate(Activation::Gelu) => {
            0.5 * value * (1.0 + erf(value * std::f64::consts::FRAC_1_SQRT_2))
        }
        Then::Activate(Activation::GeluTanh) => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (value + 0.044_715 * value.powi(3));
            0.5 * value * (1.0 + inner.tanh())
        }
    }
}

/// x Wᵀ + b, and what then.
fn affine(x: &[f32], weights: &[f32], bias: &[f32], before: &[f32], then: Then) -> Vec<f64> {
    let inputs = weights.len() / bias.len();
    let mut out = Vec::new();
    for (x, before) in x.chunks_exact(inputs).zip(before.chunks_exact(bias.len())) {
        for ((weights, bias), before) in weights.chunks_exact(inputs).zip(bias).zip(before) {
            let sum: f64 = x.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            out.push(finished(then, *before, sum + f64::from(*bias)));
        }
    }
    out
}

fn farthest(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

/// Groups of weights that are whole numbers already, with scales of their own.
fn byte_groups(
    inputs: usize,
    outputs: usize,
    first: usize,
    seed: u64,
) -> (Vec<ByteGroup>, Vec<f32>) {
    let mut weights = vec![0.0; inputs * outputs];
    let ranges = [0..first.min(inputs), first.min(inputs)..inputs]
        .into_iter()
        .filter(|range| !range.is_empty());
    let groups = ranges.enumerate().map(|(index, range)| {
        let draw = numbers(outputs * range.len(), seed + index as u64);
        let bytes: Vec<i8> = draw.iter().map(|value| (value * 127.0) as i8).collect();
        let scales: Vec<f32> =
            numbers(outputs, seed + 7).iter().map(|value| 0.01 + value.abs() / 50.0).collect();
        let mut offsets = Vec::new();
        for (output, bytes) in bytes.chunks_exact(range.len()).enumerate() {
            for (byte, input) in bytes.iter().zip(range.clone()) {
                weights[output * inputs + input] = f32::from(*byte) * scales[output];
            }
            offsets.push(bytes.iter().map(|&byte| f32::from(byte)).sum::<f32>() * scales[output]);
        }
        ByteGroup { inputs: range, bytes, channels: ChannelScales { scales, offsets } }
    });
    (groups.collect(), weights)
}

/// A row as the quantisation leaves it, by the portable code.
fn rounded(x: &[f32], groups: &[ByteGroup]) -> Vec<f32> {
    let mut out = Vec::new();
    for group in groups {
        let values = &x[group.inputs.clone()];
        let mut bytes = vec![0; values.len()];
        let row = simd::quantise(values, &mut bytes);
        out.extend(bytes.iter().map(|&byte| row.scale * (i32::from(byte) - row.zero) as f32));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn float_maps(rows in 1usize..40, inputs in 1usize..70, outputs in 1usize..100, then in any_then(), seed: u64) {
        let Some(cpu) = Avx512::detect() else { return Ok(()) };
        let (x, weights) = (numbers(rows * inputs, seed), numbers(outputs * inputs, !seed));
        let (bias, before) = (numbers(outputs, seed ^ 1), numbers(rows * outputs, seed ^ 2));
        let map = FloatMap::new(cpu, &weights, &bias);
        let mut out = before.clone();
        map.apply(&x, &mut out, then);
        prop_assert!(farthest(&out, &affine(&x, &weights, &bias, &before, then)) < 2e-5);
        for row in 0..rows {
            let mut alone = before[row * outputs..][..outputs].to_vec();
            map.apply(&x[row * inputs..][..inputs], &mut alone, then);
            prop_assert_eq!(&alone, &out[row * outputs..][..outputs]);
        }
    }

    #[test]
    fn byte_maps(
        rows in 1usize..40, inputs in 1usize..70, outputs in 1usize..100, first in 0usize..20,
        then in any_then(), seed in 0..u64::MAX / 2,
    ) {
        let (groups, weights) = byte_groups(inputs, outputs, first, seed);
        let x: Vec<f32> = numbers(rows * inputs, seed).iter().map(|value| value * 3.0 + 0.5).collect();
        let (bias, before) = (numbers(outputs, seed ^ 1), numbers(rows * outputs, seed ^ 2));
        let near: Vec<f32> = x.chunks_exact(inputs).flat_map(|x| rounded(x, &groups)).collect();
        let expected = affine(&near, &weights, &bias, &before, then);
        for cpu in Dots::all() {
            let map = ByteMap::new(cpu, &groups, &bias);
            let (mut out, mut scratch) = (before.clone(), ByteRows::default());
            map.apply(&x, &mut out, then, &mut scratch);
            prop_assert!(farthest(&out, &expected) < 1e-3, "{cpu:?}");
            for row in 0..rows {
                let mut alone = before[row * outputs..][..outputs].to_vec();
                map.apply(&x[row * inputs..][..inputs], &mut alone, then, &mut scratch);
                prop_assert_eq!(&alone, &out[row * outputs..][..outputs]);
            }
        }
    }

    #[test]
    fn quantised_bytes_are_those_of_the_portable_code(width in 1usize..100, size in -20i32..20, shift in -2.0f32..2.0, seed: u64) {
        let Some(cpu) = Avx512::detect() else { return Ok(()) };
        let x: Vec<f32> = numbers(width, seed).iter().map(|value| (value + shift) * 2f32.powi(size)).collect();
        let group = ByteGroup {
            inputs: 0..width,
            bytes: vec![1; width],
            channels: ChannelScales { scales: vec![1.0], offsets: vec![width as f32] },
        };
        let map = ByteMap::new(Dots::Avx512(cpu), &[group], &[0.0]);
        let (mut out, mut scratch, mut expected) = ([0.0], ByteRows::default(), vec![0; width]);
        map.apply(&x, &mut out, Then::Store, &mut scratch);
        let row = simd::quantise(&x, &mut expected);
        prop_assert_eq!(&scratch.bytes[..width], &expected[..]);
        prop_assert_eq!(scratch.scales[0], RowScale { scale: row.scale, shift: -row.scale * row.zero as f32 });
    }

    #[test]
    fn layer_normalisation(width in 1usize..100, rows in 1usize..4, size in -3i32..4, seed: u64) {
        let Some(cpu) = Avx512::detect() else { return Ok(()) };
        let x: Vec<f32> = numbers(width * rows, seed).iter().map(|value| (value + 0.3) * 10f32.powi(size)).collect();
        let (scale, shift) = (numbers(width, seed ^ 1), numbers(width, seed ^ 2));
        let mut out = x.clone();
        normalise(cpu, &mut out, &scale, &shift, 1e-6);
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact(width)) {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
            let expected: Vec<f64> = x.iter().zip(&scale).zip(&shift).map(|((x, scale), shift)| {
                (f64::from(*x) - mean) / (variance + 1e-6).sqrt() * f64::from(*scale) + f64::from(*shift)
            }).collect();
            prop_assert!(farthest(out, &expected) < 1e-3, "{out:?} {expected:?}");
        }
    }

    #[test]
    fn attention(
        tokens in 1usize..90, heads in 1usize..4, size in prop_oneof![Just(16usize), Just(32), Just(48), Just(64)],
        sharpness in 0.1f32..20.0, cut in 0.0f64..1.0, seed: u64,
    ) {
        let Some(cpu) = Avx512::detect() else { return Ok(()) };
        let hidden = heads * size;
        let qkv: Vec<f32> = numbers(tokens * 3 * hidden, seed).iter().map(|value| value * sharpness.sqrt()).collect();
        let (mut out, mut scratch) = (vec![0.0; tokens * hidden], AttentionScratch::default());
        attend(cpu, &qkv, hidden, heads, 0..tokens, &mut out, &mut scratch);
        let expected = attended(&qkv, hidden, size);
        prop_assert!(farthest(&out, &expected) < 1e-4 * f64::from(sharpness.max(1.0)));
        let some = (tokens as f64 * cut) as usize..tokens;
        let mut part = vec![0.0; some.len() * hidden];
        attend(cpu, &qkv, hidden, heads, some.clone(), &mut part, &mut scratch);
        prop_assert_eq!(&part[..], &out[some.start * hidden..]);
    }
}

/// softmax(q kᵀ) v for each head.
fn attended(qkv: &[f32], hidden: usize, size: usize) -> Vec<f64> {
    let rows: Vec<&[f32]> = qkv.chunks_exact(3 * hidden).collect();
    let mut out = Vec::new();
    for row in &rows {
        for start in (0..hidden).step_by(size) {
            let dot = |other: &&[f32]| -> f64 {
                let (q, k) = (&row[start..start + size], &other[hidden + start..][..size]);
                q.iter().zip(k).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum()
            };
            let scores: Vec<f64> = rows.iter().map(dot).collect();
            let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
            let powers: Vec<f64> = scores.iter().map(|score| (score - greatest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            for column in 0..size {
                let values = rows.iter().map(|row| f64::from(row[2 * hidden + start + column]));
                out.push(values.zip(&powers).map(|(value, power)| value * power / sum).sum());
            }
        }
    }
    out
}

#[test]
fn activations_over_their_whole_range() {
    let Some(cpu) = Avx512::detect() else { return };
    let map = FloatMap::new(cpu, &[1.0], &[0.0]);
    let x: Vec<f32> = (-3000..3000).map(|step| step as f32 / 200.0).collect();
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let mut out = vec![0.0; x.len()];
        map.apply(&x, &mut out, Then::Activate(activation));
        for (x, out) in x.iter().zip(out) {
            let expected = finished(Then::Activate(activation), 0.0, f64::from(*x));
            assert!(
                (f64::from(out) - expected).abs() < 4e-6,
                "{activation:?}({x}) = {out}, not {expected}"
            );
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    let Some(cpu) = Avx512::detect() else { return };
    // What lies behind an empty slice stays as it was.
    let mut behind = [7.0f32; 64];
    FloatMap::new(cpu, &[1.0, 2.0], &[0.0]).apply(&[], &mut behind[..0], Then::Store);
    attend(cpu, &[], 32, 1, 0..0, &mut behind[..0], &mut AttentionScratch::default());
    normalise(cpu, &mut behind[..0], &[1.0], &[0.0], 1e-6);
    assert_eq!(behind, [7.0; 64]);
}

proptest! {
    #[test]
    fn rows_of_bytes_are_multiplied(
        (rows, width) in (0usize..10, prop_oneof![20 => 0usize..600, 1 => Just(LONGEST_ROW)]),
        seed in any::<u64>(),
        largest in any::<bool>(),
    ) {
        let x: Vec<u8> = numbers(width, seed)
            .iter()
            .map(|x| if largest { 255 } else { (x * 127.0 + 128.0) as u8 })
            .collect();
        let bytes: Vec<i8> = numbers(rows * width, !seed)
            .iter()
            .map(|x| if largest { -128 } else { (x * 128.0) as i8 })
            .collect();
        let mut expected = vec![2; rows];
        affine::multiply_rows_plainly(&bytes, &x, &mut expected);
        for cpu in Dots::all() {
            let mut found = vec![1; rows];
            multiply_rows(cpu, &bytes, &x, &mut found);
            prop_assert_eq!(&found, &expected, "{:?}", cpu);
        }
    }
}
