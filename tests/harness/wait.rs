//! Waiting for a condition with a deadline: short polls, an answer as soon as it is there, a clear panic when it never comes.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once, on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `probe` gives something, and panics with `what` when it does not within `PATIENCE`.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, probe) {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} in vain for: {what}"),
    }
}

/// Waits until `probe` gives something, or `limit` has passed.
pub(crate) fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(INTERVAL);
    }
}

/// Whether `holds` stays true for all of `span`: for promises that something does not happen.
pub(crate) fn stays(span: Duration, mut holds: impl FnMut() -> bool) -> bool {
    within(span, || (!holds()).then_some(())).is_none()
}
