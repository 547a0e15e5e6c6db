//! From texts to encodings: tokens, windows, passes over the lanes, and the means over tokens.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::Pooling;
use super::graph::{Board, Share, States};
use super::lanes::Lane;
use super::reading::{Reading, TokenStates};
use super::windows::{self, PASS};
use super::wordpiece::Piece;
use super::{Encoder, Encoding, Token};

/// Below this many rows a thread, splitting a text over threads costs more than it gives.
const ROWS_PER_SHARE: usize = 24;

/// A window of a text: its token ids, framed.
struct Window {
    text: usize,
    ids: Range<usize>,
}

/// Sums over the tokens of one window.
struct Sums {
    embedding: Vec<f32>,
    layer4: Vec<f32>,
    /// Tokens in `embedding` and in `layer4`.
    counts: [usize; 2],
}

/// Texts cut into windows.
#[derive(Default)]
struct Plan {
    pieces: Vec<Vec<Piece>>,
    ids: Vec<u32>,
    windows: Vec<Window>,
}

impl Plan {
    fn of(encoder: &Encoder, texts: &[&str]) -> Self {
        let mut plan = Plan::default();
        for (text, source) in texts.iter().enumerate() {
            let mut pieces = Vec::new();
            encoder.tokenizer.tokenize(source, &mut pieces);
            encoder.frame(&pieces, text, &mut plan.ids, &mut plan.windows);
            plan.pieces.push(pieces);
        }
        plan
    }

    fn lengths(&self) -> Vec<usize> {
        self.pieces.iter().map(Vec::len).collect()
    }
}

pub(super) fn encode(encoder: &Encoder, texts: &[&str]) -> Vec<Encoding> {
    let plan = Plan::of(encoder, texts);
    let sums = encoder.run(&plan.ids, &plan.windows, |states| encoder.sum(states));
    encoder.combine(&plan.lengths(), plan.windows.iter().zip(&sums))
}

pub(super) fn read(encoder: &Encoder, texts: &[&str]) -> Vec<Reading> {
    let plan = Plan::of(encoder, texts);
    let results = encoder.run(&plan.ids, &plan.windows, |states| {
        (encoder.sum(states), encoder.token_states(states))
    });
    let sums = plan.windows.iter().zip(results.iter().map(|(sums, _)| sums));
    let encodings = encoder.combine(&plan.lengths(), sums);
    let mut states: Vec<TokenStates> = texts.iter().map(|_| TokenStates::default()).collect();
    for (window, (_, of_window)) in plan.windows.iter().zip(results) {
        states[window.text].append(of_window);
    }
    let read = encodings.into_iter().zip(plan.pieces).zip(states);
    read.map(|((encoding, pieces), states)| {
        let tokens = pieces.into_iter().map(Token::from).collect();
        Reading::new(encoding, tokens, states, encoder.dims, encoder.graph.order())
    })
    .collect()
}

impl Encoder {
    /// Appends the windows of one text, each with the opening and the closing id around it.
    fn frame(&self, pieces: &[Piece], text: usize, ids: &mut Vec<u32>, windows: &mut Vec<Window>) {
        for window in windows::cut(pieces, self.window.saturating_sub(2).max(1)) {
            let start = ids.len();
            ids.push(self.tokenizer.open);
            ids.extend(pieces[window].iter().map(|piece| piece.id));
            ids.push(self.tokenizer.close);
            windows.push(Window { text, ids: start..ids.len() });
        }
    }

    /// Runs all windows and calls `finish` with the states of each; the results in order.
    fn run<T: Send>(
        &self,
        ids: &[u32],
        windows: &[Window],
        finish: impl Fn(&[States<'_>]) -> T + Sync,
    ) -> Vec<T> {
        let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
        if windows.is_empty() {
            return Vec::new();
        }
        let wanted = self.lanes.count().min(lengths.iter().sum::<usize>() / ROWS_PER_SHARE);
        let passes = windows::passes(&lengths, PASS, self.lanes.idle().min(wanted));
        let job = Job { encoder: self, ids, windows, finish: &finish };
        if passes.len() == 1 {
            return job.together(0..windows.len(), &mut self.lanes.take(wanted).lanes);
        }
        job.apart(&passes)
    }

    fn sum(&self, states: &[States<'_>]) -> Sums {
        let mut sums =
            Sums { embedding: vec![0.0; self.dims], layer4: vec![0.0; self.dims], counts: [0; 2] };
        for part in states {
            let last = match self.pooling {
                Pooling::Mean => part.last,
                Pooling::First if sums.counts[0] > 0 => &[],
                Pooling::First => &part.last[..self.dims],
            };
            sums.counts[0] += add_rows(last, &mut sums.embedding);
            sums.counts[1] += add_rows(part.upper, &mut sums.layer4);
        }
        sums
    }

    /// The states of the window's tokens, without the opening and the closing one.
    fn token_states(&self, states: &[States<'_>]) -> TokenStates {
        let count: usize = states.iter().map(|part| part.lower.len() / self.dims).sum();
        let inner = self.dims..count.saturating_sub(1).max(1) * self.dims;
        let mut kept = TokenStates::with_capacity(inner.len());
        let mut start = 0;
        for part in states {
            let (from, to) = (inner.start.max(start), inner.end.min(start + part.lower.len()));
            if from < to {
                let cells = from - start..to - start;
                let between = part.lower[cells.clone()].iter().zip(&part.upper[cells.clone()]);
                kept.middle.extend(between.map(|(lower, upper)| (lower + upper) / 2.0));
                kept.upper.extend_from_slice(&part.upper[cells.clone()]);
                kept.last.extend_from_slice(&part.last[cells]);
            }
            start += part.lower.len();
        }
        self.graph.order().restore(&mut kept.middle);
        kept
    }

    fn combine<'a>(
        &self,
        lengths: &[usize],
        sums: impl Iterator<Item = (&'a Window, &'a Sums)>,
    ) -> Vec<Encoding> {
        let mut encodings: Vec<(Encoding, [usize; 2])> = lengths
            .iter()
            .map(|&tokens| {
                let encoding = Encoding {
                    embedding: vec![0.0; self.dims],
                    layer4: vec![0.0; self.dims],
                    tokens,
                };
                (encoding, [0; 2])
            })
            .collect();
        for (window, sums) in sums {
            let (encoding, counts) = &mut encodings[window.text];
            add_rows(&sums.embedding, &mut encoding.embedding);
            add_rows(&sums.layer4, &mut encoding.layer4);
            counts[0] += sums.counts[0];
            counts[1] += sums.counts[1];
        }
        encodings
            .into_iter()
            .map(|(mut encoding, counts)| {
                let length =
                    encoding.embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
                scale(&mut encoding.embedding, 1.0 / length.max(f32::MIN_POSITIVE));
                scale(&mut encoding.layer4, 1.0 / counts[1].max(1) as f32);
                self.graph.order().restore(&mut encoding.embedding);
                self.graph.order().restore(&mut encoding.layer4);
                encoding
            })
            .collect()
    }
}

/// One call's windows on their way through the model.
struct Job<'a, F> {
    encoder: &'a Encoder,
    ids: &'a [u32],
    windows: &'a [Window],
    finish: &'a F,
}

impl<T: Send, F: Fn(&[States<'_>]) -> T + Sync> Job<'_, F> {
    /// Several passes, each on one lane, side by side where lanes are free. A lane goes back after
    /// every pass, so that whoever waits meanwhile comes between two of them.
    fn apart(&self, passes: &[Range<usize>]) -> Vec<T> {
        let lanes = &self.encoder.lanes;
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(pass) = passes.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut lane = lanes.take(1);
                done.push((pass.start, self.together(pass.clone(), &mut lane.lanes)));
            }
            done
        };
        let others = lanes.count().min(passes.len()).saturating_sub(1);
        let mut done = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for thread in threads {
                match thread.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_unstable_by_key(|(start, _)| *start);
        done.into_iter().flat_map(|(_, results)| results).collect()
    }

    /// One pass, its rows split over the lanes.
    fn together(&self, pass: Range<usize>, lanes: &mut [Lane]) -> Vec<T> {
        let windows = &self.windows[pass];
        let sequences: Vec<&[u32]> =
            windows.iter().map(|window| &self.ids[window.ids.clone()]).collect();
        let rows: usize = sequences.iter().map(|sequence| sequence.len()).sum();
        let count = lanes.len().min(rows / ROWS_PER_SHARE).max(1);
        let mut board = std::mem::take(&mut lanes[0].board);
        let mut shares: Vec<Share<'_>> = lanes
            .iter_mut()
            .take(count)
            .enumerate()
            .map(|(index, lane)| Share {
                rows: rows * index / count..rows * (index + 1) / count,
                workspace: &mut lane.workspace,
                pool: &lane.pool,
            })
            .collect();
        let results = self.on_first(&sequences, windows, &mut board, &mut shares);
        lanes[0].board = board;
        results
    }

    /// On the thread of the first share if the kernels need one, else on the caller's own.
    fn on_first(
        &self,
        sequences: &[&[u32]],
        windows: &[Window],
        board: &mut Board,
        shares: &mut [Share<'_>],
    ) -> Vec<T> {
        let pool = shares[0].pool;
        let mut work = || {
            self.encoder.graph.forward(sequences, board, shares);
            let mut start = 0;
            let finish = |window: &Window| {
                let rows = start..start + window.ids.len();
                start = rows.end;
                let states: Vec<States<'_>> =
                    shares.iter().map(|share| part(share, &rows, self.encoder.dims)).collect();
                (self.finish)(&states)
            };
            windows.iter().map(finish).collect()
        };
        if self.encoder.graph.needs_pool() { pool.install(work) } else { work() }
    }
}

/// The states that a share has of these rows of the pass.
fn part<'a>(share: &'a Share<'_>, rows: &Range<usize>, dims: usize) -> States<'a> {
    let from = rows.start.clamp(share.rows.start, share.rows.end) - share.rows.start;
    let to = rows.end.clamp(share.rows.start, share.rows.end) - share.rows.start;
    let cells = from * dims..to * dims;
    let states = share.workspace.states();
    States {
        lower: &states.lower[cells.clone()],
        upper: &states.upper[cells.clone()],
        last: &states.last[cells],
    }
}

/// Adds each row of `rows` to `sum`; returns how many there are.
pub(super) fn add_rows(rows: &[f32], sum: &mut [f32]) -> usize {
    for row in rows.chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    rows.len() / sum.len()
}

pub(super) fn scale(values: &mut [f32], factor: f32) {
    values.iter_mut().for_each(|value| *value *= factor);
}
