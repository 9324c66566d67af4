//! `start_response`, the `write` that it returns, and `wsgi.early_hints`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use ferricorn_application::{Exchange, Head};
use pyo3::exceptions::{PyAssertionError, PyConnectionResetError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::interpreter::detached;
use crate::response_head;

/// The callable of one request.
#[pyclass(frozen, unsendable, module = "ferricorn._ferricorn")]
pub(crate) struct StartResponse {
    exchange: Rc<dyn Exchange>,
    /// What the application has said and the client has not yet been told.
    head: RefCell<Option<Head>>,
    called: Cell<bool>,
    /// Status and headers as the application gave them; kept only where somebody will ask.
    said: Option<RefCell<Said>>,
}

/// What an application has said of its response; nothing before it has.
pub(crate) type Said = Option<(Py<PyAny>, Py<PyAny>)>;

impl StartResponse {
    /// `keep`: remember what the application says.
    pub(crate) fn new(exchange: Rc<dyn Exchange>, keep: bool) -> Self {
        let said = keep.then(|| RefCell::new(None));
        Self { exchange, head: RefCell::new(None), called: Cell::new(false), said }
    }

    /// Status and headers as the application gave them, if they were to be kept.
    pub(crate) fn take_said(&self) -> Said {
        self.said.as_ref().and_then(|said| said.take())
    }

    /// The head, which is on its way from here on; an error if the application never gave one.
    pub(crate) fn take_head(&self) -> PyResult<Head> {
        self.head.borrow_mut().take().ok_or_else(|| {
            PyAssertionError::new_err("the application returned a body without having called start_response()")
        })
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, exc_info = None))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.borrow();
        match exc_info.filter(|exc_info| !exc_info.is_none()) {
            Some(exc_info) if this.exchange.begun() => {
                // Too late for another answer: the application's error goes on its way.
                let exc_info = exc_info.cast::<PyTuple>()?;
                let error = exc_info.get_item(1)?.call_method1("with_traceback", (exc_info.get_item(2)?,))?;
                return Err(PyErr::from_value(error));
            }
            Some(_) => {}
            None if this.called.get() => {
                return Err(PyAssertionError::new_err("start_response() was called twice without exc_info"));
            }
            None => {}
        }
        *this.head.borrow_mut() = Some(response_head::parse(status, headers)?);
        this.called.set(true);
        if let Some(said) = &this.said {
            *said.borrow_mut() = Some((status.clone().unbind(), headers.clone().unbind()));
        }
        slf.getattr(intern!(py, "write"))
    }

    /// Tells the client of headers that the response will have, before there is one: a list of
    /// pairs, as for the response itself.
    fn early_hints(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        self.exchange.hint(&response_head::parse_headers(headers)?);
        Ok(())
    }

    /// Sends a piece of the body before what the application returns.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        if !self.exchange.begun() {
            self.exchange.begin(self.take_head()?);
        }
        let piece = Bytes::copy_from_slice(data.as_bytes());
        detached(py, || self.exchange.send(piece, true))
            .map_err(|gone| PyConnectionResetError::new_err(gone.to_string()))
    }
}
