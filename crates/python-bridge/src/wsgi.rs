//! One call of a WSGI application, from request to response.

use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use ferricorn_application::{Exchange, Gone, Request, error_page, target};
use ferricorn_settings::Settings;
use ferricorn_telemetry::access_log::Format;
use ferricorn_unix::descriptor;
use http::StatusCode;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::db::call;
use crate::environ::{Environs, OutsideScriptName};
use crate::file_wrapper::FileWrapper;
use crate::hosting::{Hosting, log_exception};
use crate::observer::Observer;
use crate::start_response::{Said, StartResponse, send_now, settle};
use crate::station::{RequestTimeout, Station};
use crate::traceback;

/// A WSGI application object, ready to be called.
pub(crate) struct WsgiApplication {
    object: Py<PyAny>,
    environs: Environs,
    /// Environ names that the access log wants to know.
    logged_names: Vec<String>,
    /// Hooks, and Python's logger.
    hosting: Option<Arc<Hosting>>,
    /// Present where calls can be ended from outside.
    station: Option<Arc<Station>>,
    /// Whether the call was to end.
    was_late: bool,
    /// Present where a hook or a logger in Python is to see requests.
    observer: Option<Observer>,
}

/// What a call leaves behind for those who watch requests.
#[derive(Default)]
struct Traces<'py> {
    environ: Option<Bound<'py, PyDict>>,
    said: Said,
}

/// How the body of a response ended.
enum Ended {
    /// All of it was handed over.
    Complete,
    /// Nobody takes it any more.
    ClientGone,
}

impl From<Result<(), Gone>> for Ended {
    fn from(sent: Result<(), Gone>) -> Self {
        if sent.is_ok() { Self::Complete } else { Self::ClientGone }
    }
}

impl WsgiApplication {
    pub(crate) fn new(
        py: Python<'_>,
        object: Py<PyAny>,
        settings: &Settings,
        hosting: Option<Arc<Hosting>>,
    ) -> PyResult<Self> {
        let format = Format::parse(&settings.access_log_format).ok().filter(|_| settings.accesslog.is_some());
        let logged_names = format.map(|format| format.environ_names().map(str::to_owned).collect());
        Ok(Self {
            object,
            station: None,
            was_late: false,
            environs: Environs::new(py, settings)?,
            logged_names: logged_names.unwrap_or_default(),
            observer: match &hosting {
                Some(hosting) => Observer::new(py, hosting, settings.logs_in_python)?,
                None => None,
            },
            hosting,
        })
    }

    /// The same for another thread.
    pub(crate) fn for_thread(&self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            object: self.object.clone_ref(py),
            station: None,
            was_late: false,
            environs: self.environs.for_thread(py)?,
            logged_names: self.logged_names.clone(),
            hosting: self.hosting.clone(),
            observer: self.observer.clone(),
        })
    }

    /// The thread that calls it can be made to end a call.
    pub(crate) fn make_calls_at(&mut self, station: Arc<Station>) {
        self.station = Some(station);
    }

    fn begin(&mut self, py: Python<'_>) {
        self.was_late = false;
        if let Some(station) = &self.station {
            station.begin(py);
        }
    }

    /// From here on no call is ended any more.
    fn end(&mut self, py: Python<'_>) {
        if let Some(station) = &self.station {
            self.was_late |= station.end(py);
        }
    }

    /// Answers a request, with the application's answer or with the server's own page.
    pub(crate) fn call(&mut self, py: Python<'_>, mut request: Request, exchange: &Rc<dyn Exchange>) {
        log::debug!("{} {}", request.head.method, target::path(&request.head));
        call::begin(exchange, &request);
        self.begin(py);
        let answered = match self.observer.clone() {
            Some(observer) => self.answer_observed(py, &observer, &mut request, exchange),
            None => self.answer(py, &mut request, exchange, None),
        };
        self.end(py);
        if let Err(error) = answered {
            self.report(py, &request, exchange, &error);
        }
        call::end(py);
    }

    /// Answers a request that hooks, or a logger in Python, are to see.
    fn answer_observed(
        &mut self,
        py: Python<'_>,
        observer: &Observer,
        request: &mut Request,
        exchange: &Rc<dyn Exchange>,
    ) -> PyResult<()> {
        let observed = observer.begin(py, request)?;
        let mut traces = Traces::default();
        let answered = observer
            .before(py, &observed, request)
            .and_then(|()| self.answer(py, request, exchange, Some(&mut traces)));
        self.end(py);
        if let Err(error) = &answered {
            self.report(py, request, exchange, error);
        } else {
            // The hook may take its time; the client need not wait for it.
            settle(py, exchange);
        }
        let failure = answered.is_err().then(|| self.page());
        observer.after(py, &observed, traces.environ, traces.said, exchange.sent(), failure)
    }

    fn report(&self, py: Python<'_>, request: &Request, exchange: &Rc<dyn Exchange>, error: &PyErr) {
        // Where a late call was has been told already.
        if !self.was_late || !error.is_instance_of::<RequestTimeout>(py) {
            let words = format!("Error handling request {} {}", request.head.method, request.raw_target());
            log_exception(py, self.hosting.as_deref(), &words, error);
        }
        respond_with_error(exchange, self.page());
    }

    /// What a call that has failed answers with.
    fn page(&self) -> StatusCode {
        if self.was_late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::INTERNAL_SERVER_ERROR }
    }

    /// `traces`: where to leave what those who watch requests want to know.
    fn answer<'py>(
        &mut self,
        py: Python<'py>,
        request: &mut Request,
        exchange: &Rc<dyn Exchange>,
        traces: Option<&mut Traces<'py>>,
    ) -> PyResult<()> {
        let environ = match self.environs.make(py, request)? {
            Ok(environ) => environ,
            Err(outside) => {
                refuse_path(request, &outside, exchange);
                return Ok(());
            }
        };
        let start = Bound::new(py, StartResponse::new(Rc::clone(exchange), traces.is_some()))?;
        environ.set_item(intern!(py, "wsgi.early_hints"), start.getattr(intern!(py, "early_hints"))?)?;
        let body = self.object.bind(py).call1((&environ, &start));
        let sent = body.and_then(|body| send_and_close(&body, &start, exchange));
        self.annotate(&environ, exchange);
        if let Some(traces) = traces {
            (traces.said, traces.environ) = (start.get().take_said(), Some(environ));
        }
        start.get().release();
        sent
    }

    fn annotate(&self, environ: &Bound<'_, PyDict>, exchange: &Rc<dyn Exchange>) {
        if self.logged_names.is_empty() {
            return;
        }
        for (key, value) in environ.iter() {
            let key = key.to_string();
            if self.logged_names.iter().any(|name| name.eq_ignore_ascii_case(&key)) {
                exchange.annotate(&key, value.to_string());
            }
        }
    }
}

/// Status, reason and words are Gunicorn's, which blames the configuration.
fn refuse_path(request: &Request, outside: &OutsideScriptName, exchange: &Rc<dyn Exchange>) {
    let (path, script_name) = (outside.path.replace('\'', "\\'"), outside.script_name.replace('\'', "\\'"));
    let words = format!("Configuration problem: Request path '{path}' does not start with SCRIPT_NAME '{script_name}'");
    log::warn!("Invalid request from ip={}: {words}", request.connection.remote_address());
    let (head, page) = error_page::page_with_reason(StatusCode::INTERNAL_SERVER_ERROR, "Bad Request", &words);
    exchange.respond(head, page);
}

/// The server's own page, or, where the application's answer is under way, the end of the
/// connection.
fn respond_with_error(exchange: &Rc<dyn Exchange>, status: StatusCode) {
    if exchange.begun() {
        exchange.abort();
    } else {
        let (head, page) = error_page::page(status, "");
        exchange.respond(head, page);
    }
}

/// Sends what the application returned, and closes it whatever happened.
fn send_and_close(
    body: &Bound<'_, PyAny>,
    start: &Bound<'_, StartResponse>,
    exchange: &Rc<dyn Exchange>,
) -> PyResult<()> {
    let py = body.py();
    let sent = send(body, start.get(), exchange);
    if body.is_exact_instance_of::<PyList>() || body.is_exact_instance_of::<PyTuple>() {
        return sent.map(drop);
    }
    let closed = match body.getattr_opt(intern!(py, "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    };
    match (sent, closed) {
        (Ok(_), closed) => closed,
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(at_close)) => {
            log::error!("Exception in close() after another one\n{}", traceback(py, &at_close));
            Err(error)
        }
    }
}

fn send(body: &Bound<'_, PyAny>, start: &StartResponse, exchange: &Rc<dyn Exchange>) -> PyResult<Ended> {
    if let Ok(wrapper) = body.cast_exact::<FileWrapper>()
        && !exchange.begun()
        && let Some(file) = regular_file(wrapper)?
    {
        exchange.respond_file(start.take_head()?, file.file, file.offset, file.length);
        return Ok(Ended::Complete);
    }
    if let Ok(list) = body.cast_exact::<PyList>() {
        return send_ready_made(list.iter(), list.len(), start, exchange);
    }
    if let Ok(tuple) = body.cast_exact::<PyTuple>() {
        return send_ready_made(tuple.iter(), tuple.len(), start, exchange);
    }
    send_generated(body, start, exchange)
}

/// A body that is all there already: nothing is gained by sending its pieces one by one.
fn send_ready_made<'py>(
    mut pieces: impl Iterator<Item = Bound<'py, PyAny>>,
    count: usize,
    start: &StartResponse,
    exchange: &Rc<dyn Exchange>,
) -> PyResult<Ended> {
    let whole = match (count, pieces.next()) {
        (1, Some(piece)) => bytes_of(&piece)?,
        (_, first) => {
            let mut joined = Vec::new();
            for piece in first.into_iter().chain(pieces) {
                joined.extend_from_slice(piece_of(&piece)?.as_bytes());
            }
            Bytes::from(joined)
        }
    };
    if exchange.begun() {
        let sent = exchange.send(whole, false);
        exchange.finish();
        return Ok(sent.into());
    }
    exchange.respond(start.take_head()?, whole);
    Ok(Ended::Complete)
}

/// A body that is made while it is sent.
fn send_generated(body: &Bound<'_, PyAny>, start: &StartResponse, exchange: &Rc<dyn Exchange>) -> PyResult<Ended> {
    let py = body.py();
    let mut pieces = body.try_iter()?;
    let mut settled = false;
    while let Some(piece) = pieces.next().transpose()? {
        let piece = bytes_of(&piece)?;
        if piece.is_empty() || settled {
            continue;
        }
        if !exchange.begun() {
            let head = start.take_head()?;
            if head.length.is_some_and(|length| length <= piece.len() as u64) {
                // The first piece is all the client gets; the rest is for the application's sake.
                exchange.respond(head, piece);
                settle(py, exchange);
                settled = true;
                continue;
            }
            exchange.begin(head);
        }
        if send_now(py, exchange, piece).is_err() {
            exchange.abort();
            // If it is a signal that ends this, it is to be raised here: in the body's `close()` it would cut that short.
            py.check_signals()?;
            return Ok(Ended::ClientGone);
        }
    }
    if settled {
        return Ok(Ended::Complete);
    }
    if exchange.begun() {
        exchange.finish();
    } else {
        exchange.respond(start.take_head()?, Bytes::new());
    }
    settle(py, exchange);
    Ok(Ended::Complete)
}

fn piece_of<'a, 'py>(piece: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    piece.cast::<PyBytes>().map_err(|_| {
        let kind = piece.get_type();
        PyTypeError::new_err(format!("the body is not made of bytes: {kind}"))
    })
}

fn bytes_of(piece: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    Ok(Bytes::copy_from_slice(piece_of(piece)?.as_bytes()))
}

/// Part of a regular file, from where its reader has got to.
struct FilePart {
    file: File,
    offset: u64,
    length: u64,
}

/// `None` if the wrapped object is not, or has no, regular file.
fn regular_file(wrapper: &Bound<'_, FileWrapper>) -> PyResult<Option<FilePart>> {
    let py = wrapper.py();
    let filelike = wrapper.getattr("filelike")?;
    let Ok(number) = filelike.call_method0("fileno").and_then(|number| number.extract::<i32>()) else {
        return Ok(None);
    };
    let copy: i32 = py.import("os")?.call_method1("dup", (number,))?.extract()?;
    let file = File::from(descriptor::take_inherited(copy)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let offset = match filelike.call_method0("tell").and_then(|at| at.extract::<u64>()) {
        Ok(offset) => offset,
        Err(_) => return Ok(None),
    };
    Ok(Some(FilePart { file, offset, length: metadata.len().saturating_sub(offset) }))
}
