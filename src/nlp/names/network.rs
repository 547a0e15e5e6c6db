//! The network: each word's state and shape go through an affine map and ReLU; the results of five
//! neighbouring words side by side go through another, and a last one gives the log-odds of seven
//! labels.
//!
//! h_i = max(0, [state_i, shape_i] W₁ + b₁),
//! g_i = max(0, [h_{i−2} … h_{i+2}] W₂ + b₂), logits_i = g_i W₃ + b₃.
//! Beyond the ends of the text h is 0.

use super::Logits;
use super::shape::{self, Shape};
use super::words::Word;
use crate::nlp::encoder::Reading;
use crate::nlp::encoder::affine::{Affine, Scratch};

/// Labels: none, and beginning and continuation of three kinds.
pub(super) const CLASSES: usize = 7;
/// Words on each side that count.
pub(super) const REACH: usize = 2;
/// Words that the second layer sees.
pub(super) const SPAN: usize = 2 * REACH + 1;
/// Words worked on at a time: long texts need no more memory than that.
const BLOCK: usize = 512;
/// Inputs of the first layer that share a scale in eight bits: few, as some channels are far larger than the rest.
const GROUP: usize = 64;

/// The numbers that are learnt. Matrices are row-major, `[inputs, outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    /// Length of a state.
    pub states: usize,
    /// Length of a shape.
    pub shapes: usize,
    /// Outputs of the first layer.
    pub first: usize,
    /// Outputs of the second layer.
    pub second: usize,
    pub w1: Vec<f32>,
    pub b1: Vec<f32>,
    pub w2: Vec<f32>,
    pub b2: Vec<f32>,
    pub w3: Vec<f32>,
    pub b3: Vec<f32>,
}

impl Parameters {
    /// All zero.
    pub(super) fn zero(states: usize, first: usize, second: usize) -> Self {
        let shapes = shape::COUNT;
        Self {
            states,
            shapes,
            first,
            second,
            w1: vec![0.0; (states + shapes) * first],
            b1: vec![0.0; first],
            w2: vec![0.0; SPAN * first * second],
            b2: vec![0.0; second],
            w3: vec![0.0; second * CLASSES],
            b3: vec![0.0; CLASSES],
        }
    }

    /// The matrices and biases, in the order of the file.
    pub(super) fn parts(&self) -> [&Vec<f32>; 6] {
        [&self.w1, &self.b1, &self.w2, &self.b2, &self.w3, &self.b3]
    }

    /// The same, to be changed.
    pub(super) fn parts_mut(&mut self) -> [&mut Vec<f32>; 6] {
        [&mut self.w1, &mut self.b1, &mut self.w2, &mut self.b2, &mut self.w3, &mut self.b3]
    }
}

/// A network that is ready to run.
pub(super) struct Network {
    states: usize,
    first: Affine,
    second: Affine,
    third: Affine,
}

/// A layer; with `together` inputs sharing a scale in eight bits, where the CPU is fast at them.
fn layer(weights: &[f32], bias: &[f32], together: Option<usize>, relu: bool) -> Affine {
    let (inputs, outputs) = (weights.len() / bias.len(), bias.len());
    let mut rows = vec![0.0; weights.len()];
    for (input, weights) in weights.chunks_exact(outputs).enumerate() {
        for (output, weight) in weights.iter().enumerate() {
            rows[output * inputs + input] = *weight;
        }
    }
    Affine::new(&rows, bias.to_vec(), together, relu)
}

impl Network {
    pub(super) fn new(p: &Parameters) -> Self {
        Self {
            states: p.states,
            first: layer(&p.w1, &p.b1, Some(GROUP), true),
            second: layer(&p.w2, &p.b2, Some(p.first), true),
            third: layer(&p.w3, &p.b3, None, false),
        }
    }

    /// Whether the reading's states have the length that the network was trained for.
    pub(super) fn fits(&self, reading: &Reading) -> bool {
        reading.states().next().is_none_or(|s| s.len() == self.states)
    }

    /// Each word's log-odds.
    pub(super) fn run(&self, words: &[Word], reading: &Reading, shapes: &[Shape]) -> Vec<Logits> {
        let mut logits = Vec::with_capacity(words.len());
        let (width, hidden) = (self.states + shape::COUNT, self.first.outputs());
        let mut scratch = Scratch::default();
        let mut states = reading.states();
        // Hidden rows of the words `done − REACH .. `, zeros before the first word.
        let mut rows = vec![0.0f32; REACH * hidden];
        let (mut x, mut spans) = (Vec::new(), Vec::new());
        let (mut middle, mut out) = (Vec::new(), Vec::new());
        for start in (0..words.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(words.len());
            x.clear();
            x.resize((end - start) * width, 0.0);
            let inputs = words[start..end].iter().zip(&shapes[start..end]);
            for ((word, shape), row) in inputs.zip(x.chunks_exact_mut(width)) {
                let (state, tail) = row.split_at_mut(self.states);
                mean(states.by_ref().take(word.tokens.len()), state);
                shape.write(tail);
            }
            let at = rows.len();
            rows.resize(at + (end - start) * hidden, 0.0);
            self.first.apply(&x, &mut rows[at..], &mut scratch);
            if end == words.len() {
                rows.resize(rows.len() + REACH * hidden, 0.0);
            }
            let ready = (rows.len() / hidden).saturating_sub(2 * REACH);
            spans.clear();
            spans.reserve(ready * SPAN * hidden);
            for i in 0..ready {
                spans.extend_from_slice(&rows[i * hidden..(i + SPAN) * hidden]);
            }
            middle.clear();
            middle.resize(ready * self.second.outputs(), 0.0);
            self.second.apply(&spans, &mut middle, &mut scratch);
            out.clear();
            out.resize(ready * CLASSES, 0.0);
            self.third.apply(&middle, &mut out, &mut scratch);
            logits.extend(out.as_chunks::<CLASSES>().0);
            rows.drain(..ready * hidden);
        }
        logits
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("states", &self.states)
            .field("first", &self.first.outputs())
            .field("second", &self.second.outputs())
            .finish()
    }
}

/// The mean of some states.
pub(super) fn mean<'a>(states: impl ExactSizeIterator<Item = &'a [f32]>, out: &mut [f32]) {
    let n = states.len().max(1) as f32;
    for state in states {
        out.iter_mut().zip(state).for_each(|(o, s)| *o += s);
    }
    if n > 1.0 {
        out.iter_mut().for_each(|o| *o /= n);
    }
}
