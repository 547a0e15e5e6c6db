//! The BERT encoder itself (Devlin et al. 2019, post-norm): embeddings, then layers of attention and
//! feed-forward, each followed by a residual connection and layer normalisation.
//!
//! Sequences of a pass lie one after another without padding. A pass can be split by token rows over
//! several threads: every row is computed alike wherever it lands, and a layer needs one meeting
//! point only, because the keys and values of the next layer go to a second buffer.

use std::ops::Range;

use rayon::ThreadPool;
use rten_simd::SimdOp;

use super::config::{Activation, Architecture, ArchitectureError};
use super::linear::{Linear, Precision, Then};
use super::simd::LayerNorm;
use super::weights::{Weights, WeightsError};
use super::{attention, linear};

/// Rows that go through a feed-forward block together, so that what lies between its two maps stays
/// in the second-level cache.
const BLOCK: usize = 64;

/// A loaded model.
pub(super) struct Graph {
    hidden: usize,
    heads: usize,
    activation: Activation,
    epsilon: f32,
    taps: (usize, usize),
    words: Vec<f32>,
    /// Position embeddings with the embedding of the first segment added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    /// Queries (divided by √head size), keys and values in one map.
    qkv: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Buffers of one thread. They grow to the largest pass seen and are then reused.
#[derive(Default)]
pub(super) struct Workspace {
    x: Vec<f32>,
    context: Vec<f32>,
    wide: Vec<f32>,
    lower: Vec<f32>,
    upper: Vec<f32>,
    linear: linear::Scratch,
    attention: attention::Scratch,
}

/// Queries, keys and values of a whole pass: of the layer at work and of the next one.
#[derive(Default)]
pub(super) struct Board {
    now: Vec<f32>,
    next: Vec<f32>,
}

/// One thread's share of a pass: its token rows, its buffers, its thread.
pub(super) struct Share<'a> {
    pub rows: Range<usize>,
    pub workspace: &'a mut Workspace,
    pub pool: &'a ThreadPool,
}

/// Token states of one share, each `[rows, hidden]`.
#[derive(Clone, Copy)]
pub(super) struct States<'a> {
    pub lower: &'a [f32],
    pub upper: &'a [f32],
    pub last: &'a [f32],
}

impl Workspace {
    /// The states that the last pass left.
    pub(super) fn states(&self) -> States<'_> {
        States {
            lower: &self.lower,
            upper: &self.upper,
            last: &self.x,
        }
    }
}

impl Graph {
    pub(super) fn load(
        weights: &Weights<'_>,
        architecture: &Architecture,
        precision: Precision,
    ) -> Result<Self, ArchitectureError> {
        let hidden = architecture.hidden;
        let words = weights.take("embeddings.word_embeddings.weight", &[architecture.vocabulary, hidden])?;
        let mut positions = weights.take("embeddings.position_embeddings.weight", &[architecture.positions, hidden])?;
        let segments = "embeddings.token_type_embeddings.weight";
        if weights.has(segments) {
            let [kinds, _] = weights.shape(segments)?;
            let segments = weights.take(segments, &[kinds, hidden])?;
            for position in positions.chunks_exact_mut(hidden) {
                position.iter_mut().zip(&segments).for_each(|(value, segment)| *value += segment);
            }
        }
        let layers = (0..architecture.layers)
            .map(|layer| Layer::load(weights, architecture, precision, layer))
            .collect::<Result<_, _>>()?;
        Ok(Graph {
            hidden,
            heads: architecture.heads,
            activation: architecture.activation,
            epsilon: architecture.epsilon,
            taps: architecture.taps(),
            words,
            positions,
            norm: Norm::load(weights, "embeddings.LayerNorm", hidden)?,
            layers,
        })
    }

    /// Runs `sequences` (token ids below the vocabulary size, each no longer than the position table)
    /// through all layers and leaves the states in the workspaces of `shares`, whose rows together
    /// are the tokens of the sequences in order. Runs on the thread of the first share.
    pub(super) fn forward(&self, sequences: &[&[u32]], board: &mut Board, shares: &mut [Share<'_>]) {
        let tokens: usize = sequences.iter().map(|sequence| sequence.len()).sum();
        let width = 3 * self.hidden;
        board.now.resize(tokens * width, 0.0);
        board.next.resize(tokens * width, 0.0);
        let Some(first) = self.layers.first() else {
            return;
        };
        fork(shares, &mut board.next, width, &|share, next| {
            self.embed(sequences, share);
            self.project(first, share, next);
        });
        for (index, layer) in self.layers.iter().enumerate() {
            std::mem::swap(&mut board.now, &mut board.next);
            let (now, following) = (&board.now, self.layers.get(index + 1));
            fork(shares, &mut board.next, width, &|share, next| {
                self.run(layer, sequences, now, share);
                let Workspace { x, lower, upper, .. } = &mut *share.workspace;
                if index + 1 == self.taps.0 {
                    lower.clone_from(x);
                }
                if index + 1 == self.taps.1 {
                    upper.clone_from(x);
                }
                if let Some(following) = following {
                    self.project(following, share, next);
                }
            });
        }
    }

    /// Sums of word, position and segment embeddings, normalised.
    fn embed(&self, sequences: &[&[u32]], share: &mut Share<'_>) {
        let x = &mut share.workspace.x;
        x.clear();
        let tokens = sequences.iter().flat_map(|sequence| sequence.iter().enumerate());
        for (position, &id) in tokens.skip(share.rows.start).take(share.rows.len()) {
            let word = &self.words[id as usize * self.hidden..][..self.hidden];
            let position = &self.positions[position * self.hidden..][..self.hidden];
            x.extend(word.iter().zip(position).map(|(word, position)| word + position));
        }
        self.norm.apply(x, self.epsilon);
    }

    /// One layer over the rows of a share; `qkv` holds the projections of all rows.
    fn run(&self, layer: &Layer, sequences: &[&[u32]], qkv: &[f32], share: &mut Share<'_>) {
        let (rows, hidden) = (share.rows.clone(), self.hidden);
        let Workspace { x, context, wide, linear, attention, .. } = &mut *share.workspace;
        context.resize(rows.len() * hidden, 0.0);
        let mut start = 0;
        for sequence in sequences {
            let end = start + sequence.len();
            let (from, to) = (start.max(rows.start), end.min(rows.end));
            if from < to {
                let out = &mut context[(from - rows.start) * hidden..(to - rows.start) * hidden];
                let qkv = &qkv[start * 3 * hidden..end * 3 * hidden];
                attention::attend(qkv, hidden, self.heads, from - start..to - start, out, attention);
            }
            start = end;
        }
        for (x, context) in x.chunks_mut(BLOCK * hidden).zip(context.chunks(BLOCK * hidden)) {
            layer.output.apply(context, x, Then::Accumulate, linear);
            layer.attention_norm.apply(x, self.epsilon);
            wide.resize(x.len() / hidden * layer.up.outputs(), 0.0);
            layer.up.apply(x, wide, Then::Activate(self.activation), linear);
            layer.down.apply(wide, x, Then::Accumulate, linear);
            layer.norm.apply(x, self.epsilon);
        }
    }

    /// Projects the rows of a share to queries, keys and values.
    fn project(&self, layer: &Layer, share: &mut Share<'_>, qkv: &mut [f32]) {
        let Workspace { x, linear, .. } = &mut *share.workspace;
        let blocks = x.chunks(BLOCK * self.hidden).zip(qkv.chunks_mut(BLOCK * 3 * self.hidden));
        for (x, qkv) in blocks {
            layer.qkv.apply(x, qkv, Then::Store, linear);
        }
    }
}

impl Layer {
    fn load(
        weights: &Weights<'_>,
        architecture: &Architecture,
        precision: Precision,
        layer: usize,
    ) -> Result<Self, WeightsError> {
        let (hidden, wide) = (architecture.hidden, architecture.intermediate);
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let map = |part: &str, outputs: usize, inputs: usize| -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
            let matrix = weights.take(&name(&format!("{part}.weight")), &[outputs, inputs])?;
            Ok((matrix, weights.take(&name(&format!("{part}.bias")), &[outputs])?))
        };
        let linear = |part: &str, outputs: usize, inputs: usize| {
            map(part, outputs, inputs).map(|(matrix, bias)| Linear::new(&matrix, bias, precision))
        };
        let (mut matrix, mut bias) = map("attention.self.query", hidden, hidden)?;
        let scale = 1.0 / (architecture.head_size() as f32).sqrt();
        matrix.iter_mut().chain(&mut bias).for_each(|value| *value *= scale);
        for part in ["attention.self.key", "attention.self.value"] {
            let (more, more_bias) = map(part, hidden, hidden)?;
            matrix.extend(more);
            bias.extend(more_bias);
        }
        Ok(Layer {
            qkv: Linear::new(&matrix, bias, precision),
            output: linear("attention.output.dense", hidden, hidden)?,
            attention_norm: Norm::load(weights, &name("attention.output.LayerNorm"), hidden)?,
            up: linear("intermediate.dense", wide, hidden)?,
            down: linear("output.dense", hidden, wide)?,
            norm: Norm::load(weights, &name("output.LayerNorm"), hidden)?,
        })
    }
}

impl Norm {
    /// Older checkpoints call the two vectors gamma and beta.
    fn load(weights: &Weights<'_>, name: &str, width: usize) -> Result<Self, WeightsError> {
        let take = |new: &str, old: &str| {
            let old = format!("{name}.{old}");
            let name = if weights.has(&old) { old } else { format!("{name}.{new}") };
            weights.take(&name, &[width])
        };
        Ok(Norm {
            scale: take("weight", "gamma")?,
            shift: take("bias", "beta")?,
        })
    }

    fn apply(&self, rows: &mut [f32], epsilon: f32) {
        let width = self.scale.len();
        for row in rows.chunks_exact_mut(width) {
            LayerNorm {
                row,
                scale: &self.scale,
                shift: &self.shift,
                epsilon,
            }
            .dispatch();
        }
    }
}

/// Calls `work` for each share on its own thread, with its rows of `next`, and waits for all.
fn fork(shares: &mut [Share<'_>], next: &mut [f32], width: usize, work: &(dyn Fn(&mut Share<'_>, &mut [f32]) + Sync)) {
    match shares {
        [] => {}
        [only] => work(only, next),
        [first, rest @ ..] => {
            let (mine, others) = next.split_at_mut(first.rows.len() * width);
            let pool = rest[0].pool;
            pool.in_place_scope(|scope| {
                scope.spawn(|_| fork(rest, others, width, work));
                work(first, mine);
            });
        }
    }
}
