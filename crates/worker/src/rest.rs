//! Connections that rest: one that is idle needs neither hyper nor its buffers, which are most of what it costs. To do without them
//! between any two requests would be too dear, so one whose requests come one after the other keeps them for a while.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, Waker};

/// In ticks: a client that has its next request within this time is a lively one, and whose has not come by then is not.
const LIVELY: u64 = 10;

/// What decides whether a connection is to rest.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// The tick at which it became idle.
    idle_since: Cell<Option<u64>>,
    /// It has had a request.
    used: Cell<bool>,
    /// Its last request came soon after the one before.
    lively: Cell<bool>,
    /// It is to do without hyper until there is something to read.
    due: Cell<bool>,
    /// Its task, to be told of that.
    task: RefCell<Option<Waker>>,
}

impl Rest {
    /// The connection is idle.
    pub(crate) fn begin(&self, tick: u64) {
        self.idle_since.set(self.idle_since.get().or(Some(tick)));
        self.due.set(!self.lively.get());
    }

    /// There is something to read.
    pub(crate) fn over(&self) {
        self.due.set(false);
    }

    /// Something has been read.
    pub(crate) fn end(&self, tick: u64) {
        if let Some(since) = self.idle_since.take() {
            // The first one says nothing yet: it comes when the connection does.
            self.lively.set(self.used.replace(true) && tick - since < LIVELY);
        }
        self.due.set(false);
    }

    /// Finds that a lively client is none any more.
    pub(crate) fn look(&self, tick: u64) {
        if self.idle_since.get().is_some_and(|since| tick - since >= LIVELY)
            && self.lively.replace(false)
            && let Some(task) = self.task.take()
        {
            self.due.set(true);
            task.wake();
        }
    }

    /// The end of what hyper does, or `None` when the connection is to rest.
    pub(crate) async fn or_until_due<F: Future + Unpin>(&self, mut hyper: F) -> Option<F::Output> {
        poll_fn(|context| {
            if self.due.take() {
                return Poll::Ready(None);
            }
            let polled = Pin::new(&mut hyper).poll(context);
            if polled.is_pending() && self.due.take() {
                return Poll::Ready(None);
            }
            let mut task = self.task.borrow_mut();
            if !task.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
            polled.map(Some)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_one_request_after_the_other_does_not_rest() {
        let rest = Rest::default();
        rest.begin(1);
        assert!(rest.due.get(), "nothing is known of it");
        rest.end(5);
        rest.begin(5);
        assert!(rest.due.get(), "it has had one request");
        rest.end(14);
        rest.begin(14);
        assert!(!rest.due.get(), "it is lively");
        rest.end(24);
        rest.begin(24);
        assert!(rest.due.get(), "it is no more");
    }

    #[test]
    fn who_stops_is_put_to_rest() {
        let rest = Rest::default();
        for _ in 0..2 {
            rest.begin(2);
            rest.end(2);
        }
        rest.begin(2);
        *rest.task.borrow_mut() = Some(Waker::noop().clone());
        rest.look(11);
        assert!(!rest.due.get());
        rest.look(12);
        assert!(rest.due.get());
    }
}
