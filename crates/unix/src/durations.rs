//! Counts by how long something took, in words that several processes may share.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Below 16 µs, below 32 µs, and so on, each twice the one before; the last, from 4.2 s, has no end.
pub const BUCKETS: usize = 20;
/// The end of the first.
const FIRST: Duration = Duration::from_micros(16);
/// Those that people ask for.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// Something took so long.
pub fn count(words: &[AtomicU64], took: Duration) {
    words[bucket(took)].fetch_add(1, Ordering::Relaxed);
}

fn bucket(time: Duration) -> usize {
    let doublings = (time.as_micros() / FIRST.as_micros()).checked_ilog2().map_or(0, |power| power as usize + 1);
    doublings.min(BUCKETS - 1)
}

/// What was counted at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations([u64; BUCKETS]);

impl Durations {
    /// What these words say now.
    pub fn read(words: &[AtomicU64]) -> Self {
        Self(array::from_fn(|at| words[at].load(Ordering::Relaxed)))
    }

    /// What was counted since then.
    pub fn since(&self, earlier: &Self) -> Self {
        Self(array::from_fn(|at| self.0[at].saturating_sub(earlier.0[at])))
    }

    /// Both together.
    pub fn and(&self, other: &Self) -> Self {
        Self(array::from_fn(|at| self.0[at] + other.0[at]))
    }

    /// How many.
    pub fn number(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What this share of them took no longer than (`0.95`: all but a twentieth), as if those of a bucket were spread evenly over
    /// it; those of the last count as its beginning. `None` where there are none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = (self.number() as f64 * share).ceil().max(1.0);
        let mut before = 0.0;
        for (at, count) in self.0.iter().map(|count| *count as f64).enumerate() {
            if count > 0.0 && before + count >= wanted {
                let (start, end) = (start(at), if at == BUCKETS - 1 { start(at) } else { start(at + 1) });
                return Some(start + (end - start).mul_f64((wanted - before) / count));
            }
            before += count;
        }
        None
    }

    /// The median and the two that tell of the slow ones, with the names they go by.
    pub fn usual_quantiles(&self) -> [(&'static str, Option<Duration>); 3] {
        QUANTILES.map(|(name, share)| (name, self.quantile(share)))
    }
}

/// Where a bucket begins.
fn start(at: usize) -> Duration {
    at.checked_sub(1).map_or(Duration::ZERO, |doublings| FIRST * (1 << doublings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    fn counted(micros: impl IntoIterator<Item = u32>) -> Durations {
        let words: [AtomicU64; BUCKETS] = Default::default();
        micros.into_iter().for_each(|micros| count(&words, MICROSECOND * micros));
        Durations::read(&words)
    }

    #[test]
    fn times_are_counted_where_they_belong() {
        let places =
            [0, 15, 16, 31, 32, 1000, 4_194_303, 4_194_304, 100_000_000].map(|micros| bucket(MICROSECOND * micros));
        assert_eq!(places, [0, 0, 1, 1, 2, 6, 18, 19, 19]);
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_those_that_are_meant() {
        assert_eq!(counted([]).quantile(0.5), None);
        let one = counted([20]);
        assert_eq!([0.01, 0.5, 1.0].map(|share| one.quantile(share)), [Some(MICROSECOND * 32); 3]);
        let many = counted((0..90).map(|_| 20).chain((0..10).map(|_| 1_000_000)));
        assert_eq!(many.quantile(0.45), Some(MICROSECOND * 24));
        let slow = many.quantile(0.95).unwrap();
        assert!(slow > MICROSECOND * 524_288 && slow < MICROSECOND * 1_048_576, "{slow:?}");
        assert_eq!(counted([60_000_000]).quantile(0.5), Some(MICROSECOND * 4_194_304));
    }

    #[test]
    fn what_was_counted_since() {
        let (earlier, later) = (counted([1, 20]), counted([1, 20, 20, 5000]));
        assert_eq!(later.since(&earlier), counted([20, 5000]));
        assert_eq!(earlier.and(&later.since(&earlier)), later);
        assert_eq!(later.number(), 4);
    }
}
