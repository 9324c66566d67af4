//! How long the worker's calls take, as far as that tells of the next ones.

use std::cell::Cell;
use std::time::Duration;

/// What goes on for longer than this holds up others for longer than it takes to hand them over.
pub(crate) const LONG_CALL: Duration = Duration::from_millis(5);
/// How long a long call lets others be expected, and for how many calls: where one in thousands takes long, be it because the
/// machine had other things to do, to be careful with all of them costs more than it saves.
const EXPECTED_FOR: Duration = Duration::from_secs(10);
const EXPECTED_CALLS: u32 = 200;
/// Calls that take this long on average are worth a new connection to whoever would wait for one of them.
const SLOW: Duration = Duration::from_millis(10);
/// Each call counts for so much of the average that the last few decide.
const WEIGHT: u32 = 8;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    average: Cell<Duration>,
    /// When the last long call ended, by the monotonic clock.
    last_long: Cell<Option<Duration>>,
    /// How many calls have ended since then.
    since_long: Cell<u32>,
}

impl Pace {
    /// A call has ended.
    pub(crate) fn note(&self, began: Duration, ended: Duration) {
        let length = ended.saturating_sub(began);
        let average = self.average.get();
        self.average.set(average - average / WEIGHT + length / WEIGHT);
        self.since_long.set(self.since_long.get().saturating_add(1));
        if length >= LONG_CALL {
            self.last_long.set(Some(ended));
            self.since_long.set(0);
        }
    }

    /// Whether the next call may be a long one.
    pub(crate) fn expects_long(&self, now: Duration) -> bool {
        let is_recent = |ended| now.saturating_sub(ended) < EXPECTED_FOR;
        self.since_long.get() < EXPECTED_CALLS && self.last_long.get().is_some_and(is_recent)
    }

    /// Whether recent calls were long, one with another.
    pub(crate) fn is_slow(&self) -> bool {
        self.average.get() >= SLOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lengths: &[u64]) -> Pace {
        let pace = Pace::default();
        for length in lengths {
            pace.note(Duration::ZERO, Duration::from_millis(*length));
        }
        pace
    }

    #[test]
    fn the_last_few_calls_decide_who_is_slow() {
        assert!(!after(&[]).is_slow());
        assert!(!after(&[9; 100]).is_slow());
        assert!(after(&[11; 100]).is_slow());
        assert!(after(&[200]).is_slow());
        assert!(!after(&[[200, 0].as_slice(), &[0; 8]].concat()).is_slow());
    }

    #[test]
    fn one_long_call_lets_others_be_expected_for_a_while() {
        assert!(!after(&[4; 100]).expects_long(Duration::from_millis(4)));
        let pace = after(&[5, 0]);
        assert!(pace.expects_long(Duration::from_secs(10)));
        assert!(!pace.expects_long(Duration::from_millis(10_005)));
        assert!(after(&[[5].as_slice(), &[0; 199]].concat()).expects_long(Duration::ZERO));
        assert!(!after(&[[5].as_slice(), &[0; 200]].concat()).expects_long(Duration::ZERO));
    }
}
