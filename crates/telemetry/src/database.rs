//! The part of a worker's slot that is about the database: connections, loans, statements, and how long was waited for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts by how long something took: below 16 µs, below 32 µs, and so on, each twice the one before; the last has no end.
pub const BUCKETS: usize = 16;
/// The end of the first bucket.
const FIRST: Duration = Duration::from_micros(16);

// Words of the part.
const OPEN: usize = 0;
const SIZE: usize = 1;
const LENT: usize = 2;
const WAITING: usize = 3;
const STATEMENTS: usize = 4;
const FAILURES: usize = 5;
const ACQUIRE: usize = 6;
const QUERY: usize = ACQUIRE + BUCKETS;

/// How many there are.
pub(crate) const WORDS: usize = QUERY + BUCKETS;

/// What a worker's pool looks like at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Connections.
    pub size: u64,
    /// Those that are lent.
    pub lent: u64,
    /// Those who wait for one.
    pub waiting: u64,
}

/// One worker's part.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a>(&'a [AtomicU64]);

impl<'a> Database<'a> {
    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    pub(crate) fn forget(&self) {
        for word in [OPEN, SIZE, LENT, WAITING] {
            self.0[word].store(0, Ordering::Relaxed);
        }
    }

    /// Connections that count for the server's limit.
    pub fn open(&self) -> u64 {
        self.0[OPEN].load(Ordering::Relaxed)
    }

    /// One more of them.
    pub fn opens(&self) {
        self.0[OPEN].fetch_add(1, Ordering::AcqRel);
    }

    /// One less.
    pub fn closes(&self) {
        self.0[OPEN].fetch_sub(1, Ordering::AcqRel);
    }

    /// What the pool looks like.
    pub fn gauges(&self) -> Gauges {
        let word = |at: usize| self.0[at].load(Ordering::Relaxed);
        Gauges { size: word(SIZE), lent: word(LENT), waiting: word(WAITING) }
    }

    /// Shows what it looks like.
    pub fn show(&self, gauges: Gauges) {
        for (at, value) in [(SIZE, gauges.size), (LENT, gauges.lent), (WAITING, gauges.waiting)] {
            self.0[at].store(value, Ordering::Relaxed);
        }
    }

    /// A connection was waited for so long.
    pub fn acquired(&self, waited: Duration) {
        self.0[ACQUIRE + bucket(waited)].fetch_add(1, Ordering::Relaxed);
    }

    /// A statement took so long.
    pub fn ran(&self, took: Duration, failed: bool) {
        self.0[QUERY + bucket(took)].fetch_add(1, Ordering::Relaxed);
        self.0[STATEMENTS].fetch_add(1, Ordering::Relaxed);
        self.0[FAILURES].fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// Statements, and those that failed.
    pub fn statements(&self) -> (u64, u64) {
        (self.0[STATEMENTS].load(Ordering::Relaxed), self.0[FAILURES].load(Ordering::Relaxed))
    }

    /// How long connections were waited for, by bucket.
    pub fn acquire_times(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|at| self.0[ACQUIRE + at].load(Ordering::Relaxed))
    }

    /// How long statements took, by bucket.
    pub fn query_times(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|at| self.0[QUERY + at].load(Ordering::Relaxed))
    }
}

fn bucket(time: Duration) -> usize {
    let doublings = (time.as_micros() / FIRST.as_micros()).checked_ilog2().map_or(0, |power| power as usize + 1);
    doublings.min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_where_they_belong() {
        let places = [0, 15, 16, 31, 32, 1000, 10_000_000].map(|micros| bucket(Duration::from_micros(micros)));
        assert_eq!(places, [0, 0, 1, 1, 2, 6, 15]);
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let database = Database::new(&words);
        database.opens();
        database.ran(Duration::from_micros(20), true);
        database.show(Gauges { size: 3, lent: 2, waiting: 1 });
        assert_eq!((database.open(), database.statements(), database.query_times()[1]), (1, (1, 1), 1));
        database.forget();
        assert_eq!((database.open(), database.gauges()), (0, Gauges::default()));
    }
}
