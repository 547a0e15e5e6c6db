//! The BERT encoder itself (Devlin et al. 2019, post-norm): embeddings, then layers of attention and
//! feed-forward, each followed by a residual connection and layer normalisation.
//!
//! Sequences of a pass lie one after another without padding. A pass can be split by token rows over
//! several threads: every row is computed alike wherever it lands, and a layer needs one meeting
//! point only, because the keys and values of the next layer go to a second buffer.

use std::ops::Range;
use std::sync::Arc;

use rayon::ThreadPool;
use rten_simd::SimdOp;

use super::config::{Activation, Architecture, ArchitectureError};
use super::kernels;
use super::linear::{Kernels, Linear, Precision, Then};
use super::order::ChannelOrder;
use super::simd::LayerNorm;
use super::weights::{Weights, WeightsError};
use super::{attention, linear};

/// Most rows that go through a feed-forward block together, so that what lies between its two maps
/// stays in the second-level cache.
const BLOCK: usize = 72;

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
    /// How the hidden channels are held in all of the above.
    order: Arc<ChannelOrder>,
    kernels: Kernels,
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
    own_attention: kernels::AttentionScratch,
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
        States { lower: &self.lower, upper: &self.upper, last: &self.x }
    }
}

impl Graph {
    pub(super) fn load(
        weights: &Weights<'_>,
        architecture: &Architecture,
        precision: Precision,
        kernels: Kernels,
    ) -> Result<Self, ArchitectureError> {
        let hidden = architecture.hidden;
        let order = match precision {
            Precision::Float => ChannelOrder::natural(),
            Precision::Bytes(_) => ChannelOrder::by_size(weights, architecture)?,
        };
        let mut words = weights
            .take("embeddings.word_embeddings.weight", &[architecture.vocabulary, hidden])?;
        let mut positions = weights
            .take("embeddings.position_embeddings.weight", &[architecture.positions, hidden])?;
        let segments = "embeddings.token_type_embeddings.weight";
        if weights.has(segments) {
            let [kinds, _] = weights.shape(segments)?;
            let segments = weights.take(segments, &[kinds, hidden])?;
            for position in positions.chunks_exact_mut(hidden) {
                position.iter_mut().zip(&segments).for_each(|(value, segment)| *value += segment);
            }
        }
        order.arrange_columns(&mut words);
        order.arrange_columns(&mut positions);
        let loader = Loader { weights, architecture, precision, order: &order, kernels };
        let layers =
            (0..architecture.layers).map(|layer| loader.layer(layer)).collect::<Result<_, _>>()?;
        Ok(Graph {
            hidden,
            heads: architecture.heads,
            activation: architecture.activation,
            epsilon: architecture.epsilon,
            taps: architecture.taps(),
            words,
            positions,
            norm: loader.norm("embeddings.LayerNorm")?,
            layers,
            order: Arc::new(order),
            kernels,
        })
    }

    /// Whether `rten`'s kernels are in use, which spread over the pool that they are called in.
    pub(super) fn needs_pool(&self) -> bool {
        match self.kernels {
            Kernels::Portable | Kernels::AvxVnni(_) => true,
            Kernels::Avx512(_) => false,
        }
    }

    /// How the hidden channels are held, to bring states into the model's own order.
    pub(super) fn order(&self) -> &Arc<ChannelOrder> {
        &self.order
    }

    /// Runs `sequences` (token ids below the vocabulary size, each no longer than the position table)
    /// through all layers and leaves the states in the workspaces of `shares`, whose rows together
    /// are the tokens of the sequences in order. Runs on the thread of the first share.
    pub(super) fn forward(
        &self,
        sequences: &[&[u32]],
        board: &mut Board,
        shares: &mut [Share<'_>],
    ) {
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
        self.norm.apply(x, self.epsilon, self.kernels);
    }

    /// One layer over the rows of a share; `qkv` holds the projections of all rows.
    fn run(&self, layer: &Layer, sequences: &[&[u32]], qkv: &[f32], share: &mut Share<'_>) {
        let (rows, hidden) = (share.rows.clone(), self.hidden);
        let Workspace { x, context, wide, linear, attention, own_attention, .. } =
            &mut *share.workspace;
        context.resize(rows.len() * hidden, 0.0);
        let mut start = 0;
        for sequence in sequences {
            let end = start + sequence.len();
            let (from, to) = (start.max(rows.start), end.min(rows.end));
            if from < to {
                let out = &mut context[(from - rows.start) * hidden..(to - rows.start) * hidden];
                let qkv = &qkv[start * 3 * hidden..end * 3 * hidden];
                let queries = from - start..to - start;
                match self.kernels {
                    Kernels::Avx512(cpu) => {
                        kernels::attend(cpu, qkv, hidden, self.heads, queries, out, own_attention)
                    }
                    Kernels::Portable | Kernels::AvxVnni(_) => {
                        attention::attend(qkv, hidden, self.heads, queries, out, attention)
                    }
                }
            }
            start = end;
        }
        let block = block(rows.len()) * hidden;
        for (x, context) in x.chunks_mut(block).zip(context.chunks(block)) {
            layer.output.apply(context, x, Then::Accumulate, linear);
            layer.attention_norm.apply(x, self.epsilon, self.kernels);
            wide.resize(x.len() / hidden * layer.up.outputs(), 0.0);
            layer.up.apply(x, wide, Then::Activate(self.activation), linear);
            layer.down.apply(wide, x, Then::Accumulate, linear);
            layer.norm.apply(x, self.epsilon, self.kernels);
        }
    }

    /// Projects the rows of a share to queries, keys and values.
    fn project(&self, layer: &Layer, share: &mut Share<'_>, qkv: &mut [f32]) {
        let Workspace { x, linear, .. } = &mut *share.workspace;
        let block = block(share.rows.len()) * self.hidden;
        for (x, qkv) in x.chunks(block).zip(qkv.chunks_mut(3 * block)) {
            layer.qkv.apply(x, qkv, Then::Store, linear);
        }
    }
}

struct Loader<'a> {
    weights: &'a Weights<'a>,
    architecture: &'a Architecture,
    precision: Precision,
    order: &'a ChannelOrder,
    kernels: Kernels,
}

impl Loader<'_> {
    fn layer(&self, layer: usize) -> Result<Layer, WeightsError> {
        let (hidden, wide, outliers) =
            (self.architecture.hidden, self.architecture.intermediate, self.order.outliers());
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");

        let scale = 1.0 / (self.architecture.head_size() as f32).sqrt();
        let (mut matrix, mut bias) = self.map(&name("attention.self.query"), hidden, hidden)?;
        matrix.iter_mut().chain(&mut bias).for_each(|value| *value *= scale);
        for part in ["attention.self.key", "attention.self.value"] {
            let (more, more_bias) = self.map(&name(part), hidden, hidden)?;
            matrix.extend(more);
            bias.extend(more_bias);
        }
        self.order.arrange_columns(&mut matrix);
        let qkv = Linear::new(&matrix, bias, self.precision, outliers, self.kernels);

        let (mut matrix, bias) = self.map(&name("intermediate.dense"), wide, hidden)?;
        self.order.arrange_columns(&mut matrix);
        let up = Linear::new(&matrix, bias, self.precision, outliers, self.kernels);

        Ok(Layer {
            qkv,
            output: self.hidden_sum(&name("attention.output.dense"), hidden)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"))?,
            up,
            down: self.hidden_sum(&name("output.dense"), wide)?,
            norm: self.norm(&name("output.LayerNorm"))?,
        })
    }

    fn map(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
        let matrix = self.weights.take(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok((matrix, self.weights.take(&format!("{name}.bias"), &[outputs])?))
    }

    /// A map whose results are added to the hidden channels.
    fn hidden_sum(&self, name: &str, inputs: usize) -> Result<Linear, WeightsError> {
        let (mut matrix, mut bias) = self.map(name, self.architecture.hidden, inputs)?;
        self.order.arrange_rows(&mut matrix);
        self.order.arrange_columns(&mut bias);
        Ok(Linear::new(&matrix, bias, self.precision, 0, self.kernels))
    }

    fn norm(&self, name: &str) -> Result<Norm, WeightsError> {
        let (mut scale, mut shift) = self.weights.norm(name, self.architecture.hidden)?;
        self.order.arrange_columns(&mut scale);
        self.order.arrange_columns(&mut shift);
        Ok(Norm { scale, shift })
    }
}

impl Norm {
    fn apply(&self, rows: &mut [f32], epsilon: f32, kernels: Kernels) {
        let (scale, shift) = (&self.scale, &self.shift);
        match kernels {
            Kernels::Avx512(cpu) => kernels::normalise(cpu, rows, scale, shift, epsilon),
            Kernels::Portable | Kernels::AvxVnni(_) => {
                for row in rows.chunks_exact_mut(scale.len()) {
                    LayerNorm { row, scale, shift, epsilon }.dispatch();
                }
            }
        }
    }
}

/// Rows of each block when `rows` rows are split into as few blocks of like size as can be.
fn block(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(BLOCK).max(1)).max(1)
}

/// Calls `work` for each share on its own thread, with its rows of `next`, and waits for all.
fn fork(
    shares: &mut [Share<'_>],
    next: &mut [f32],
    width: usize,
    work: &(dyn Fn(&mut Share<'_>, &mut [f32]) + Sync),
) {
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
