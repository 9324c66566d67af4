//! How long to wait before trying again what has just failed, again and again.

use std::time::{Duration, Instant};

/// The first failure costs no delay: one crash is no pattern.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Failures further apart than this are unrelated.
const MEMORY: Duration = Duration::from_secs(10);

/// Doubles the delay with each failure in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    last: Option<Instant>,
    pub(crate) until: Option<Instant>,
}

impl Backoff {
    /// Notes a failure and says how long to wait.
    pub(crate) fn fail(&mut self, now: Instant) -> Duration {
        if self.last.is_none_or(|last| now.duration_since(last) > MEMORY) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        let delay = match self.failures {
            1 => Duration::ZERO,
            n => (FIRST_DELAY * 2u32.pow((n - 2).min(10))).min(LONGEST_DELAY),
        };
        self.until = Some(now + delay);
        delay
    }

    /// Whether the wait is over.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_are_forgotten() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let delays: Vec<u128> = (0..8).map(|_| backoff.fail(start).as_millis()).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert!(!backoff.allows(start + Duration::from_secs(4)));
        assert!(backoff.allows(start + Duration::from_secs(5)));
        assert_eq!(backoff.fail(start + Duration::from_secs(60)), Duration::ZERO);
    }
}
