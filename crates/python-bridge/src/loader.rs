//! Configuration files, application objects and hooks: what the server's processes want of Python.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use ferricorn_application::Loaded;
use ferricorn_mold::Host;
use ferricorn_mold::host::HookFailure;
use ferricorn_mold::protocol::{Hook, Member, Metric, Occasion};
use ferricorn_server::{Embedding, LoadFailure, Loader, RevisedTls};
use ferricorn_settings::{Language, Layer, Origin, Resolved, Settings, Tls};
use ferricorn_telemetry::error_log::{self, Level};
use ferricorn_unix::process::{Fork, ProcessId};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::application::PythonApplication;
use crate::hosting::Hosting;
use crate::interrupt::Interruptible;
use crate::{interpreter, tls, traceback, values};

/// Everything that a mold and its workers know of Python.
#[derive(Default)]
pub(crate) struct PythonLoader {
    /// The application object, once loaded.
    application: Option<Py<PyAny>>,
    /// The `BaseApplication` of a program that embeds the server.
    program: Option<Py<PyAny>>,
    /// What the configuration file, or the program, has said, as the objects they are.
    said: Option<Py<PyDict>>,
    /// Hooks and logger, once the settings are known.
    hosting: Option<Hosting>,
}

impl PythonLoader {
    pub(crate) fn new(program: Option<Py<PyAny>>) -> Self {
        Self { program, ..Self::default() }
    }

    /// Runs something of the host's; nothing where there is none, as in a mold that only checks a configuration.
    fn hook<T: Default>(
        &self,
        run: impl FnOnce(Python<'_>, &Hosting) -> Result<T, HookFailure>,
    ) -> Result<T, HookFailure> {
        self.hosting.as_ref().map_or_else(|| Ok(T::default()), |hosting| Python::attach(|py| run(py, hosting)))
    }

    /// Keeps the objects and makes a layer of them.
    fn take_note(&mut self, found: &Bound<'_, PyDict>, origin: Origin) -> PyResult<Layer> {
        let values = values::of_settings(found)?;
        self.said = Some(found.clone().unbind());
        Ok(Layer::new(origin, values))
    }

    fn evaluate(&mut self, function: &str, what: &str, origin: Origin) -> Result<Layer, String> {
        Python::attach(|py| {
            let evaluated = loading(py).and_then(|module| module.call_method1(function, (what,)));
            evaluated
                .and_then(|found| self.take_note(found.cast::<PyDict>()?, origin))
                .map_err(|error| refusal(py, &error))
        })
    }

    fn load(&self, py: Python<'_>, settings: &Settings) -> PyResult<Py<PyAny>> {
        let _interruptible = Interruptible::begin();
        let loaded = match (&self.program, &settings.paste) {
            (Some(program), _) => loading(py)?.call_method1("load_from_program", (program,)),
            (None, Some(uri)) => {
                loading(py)?.call_method1("load_from_paste", (uri, settings.paste_global.clone().into_py_dict(py)?))
            }
            (None, None) => loading(py)?.call_method1("load", (&settings.application, settings.reload)),
        };
        loaded.map(Bound::unbind)
    }
}

impl Host for PythonLoader {
    fn guarded(&mut self, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork> {
        Python::attach(|py| interpreter::guarded_fork(py, fork))
    }

    fn call(&mut self, hook: Hook) -> Result<(), HookFailure> {
        self.hook(|py, hosting| hosting.call(py, hook))
    }

    fn before_fork(&mut self, age: u64) -> Result<(), HookFailure> {
        self.hook(|py, hosting| hosting.run(py, "before_fork", (age,)).map(drop))
    }

    fn forked(&mut self, worker: ProcessId) {
        log_problem(self.hook(|py, hosting| hosting.run(py, "forked", (worker.as_raw(),)).map(drop)));
    }

    fn listeners_closed(&mut self) {
        log_problem(self.hook(|py, hosting| hosting.show_listeners(py, &[]).map_err(|error| failure(py, &error))));
    }

    fn born(&mut self, worker: Member) {
        log_problem(self.hook(|py, hosting| hosting.run(py, "born", (worker.process, worker.age)).map(drop)));
    }

    fn ended(&mut self, worker: Member, call_hook: bool) -> Result<(), HookFailure> {
        self.hook(|py, hosting| hosting.ended(py, worker, call_hook))
    }

    fn log(&mut self, level: Level, message: &str) {
        let logged = self.hook(|py, hosting| hosting.run(py, "log_for_master", (level.name(), message)).map(drop));
        if logged.is_err() {
            error_log::log(level, message);
        }
    }

    fn measure(&mut self, metric: Metric) {
        let (name, value, kind) = match metric {
            Metric::Workers(workers) => ("gunicorn.workers", workers, "gauge"),
            Metric::Backlog(waiting) => ("gunicorn.backlog", waiting as usize, "histogram"),
        };
        log_problem(self.hook(|py, hosting| hosting.run(py, "measure", (name, value, kind)).map(drop)));
    }

    fn take_wanted(&mut self) -> Option<usize> {
        let wanted = self.hook(|py, hosting| {
            let wanted = hosting.run(py, "take_wanted", ())?;
            wanted.extract::<Option<usize>>().map_err(|error| failure(py, &error))
        });
        wanted.unwrap_or_else(|problem| {
            log_problem(Err(problem));
            None
        })
    }
}

impl Loader for PythonLoader {
    fn language(&self) -> Language {
        Language::Python
    }

    fn evaluate_file(&mut self, path: &Path) -> Result<Layer, String> {
        let mut layer = self.evaluate("evaluate_file", &path.to_string_lossy(), Origin::File(path.to_owned()))?;
        let lines = Python::attach(|py| loading(py)?.call_method1("line_numbers", (path,))?.extract());
        layer.lines = lines.map_err(|error: PyErr| error.to_string())?;
        Ok(layer)
    }

    fn evaluate_module(&mut self, name: &str) -> Result<Layer, String> {
        self.evaluate("evaluate_module", name, Origin::File(name.into()))
    }

    fn embedding(&mut self) -> Result<Option<Embedding>, String> {
        Python::attach(|py| {
            let Some(program) = self.program.as_ref().map(|program| program.clone_ref(py)) else { return Ok(None) };
            let described = loading(py)?.call_method1("describe_program", (program,))?;
            let (name, reads_arguments, said): (String, bool, Bound<'_, PyDict>) = described.extract()?;
            let layer = self.take_note(&said, Origin::Program)?;
            Ok(Some(Embedding { layer, name, reads_arguments }))
        })
        .map_err(|error: PyErr| Python::attach(|py| refusal(py, &error)))
    }

    fn adopt(&mut self, resolved: &Resolved) -> Result<(), String> {
        Python::attach(|py| {
            if let Some(uri) = &resolved.settings.paste {
                loading(py)?.call_method1("check_paste", (uri,))?;
            }
            let said = self.said.take().map_or_else(|| PyDict::new(py), |said| said.into_bound(py));
            let hosting = Hosting::new(py, resolved, &said)?;
            if let Some(program) = &self.program {
                program.call_method1(py, "adopt", (hosting.bind(py).getattr("cfg")?,))?;
            }
            self.hosting = Some(hosting);
            Ok(())
        })
        .map_err(|error: PyErr| Python::attach(|py| sentence(py, &error)))
    }

    fn start_logging(&mut self, settings: &Settings) -> Result<(), String> {
        let Some(hosting) = &self.hosting else { return Ok(()) };
        Python::attach(|py| hosting.start_logging(py, settings).map_err(|error| sentence(py, &error)))
    }

    fn revise_tls(&mut self, asked: Tls) -> Result<RevisedTls, String> {
        let Some(hosting) = &self.hosting else { return Ok(RevisedTls { settings: asked, choice: None }) };
        Python::attach(|py| {
            let revised = hosting.bind(py).call_method0("revised_tls").map_err(|error| refusal(py, &error))?;
            tls::revise(asked, &revised)
                .map_err(|error| refusal(py, &error))?
                .map_err(|problem| format!("\nError: {problem}\n"))
        })
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        Python::attach(|py| {
            let arguments = (&settings.chdir, &settings.pythonpath, settings.raw_env.clone());
            loading(py)?.call_method1("prepare", arguments)?;
            Ok(())
        })
        .map_err(|error: PyErr| error.to_string())
    }

    fn preload(&mut self, settings: &Settings) -> Result<(), LoadFailure> {
        Python::attach(|py| {
            let application = self.load(py, settings).map_err(|error| describe(py, &error))?;
            self.hook(|py, hosting| hosting.run(py, "preloaded", (&application,)).map(drop)).map_err(load_failure)?;
            self.application = Some(application);
            // Everything that exists now is shared with the workers: the collector of a worker
            // shall not touch it, or its pages are copied for nothing.
            let freeze = || py.import("gc")?.call_method0("freeze").map(|_| ());
            freeze().map_err(|error: PyErr| LoadFailure::Raised { traceback: traceback(py, &error) })
        })
    }

    fn begin_generation(&mut self, settings: &Settings, occasion: Occasion) -> Result<(), LoadFailure> {
        let before = match occasion {
            Occasion::Start => None,
            Occasion::Reload { wanted } => Some(wanted),
            Occasion::Replacement => return Ok(()),
        };
        let hook = Hook::WorkersChanged { new: settings.workers, old: before };
        self.call(hook).map_err(load_failure)
    }

    fn show_listeners(&mut self, listeners: &[OwnedFd]) -> Result<(), String> {
        let shown = self.hook(|py, hosting| hosting.show_listeners(py, listeners).map_err(|error| failure(py, &error)));
        shown.map_err(|failure| failure.traceback)
    }

    fn worker_is_born(&mut self) -> Result<(), LoadFailure> {
        self.hook(|py, hosting| hosting.run(py, "worker_is_born", ()).map(drop)).map_err(load_failure)
    }

    fn begin_worker(&mut self) -> Result<(), String> {
        let begun = self.hook(|py, hosting| hosting.run(py, "begin_worker", ()).map(drop));
        begun.map_err(|failure| failure.traceback)
    }

    fn application(&mut self, settings: &Settings) -> Result<Loaded<LoadFailure>, LoadFailure> {
        Python::attach(|py| {
            let object = match self.application.take() {
                Some(object) => object,
                None => self.load(py, settings).map_err(|error| describe(py, &error))?,
            };
            self.hook(|py, hosting| hosting.run(py, "loaded", (&object,)).map(drop)).map_err(load_failure)?;
            PythonApplication::new(py, object, settings, self.hosting.take())
                .map(|application| Loaded::Application(Box::new(application)))
                .map_err(|error| LoadFailure::Raised { traceback: traceback(py, &error) })
        })
    }

    fn worker_ends_early(&mut self) {
        log_problem(self.hook(|py, hosting| hosting.run(py, "worker_exits", ()).map(drop)));
    }
}

fn loading(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("ferricorn._loading")
}

fn log_problem(outcome: Result<(), HookFailure>) {
    if let Err(failure) = outcome {
        log::error!("{}", failure.traceback);
    }
}

fn load_failure(failure: HookFailure) -> LoadFailure {
    match failure.exit {
        Some(status) => LoadFailure::Exit(status.into()),
        None => LoadFailure::Raised { traceback: failure.traceback },
    }
}

/// The status of a SystemExit.
fn exit_status(py: Python<'_>, error: &PyErr) -> Option<u8> {
    let is_exit = error.is_instance_of::<PySystemExit>(py);
    let status = || loading(py)?.call_method1("exit_status", (error.value(py),))?.extract();
    is_exit.then(|| status().unwrap_or(1))
}

/// What a hook raised.
pub(crate) fn failure(py: Python<'_>, error: &PyErr) -> HookFailure {
    HookFailure { traceback: traceback(py, error), exit: exit_status(py, error) }
}

fn describe(py: Python<'_>, error: &PyErr) -> LoadFailure {
    if let Some(status) = exit_status(py, error) {
        return LoadFailure::Exit(status.into());
    }
    let missing = loading(py).and_then(|module| module.getattr("NotAnApplication"));
    let traceback = traceback(py, error);
    match missing {
        Ok(missing) if error.value(py).is_instance(&missing).unwrap_or(false) => {
            LoadFailure::NotAnApplication { message: error.value(py).to_string(), traceback }
        }
        _ => LoadFailure::Raised { traceback },
    }
}

/// A file that cannot be used is one sentence; one that fails is a traceback.
fn refusal(py: Python<'_>, error: &PyErr) -> String {
    if is_about_configuration(py, error) {
        format!("\nError: {}\n", error.value(py))
    } else {
        format!("{}\n", traceback(py, error))
    }
}

/// Why settings cannot be used: a sentence where we have one, else what was raised and where.
fn sentence(py: Python<'_>, error: &PyErr) -> String {
    if is_about_configuration(py, error) { error.value(py).to_string() } else { traceback(py, error) }
}

fn is_about_configuration(py: Python<'_>, error: &PyErr) -> bool {
    let bad = loading(py).and_then(|module| module.getattr("BadConfiguration"));
    bad.is_ok_and(|bad| error.value(py).is_instance(&bad).unwrap_or(false))
}
