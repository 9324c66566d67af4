//! Calls as another thread sees them: where they are, and how they are ended. See [`Supervision`].

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferricorn_application::{GoesOn, Supervision};
use ferricorn_telemetry::error_log::{self, Level};
use ferricorn_unix::thread::{Nudge, nudge, spawn_undisturbed};
use ferricorn_unix::{descriptor, poll};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::station::{Identity, Station};
use crate::traceback;

/// How long whoever reports, or ends a call, waits for the GIL. A thread that runs Python gives it up after 5 ms if another wants it. Shorter than
/// a master's patience between SIGABRT and SIGKILL.
const GIL_PATIENCE: Duration = Duration::from_millis(500);
/// How long it waits for the report to be written once it has the GIL.
const WRITING_PATIENCE: Duration = Duration::from_secs(5);
/// How long the handler of a signal may take to write where a thread is.
const TELLING_PATIENCE: Duration = Duration::from_millis(500);
/// What was told is complete when nothing has followed for this long.
const TELLING_PAUSE: Duration = Duration::from_millis(20);

/// The threads of one worker, as others see them.
pub(crate) struct PythonSupervision {
    stations: Mutex<Vec<Arc<Station>>>,
    /// Where `faulthandler` writes, which needs no GIL, and keeps writing for as long as the other end is open.
    told: File,
    _tells: OwnedFd,
}

impl PythonSupervision {
    /// To be made on the main thread, which handles signals from here on.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let (told, tells) = descriptor::pipe()?;
        let options = PyDict::new(py);
        options.set_item("file", tells.as_raw_fd())?;
        options.set_item("all_threads", true)?;
        py.import("faulthandler")?.call_method("register", (Nudge::Tell.number(),), Some(&options))?;
        Ok(Self { stations: Mutex::default(), told: told.into(), _tells: tells })
    }

    /// The station of one more thread.
    pub(crate) fn add(&self) -> Arc<Station> {
        let station = Station::new();
        self.stations().push(Arc::clone(&station));
        station
    }

    fn stations(&self) -> MutexGuard<'_, Vec<Arc<Station>>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn station(&self, number: usize) -> Option<Arc<Station>> {
        self.stations().get(number).cloned()
    }

    /// Has another thread write the report, which may be kept waiting for the GIL. Says whether it has got it.
    fn report_with_stacks(&self, words: &str, identity: Identity, goes_on: &GoesOn) -> io::Result<bool> {
        let (words, goes_on, taken) = (words.to_owned(), Arc::clone(goes_on), Arc::new(AtomicBool::new(false)));
        let (progress, progresses) = channel();
        let writer = Arc::clone(&taken);
        spawn_undisturbed("report", move || write_report(&words, identity, &goes_on, &writer, &progress))?;
        if progresses.recv_timeout(GIL_PATIENCE).is_err() && !taken.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        // It ends with the thread: there is nothing to receive.
        let _ = progresses.recv_timeout(WRITING_PATIENCE);
        Ok(true)
    }

    /// Where all threads are, in the words of `faulthandler`: the one that holds the GIL stands still.
    fn told_without_gil(&self, identity: Identity) -> io::Result<String> {
        nudge(identity.kernel, Nudge::Tell)?;
        let (mut told, mut patience) = (Vec::new(), TELLING_PATIENCE);
        loop {
            poll::readable(&[self.told.as_fd()], Some(patience))?;
            patience = TELLING_PAUSE;
            let mut piece = [0; 4096];
            match (&self.told).read(&mut piece) {
                Ok(length) => told.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(String::from_utf8_lossy(&told).trim_end().to_owned())
    }

    fn report_without_gil(&self, words: &str, identity: Identity) {
        let told = self.told_without_gil(identity).unwrap_or_else(|error| format!("(this cannot be told: {error})"));
        let patience = GIL_PATIENCE.as_secs_f64();
        let message = format!(
            "{words}\nNo Python code can run: for {patience} s native code has not let go of the interpreter's lock (the GIL). \
             It was called from here:\n{told}"
        );
        // A logger in Python could not take it now.
        if let Err(error) = error_log::write(Level::Error, &message) {
            log::debug!("Cannot write the error log: {error}");
        }
    }
}

impl Supervision for PythonSupervision {
    fn report(&self, words: &str, number: usize, goes_on: &GoesOn) {
        let Some(identity) = self.station(number).and_then(|station| station.identity()) else {
            log::error!("{words}");
            return;
        };
        match self.report_with_stacks(words, identity, goes_on) {
            Ok(true) => {}
            Ok(false) => self.report_without_gil(words, identity),
            Err(error) => log::error!("{words}\nWhere it is cannot be told: {error}"),
        }
    }

    fn end_call(&self, number: usize, goes_on: &GoesOn) {
        let Some(station) = self.station(number) else { return };
        if station.identity().is_some_and(|identity| identity.is_main) {
            return station.end_call(goes_on);
        }
        let (goes_on, (done, ending)) = (Arc::clone(goes_on), channel::<()>());
        let end = move || {
            station.end_call(&goes_on);
            drop(done);
        };
        match spawn_undisturbed("ending", end) {
            // What is received is that nobody will send anything.
            Ok(_) => drop(ending.recv_timeout(GIL_PATIENCE)),
            Err(error) => log::error!("Cannot end a call: {error}"),
        }
    }
}

/// Runs on a thread of its own. `taken`: somebody sees to the report; `progress` hears when that is this thread, and ends when
/// it is written.
fn write_report(words: &str, identity: Identity, goes_on: &GoesOn, taken: &AtomicBool, progress: &Sender<()>) {
    Python::attach(|py| {
        if taken.swap(true, Ordering::AcqRel) {
            // The GIL came too late: it has been reported without.
            return;
        }
        // Nobody listens any more only if the worker is about to end.
        let _ = progress.send(());
        let stacks = py
            .import("ferricorn._stacks")
            .and_then(|module| module.call_method1("told", (identity.python,))?.extract::<String>());
        if !goes_on() {
            log::error!("{words}\nIt has ended meanwhile.");
            return;
        }
        match stacks {
            Ok(stacks) => log::error!("{words}\n{stacks}"),
            Err(error) => log::error!("{words}\nWhere it is cannot be told:\n{}", traceback(py, &error)),
        }
    });
}
