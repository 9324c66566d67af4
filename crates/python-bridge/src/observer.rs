//! What request hooks (`pre_request`, `post_request`) and a logger in Python see of a call. Without any of them no request
//! passes through here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferricorn_application::{Peer, Request, target};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::hosting::Hosting;
use crate::start_response::Said;

/// `ferricorn._hosting.RequestHooks`.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Py<PyAny>>);

/// One request under observation.
pub(crate) struct Observed {
    /// The `req` of hooks.
    request: Py<PyAny>,
    began: Instant,
}

impl Observer {
    /// `None` if nobody wants to see requests.
    pub(crate) fn new(py: Python<'_>, hosting: &Hosting, logs_in_python: bool) -> PyResult<Option<Self>> {
        let hooks = hosting.bind(py).call_method1("request_hooks", (logs_in_python,))?;
        Ok((!hooks.is_none()).then(|| Self(Arc::new(hooks.unbind()))))
    }

    /// A request is about to be answered.
    pub(crate) fn begin(&self, py: Python<'_>, request: &Request) -> PyResult<Observed> {
        let began = Instant::now();
        let head = &request.head;
        let version = target::version(head);
        let scheme = if request.https { "https" } else { "http" };
        let target = request.raw_target();
        let arguments =
            (head.method.as_str(), target, version, headers(py, &head.headers)?, scheme, peer(py, request)?);
        Ok(Observed { request: self.0.bind(py).call_method1(intern!(py, "begin"), arguments)?.unbind(), began })
    }

    /// Calls `pre_request`. What it changes about the request's headers is changed for the application.
    pub(crate) fn before(&self, py: Python<'_>, observed: &Observed, request: &mut Request) -> PyResult<()> {
        let changed = self.0.bind(py).call_method1(intern!(py, "before"), (&observed.request,))?;
        if let Some(changed) = changed.extract::<Option<Vec<(String, String)>>>()? {
            request.head.headers = header_map(&changed);
        }
        Ok(())
    }

    /// Writes the access line and calls `post_request`. `said`: status and headers as the application gave them; `failure`: with what
    /// the server has answered in its place, if it has failed.
    pub(crate) fn after(
        &self,
        py: Python<'_>,
        observed: &Observed,
        environ: Option<Bound<'_, PyDict>>,
        said: Said,
        sent: u64,
        failure: Option<StatusCode>,
    ) -> PyResult<()> {
        let elapsed: Duration = observed.began.elapsed();
        let (status, headers) = said.unzip();
        let failure = failure.map(|status| status.to_string());
        let arguments = (&observed.request, environ, status, headers, sent, elapsed, failure);
        self.0.bind(py).call_method1(intern!(py, "after"), arguments)?;
        Ok(())
    }
}

/// Names in upper case, values as WSGI has them, in the order in which they are kept.
fn headers<'py>(py: Python<'py>, map: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let pairs: PyResult<Vec<Bound<'py, PyTuple>>> = map
        .iter()
        .map(|(name, value)| {
            let value: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
            (name.as_str().to_ascii_uppercase(), value).into_pyobject(py)
        })
        .collect();
    PyList::new(py, pairs?)
}

/// An address and port, or the empty text for a Unix socket.
fn peer<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyAny>> {
    match &request.connection.remote {
        Peer::Tcp(address) => Ok((address.ip().to_string(), address.port()).into_pyobject(py)?.into_any()),
        Peer::Unix(_) => Ok(PyString::new(py, "").into_any()),
    }
}

/// What cannot be a header is left out: the application could not have been sent it either.
fn header_map(pairs: &[(String, String)]) -> HeaderMap {
    let bytes = |text: &str| text.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect::<Vec<u8>>();
    let header = |(name, value): &(String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(&bytes(value)).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().filter_map(header) {
        map.append(name, value);
    }
    map
}
