//! What is noted when a call begins and ends, and what follows from how long calls take.

use std::time::Duration;

use ferricorn_application::{Connection, target};
use ferricorn_telemetry::access_log::Entry;
use ferricorn_telemetry::events::{Kind, Reporter};
use http::HeaderMap;
use http::request::Parts;

use super::{Job, Phase, Shared};
use crate::lookout::MAIN_THREAD;

/// How a request was answered, for access log and metrics.
pub(crate) struct Answered<'a> {
    /// The request, where there is an access log.
    pub(crate) logged: Option<(&'a Parts, &'a Connection)>,
    pub(crate) status: u16,
    pub(crate) response_headers: &'a HeaderMap,
    pub(crate) sent: u64,
    pub(crate) elapsed: Duration,
    pub(crate) annotations: &'a [(String, String)],
}

impl Shared {
    pub(crate) fn begin_call(&self, job: &Job) {
        self.in_call.set(true);
        let head = &job.request.head;
        self.posts.describe(MAIN_THREAD, 0, head);
        self.posts.begin(MAIN_THREAD, self.now.get());
        self.slot.begin_call(self.now.get(), head.method.as_str(), target::path(head));
    }

    /// The call has returned.
    pub(crate) fn end_call(&self) {
        self.in_call.set(false);
        let began = self.posts.call(MAIN_THREAD);
        self.posts.end(MAIN_THREAD);
        self.read_clock();
        self.pace.note(began.unwrap_or_default(), self.now.get());
        self.slot.end_call();
        self.count_served();
        if !self.has_work() {
            self.wake_held_back();
        }
    }

    /// Writes down how a request was answered, for those who want to know.
    pub(crate) fn write_down(&self, answered: &Answered<'_>) {
        let Answered { logged, status, response_headers, sent, elapsed, annotations } = *answered;
        if let (Some(access_log), Some((request, connection))) = (&self.access_log, logged) {
            let entry = Entry { request, connection, status, response_headers, sent, elapsed, annotations };
            access_log.borrow_mut().record(&entry);
        }
        if let Some(statsd) = &self.statsd {
            statsd.request(status, elapsed);
        }
    }

    /// Counts a call and asks for a successor when the worker's share is served.
    pub(crate) fn count_served(&self) {
        let served = self.served.get() + 1;
        self.served.set(served);
        if Some(served) == self.share && self.phase.get() == Phase::Serving {
            log::info!("Autorestarting worker after current request.");
            ask_for_successor(&self.reporter);
        }
    }

    /// Whether the application alone decides when this worker sees its connections again.
    pub(crate) fn is_held_by_call(&self) -> bool {
        self.in_call.get() && !self.waits_for_client.get()
    }
}

/// This worker is to be replaced.
pub(crate) fn ask_for_successor(reporter: &Reporter) {
    if let Err(error) = reporter.report(Kind::Replace) {
        log::error!("Cannot ask the master for a successor: {error}");
    }
}
