//! When which request is due: drawn once, before the load begins, and the same for every server that is compared.

use std::time::Duration;

use fastrand::Rng;

/// So that every server gets the same requests at the same times.
const SEED: u64 = 7;

/// What is to be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// Requests per second, on average.
    pub(crate) rate: f64,
    /// Which share of them takes long.
    pub(crate) slow_share: f64,
    /// The length of the load.
    pub(crate) duration: Duration,
}

/// A request that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// When, from the beginning of the load. Latency counts from here, whether or not it could be sent then.
    pub(crate) at: Duration,
    /// Whether it takes long.
    pub(crate) slow: bool,
}

impl Mix {
    /// Draws all requests: independent users, so the times between them are distributed exponentially.
    pub(crate) fn draw(&self) -> Vec<Due> {
        let mut random = Rng::with_seed(SEED);
        let mut due = Vec::new();
        let mut at = 0.0;
        loop {
            at -= (1.0 - random.f64()).ln() / self.rate;
            if at >= self.duration.as_secs_f64() {
                return due;
            }
            due.push(Due { at: Duration::from_secs_f64(at), slow: random.f64() < self.slow_share });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_share_are_kept_and_every_drawing_is_the_same() {
        let mix = Mix { rate: 300.0, slow_share: 0.03, duration: Duration::from_secs(60) };
        let drawn = mix.draw();
        assert!((17_000..19_000).contains(&drawn.len()), "{}", drawn.len());
        let slow = drawn.iter().filter(|due| due.slow).count();
        assert!((430..650).contains(&slow), "{slow}");
        assert!(drawn.is_sorted_by_key(|due| due.at));
        assert_eq!(drawn, mix.draw());
    }
}
