//! `start_response`, the `write` that it returns, and `wsgi.early_hints`.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use ferricorn_application::{Exchange, Gone, Head};
use pyo3::exceptions::{PyAssertionError, PyConnectionResetError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::interpreter::{OfThread, detached};
use crate::response_head;

/// The callable of one request.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct StartResponse {
    /// Empty once the call is over.
    call: OfThread<RefCell<Option<Call>>>,
}

/// The call that a [`StartResponse`] was made for.
struct Call {
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
        let call = Call { exchange, head: RefCell::new(None), called: Cell::new(false), said };
        Self { call: OfThread::new(RefCell::new(Some(call))) }
    }

    fn call(&self) -> PyResult<Ref<'_, Call>> {
        let call = self.call.get().ok_or_else(|| {
            PyRuntimeError::new_err(
                "start_response and what belongs to it work on the thread that was given the request only",
            )
        })?;
        Ref::filter_map(call.borrow(), Option::as_ref).map_err(|_| {
            PyRuntimeError::new_err("start_response and what belongs to it work during their request only")
        })
    }

    /// Status and headers as the application gave them, if they were to be kept.
    pub(crate) fn take_said(&self) -> Said {
        self.call().ok().and_then(|call| call.said.as_ref().and_then(RefCell::take))
    }

    /// The head, which is on its way from here on; an error if the application never gave one.
    pub(crate) fn take_head(&self) -> PyResult<Head> {
        self.call()?.take_head()
    }

    /// The call is over, though the application may keep this.
    pub(crate) fn release(&self) {
        if let Some(call) = self.call.get() {
            let _ = call.try_borrow_mut().map(|mut call| *call = None);
        }
    }
}

impl Call {
    fn take_head(&self) -> PyResult<Head> {
        self.head.borrow_mut().take().ok_or_else(|| {
            PyAssertionError::new_err("the application returned a body without having called start_response()")
        })
    }
}

/// Sends a piece of a body at once, without the GIL if that may take time.
pub(crate) fn send_now(py: Python<'_>, exchange: &Rc<dyn Exchange>, piece: Bytes) -> Result<(), Gone> {
    if exchange.may_wait() { detached(py, || exchange.send(piece, true)) } else { exchange.send(piece, true) }
}

/// Settles a response, without the GIL if that may take time.
pub(crate) fn settle(py: Python<'_>, exchange: &Rc<dyn Exchange>) {
    if exchange.may_wait() { detached(py, || exchange.settle()) } else { exchange.settle() }
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
        let call = slf.get().call()?;
        match exc_info.filter(|exc_info| !exc_info.is_none()) {
            Some(exc_info) if call.exchange.begun() => {
                // Too late for another answer: the application's error goes on its way.
                let exc_info = exc_info.cast::<PyTuple>()?;
                let error = exc_info.get_item(1)?.call_method1("with_traceback", (exc_info.get_item(2)?,))?;
                return Err(PyErr::from_value(error));
            }
            Some(_) => {}
            None if call.called.get() => {
                return Err(PyAssertionError::new_err("start_response() was called twice without exc_info"));
            }
            None => {}
        }
        *call.head.borrow_mut() = Some(response_head::parse(status, headers)?);
        call.called.set(true);
        if let Some(said) = &call.said {
            *said.borrow_mut() = Some((status.clone().unbind(), headers.clone().unbind()));
        }
        slf.getattr(intern!(py, "write"))
    }

    /// Tells the client of headers that the response will have, before there is one: a list of
    /// pairs, as for the response itself.
    fn early_hints(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        self.call()?.exchange.hint(&response_head::parse_hints(headers)?);
        Ok(())
    }

    /// Sends a piece of the body before what the application returns.
    fn write(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let call = self.call()?;
        if !call.exchange.begun() {
            call.exchange.begin(call.take_head()?);
        }
        let piece = Bytes::copy_from_slice(data.as_bytes());
        send_now(py, &call.exchange, piece).map_err(|gone| PyConnectionResetError::new_err(gone.to_string()))
    }
}
