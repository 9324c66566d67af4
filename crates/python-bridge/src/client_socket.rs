//! `gunicorn.socket`: the client's socket, made a Python object only when somebody looks at it.

use std::sync::Arc;

use ferricorn_application::Connection;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::tls;

/// Stands for a `socket.socket` and becomes one at the first use of an attribute. What it sends
/// goes past the server: only an application that takes the connection over may do so.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct ClientSocket {
    connection: Arc<Connection>,
    socket: PyOnceLock<Py<PyAny>>,
}

impl ClientSocket {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, socket: PyOnceLock::new() }
    }
}

#[pymethods]
impl ClientSocket {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let make = || tls::socket(py, &self.connection).map(Bound::unbind);
        self.socket.get_or_try_init(py, make)?.bind(py).getattr(name)
    }
}
