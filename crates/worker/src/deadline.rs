//! Two of the lookout's duties: calls that take longer than `request_timeout`, and a sync worker that its master is about to
//! abort, because a call has kept it silent for `timeout`.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferricorn_application::{Application, Supervision};
use ferricorn_telemetry::error_log::{self, Level};
use ferricorn_telemetry::events::Reporter;
use ferricorn_telemetry::scoreboard::SlotWriter;
use ferricorn_unix::clock;
use ferricorn_unix::process::{self, ProcessId, Signal};
use ferricorn_unix::thread::spawn_undisturbed;

use crate::lookout::{Duty, LongCall};
use crate::shared::{Shared, ask_for_successor};

/// What a call gets to come back once it was ended; then its worker is replaced.
const GRACE: Duration = Duration::from_secs(5);
/// How often a worker whose main thread does not come back looks whether its successor is there.
const LOOK: Duration = Duration::from_millis(100);
/// What is left to such a worker between SIGABRT and SIGKILL. With threads it gets `graceful_timeout` and [`GRACE`]: only if it
/// holds the GIL can a thread keep its worker from leaving.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// The duties that the settings ask for. `terminated`: the worker has been told to leave.
pub(crate) fn duties(
    shared: &Shared,
    application: &mut dyn Application,
    terminated: Arc<AtomicBool>,
) -> io::Result<Vec<Box<dyn Duty>>> {
    let settings = &shared.settings;
    let ends_calls = !settings.request_timeout.is_zero();
    // With threads it is not the call that keeps a worker from showing life.
    let is_judged = !settings.multithread && !settings.timeout.is_zero();
    let mut duties: Vec<Box<dyn Duty>> = Vec::new();
    if !ends_calls && !is_judged {
        return Ok(duties);
    }
    let supervision = application.supervise(ends_calls)?;
    if ends_calls {
        duties.push(Box::new(Deadline {
            limit: settings.request_timeout,
            supervision: Arc::clone(&supervision),
            reporter: shared.reporter.try_clone()?,
            terminated,
            of_main_thread: !settings.multithread,
            leaving: settings.graceful_timeout + GRACE,
            steps: HashMap::new(),
        }));
    }
    if is_judged {
        duties.push(Box::new(Silence { limit: settings.timeout, slot: Arc::clone(&shared.slot), supervision }));
    }
    Ok(duties)
}

/// See `request_timeout`.
struct Deadline {
    limit: Duration,
    supervision: Arc<dyn Supervision>,
    reporter: Reporter,
    terminated: Arc<AtomicBool>,
    /// The calls are the main thread's, which does nothing else while it is in one.
    of_main_thread: bool,
    /// How long a worker with threads may take to leave.
    leaving: Duration,
    /// What was done last, by the number of the thread: about the call that began then.
    steps: HashMap<usize, (Duration, Step)>,
}

#[derive(Clone, Copy)]
enum Step {
    /// It has been told to end.
    Ended,
    /// It has not; a successor was asked for.
    GivenUp,
    /// The successor is there, and this process has been told to end.
    Leaving,
}

impl Duty for Deadline {
    fn after(&self) -> Duration {
        self.limit
    }

    fn attend(&mut self, call: &LongCall<'_>) -> Option<Duration> {
        let done = self.steps.get(&call.number).filter(|(began, _)| *began == call.began).map(|(_, step)| *step);
        let (step, pause) = match done {
            None => (self.end(call), Some(GRACE)),
            Some(Step::Ended) => (self.give_up(call), Some(LOOK)),
            Some(Step::GivenUp) if !self.terminated.load(Ordering::Relaxed) => (Step::GivenUp, Some(LOOK)),
            Some(Step::GivenUp) if self.of_main_thread => (send(Signal::Abort), Some(LAST_CHANCE)),
            Some(Step::GivenUp) => (Step::Leaving, Some(self.leaving)),
            Some(Step::Leaving) => (send(Signal::Kill), None),
        };
        self.steps.insert(call.number, (call.began, step));
        pause
    }
}

impl Deadline {
    /// On a thread of its own: to tell where the call is may take a moment, for which others do not wait.
    fn end(&self, call: &LongCall<'_>) -> Step {
        call.note_late();
        let words = format!("{} has taken {} (request_timeout) and is ended.", call.what(), so_far(call.began));
        let (supervision, number, goes_on) = (Arc::clone(&self.supervision), call.number, call.question());
        let notice = call.notice();
        let started = spawn_undisturbed("deadline", move || {
            supervision.report(&words, number, &goes_on);
            supervision.end_call(number, &goes_on);
            notice();
        });
        if let Err(error) = started {
            log::error!("Where a late call is cannot be told: {error}");
            self.supervision.end_call(call.number, &call.question());
            call.notice()();
        }
        Step::Ended
    }

    fn give_up(&self, call: &LongCall<'_>) -> Step {
        let grace = GRACE.as_secs();
        let words = format!(
            "{} has not come back within {grace} s after its end by request_timeout; this worker asks for a successor.",
            call.what()
        );
        self.supervision.report(&words, call.number, &call.question());
        ask_for_successor(&self.reporter);
        Step::GivenUp
    }
}

/// To this process, of which nobody else can end the call. Not through the `log` crate: it may be a logger in the application's
/// language that cannot take a line now.
fn send(signal: Signal) -> Step {
    let words = format!("A call that does not come back keeps this worker from leaving: it is sent {}.", signal.name());
    if let Err(error) = error_log::write(Level::Warning, &words) {
        log::debug!("Cannot write the error log: {error}");
    }
    if let Err(error) = process::kill(ProcessId::current(), signal) {
        log::error!("Cannot end a worker that is stuck: {error}");
    }
    Step::Leaving
}

/// See `timeout`. The master does the rest.
struct Silence {
    limit: Duration,
    slot: Arc<SlotWriter>,
    supervision: Arc<dyn Supervision>,
}

impl Duty for Silence {
    fn after(&self) -> Duration {
        self.limit
    }

    fn attend(&mut self, call: &LongCall<'_>) -> Option<Duration> {
        let silence = self.slot.silence().unwrap_or_default();
        if silence < self.limit {
            // It waits for a client, and shows life meanwhile.
            return Some(self.limit - silence);
        }
        let what = self.slot.current_call().map_or_else(|| "a call".to_owned(), |(what, _)| what);
        let words = format!("{what} has taken {}, and its worker is about to be ended (timeout).", so_far(call.began));
        self.supervision.report(&words, call.number, &call.question());
        self.slot.note_told();
        None
    }
}

fn so_far(began: Duration) -> String {
    format!("{:.1} s", clock::monotonic().saturating_sub(began).as_secs_f64())
}
