//! Start and stop. The first SIGTERM or Ctrl-C asks everything to finish: no new claims, no new
//! connections, running jobs end or hand their claims back. A second one ends the process at once.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tracks the service's tasks and tells them when to stop.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Nothing running, nothing asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task that shutdown waits for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Asked to finish: take nothing new.
    pub fn stopping(&self) -> &CancellationToken {
        &self.soft
    }

    /// Time is up: hand back what is running.
    pub fn aborting(&self) -> &CancellationToken {
        &self.hard
    }

    /// Asks everything to finish.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Waits until asked to finish, then for the tasks: `drain` long in peace, then 4 s more for
    /// claims to be handed back. True when all ended.
    pub async fn finished(&self, drain: Duration) -> bool {
        self.soft.cancelled().await;
        self.tasks.close();
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_ok() {
            return true;
        }
        tracing::warn!(waited_s = drain.as_secs(), "still busy: handing claims back");
        self.hard.cancel();
        tokio::time::timeout(Duration::from_secs(4), self.tasks.wait()).await.is_ok()
    }

    /// Stops at SIGTERM or Ctrl-C; exits at the second.
    ///
    /// # Errors
    /// When the signal handlers can't be installed.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let me = self.clone();
        self.spawn_detached(async move {
            for first in [true, false] {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                if first {
                    tracing::info!("stopping: finishing what is running");
                    me.stop();
                } else {
                    std::process::exit(130);
                }
            }
        });
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the signal listener outlives the drain")]
    fn spawn_detached<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(task);
    }
}
