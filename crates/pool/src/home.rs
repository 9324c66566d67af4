//! Where connections live in a process that is no worker, and in a worker for threads that do not pump: a runtime that
//! whoever waits for it drives. It has no thread of its own, so that a process may fork.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// See the module.
#[derive(Debug)]
pub struct Home(Runtime);

impl Home {
    /// Makes one; for the process that made it only.
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(Self)
    }

    /// Lets everything that is ready move once, without waiting. In a thread that drives a runtime already, which may come here
    /// because something is dropped, whoever drives this one next does it.
    pub fn turn(&self) {
        if tokio::runtime::Handle::try_current().is_err() {
            self.wait(turn());
        }
    }

    /// Waits for this, and does what else there is to do here meanwhile. Any number of threads may be at it at once.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    /// Waits for this, but not for longer than so.
    pub fn wait_for<F: Future + Unpin>(&self, limit: Duration, future: &mut F) -> Option<F::Output> {
        self.0.block_on(async { tokio::time::timeout(limit, future).await.ok() })
    }
}

/// Lets everything that is ready move once, without waiting.
pub async fn turn() {
    tokio::task::yield_now().await;
}

/// Waits for this, but not for longer than so.
pub async fn at_most(limit: Duration, future: impl Future) {
    // What did not end in time ends when it is dropped.
    let _ = tokio::time::timeout(limit, future).await;
}
