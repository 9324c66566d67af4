//! The part of a worker's slot that is about the database: connections, loans, statements, and how long was waited for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferricorn_unix::durations::{self, BUCKETS, Durations};

// Words of the part.
const OPEN: usize = 0;
const SIZE: usize = 1;
const LENT: usize = 2;
const WAITING: usize = 3;
const STATEMENTS: usize = 4;
const FAILURES: usize = 5;
const TIMEOUTS: usize = 6;
/// The most since the master has asked last.
const MOST_OPEN: usize = 7;
/// Likewise.
const MOST_WAITING: usize = 8;
/// Whether the master is to ask.
const WATCHED: usize = 9;
const ACQUIRE: usize = 10;
const QUERY: usize = ACQUIRE + BUCKETS;

/// How many there are.
pub(crate) const WORDS: usize = QUERY + BUCKETS;

/// What has happened since a worker began, or between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements.
    pub statements: u64,
    /// Those that failed.
    pub failures: u64,
    /// Connections that were waited for in vain.
    pub timeouts: u64,
    /// How long connections were waited for.
    pub acquire: Durations,
    /// How long statements took.
    pub query: Durations,
}

impl Counts {
    /// What has happened since then.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            statements: self.statements.saturating_sub(earlier.statements),
            failures: self.failures.saturating_sub(earlier.failures),
            timeouts: self.timeouts.saturating_sub(earlier.timeouts),
            acquire: self.acquire.since(&earlier.acquire),
            query: self.query.since(&earlier.query),
        }
    }

    /// Both together.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            statements: self.statements + other.statements,
            failures: self.failures + other.failures,
            timeouts: self.timeouts + other.timeouts,
            acquire: self.acquire.and(&other.acquire),
            query: self.query.and(&other.query),
        }
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

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
        for word in [OPEN, SIZE, LENT, WAITING, WATCHED] {
            self.0[word].store(0, Ordering::Relaxed);
        }
    }

    /// Connections that count for the server's limit.
    pub fn open(&self) -> u64 {
        self.0[OPEN].load(Ordering::Relaxed)
    }

    /// One more of them.
    pub fn opens(&self) {
        let others = self.0[OPEN].fetch_add(1, Ordering::AcqRel);
        self.0[MOST_OPEN].fetch_max(others + 1, Ordering::Relaxed);
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

    /// The master is to watch this worker's pool.
    pub fn watch(&self) {
        self.0[WATCHED].store(1, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_watched(&self) -> bool {
        self.0[WATCHED].load(Ordering::Relaxed) != 0
    }

    /// So many wait for a connection now.
    pub fn waits(&self, number: u64) {
        self.0[MOST_WAITING].fetch_max(number, Ordering::Relaxed);
    }

    /// The most connections, and the most who waited for one, since this was asked last.
    pub fn take_most(&self) -> (u64, u64) {
        let most = self.0[MOST_OPEN].swap(self.open(), Ordering::Relaxed);
        (most, self.0[MOST_WAITING].swap(0, Ordering::Relaxed))
    }

    /// A connection was waited for in vain.
    pub fn timed_out(&self) {
        self.0[TIMEOUTS].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was waited for so long.
    pub fn acquired(&self, waited: Duration) {
        durations::count(&self.0[ACQUIRE..QUERY], waited);
    }

    /// A statement took so long.
    pub fn ran(&self, took: Duration, failed: bool) {
        durations::count(&self.0[QUERY..], took);
        self.0[STATEMENTS].fetch_add(1, Ordering::Relaxed);
        self.0[FAILURES].fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        let word = |at: usize| self.0[at].load(Ordering::Relaxed);
        Counts {
            statements: word(STATEMENTS),
            failures: word(FAILURES),
            timeouts: word(TIMEOUTS),
            acquire: Durations::read(&self.0[ACQUIRE..QUERY]),
            query: Durations::read(&self.0[QUERY..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_does_is_seen_and_what_it_had_is_forgotten() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let database = Database::new(&words);
        database.opens();
        database.ran(Duration::from_micros(20), true);
        database.show(Gauges { size: 3, lent: 2, waiting: 1 });
        let counts = database.counts();
        assert_eq!((database.open(), counts.statements, counts.failures), (1, 1, 1));
        assert_eq!((counts.query.number(), counts.acquire.number()), (1, 0));
        database.forget();
        assert_eq!((database.open(), database.gauges()), (0, Gauges::default()));
        assert_eq!(database.counts(), counts);
    }

    #[test]
    fn the_most_is_of_the_time_since_it_was_asked_for() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let database = Database::new(&words);
        database.opens();
        database.opens();
        database.closes();
        database.waits(3);
        database.waits(2);
        assert_eq!(database.take_most(), (2, 3));
        assert_eq!(database.take_most(), (1, 0));
    }
}
