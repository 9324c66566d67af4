//! Signals that end a call: SystemExit is raised in whatever Python code the application is in,
//! as under Gunicorn.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// Whether Python code of the application's runs on the main thread.
static APPLICATION_RUNS: AtomicBool = AtomicBool::new(false);

/// While this lives, signals may raise SystemExit.
pub(crate) struct Interruptible(());

impl Interruptible {
    pub(crate) fn begin() -> Self {
        APPLICATION_RUNS.store(true, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        APPLICATION_RUNS.store(false, Ordering::Relaxed);
    }
}

/// Master and mold have no use for Python's own handler, which would raise KeyboardInterrupt at
/// the next chance, wherever that is.
pub(crate) fn let_signals_end_the_process(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGINT")?, signal.getattr("SIG_DFL")?))?;
    Ok(())
}

/// Installs Python's side of a worker's handlers; the worker adds its own on top, which leave the
/// loop. Must run on Python's main thread.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("signal")?;
    for (name, handler) in [
        ("SIGABRT", wrap_pyfunction!(abort, py)?),
        ("SIGINT", wrap_pyfunction!(quit, py)?),
        ("SIGQUIT", wrap_pyfunction!(quit, py)?),
    ] {
        signal.call_method1("signal", (signal.getattr(name)?, handler))?;
    }
    Ok(())
}

#[pyfunction]
fn abort(_signal: Bound<'_, PyAny>, _frame: Bound<'_, PyAny>) -> PyResult<()> {
    end(1)
}

#[pyfunction]
fn quit(_signal: Bound<'_, PyAny>, _frame: Bound<'_, PyAny>) -> PyResult<()> {
    end(0)
}

fn end(status: i32) -> PyResult<()> {
    if APPLICATION_RUNS.load(Ordering::Relaxed) { Err(PySystemExit::new_err(status)) } else { Ok(()) }
}
