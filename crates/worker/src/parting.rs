//! The polite end of a connection, where the protocol knows one: HTTP/2 tells its client which
//! requests are still answered.

use std::cell::Cell;

use tokio::sync::Notify;

/// Ticks for which somebody who was asked to leave is left alone.
const PATIENCE: u64 = 20;

/// A connection's part in it.
#[derive(Debug, Default)]
pub(crate) struct Parting {
    /// The connection can be asked.
    able: Cell<bool>,
    /// The tick at which it was.
    since: Cell<Option<u64>>,
    /// The tick at which it was seen that the worker leaves.
    drains_since: Cell<Option<u64>>,
    asked: Notify,
}

impl Parting {
    /// From now on the connection can be asked to leave.
    pub(crate) fn begin(&self) {
        self.able.set(true);
    }

    /// Asks it to leave, unless that has been done. Says whether it deserves some patience.
    pub(crate) fn ask(&self, tick: u64) -> bool {
        if !self.able.get() {
            return false;
        }
        if self.since.get().is_none() {
            self.since.set(Some(tick));
            self.asked.notify_one();
        }
        self.since.get().is_some_and(|since| tick - since <= PATIENCE)
    }

    /// Whether it is time to ask, in a worker that leaves: some clients forget what they have asked for as soon as they
    /// are told, so a connection is told between two requests, if there is such a moment before long.
    pub(crate) fn is_due(&self, tick: u64, busy: bool) -> bool {
        let since = self.drains_since.get().unwrap_or(tick);
        self.drains_since.set(Some(since));
        !busy || tick - since > PATIENCE
    }

    /// Waits until it is asked.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let parting = Parting::default();
        assert!(!parting.ask(5));
        parting.begin();
        assert!(parting.ask(5));
        assert!(parting.ask(25));
        assert!(!parting.ask(26));
        assert!(!parting.is_due(30, true) && parting.is_due(30, false));
        assert!(!parting.is_due(50, true) && parting.is_due(51, true));
    }
}
