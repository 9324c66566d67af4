//! The WSGI environ of one request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use ferricorn_application::{Connection, Peer, Request, request};
use ferricorn_settings::Settings;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Version, header};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::client_socket::ClientSocket;
use crate::error_stream::ErrorStream;
use crate::file_wrapper::FileWrapper;
use crate::input::Input;

/// Names of header fields that are kept as environ keys, so that clients that invent names
/// cannot fill the memory.
const KEPT_NAMES: usize = 512;

/// Makes environs.
pub(crate) struct Environs {
    /// What is the same for all requests.
    base: Py<PyDict>,
    /// `HTTP_...` keys for header names that have been seen.
    keys: HashMap<HeaderName, Py<PyString>>,
    script_name: String,
}

/// A request whose path lies outside the SCRIPT_NAME that a trusted proxy gave.
#[derive(Debug)]
pub(crate) struct OutsideScriptName {
    pub(crate) path: String,
    pub(crate) script_name: String,
}

impl Environs {
    pub(crate) fn new(py: Python<'_>, settings: &Settings) -> PyResult<Self> {
        let base = PyDict::new(py);
        base.set_item("wsgi.version", (1, 0))?;
        base.set_item("wsgi.errors", Bound::new(py, ErrorStream)?)?;
        base.set_item("wsgi.multithread", false)?;
        base.set_item("wsgi.multiprocess", settings.workers > 1)?;
        base.set_item("wsgi.run_once", false)?;
        base.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        base.set_item("wsgi.input_terminated", true)?;
        base.set_item("SERVER_SOFTWARE", format!("gunicorn/27.0.1 ferricorn/{}", ferricorn_server::VERSION))?;
        let script_name = std::env::var("SCRIPT_NAME").unwrap_or_default();
        Ok(Self { base: base.unbind(), keys: HashMap::new(), script_name })
    }

    /// The environ for this request. The body goes into it, and is empty afterwards.
    pub(crate) fn make<'py>(
        &mut self,
        py: Python<'py>,
        request: &mut Request,
    ) -> PyResult<Result<Bound<'py, PyDict>, OutsideScriptName>> {
        let environ = self.base.bind(py).copy()?;
        let head = &request.head;
        environ.set_item(intern!(py, "REQUEST_METHOD"), method(py, &head.method))?;
        environ.set_item(intern!(py, "RAW_URI"), raw_target(py, head))?;
        environ.set_item(intern!(py, "QUERY_STRING"), request::query(head))?;
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), protocol(py, head.version))?;
        let scheme = if request.https { intern!(py, "https") } else { intern!(py, "http") };
        environ.set_item(intern!(py, "wsgi.url_scheme"), scheme)?;
        add_addresses(&environ, &request.connection, head, request.https)?;
        self.add_headers(&environ, head)?;
        if let Err(outside) = self.add_path(&environ, request)? {
            return Ok(Err(outside));
        }
        let socket = ClientSocket::new(Rc::clone(&request.connection));
        environ.set_item(intern!(py, "gunicorn.socket"), Bound::new(py, socket)?)?;
        let nothing = ferricorn_application::Body::Memory(bytes::Bytes::new());
        let body = Input::new(std::mem::replace(&mut request.body, nothing));
        environ.set_item(intern!(py, "wsgi.input"), Bound::new(py, body)?)?;
        Ok(Ok(environ))
    }

    fn add_path(&self, environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<Result<(), OutsideScriptName>> {
        let py = environ.py();
        // The worker has removed this header unless a trusted peer sent it.
        let script_name = match request.head.headers.get("script_name") {
            Some(value) => latin1_text(value.as_bytes()),
            None => self.script_name.clone(),
        };
        let decoded = request.decoded_path();
        let path = if script_name.is_empty() {
            latin1(py, &decoded)
        } else {
            let text = latin1_text(&decoded);
            match text.strip_prefix(&script_name) {
                Some(rest) => PyString::new(py, rest),
                None => return Ok(Err(OutsideScriptName { path: text, script_name })),
            }
        };
        environ.set_item(intern!(py, "PATH_INFO"), path)?;
        environ.set_item(intern!(py, "SCRIPT_NAME"), script_name)?;
        Ok(Ok(()))
    }

    fn add_headers(&mut self, environ: &Bound<'_, PyDict>, head: &Parts) -> PyResult<()> {
        let py = environ.py();
        let mut last: Option<&HeaderName> = None;
        for (name, value) in &head.headers {
            let text = latin1(py, value.as_bytes());
            if *name == header::CONTENT_TYPE {
                environ.set_item(intern!(py, "CONTENT_TYPE"), text)?;
                continue;
            }
            if *name == header::CONTENT_LENGTH {
                environ.set_item(intern!(py, "CONTENT_LENGTH"), text)?;
                continue;
            }
            let key = self.key(py, name);
            // The map yields the values of one name in a row.
            match last.filter(|last| *last == name).and_then(|_| environ.get_item(&key).transpose()) {
                Some(before) => {
                    let before = before?.extract::<String>()?;
                    environ.set_item(key, format!("{before},{}", text.to_str()?))?;
                }
                None => environ.set_item(key, text)?,
            }
            last = Some(name);
        }
        Ok(())
    }

    fn key<'py>(&mut self, py: Python<'py>, name: &HeaderName) -> Bound<'py, PyString> {
        if let Some(key) = self.keys.get(name) {
            return key.bind(py).clone();
        }
        let key = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
        let key = PyString::intern(py, &key);
        if self.keys.len() < KEPT_NAMES {
            self.keys.insert(name.clone(), key.clone().unbind());
        }
        key
    }
}

fn method<'py>(py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
    match *method {
        Method::GET => intern!(py, "GET").clone(),
        Method::POST => intern!(py, "POST").clone(),
        Method::HEAD => intern!(py, "HEAD").clone(),
        ref other => PyString::new(py, other.as_str()),
    }
}

fn protocol(py: Python<'_>, version: Version) -> &Bound<'_, PyString> {
    if version == Version::HTTP_10 { intern!(py, "HTTP/1.0") } else { intern!(py, "HTTP/1.1") }
}

fn raw_target<'py>(py: Python<'py>, head: &Parts) -> Bound<'py, PyString> {
    match (head.uri.path_and_query(), head.uri.authority()) {
        (Some(target), None) => PyString::new(py, target.as_str()),
        _ => PyString::new(py, &head.uri.to_string()),
    }
}

fn add_addresses(environ: &Bound<'_, PyDict>, connection: &Connection, head: &Parts, https: bool) -> PyResult<()> {
    let py = environ.py();
    match &connection.remote {
        Peer::Tcp(address) => {
            environ.set_item(intern!(py, "REMOTE_ADDR"), address.ip().to_string())?;
            environ.set_item(intern!(py, "REMOTE_PORT"), address.port().to_string())?;
        }
        Peer::Unix(_) => environ.set_item(intern!(py, "REMOTE_ADDR"), intern!(py, ""))?,
    }
    let (name, port) = match &connection.local {
        Peer::Tcp(address) => named(address),
        // A Unix socket has neither name nor port of its own: the client's word is all there is.
        Peer::Unix(_) => from_host(head.headers.get(header::HOST), https),
    };
    environ.set_item(intern!(py, "SERVER_NAME"), name)?;
    environ.set_item(intern!(py, "SERVER_PORT"), port)
}

fn named(address: &SocketAddr) -> (String, String) {
    (address.ip().to_string(), address.port().to_string())
}

fn from_host(host: Option<&HeaderValue>, https: bool) -> (String, String) {
    let Some(host) = host.map(|value| latin1_text(value.as_bytes())) else {
        return (String::new(), String::new());
    };
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name.to_owned(), port.to_owned())
        }
        _ => (host, if https { "443" } else { "80" }.to_owned()),
    }
}

/// WSGI's strings hold bytes: each character is one.
fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &latin1_text(bytes)),
    }
}

fn latin1_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
