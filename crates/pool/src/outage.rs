//! A database that cannot be reached. While it is so, one of those who want it tries again from time to time; the others are
//! told at once what the last attempt has met with.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::error::DbError;

use crate::failure::Failure;

/// After the first failure, this long nobody tries again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Each further one doubles it, up to this: a database that is back is not to be missed for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// What is waited of a pause: many workers are not to come back at once.
const JITTER: Range<f64> = 0.5..1.0;

/// See the module. Shared by all pools of this process to the same database.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<State>>);

#[derive(Debug)]
struct State {
    pause: Duration,
    next: Instant,
    /// Somebody tries at this moment.
    tried: bool,
    target: String,
    reason: String,
    server: Option<Box<DbError>>,
}

/// An attempt to connect. Dropped without an end, it was none.
pub(crate) struct Attempt<'a> {
    outage: &'a Outage,
    /// It was let through during the outage.
    is_trial: bool,
}

impl Outage {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the last attempt has failed.
    pub(crate) fn is_on(&self) -> bool {
        self.lock().is_some()
    }

    /// Lets an attempt through, or says why there is no point in one.
    pub(crate) fn attempt(&self) -> Result<Attempt<'_>, Failure> {
        let mut state = self.lock();
        let is_trial = match state.as_mut() {
            None => false,
            Some(state) if state.tried || Instant::now() < state.next => return Err(state.again()),
            Some(state) => {
                state.tried = true;
                true
            }
        };
        Ok(Attempt { outage: self, is_trial })
    }
}

impl State {
    fn again(&self) -> Failure {
        let left = self.next.saturating_duration_since(Instant::now()).as_secs_f64();
        let when = if self.tried { "it is being tried again".to_owned() } else { format!("next try in {left:.1} s") };
        let reason = format!("{} ({when})", self.reason);
        Failure::Connect { target: self.target.clone(), reason, server: self.server.clone() }
    }
}

impl Attempt<'_> {
    /// There is a connection. Says whether that is news.
    pub(crate) fn succeeded(self) -> bool {
        self.outage.lock().take().is_some()
    }

    /// There is none. Says whether that is news. That the server's own limit is reached says nothing of the database.
    pub(crate) fn failed(self, failure: &Failure) -> bool {
        let Failure::Connect { target, reason, server } = failure else { return false };
        let mut state = self.outage.lock();
        let is_news = state.is_none();
        let pause = match state.as_ref() {
            None => FIRST_PAUSE,
            Some(state) if self.is_trial => LONGEST_PAUSE.min(state.pause * 2),
            // One of several that had begun before it was known.
            Some(_) => return false,
        };
        let jitter = JITTER.start + fastrand::f64() * (JITTER.end - JITTER.start);
        *state = Some(State {
            pause,
            next: Instant::now() + pause.mul_f64(jitter),
            tried: false,
            target: target.clone(),
            reason: reason.clone(),
            server: server.clone(),
        });
        is_news
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_trial
            && let Some(state) = self.outage.lock().as_mut()
        {
            state.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure::Connect { target: "h:1/d".to_owned(), reason: "refused".to_owned(), server: None }
    }

    /// As if the pause were over.
    fn skip(outage: &Outage) -> Duration {
        let mut state = outage.lock();
        let state = state.as_mut().unwrap();
        state.next = Instant::now();
        state.pause
    }

    #[test]
    fn one_at_a_time_tries_again_and_pauses_grow() {
        let outage = Outage::default();
        let burst = [outage.attempt().ok().unwrap(), outage.attempt().ok().unwrap()];
        assert_eq!(burst.map(|attempt| attempt.failed(&failure())), [true, false]);
        let words = outage.attempt().err().unwrap().to_string();
        assert!(words.starts_with("h:1/d: refused (next try in 0."), "{words}");
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(skip(&outage).as_millis());
            let trial = outage.attempt().ok().unwrap();
            let words = outage.attempt().err().unwrap().to_string();
            assert_eq!(words, "h:1/d: refused (it is being tried again)");
            assert!(!trial.failed(&failure()));
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        skip(&outage);
        drop(outage.attempt());
        let trial = outage.attempt().ok().unwrap();
        assert!(trial.succeeded() && !outage.is_on());
        assert!(!outage.attempt().ok().unwrap().succeeded());
    }

    #[test]
    fn the_servers_own_limit_is_no_outage() {
        let outage = Outage::default();
        let over = Failure::OverLimit { waited: Duration::ZERO, limit: 3 };
        assert!(!outage.attempt().ok().unwrap().failed(&over) && !outage.is_on());
    }
}
