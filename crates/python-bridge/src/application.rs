//! What a worker serves: a WSGI application, called on the main thread or on threads of its own.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ferricorn_application::{Application, Calls, Exchange, Request, Supervision};
use ferricorn_settings::Settings;
use ferricorn_unix::thread::Nudge;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::db::process;
use crate::hosting::Hosting;
use crate::interrupt::Interruptible;
use crate::station::end_late_call;
use crate::supervision::PythonSupervision;
use crate::threads::Threads;
use crate::traceback;
use crate::wsgi::WsgiApplication;

/// See the module.
pub(crate) struct PythonApplication {
    wsgi: WsgiApplication,
    hosting: Option<Arc<Hosting>>,
    threads: Threads,
    /// Present where other threads look after calls.
    supervision: Option<Arc<PythonSupervision>>,
    ends_calls: bool,
    /// Threads make the calls, not the main thread.
    multithread: bool,
    /// Python writes here when a signal has come.
    alarm: Option<UnixStream>,
}

impl PythonApplication {
    pub(crate) fn new(
        py: Python<'_>,
        object: Py<PyAny>,
        settings: &Settings,
        hosting: Option<Hosting>,
    ) -> PyResult<Self> {
        let hosting = hosting.map(Arc::new);
        let wsgi = WsgiApplication::new(py, object, settings, hosting.clone())?;
        Ok(Self {
            wsgi,
            hosting,
            threads: Threads::default(),
            supervision: None,
            ends_calls: false,
            multithread: settings.multithread,
            alarm: None,
        })
    }
}

impl PythonApplication {
    /// The calls are the main thread's.
    fn supervise_main(&mut self, py: Python<'_>, supervision: &PythonSupervision, ends_calls: bool) -> PyResult<()> {
        let station = supervision.add();
        station.take_main(py)?;
        if ends_calls {
            let handler = wrap_pyfunction!(end_late_call, py)?;
            py.import("signal")?.call_method1("signal", (Nudge::Interrupt.number(), handler))?;
            self.wsgi.make_calls_at(station);
        }
        Ok(())
    }
}

impl Application for PythonApplication {
    fn call(&mut self, request: Request, exchange: Rc<dyn Exchange>) {
        Python::attach(|py| {
            let _interruptible = Interruptible::begin();
            self.wsgi.call(py, request, &exchange);
        });
    }

    fn supervise(&mut self, ends_calls: bool) -> io::Result<Arc<dyn Supervision>> {
        let supervision = Python::attach(|py| {
            let supervision = Arc::new(PythonSupervision::new(py)?);
            if !self.multithread {
                self.supervise_main(py, &supervision, ends_calls)?;
            }
            Ok(supervision)
        });
        let supervision =
            supervision.map_err(|error: PyErr| io::Error::other(format!("cannot look after calls: {error}")))?;
        (self.supervision, self.ends_calls) = (Some(Arc::clone(&supervision)), ends_calls);
        Ok(supervision)
    }

    fn start_thread(&mut self, name: &str, calls: Box<dyn Calls>) -> io::Result<()> {
        let station = self.supervision.as_ref().map(|supervision| supervision.add());
        let started = Python::attach(|py| {
            let mut wsgi = self.wsgi.for_thread(py)?;
            if let Some(station) = station.clone().filter(|_| self.ends_calls) {
                wsgi.make_calls_at(station);
            }
            self.threads.start(py, name, wsgi, calls, station)
        });
        started.map_err(|error| io::Error::other(format!("cannot start {name}: {error}")))
    }

    fn watch_signals(&mut self) -> io::Result<OwnedFd> {
        let (read, write) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        let watch = |py: Python<'_>| -> PyResult<()> {
            let options = PyDict::new(py);
            options.set_item("warn_on_full_buffer", false)?;
            py.import("signal")?.call_method("set_wakeup_fd", (write.as_raw_fd(),), Some(&options))?;
            Ok(())
        };
        Python::attach(watch).map_err(|error| io::Error::other(format!("cannot watch signals: {error}")))?;
        self.alarm = Some(write);
        Ok(read.into())
    }

    fn attend_signals(&mut self) -> bool {
        Python::attach(|py| match py.check_signals() {
            Ok(()) => true,
            Err(error) if error.is_instance_of::<PySystemExit>(py) => false,
            Err(error) => {
                log::error!("Exception in a signal handler\n{}", traceback(py, &error));
                true
            }
        })
    }

    fn finish(&mut self) {
        Python::attach(|py| {
            process::leave(py);
            self.threads.join_idle(py);
            // Handlers of signals that have come since Python ran last.
            let signals = py.check_signals();
            if let Some(Err(failure)) = self.hosting.as_ref().map(|host| host.run(py, "worker_exits", ())) {
                log::error!("{}", failure.traceback);
            }
            let finished =
                signals.and_then(|()| py.import("ferricorn._loading")).and_then(|module| module.call_method0("finish"));
            if let Err(error) = finished {
                log::error!("Exception at the end of the worker\n{}", traceback(py, &error));
            }
        });
    }

    fn source_files(&mut self) -> Vec<PathBuf> {
        Python::attach(|py| {
            let files =
                py.import("ferricorn._loading").and_then(|module| module.call_method0("source_files")?.extract());
            files.unwrap_or_else(|error: PyErr| {
                log::error!("Cannot list source files: {error}");
                Vec::new()
            })
        })
    }
}
