//! Training: examples through the encoder once, then the network by Adam on what came out.
//!
//! Everything follows from the seed but for the last bits of the matrix kernels, which are other
//! ones on other CPUs.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::{Matrix, NdTensorView};

use super::corpus::{Example, join_tokens};
use super::examples::{Encoded, FOLDS, encode};
use super::generate::random::Random;
use super::network::{CLASSES, Parameters, REACH, SPAN};
use super::shape;
use super::weights;
use crate::nlp::encoder::Encoder;
use crate::nlp::half::from_half;

/// Messages to generate unless asked for otherwise.
pub const MESSAGES: usize = 24_000;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Everything random follows from it.
    pub seed: u64,
    /// Times that each example is seen.
    pub epochs: usize,
    /// Words in a step.
    pub batch: usize,
    /// Highest step size.
    pub rate: f32,
    /// Share of hidden values left out in a step.
    pub dropout: f32,
    /// Outputs of the first layer.
    pub first: usize,
    /// Outputs of the second layer.
    pub second: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, epochs: 5, batch: 2048, rate: 2e-3, dropout: 0.25, first: 320, second: 160 }
    }
}

/// What training is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// This many examples went through the encoder.
    Encoded(usize),
    /// An epoch is over.
    Epoch {
        /// From 1.
        number: usize,
        /// Mean cross entropy per word, in nats.
        loss: f32,
    },
}

/// What the encoder made of the examples: two bytes a number, and 384 numbers a word.
pub struct Data {
    examples: Vec<Encoded>,
    encoder: String,
    dims: usize,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data")
            .field("examples", &self.examples.len())
            .field("encoder", &self.encoder)
            .finish()
    }
}

impl Data {
    /// Runs all examples through the encoder: `messages` as they are, and `corpora`, which are
    /// tokenised, mostly put together as people write.
    pub fn new(
        encoder: &Encoder,
        messages: Vec<Example>,
        mut corpora: Vec<Example>,
        seed: u64,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Self {
        let mut random = Random::new(seed);
        for example in &mut corpora {
            if random.chance(0.7) {
                join_tokens(example, &mut random);
            }
        }
        let mut examples = messages;
        examples.extend(corpora);
        Self {
            examples: encode(encoder, &examples, progress),
            encoder: encoder.id().split('/').next().unwrap_or_default().to_owned(),
            dims: encoder.dims(),
        }
    }

    /// Trains a head on them and gives its file.
    pub fn fit(&self, settings: &Settings, progress: &dyn Fn(Progress)) -> Vec<u8> {
        let random = Random::new(settings.seed);
        let mut trainer = Trainer::new(&self.examples, self.dims, settings, random);
        for epoch in 0..settings.epochs {
            let loss = trainer.epoch(&self.examples);
            progress(Progress::Epoch { number: epoch + 1, loss });
        }
        weights::write(&trainer.finished(), &self.encoder)
    }
}

/// A step's words: documents one after another with [`REACH`] empty rows between them, so that no
/// window reaches into another document.
#[derive(Default)]
struct Batch {
    x: Vec<f32>,
    /// The label, or none in an empty row.
    labels: Vec<Option<u8>>,
}

struct Trainer {
    p: Parameters,
    moments: Vec<[Vec<f32>; 2]>,
    /// Mean and inverse deviation of each state value.
    scale: Vec<(f32, f32)>,
    settings: Settings,
    random: Random,
    step: usize,
    steps: usize,
}

impl Trainer {
    fn new(data: &[Encoded], dims: usize, settings: &Settings, mut random: Random) -> Self {
        let mut p = Parameters::zero(dims, settings.first, settings.second);
        let inputs = dims + shape::COUNT;
        let mut fill = |w: &mut [f32], deviation: f32| {
            w.iter_mut().for_each(|w| *w = random.normal() * deviation);
        };
        fill(&mut p.w1, (2.0 / inputs as f32).sqrt());
        fill(&mut p.w2, (2.0 / (SPAN * settings.first) as f32).sqrt());
        fill(&mut p.w3, 0.05);
        let words: usize = data.iter().map(|d| d.labels.len() + REACH).sum();
        let moments = p.parts().map(|part| [vec![0.0; part.len()], vec![0.0; part.len()]]);
        Self {
            moments: moments.into(),
            scale: scale(data, dims),
            steps: (settings.epochs * words.div_ceil(settings.batch)).max(1),
            p,
            settings: *settings,
            random,
            step: 0,
        }
    }

    /// Sees every example once; the mean loss.
    fn epoch(&mut self, data: &[Encoded]) -> f32 {
        let mut order: Vec<usize> = (0..data.len()).collect();
        self.random.shuffle(&mut order);
        let (mut sum, mut count) = (0.0f64, 0usize);
        let mut batch = Batch::default();
        for (n, &i) in order.iter().enumerate() {
            self.put(&data[i], &mut batch);
            if batch.labels.len() >= self.settings.batch || n + 1 == order.len() {
                let (loss, words) = self.learn(&batch);
                sum += f64::from(loss);
                count += words;
                batch.x.clear();
                batch.labels.clear();
            }
        }
        (sum / count.max(1) as f64) as f32
    }

    /// Appends a document, read in one of the ways.
    fn put(&mut self, document: &Encoded, batch: &mut Batch) {
        let dims = self.p.states;
        let mut at = self.random.unit();
        let fold = FOLDS.iter().position(|(_, share)| {
            at -= share;
            at < 0.0
        });
        let shapes = &document.shapes[fold.unwrap_or(0)];
        for ((state, shape), label) in
            document.states.chunks_exact(dims).zip(shapes).zip(&document.labels)
        {
            let scaled =
                state.iter().zip(&self.scale).map(|(h, (mean, by))| (from_half(*h) - mean) * by);
            batch.x.extend(scaled);
            let start = batch.x.len();
            batch.x.resize(start + shape::COUNT, 0.0);
            shape.write(&mut batch.x[start..]);
            batch.labels.push(Some(*label));
        }
        batch.x.resize(batch.x.len() + REACH * (dims + shape::COUNT), 0.0);
        batch.labels.resize(batch.labels.len() + REACH, None);
    }

    /// One step; the sum of losses and the number of words.
    fn learn(&mut self, batch: &Batch) -> (f32, usize) {
        let (rows, first, second) = (batch.labels.len(), self.settings.first, self.settings.second);
        let width = self.p.states + shape::COUNT;
        let (mut h, mut g, mut out) = (
            vec![0.0; (rows + 2 * REACH) * first],
            vec![0.0; rows * second],
            vec![0.0; rows * CLASSES],
        );
        let x = view(&batch.x, rows, width);
        let own = REACH * first..(REACH + rows) * first;
        multiply(x, view(&self.p.w1, width, first), &mut h[own.clone()]);
        self.activate(&mut h[own.clone()], Bias::First, Some(&batch.labels));
        multiply(windows(&h, rows, first), view(&self.p.w2, SPAN * first, second), &mut g);
        self.activate(&mut g, Bias::Second, None);
        multiply(view(&g, rows, second), view(&self.p.w3, second, CLASSES), &mut out);
        let (loss, words) = loss(&mut out, &self.p.b3, &batch.labels);
        // From here on `out` holds the gradient of the log-odds.
        let d_out = view(&out, rows, CLASSES);
        let mut gradient = Parameters::zero(self.p.states, first, second);
        multiply(view(&g, rows, second).transposed(), d_out, &mut gradient.w3);
        add_rows(&out, &mut gradient.b3);
        let mut d_g = vec![0.0; rows * second];
        multiply(d_out, view(&self.p.w3, second, CLASSES).transposed(), &mut d_g);
        self.mask(&g, &mut d_g);
        add_rows(&d_g, &mut gradient.b2);
        let d_g = view(&d_g, rows, second);
        multiply(windows(&h, rows, first).transposed(), d_g, &mut gradient.w2);
        let mut d_windows = vec![0.0; rows * SPAN * first];
        multiply(d_g, view(&self.p.w2, SPAN * first, second).transposed(), &mut d_windows);
        let mut d_h = vec![0.0; h.len()];
        for (row, d) in d_windows.chunks_exact(SPAN * first).enumerate() {
            let to = &mut d_h[row * first..][..SPAN * first];
            to.iter_mut().zip(d).for_each(|(to, d)| *to += d);
        }
        self.mask(&h, &mut d_h);
        let d_h = &d_h[own];
        add_rows(d_h, &mut gradient.b1);
        multiply(x.transposed(), view(d_h, rows, first), &mut gradient.w1);
        self.adam(&gradient);
        (loss, words)
    }

    /// Bias, ReLU and dropout; rows without a label become zero.
    fn activate(&mut self, values: &mut [f32], bias: Bias, labels: Option<&[Option<u8>]>) {
        let bias = match bias {
            Bias::First => &self.p.b1,
            Bias::Second => &self.p.b2,
        };
        let keep = 1.0 - self.settings.dropout;
        for (i, row) in values.chunks_exact_mut(bias.len()).enumerate() {
            if labels.is_some_and(|l| l[i].is_none()) {
                row.fill(0.0);
                continue;
            }
            for (v, b) in row.iter_mut().zip(bias) {
                *v = (*v + b).max(0.0);
                if *v > 0.0 && self.settings.dropout > 0.0 {
                    *v = if self.random.chance(keep) { *v / keep } else { 0.0 };
                }
            }
        }
    }

    /// The gradient before ReLU and dropout from the one behind it.
    fn mask(&self, values: &[f32], gradient: &mut [f32]) {
        let by = 1.0 / (1.0 - self.settings.dropout);
        gradient
            .iter_mut()
            .zip(values)
            .for_each(|(d, v)| *d = if *v > 0.0 { *d * by } else { 0.0 });
    }

    /// Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019); the rate
    /// rises over 100 steps and then falls to nothing.
    fn adam(&mut self, gradient: &Parameters) {
        const BETA: (f32, f32) = (0.9, 0.99);
        self.step += 1;
        let t = self.step as f32;
        let left = 1.0 - t / (self.steps as f32 + 1.0);
        let rate = self.settings.rate * (t / 100.0).min(1.0) * left.max(0.01);
        let unbias = (1.0 - BETA.0.powf(t), 1.0 - BETA.1.powf(t));
        for ((p, g), [m, v]) in
            self.p.parts_mut().into_iter().zip(gradient.parts()).zip(&mut self.moments)
        {
            for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                *m = BETA.0 * *m + (1.0 - BETA.0) * g;
                *v = BETA.1 * *v + (1.0 - BETA.1) * g * g;
                *p -= rate * (0.01 * *p + (*m / unbias.0) / ((*v / unbias.1).sqrt() + 1e-8));
            }
        }
    }

    /// The parameters for states as the encoder gives them: the scaling goes into the first layer.
    fn finished(mut self) -> Parameters {
        for ((mean, by), row) in
            self.scale.iter().zip(self.p.w1.chunks_exact_mut(self.settings.first))
        {
            for (w, b) in row.iter_mut().zip(&mut self.p.b1) {
                *w *= by;
                *b -= mean * *w;
            }
        }
        self.p
    }
}

/// Which layer's bias.
enum Bias {
    First,
    Second,
}

/// Mean and inverse standard deviation of each value, over a sample.
fn scale(data: &[Encoded], dims: usize) -> Vec<(f32, f32)> {
    let step = (data.len() / 2000).max(1);
    let (mut sums, mut squares, mut n) = (vec![0.0f64; dims], vec![0.0f64; dims], 0.0f64);
    for document in data.iter().step_by(step) {
        for row in document.states.chunks_exact(dims) {
            n += 1.0;
            for ((sum, square), h) in sums.iter_mut().zip(&mut squares).zip(row) {
                let x = f64::from(from_half(*h));
                *sum += x;
                *square += x * x;
            }
        }
    }
    let n = n.max(1.0);
    let one = |(sum, square): (&f64, &f64)| {
        let mean = sum / n;
        let deviation = (square / n - mean * mean).max(0.0).sqrt() + 1e-2;
        (mean as f32, (1.0 / deviation) as f32)
    };
    sums.iter().zip(&squares).map(one).collect()
}

/// Turns log-odds (without bias) into the gradient of the mean cross entropy; the sum of losses and
/// the number of words.
fn loss(out: &mut [f32], bias: &[f32], labels: &[Option<u8>]) -> (f32, usize) {
    let words = labels.iter().flatten().count();
    let mut sum = 0.0;
    for (row, label) in out.as_chunks_mut::<CLASSES>().0.iter_mut().zip(labels) {
        let Some(label) = label else {
            row.fill(0.0);
            continue;
        };
        row.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
        let logs = super::decode::log_softmax(row);
        sum -= logs[usize::from(*label)];
        for (i, (d, log)) in row.iter_mut().zip(logs).enumerate() {
            let target = if i == usize::from(*label) { 1.0 } else { 0.0 };
            *d = (log.exp() - target) / words as f32;
        }
    }
    (sum, words)
}

fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
    }
}

fn view(data: &[f32], rows: usize, columns: usize) -> Matrix<'_, f32> {
    NdTensorView::from_data([rows, columns], data)
}

/// The hidden rows of [`SPAN`] neighbours side by side, without copying them.
fn windows(hidden: &[f32], rows: usize, first: usize) -> Matrix<'_, f32> {
    match NdTensorView::from_slice_with_strides([rows, SPAN * first], hidden, [first, 1]) {
        Ok(view) => view,
        Err(_) => unreachable!("there are 2 · REACH rows more than windows"),
    }
}

thread_local! {
    // An executor is a kernel choice, not `Send`.
    static GEMM: GemmExecutor<f32, f32, f32> = GemmExecutor::new();
}

fn multiply(a: Matrix<'_, f32>, b: Matrix<'_, f32>, out: &mut [f32]) {
    let options = GemmOptions::default();
    let done =
        GEMM.with(|g| g.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Unpacked(b), options));
    if let Err(error) = done {
        unreachable!("the shapes follow from one another: {error}");
    }
}
