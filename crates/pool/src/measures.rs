//! How long connections were waited for, and how long statements took: counted for the pools of this process to one database,
//! and for the server whose worker this is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferricorn_unix::durations::{self, BUCKETS, Durations};

use crate::server;

/// What pools that share an allowance have measured.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    acquire: [AtomicU64; BUCKETS],
    query: [AtomicU64; BUCKETS],
    errors: AtomicU64,
}

impl Measures {
    /// A connection was waited for so long.
    pub(crate) fn acquired(&self, waited: Duration) {
        durations::count(&self.acquire, waited);
        if let Some(board) = server::board() {
            board.acquired(waited);
        }
    }

    /// A statement took so long.
    pub(crate) fn ran(&self, took: Duration, failed: bool) {
        durations::count(&self.query, took);
        self.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
        if let Some(board) = server::board() {
            board.ran(took, failed);
        }
    }

    /// All of it.
    pub(crate) fn read(&self) -> Measured {
        Measured {
            acquire: Durations::read(&self.acquire),
            query: Durations::read(&self.query),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }
}

/// What was measured, over the life of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// How long connections were waited for.
    pub acquire: Durations,
    /// How long statements took.
    pub query: Durations,
    /// Statements that failed.
    pub errors: u64,
}
