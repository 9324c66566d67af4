//! Signals that end a call: SystemExit is raised in whatever Python code the application is in, as under Gunicorn. The
//! handlers are Python's, in `ferricorn._hosting`; the worker adds its own on top, which leave the loop.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

/// Whether Python code of the application's runs on the main thread.
static APPLICATION_RUNS: AtomicBool = AtomicBool::new(false);

/// While this lives, signals may raise SystemExit.
pub(crate) struct Interruptible {
    /// One inside another leaves things as they were.
    outer: bool,
}

impl Interruptible {
    pub(crate) fn begin() -> Self {
        Self { outer: APPLICATION_RUNS.swap(true, Ordering::Relaxed) }
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        APPLICATION_RUNS.store(self.outer, Ordering::Relaxed);
    }
}

/// Master and mold have no use for Python's own handler, which would raise KeyboardInterrupt at
/// the next chance, wherever that is.
pub(crate) fn let_signals_end_the_process(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGINT")?, signal.getattr("SIG_DFL")?))?;
    Ok(())
}

/// Whether a signal may raise SystemExit in what runs on the main thread now: hooks and application, not the server.
#[pyfunction]
pub(crate) fn is_interruptible() -> bool {
    APPLICATION_RUNS.load(Ordering::Relaxed)
}
