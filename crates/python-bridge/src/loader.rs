//! Configuration files and application objects, by way of `ferricorn._loading`, which is Python.

use std::io;
use std::path::Path;

use ferricorn_mold::ForkGuard;
use ferricorn_server::{LoadFailure, Loader};
use ferricorn_settings::{Layer, Origin, Settings, Value};
use ferricorn_unix::process::Fork;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::interrupt::{self, Interruptible};
use crate::wsgi::WsgiApplication;
use crate::{interpreter, traceback};

/// Everything that a mold and its workers know of Python.
#[derive(Default)]
pub(crate) struct PythonLoader {
    /// The application object, once loaded.
    application: Option<Py<PyAny>>,
}

impl ForkGuard for PythonLoader {
    fn guarded(&mut self, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork> {
        Python::attach(|py| interpreter::guarded_fork(py, fork))
    }
}

impl Loader for PythonLoader {
    type App = WsgiApplication;

    fn evaluate_file(&mut self, path: &Path) -> Result<Layer, String> {
        evaluate("evaluate_file", &path.to_string_lossy(), Origin::File(path.to_owned()))
    }

    fn evaluate_module(&mut self, name: &str) -> Result<Layer, String> {
        evaluate("evaluate_module", name, Origin::File(name.into()))
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
        let application = load(settings)?;
        self.application = Some(application);
        Python::attach(|py| {
            // Everything that exists now is shared with the workers: the collector of a worker
            // shall not touch it, or its pages are copied for nothing.
            let freeze = || py.import("gc")?.call_method0("freeze").map(|_| ());
            freeze().map_err(|error: PyErr| LoadFailure::Raised { traceback: traceback(py, &error) })
        })
    }

    fn begin_worker(&mut self) -> Result<(), String> {
        Python::attach(interrupt::install).map_err(|error| error.to_string())
    }

    fn application(&mut self, settings: &Settings) -> Result<WsgiApplication, LoadFailure> {
        let object = match self.application.take() {
            Some(object) => object,
            None => load(settings)?,
        };
        Python::attach(|py| {
            WsgiApplication::new(py, object, settings)
                .map_err(|error| LoadFailure::Raised { traceback: traceback(py, &error) })
        })
    }
}

fn loading(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("ferricorn._loading")
}

fn load(settings: &Settings) -> Result<Py<PyAny>, LoadFailure> {
    Python::attach(|py| {
        let _interruptible = Interruptible::begin();
        let loaded = loading(py).and_then(|module| module.call_method1("load", (&settings.application,)));
        loaded.map(Bound::unbind).map_err(|error| describe(py, &error))
    })
}

fn describe(py: Python<'_>, error: &PyErr) -> LoadFailure {
    if error.is_instance_of::<PySystemExit>(py) {
        let status = loading(py).and_then(|module| module.call_method1("exit_status", (error.value(py),))?.extract());
        return LoadFailure::Exit(status.unwrap_or(1));
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

fn evaluate(function: &str, what: &str, origin: Origin) -> Result<Layer, String> {
    Python::attach(|py| {
        let evaluated = loading(py).and_then(|module| module.call_method1(function, (what,)));
        match evaluated.and_then(|found| values(found.cast::<PyDict>()?)) {
            Ok(values) => Ok(Layer::new(origin, values)),
            Err(error) => Err(refusal(py, &error)),
        }
    })
}

/// A file that cannot be used is one sentence; one that fails is a traceback.
fn refusal(py: Python<'_>, error: &PyErr) -> String {
    let bad_file = loading(py).and_then(|module| module.getattr("BadConfiguration"));
    match bad_file {
        Ok(bad_file) if error.value(py).is_instance(&bad_file).unwrap_or(false) => {
            format!("\nError: {}\n", error.value(py))
        }
        _ => format!("{}\n", traceback(py, error)),
    }
}

fn values(found: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Value)>> {
    let mut values = Vec::new();
    for (name, value) in found.iter() {
        // Whatever else a file defines is its own business.
        if let Ok(name) = name.extract::<String>()
            && ferricorn_settings::find(&name).is_some()
        {
            values.push((name, convert(&value, DEEPEST)?));
        }
    }
    Ok(values)
}

/// Lists of lists and the like; no setting goes deeper than two levels.
const DEEPEST: usize = 8;

fn convert(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth == 0 {
        return Ok(Value::Other("a value that is nested too deeply".to_owned()));
    }
    if value.is_none() {
        return Ok(Value::None);
    }
    // Before int, of which bool is a subclass.
    if let Ok(boolean) = value.cast::<PyBool>() {
        return Ok(Value::Bool(boolean.is_true()));
    }
    if value.is_instance_of::<PyInt>()
        && let Ok(integer) = value.extract()
    {
        return Ok(Value::Int(integer));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Value::Str(value.extract()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items: PyResult<Vec<Value>> = value.try_iter()?.map(|item| convert(&item?, depth - 1)).collect();
        return Ok(Value::List(items?));
    }
    if let Ok(map) = value.cast::<PyDict>() {
        let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((name.str()?.extract()?, convert(&value, depth - 1)?))
        };
        return Ok(Value::Map(map.iter().map(entry).collect::<PyResult<_>>()?));
    }
    if value.is_callable() {
        let name = value.getattr("__qualname__").or_else(|_| value.repr().map(Bound::into_any))?;
        return Ok(Value::Callable(name.extract()?));
    }
    Ok(Value::Other(value.repr()?.extract()?))
}
