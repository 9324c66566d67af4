//! The Python extension module `ferricorn._ferricorn`: everything that knows Python, and nothing
//! else.
//!
//! - [`_ferricorn`]: the module's contents
//! - `loader`: configuration files, application objects, hooks: what the server's processes want of Python
//! - `hosting`: hooks and Python's logger; `values`, `table`: values of settings, and the table of them, for Python
//! - `application`: what a worker serves; `threads`: the threads that may make its calls
//! - `wsgi`: one call of a WSGI application, from request to response
//! - `environ`, `input`, `start_response`, `response_head`, `file_wrapper`, `error_stream`,
//!   `client_socket`: the objects that such a call is made of
//! - `tls`: the `ssl_context` hook, and the socket of a client that speaks TLS
//! - `observer`: what request hooks and a logger in Python see of a call
//! - `interrupt`: signals that end a call
//! - `db`: the database module's Rust side
//! - `supervision`: calls as other threads see them; `station`: where a thread makes its own, and how one is ended
//! - `interpreter`: the one file with `unsafe`: forking, waiting without the GIL, exceptions for other threads, what is one thread's

mod application;
mod client_socket;
mod db;
mod environ;
mod error_stream;
mod file_wrapper;
mod hosting;
mod input;
mod interpreter;
mod interrupt;
mod loader;
mod observer;
mod response_head;
mod start_response;
mod station;
mod supervision;
mod table;
mod threads;
mod tls;
mod values;
mod wsgi;

use pyo3::prelude::*;

/// The extension module.
#[pymodule(gil_used = true)]
mod _ferricorn {
    use std::ffi::OsString;

    use ferricorn_server::Invocation;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::client_socket::ClientSocket;
    #[pymodule_export]
    use crate::db::db;
    #[pymodule_export]
    use crate::error_stream::ErrorStream;
    #[pymodule_export]
    use crate::file_wrapper::FileWrapper;
    #[pymodule_export]
    use crate::input::Input;
    #[pymodule_export]
    use crate::interrupt::is_interruptible;
    #[pymodule_export]
    use crate::start_response::StartResponse;
    #[pymodule_export]
    use crate::station::{RequestTimeout, end_late_call};
    #[pymodule_export]
    use crate::table::{checked_setting, default_settings, settings_table};
    use crate::{interpreter, interrupt, loader::PythonLoader};

    /// The version of ferricorn.
    #[pymodule_export]
    const VERSION: &str = ferricorn_server::VERSION;

    /// Whoever imports `ferricorn._ferricorn.db` by that name finds it.
    #[pymodule_init]
    fn enter_submodule(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let modules = module.py().import("sys")?.getattr("modules")?;
        modules.set_item("ferricorn._ferricorn.db", module.getattr("db")?)
    }

    /// Runs the program: `arguments` without its own name, `command` what starts it again.
    /// `application` is the program that embeds the server, if one does. Returns its exit status; in a worker it does
    /// not return.
    #[pyfunction]
    #[pyo3(signature = (program, arguments, command, application = None))]
    fn main(
        py: Python<'_>,
        program: String,
        arguments: Vec<String>,
        command: Vec<OsString>,
        application: Option<Py<PyAny>>,
    ) -> PyResult<u8> {
        interrupt::let_signals_end_the_process(py)?;
        let invocation = Invocation { program, arguments, command_line: None, command };
        Ok(interpreter::detached(py, || ferricorn_server::run(invocation, &mut PythonLoader::new(application))))
    }
}

/// A Python exception as the text of its traceback.
fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let format = || {
        let lines = py
            .import("traceback")?
            .call_method1("format_exception", (error.get_type(py), error.value(py), error.traceback(py)))?;
        lines.extract::<Vec<String>>()
    };
    match format() {
        Ok(lines) => lines.concat().trim_end().to_owned(),
        Err(_) => error.to_string(),
    }
}
