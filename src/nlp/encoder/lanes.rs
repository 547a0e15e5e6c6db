//! The encoder's threads and buffers: one lane is one thread with a workspace.
//!
//! rten's kernels spread every product over rayon's global pool. For products as small as ours the
//! hand-over costs more than it gives, and encodes that run at the same time would wait for each
//! other's pieces. So each lane is a pool of one thread, inside which the kernels stay; the parallel
//! work is split here, in large pieces. A caller takes one lane, and more only if they are free: never
//! do more threads compute than there are lanes, however many texts come at once.
//!
//! Lanes are lent for one pass and in the order in which they are asked for. So a text of a thousand
//! passes holds a short one up for one of them, not for all.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::graph::{Board, Workspace};

pub(super) struct Lane {
    pub pool: ThreadPool,
    pub workspace: Workspace,
    pub board: Board,
}

/// The lanes of an encoder.
pub(super) struct Lanes {
    desk: Mutex<Desk>,
    changed: Condvar,
    count: usize,
}

/// The free lanes, and the queue before them.
struct Desk {
    free: Vec<Lane>,
    /// The number that the next caller gets.
    next: u64,
    /// The number whose turn it is.
    turn: u64,
}

impl Lanes {
    /// Starts `threads` threads, which sleep until there is work.
    pub(super) fn start(threads: NonZeroUsize) -> Result<Self, ThreadPoolBuildError> {
        let lane = |index: usize| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(move |_| format!("encoder-{index}"))
                .build()?;
            Ok(Lane { pool, workspace: Workspace::default(), board: Board::default() })
        };
        let lanes = (0..threads.get()).map(lane).collect::<Result<Vec<_>, _>>()?;
        let desk = Desk { free: lanes, next: 0, turn: 0 };
        Ok(Lanes { desk: Mutex::new(desk), changed: Condvar::new(), count: threads.get() })
    }

    /// How many lanes there are, free or not.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many lanes are free at this moment, for a plan; they may be gone in the next.
    pub(super) fn idle(&self) -> usize {
        self.lock().free.len()
    }

    /// Waits for its turn and a lane, and takes up to `wanted` if so many are free.
    pub(super) fn take(&self, wanted: usize) -> Taken<'_> {
        let mut desk = self.lock();
        let mine = desk.next;
        desk.next += 1;
        let mut desk = self
            .changed
            .wait_while(desk, |desk| desk.turn != mine || desk.free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        desk.turn += 1;
        let keep = desk.free.len().saturating_sub(wanted.max(1));
        let lanes = desk.free.split_off(keep);
        drop(desk);
        // Whoever is next may find lanes left over.
        self.changed.notify_all();
        Taken { lanes, home: self }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        // Nothing is done under the lock that could leave the desk half changed.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lanes in use (at least one); they go back when this is dropped, by a panic too.
pub(super) struct Taken<'a> {
    pub lanes: Vec<Lane>,
    home: &'a Lanes,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.home.lock().free.append(&mut self.lanes);
        self.home.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits until `n` callers have drawn a number.
    fn asked(lanes: &Lanes, n: u64) {
        while lanes.lock().next < n {
            std::thread::yield_now();
        }
    }

    /// Whoever gives a lane back and asks again stands behind those who came meanwhile.
    #[test]
    fn lanes_are_lent_in_the_order_in_which_they_are_asked_for() {
        let lanes = Lanes::start(NonZeroUsize::MIN).unwrap();
        let (say, heard) = mpsc::channel();
        let first = lanes.take(1);
        std::thread::scope(|scope| {
            for (n, name) in (2..).zip(["second", "third", "fourth"]) {
                let (lanes, say) = (&lanes, say.clone());
                scope.spawn(move || {
                    let _lane = lanes.take(4);
                    say.send(name).unwrap();
                });
                asked(lanes, n);
            }
            drop(first);
            let _again = lanes.take(1);
            say.send("first again").unwrap();
        });
        drop(say);
        let order: Vec<_> = heard.iter().collect();
        assert_eq!(order, ["second", "third", "fourth", "first again"]);
    }
}
