//! The encoder's threads and buffers: one lane is one thread with a workspace.
//!
//! rten's kernels spread every product over rayon's global pool. For products as small as ours the
//! hand-over costs more than it gives, and encodes that run at the same time would wait for each
//! other's pieces. So each lane is a pool of one thread, inside which the kernels stay; the parallel
//! work is split here, in large pieces. A caller takes one lane, and more only if they are free: never
//! do more threads compute than there are lanes, however many texts come at once.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::graph::{Board, Workspace};

pub(super) struct Lane {
    pub pool: ThreadPool,
    pub workspace: Workspace,
    pub board: Board,
}

/// The free lanes of an encoder.
pub(super) struct Lanes {
    free: Mutex<Vec<Lane>>,
    returned: Condvar,
    count: usize,
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
        Ok(Lanes { free: Mutex::new(lanes), returned: Condvar::new(), count: threads.get() })
    }

    /// How many lanes there are, free or not.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Waits for a lane, and takes up to `wanted` if so many are free.
    pub(super) fn take(&self, wanted: usize) -> Taken<'_> {
        let free = self.lock();
        let mut free = self
            .returned
            .wait_while(free, |free| free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let keep = free.len().saturating_sub(wanted.max(1));
        Taken { lanes: free.split_off(keep), home: self }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Lane>> {
        // Nothing is done under the lock that could leave the list half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lanes in use (at least one); they go back when this is dropped, by a panic too.
pub(super) struct Taken<'a> {
    pub lanes: Vec<Lane>,
    home: &'a Lanes,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.home.lock().append(&mut self.lanes);
        self.home.returned.notify_all();
    }
}
