//! The worker's loop: a batch of what waits, one pass, the answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{ClassifyError, Question, Reading, Shared, State, Timing, Waiting};
use crate::domain::triage::{Analysis, Polarity};
use crate::nlp::encoder::{Embed, Encoding, Reading as TokenStates};
use crate::nlp::heads::{Input, Triage};

/// A batch is full at so many bytes, whatever the number of its texts: further ones would only make
/// the first wait.
const BATCH_COST: u64 = 16 * 1024;
/// How much the latest batch counts for the pace.
const LATEST: f64 = 0.2;

/// An encoder that says how long it took.
struct Timed<'a> {
    inner: &'a dyn Embed,
    spent: AtomicU64,
}

impl Timed<'_> {
    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = work();
        let spent = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(spent, Ordering::Relaxed);
        made
    }
}

impl Embed for Timed<'_> {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        self.timed(|| self.inner.embed(texts))
    }

    fn read(&self, text: &str) -> Option<TokenStates> {
        self.timed(|| self.inner.read(text))
    }

    fn read_many(&self, texts: &[&str]) -> Vec<TokenStates> {
        self.timed(|| self.inner.read_many(texts))
    }

    fn id(&self) -> &str {
        self.inner.id()
    }

    fn dims(&self) -> usize {
        self.inner.dims()
    }
}

/// Reads what waits until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    while let Some(batch) = next(shared) {
        let (begun, cost) = (Instant::now(), batch.iter().map(|w| w.question.cost()).sum::<u64>());
        shared.figures.batch(batch.len());
        answer(shared, batch);
        let spent = begun.elapsed().as_nanos() as f64;
        let mut state = shared.lock();
        // Workers read side by side, so the queue moves on by all of them at once.
        let pace = spent / cost.max(1) as f64 / state.busy.max(1) as f64;
        state.pace =
            if state.pace == 0.0 { pace } else { state.pace + LATEST * (pace - state.pace) };
        state.busy -= 1;
    }
}

/// Waits for something to do; none at the end.
fn next(shared: &Shared) -> Option<Vec<Waiting>> {
    let mut state = shared.lock();
    loop {
        while state.queue.len() == 0 {
            if state.closed {
                return None;
            }
            state = shared.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let patience = Duration::from_micros(shared.limits.batch_wait_us);
        // Only while another worker computes: else waiting would be lost time.
        if !patience.is_zero() && state.busy > 0 && state.queue.len() < shared.limits.batch {
            let few = |s: &mut State| s.queue.len() < shared.limits.batch && !s.closed;
            state = shared
                .changed
                .wait_timeout_while(state, patience, few)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
        let batch = take(shared, &mut state);
        if !batch.is_empty() {
            state.busy += 1;
            return Some(batch);
        }
    }
}

fn take(shared: &Shared, state: &mut State) -> Vec<Waiting> {
    let (mut batch, mut size) = (Vec::new(), 0);
    let now = Instant::now();
    while batch.len() < shared.limits.batch && size < BATCH_COST {
        let Some((owner, cost, waiting)) = state.queue.pop() else { break };
        if waiting.tell.is_closed() {
            shared.figures.dropped();
            continue;
        }
        if waiting.deadline <= now {
            shared.figures.late();
            let after = Shared::wait(state, state.queue.ahead_of(&owner, cost));
            let _ = waiting.tell.send(Err(ClassifyError::Late { after }));
            continue;
        }
        shared.figures.waited(now.saturating_duration_since(waiting.since));
        size += cost;
        batch.push(waiting);
    }
    batch
}

/// Answers a batch, those of one taxonomy together.
fn answer(shared: &Shared, mut batch: Vec<Waiting>) {
    let begun = Instant::now();
    while let Some(first) = batch.first() {
        let triage = first.question.taxonomy.0.clone();
        let (same, others): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|w| Arc::ptr_eq(&w.question.taxonomy.0, &triage));
        batch = others;
        together(shared, &triage, same, begun);
    }
}

fn together(shared: &Shared, triage: &Triage, batch: Vec<Waiting>, begun: Instant) {
    let questions: Vec<&Question> = batch.iter().map(|w| &w.question).collect();
    // A text that breaks something of ours must not take its neighbours' answers with it.
    let read = catch_unwind(AssertUnwindSafe(|| read(shared, triage, &questions)));
    match read {
        Ok((analyses, encode, heads)) => {
            let mut analyses = analyses.into_iter();
            for waiting in batch {
                let queue = begun.saturating_duration_since(waiting.since);
                let timing = Timing { queue, encode, heads };
                let answer = analyses.next().ok_or(ClassifyError::Failed);
                let _ = waiting.tell.send(answer.map(|analysis| Reading { analysis, timing }));
            }
        }
        Err(_) if batch.len() > 1 => {
            batch.into_iter().for_each(|one| together(shared, triage, vec![one], begun));
        }
        Err(_) => {
            tracing::error!("a text could not be classified: the heads panicked");
            for waiting in batch {
                let _ = waiting.tell.send(Err(ClassifyError::Failed));
            }
        }
    }
}

fn read(
    shared: &Shared,
    triage: &Triage,
    questions: &[&Question],
) -> (Vec<Analysis>, Duration, Duration) {
    let timed = Timed { inner: &*shared.encoder, spent: AtomicU64::new(0) };
    let begun = Instant::now();
    let moods = moods(triage, questions, &timed);
    let histories: Vec<Vec<&str>> =
        questions.iter().map(|q| q.history.iter().map(String::as_str).collect()).collect();
    let inputs: Vec<Input<'_>> = questions
        .iter()
        .zip(&histories)
        .zip(&moods)
        .map(|((q, history), moods)| Input {
            subject: q.subject.as_deref(),
            text: &q.text,
            history,
            moods,
            vip: q.vip,
            explain: q.explain,
        })
        .collect();
    let analyses = triage.read_batch(&inputs, &timed);
    let encode = Duration::from_nanos(timed.spent.load(Ordering::Relaxed));
    (analyses, encode, begun.elapsed().saturating_sub(encode))
}

/// The moods of what the writers said before, for each question.
fn moods(triage: &Triage, questions: &[&Question], embed: &dyn Embed) -> Vec<Vec<Polarity>> {
    let earlier: Vec<Input<'_>> =
        questions.iter().flat_map(|q| &q.earlier).map(|text| Input::of(text)).collect();
    let mut scores = match earlier.is_empty() {
        true => Vec::new(),
        false => triage.read_batch(&earlier, embed),
    }
    .into_iter()
    .map(|analysis| analysis.sentiment.score);
    questions.iter().map(|q| scores.by_ref().take(q.earlier.len()).collect()).collect()
}
