//! What clients are told in the application's place: those whose requests have waited too long for their calls, and those whose
//! calls do not come back.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ferricorn_application::{Connection, Head, error_page};
use ferricorn_settings::Settings;
use ferricorn_unix::clock;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::answer::{Answer, Content};
use crate::shared::{Answered, Shared};
use crate::standing::last_heard;

/// Since when a request waits that has just been read to its end. Where that matters, the kernel is asked when its last byte
/// came: it may have been there for long, while a call kept the worker from reading, or before its connection was accepted.
pub(crate) fn since(settings: &Settings, connection: &Connection) -> Duration {
    if settings.queue_timeout.is_zero() && !settings.multithread {
        // Nobody will ask.
        return Duration::ZERO;
    }
    let now = clock::monotonic();
    if settings.queue_timeout.is_zero() {
        return now;
    }
    last_heard(now, connection)
}

/// Requests that have waited too long, since that was last told.
#[derive(Default)]
pub(crate) struct QueueTimeouts(Cell<u64>);

impl QueueTimeouts {
    fn note(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// Tells of the queue, once a second: under a load that makes many wait there are not as many lines.
    pub(crate) fn tell(&self, shared: &Shared) {
        let count = self.0.take();
        if count > 0 {
            let seconds = shared.settings.queue_timeout.as_secs_f64();
            log::warn!("Requests answered with 503, having waited for more than {seconds} s (queue_timeout): {count}");
        }
        if let Some(statsd) = shared.statsd.as_ref().filter(|_| shared.settings.enable_backlog_metric) {
            statsd.queue(shared.waiting());
        }
    }
}

/// A request that is answered in the application's place.
pub(crate) struct Unanswered<'a> {
    /// For the access log, where there is one.
    pub(crate) head: Option<&'a Parts>,
    pub(crate) connection: &'a Connection,
    /// When its head had arrived, where somebody wants to know.
    pub(crate) arrived: Option<Instant>,
}

/// The answer to a request that has waited longer than `queue_timeout`, which is written down here: 503. Its connection
/// ends, so that the client's next request may find another worker.
pub(crate) fn refuse(shared: &Shared, request: &Unanswered<'_>) -> Answer {
    let (mut head, page) = error_page::page(StatusCode::SERVICE_UNAVAILABLE, "");
    head.headers.insert(header::RETRY_AFTER, retry_after(shared.settings.queue_timeout));
    write_down(shared, request, &head, page.len() as u64);
    shared.queue_timeouts.note();
    if let Some(statsd) = &shared.statsd {
        statsd.queue_timeout();
    }
    Answer { head, content: Content::Whole(page) }
}

/// The answer to a request whose call was ended and does not come back: 504. It is written down here.
pub(crate) fn time_out(shared: &Shared, request: &Unanswered<'_>) -> Answer {
    let (head, page) = error_page::page(StatusCode::GATEWAY_TIMEOUT, "");
    write_down(shared, request, &head, page.len() as u64);
    Answer { head, content: Content::Whole(page) }
}

fn write_down(shared: &Shared, request: &Unanswered<'_>, head: &Head, sent: u64) {
    shared.write_down(&Answered {
        logged: request.head.map(|request_head| (request_head, request.connection)),
        status: head.status.as_u16(),
        response_headers: &HeaderMap::new(),
        sent,
        elapsed: request.arrived.map(|arrived| arrived.elapsed()).unwrap_or_default(),
        annotations: &[],
    });
}

/// As long as this one has waited, the queue may be as long; in whole seconds, as the header has it.
fn retry_after(patience: Duration) -> HeaderValue {
    HeaderValue::from(patience.as_secs() + u64::from(patience.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_again_after_whole_seconds() {
        for (milliseconds, seconds) in [(1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
            assert_eq!(retry_after(Duration::from_millis(milliseconds)), seconds);
        }
    }
}
