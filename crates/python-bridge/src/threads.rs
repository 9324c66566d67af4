//! Threads that make the calls of an application. They are Python's own (`threading.Thread`) and
//! attached for life, so that thread locals and the names of threads are what applications expect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ferricorn_application::Calls;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::interpreter::detached;
use crate::station::Station;
use crate::traceback;
use crate::wsgi::WsgiApplication;

/// What an idle thread gets to end when it has been told that there are no more calls.
const FAREWELL_SECONDS: f64 = 1.0;

/// The threads of one worker.
#[derive(Default)]
pub(crate) struct Threads(Vec<Started>);

struct Started {
    /// A `threading.Thread`.
    thread: Py<PyAny>,
    in_call: Arc<AtomicBool>,
}

impl Threads {
    /// Starts one more; a daemon, as a call that never returns must not keep the worker from ending.
    pub(crate) fn start(
        &mut self,
        py: Python<'_>,
        name: &str,
        application: WsgiApplication,
        calls: Box<dyn Calls>,
        station: Option<Arc<Station>>,
    ) -> PyResult<()> {
        let in_call = Arc::new(AtomicBool::new(false));
        let work = Work { application, calls, station, in_call: Arc::clone(&in_call) };
        let target = Bound::new(py, ThreadTarget { work: Mutex::new(Some(work)) })?;
        let options = PyDict::new(py);
        options.set_item("name", name)?;
        options.set_item("target", target)?;
        options.set_item("daemon", true)?;
        let thread = py.import("threading")?.getattr("Thread")?.call((), Some(&options))?;
        thread.call_method0("start")?;
        self.0.push(Started { thread: thread.unbind(), in_call });
        Ok(())
    }

    /// Waits for the end of those that are in no call: with it Python drops what is theirs.
    pub(crate) fn join_idle(&self, py: Python<'_>) {
        for started in self.0.iter().filter(|started| !started.in_call.load(Ordering::Acquire)) {
            if let Err(error) = started.thread.bind(py).call_method1("join", (FAREWELL_SECONDS,)) {
                log::error!("A thread did not end\n{}", traceback(py, &error));
            }
        }
    }
}

/// What a thread runs.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct ThreadTarget {
    work: Mutex<Option<Work>>,
}

#[pymethods]
impl ThreadTarget {
    fn __call__(&self, py: Python<'_>) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(work) = work {
            work.run(py);
        }
    }
}

struct Work {
    application: WsgiApplication,
    calls: Box<dyn Calls>,
    station: Option<Arc<Station>>,
    in_call: Arc<AtomicBool>,
}

impl Work {
    /// Waits without the GIL, takes with it: which thread makes a call is decided when one can.
    fn run(self, py: Python<'_>) {
        let Self { mut application, mut calls, station, in_call } = self;
        if let Some(Err(error)) = station.map(|station| station.take(py, false)) {
            log::error!("The calls of a thread cannot be looked after\n{}", traceback(py, &error));
        }
        while detached(py, || calls.wait()) {
            in_call.store(true, Ordering::Release);
            while calls.take(&mut |request, exchange| application.call(py, request, &exchange)) {}
            in_call.store(false, Ordering::Release);
        }
    }
}
