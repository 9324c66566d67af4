//! What the scoreboard shows of a worker that has several calls: the oldest, because it is the one that may be stuck.

use std::cell::Cell;
use std::time::Duration;

use ferricorn_telemetry::scoreboard::SlotWriter;

/// A call, as far as the scoreboard shows it.
pub(crate) struct Oldest<'a> {
    pub(crate) number: u64,
    /// By the monotonic clock.
    pub(crate) began: Duration,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// The number of the call that is shown.
#[derive(Default)]
pub(crate) struct Shown(Cell<Option<u64>>);

impl Shown {
    /// To be called when a call has come or gone; `oldest`: of those that there are now.
    pub(crate) fn update(&self, slot: &SlotWriter, oldest: Option<Oldest<'_>>) {
        let number = oldest.as_ref().map(|call| call.number);
        if self.0.replace(number) == number {
            return;
        }
        match oldest {
            Some(Oldest { began, method, path, .. }) => slot.show_call(began, method, path),
            None => slot.end_call(),
        }
    }
}
