//! Hooks and Python's logger, by way of `ferricorn._hosting`, which is Python.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use ferricorn_mold::host::HookFailure;
use ferricorn_mold::protocol::{Hook, Member};
use ferricorn_settings::{Kind, Origin, Resolved, Settings, find};
use ferricorn_telemetry::error_log::{self, Companion, Level};
use ferricorn_telemetry::exception;
use log::LevelFilter;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::interrupt::Interruptible;
use crate::loader::failure;
use crate::{traceback, values};

/// `ferricorn._hosting.Host`: what a mold and its workers know of the application's hooks.
pub(crate) struct Hosting {
    host: Py<PyAny>,
    /// Whether Python's logger takes the server's own lines.
    logs: bool,
}

impl Hosting {
    /// Makes it from the settings. `originals` are the objects that came with them: functions, classes, dicts of both.
    pub(crate) fn new(py: Python<'_>, resolved: &Resolved, originals: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (all, origins) = (PyDict::new(py), PyDict::new(py));
        for (name, value, origin) in &resolved.values {
            if *origin != Origin::Default {
                origins.set_item(name, origin.to_string())?;
            }
            let by_python = matches!(origin, Origin::File(_) | Origin::Line(..) | Origin::Program)
                && matches!(
                    find(name).map(|setting| setting.kind),
                    Some(Kind::Hook(_) | Kind::Class | Kind::Map | Kind::Any)
                );
            let original = if by_python { originals.get_item(name)? } else { None };
            let made = match original {
                Some(original) => Some(original),
                None => values::to_python(py, value)?,
            };
            if let Some(made) = made {
                all.set_item(name, made)?;
            }
        }
        let host = py.import("ferricorn._hosting")?.getattr("Host")?.call1((all, origins))?;
        Ok(Self { host: host.unbind(), logs: resolved.settings.logs_in_python })
    }

    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.host.bind(py)
    }

    /// Makes the logger, and gives it the server's own lines if the settings ask for that.
    pub(crate) fn start_logging(&self, py: Python<'_>, settings: &Settings) -> PyResult<()> {
        let log = self.bind(py).call_method0("start_logging")?;
        if settings.logs_in_python {
            log::set_max_level(most_verbose(&log)?);
        }
        let companion = PythonLog { log: log.unbind(), takes_lines: settings.logs_in_python };
        error_log::accompany(Some(Arc::new(companion)));
        Ok(())
    }

    /// Calls a method of the host's, and with it a hook; the error is what the hook raised.
    pub(crate) fn run<'py, A>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: A,
    ) -> Result<Bound<'py, PyAny>, HookFailure>
    where
        A: pyo3::call::PyCallArgs<'py>,
    {
        let _interruptible = Interruptible::begin();
        self.bind(py).call_method1(method, arguments).map_err(|error| failure(py, &error))
    }

    pub(crate) fn call(&self, py: Python<'_>, hook: Hook) -> Result<(), HookFailure> {
        let called = match hook {
            Hook::OnStarting => self.run(py, "on_starting", ()),
            Hook::WhenReady => self.run(py, "when_ready", ()),
            Hook::OnReload => self.run(py, "on_reload", ()),
            Hook::WorkersChanged { new, old } => self.run(py, "workers_changed", (new, old)),
            Hook::PreExec => self.run(py, "pre_exec", ()),
            Hook::OnExit => self.run(py, "on_exit", ()),
        };
        called.map(drop)
    }

    pub(crate) fn ended(&self, py: Python<'_>, worker: Member, call_hook: bool) -> Result<(), HookFailure> {
        self.run(py, "ended", (worker.process, worker.age, call_hook)).map(drop)
    }

    /// Tells the numbers of the listening sockets, which stay the server's.
    pub(crate) fn show_listeners(&self, py: Python<'_>, listeners: &[OwnedFd]) -> PyResult<()> {
        let numbers: Vec<i32> = listeners.iter().map(AsRawFd::as_raw_fd).collect();
        self.bind(py).call_method1("show_listeners", (numbers,))?;
        Ok(())
    }
}

/// Python's logger as the companion of the error log.
struct PythonLog {
    log: Py<PyAny>,
    takes_lines: bool,
}

impl PythonLog {
    fn try_take(&self, level: Level, message: &str) -> PyResult<()> {
        Python::attach(|py| {
            self.log.bind(py).call_method1(level.name().to_lowercase(), (message,))?;
            Ok(())
        })
    }
}

impl Companion for PythonLog {
    fn take(&self, level: Level, message: &str) -> bool {
        self.takes_lines && self.try_take(level, message).is_ok()
    }

    fn reopen(&self) {
        let reopened = Python::attach(|py| self.log.bind(py).call_method0("reopen_files").map(drop));
        if let Err(error) = reopened {
            log::error!("Cannot reopen the log files of Python's logger: {error}");
        }
    }
}

/// Writes the traceback of an exception with these words before it; Python's logger gets the exception itself.
pub(crate) fn log_exception(py: Python<'_>, host: Option<&Hosting>, words: &str, error: &PyErr) {
    let logger = host.filter(|host| host.logs);
    let exception = (error.get_type(py), error.value(py), error.traceback(py));
    let logged = logger.map(|host| host.bind(py).call_method1("log_exception", (words, exception)));
    if !matches!(logged, Some(Ok(_))) {
        exception!("{words}\n{}", traceback(py, error));
    }
}

/// What a logger lets through may be more than `loglevel` says: a logging configuration has its own word.
fn most_verbose(log: &Bound<'_, PyAny>) -> PyResult<LevelFilter> {
    let Ok(logger) = log.getattr("error_log") else { return Ok(LevelFilter::Debug) };
    let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
    Ok(match level {
        ..=19 => LevelFilter::Debug,
        20..=29 => LevelFilter::Info,
        30..=39 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    })
}
