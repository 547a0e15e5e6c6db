//! Examples as the network sees them: each goes through the encoder once, and is then read in
//! several cases at the price of its shapes.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::corpus::Example;
use super::decode::Label;
use super::network::mean;
use super::shape::{self, Fold, Shape};
use super::train::Progress;
use super::words;
use crate::nlp::encoder::Encoder;
use crate::nlp::half::to_half;

/// Ways in which each example is read, and how often.
pub(super) const FOLDS: [(Fold, f32); 4] =
    [(Fold::None, 0.62), (Fold::Lower, 0.24), (Fold::Upper, 0.09), (Fold::Title, 0.05)];

/// An example as the network sees it.
pub(super) struct Encoded {
    /// 16-bit floats, a state a word.
    pub states: Vec<u16>,
    pub shapes: [Vec<Shape>; FOLDS.len()],
    pub labels: Vec<u8>,
}

/// All examples through the encoder, on as many threads as there are.
pub(super) fn encode(
    encoder: &Encoder,
    examples: &[Example],
    progress: &(dyn Fn(Progress) + Sync),
) -> Vec<Encoded> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(example) = examples.get(i) else { return done };
            done.push((i, encode_one(encoder, example)));
            if (i + 1).is_multiple_of(1000) || i + 1 == examples.len() {
                progress(Progress::Encoded(i + 1));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done: Vec<(usize, Encoded)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, e)| e).filter(|e| !e.labels.is_empty()).collect()
}

fn encode_one(encoder: &Encoder, example: &Example) -> Encoded {
    let reading = encoder.read(&example.text);
    let words = words::words(&reading.tokens);
    let mut states = Vec::with_capacity(words.len() * encoder.dims());
    let mut tokens = reading.states();
    let mut row = vec![0.0f32; encoder.dims()];
    let mut labels = Vec::with_capacity(words.len());
    for word in &words {
        row.fill(0.0);
        mean(tokens.by_ref().take(word.tokens.len()), &mut row);
        states.extend(row.iter().map(|x| to_half(*x)));
        let name = example.names.iter().find(|n| n.start < word.end && word.start < n.end);
        let label = name.map_or(Label::Outside, |n| {
            let begun = labels.last().is_some_and(|(_, before)| *before == Some(n.start));
            if begun { Label::Continues(n.kind) } else { Label::Begins(n.kind) }
        });
        labels.push((label.index() as u8, name.map(|n| n.start)));
    }
    Encoded {
        states,
        shapes: FOLDS.map(|(fold, _)| shape::shapes(&example.text, &words, fold)),
        labels: labels.into_iter().map(|(label, _)| label).collect(),
    }
}
