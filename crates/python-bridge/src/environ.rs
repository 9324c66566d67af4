//! The WSGI environ of one request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use ferricorn_application::{Connection, Endpoint, Peer, Proxied, Request, target};
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

/// Clients whose address is kept as Python strings.
const KEPT_CLIENTS: usize = 1024;

/// Keys that every request sets. They are in the base already, so that a copy of it has room.
const SET_ANEW: [&str; 10] = [
    "REQUEST_METHOD",
    "RAW_URI",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "PATH_INFO",
    "gunicorn.socket",
    "wsgi.early_hints",
    "wsgi.input",
];

/// An address and port as Python strings.
type Address = (Py<PyString>, Py<PyString>);

/// Makes environs.
pub(crate) struct Environs {
    /// What is the same for all requests, or for most.
    base: Py<PyDict>,
    clients: HashMap<SocketAddr, Address>,
    /// The listeners' own addresses; a handful.
    listeners: HashMap<SocketAddr, Address>,
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
        base.set_item("wsgi.multithread", settings.multithread)?;
        base.set_item("wsgi.multiprocess", settings.workers > 1)?;
        base.set_item("wsgi.run_once", false)?;
        base.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        base.set_item("wsgi.input_terminated", true)?;
        // Libraries look for Gunicorn's name at the beginning.
        let software = || format!("gunicorn/27.0.1 ferricorn/{}", ferricorn_server::VERSION);
        base.set_item("SERVER_SOFTWARE", settings.server_software.clone().unwrap_or_else(software))?;
        base.set_item("wsgi.url_scheme", "http")?;
        base.set_item("QUERY_STRING", "")?;
        let script_name = std::env::var("SCRIPT_NAME").unwrap_or_default();
        base.set_item("SCRIPT_NAME", &script_name)?;
        for key in SET_ANEW {
            base.set_item(PyString::intern(py, key), py.None())?;
        }
        let (clients, listeners) = (HashMap::new(), HashMap::new());
        Ok(Self { base: base.unbind(), clients, listeners, keys: HashMap::new(), script_name })
    }

    /// The same for another thread: what it keeps is its own.
    pub(crate) fn for_thread(&self, py: Python<'_>) -> PyResult<Self> {
        let base = self.base.bind(py).copy()?.unbind();
        let (clients, listeners, keys) = (HashMap::new(), HashMap::new(), HashMap::new());
        Ok(Self { base, clients, listeners, keys, script_name: self.script_name.clone() })
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
        let query = target::query(head);
        if !query.is_empty() {
            environ.set_item(intern!(py, "QUERY_STRING"), query)?;
        }
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), protocol(py, head))?;
        if request.https {
            environ.set_item(intern!(py, "wsgi.url_scheme"), intern!(py, "https"))?;
        }
        self.add_addresses(&environ, &request.connection, head, request.https)?;
        self.add_headers(&environ, head)?;
        if head.version == Version::HTTP_2 {
            add_http2(&environ)?;
        }
        if let Err(outside) = self.add_path(&environ, request)? {
            return Ok(Err(outside));
        }
        let socket = ClientSocket::new(Arc::clone(&request.connection));
        environ.set_item(intern!(py, "gunicorn.socket"), Bound::new(py, socket)?)?;
        let nothing = ferricorn_application::Body::Memory(bytes::Bytes::new());
        let body = Input::new(std::mem::replace(&mut request.body, nothing));
        environ.set_item(intern!(py, "wsgi.input"), Bound::new(py, body)?)?;
        Ok(Ok(environ))
    }

    fn add_path(&self, environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<Result<(), OutsideScriptName>> {
        let py = environ.py();
        // The worker has removed this header unless a trusted peer sent it.
        let sent = request.head.headers.get("script_name").map(|value| latin1_text(value.as_bytes()));
        if let Some(sent) = &sent {
            environ.set_item(intern!(py, "SCRIPT_NAME"), sent)?;
        }
        let script_name = sent.as_ref().unwrap_or(&self.script_name);
        let path = target::path(&request.head);
        let Some(rest) = path.strip_prefix(script_name.as_str()) else {
            return Ok(Err(OutsideScriptName { path: path.to_owned(), script_name: script_name.clone() }));
        };
        environ.set_item(intern!(py, "PATH_INFO"), latin1(py, &target::decoded(rest)))?;
        Ok(Ok(()))
    }

    fn add_headers(&mut self, environ: &Bound<'_, PyDict>, head: &Parts) -> PyResult<()> {
        let py = environ.py();
        let mut last: Option<&HeaderName> = None;
        // A name with an underscore that was let through shares its key with one that has a hyphen.
        let mut shares_keys = false;
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
            shares_keys |= name.as_str().contains('_');
            // The map yields the values of one name in a row.
            let is_repeated = shares_keys || last == Some(name);
            match if is_repeated { environ.get_item(&key)? } else { None } {
                Some(before) => {
                    let before = before.extract::<String>()?;
                    environ.set_item(key, format!("{before},{}", text.to_str()?))?;
                }
                None => environ.set_item(key, text)?,
            }
            last = Some(name);
        }
        Ok(())
    }

    fn add_addresses(
        &mut self,
        environ: &Bound<'_, PyDict>,
        connection: &Connection,
        head: &Parts,
        https: bool,
    ) -> PyResult<()> {
        let py = environ.py();
        match &connection.remote {
            Peer::Tcp(address) => {
                let (host, port) = known(py, &mut self.clients, *address);
                environ.set_item(intern!(py, "REMOTE_ADDR"), host)?;
                environ.set_item(intern!(py, "REMOTE_PORT"), port)?;
            }
            Peer::Unix(_) => environ.set_item(intern!(py, "REMOTE_ADDR"), intern!(py, ""))?,
        }
        if let Some(proxied) = connection.proxied.get() {
            add_proxied(environ, proxied)?;
        }
        let (name, port) = (intern!(py, "SERVER_NAME"), intern!(py, "SERVER_PORT"));
        match &connection.local {
            Peer::Tcp(address) => {
                let known = known(py, &mut self.listeners, *address);
                environ.set_item(name, &known.0)?;
                environ.set_item(port, &known.1)
            }
            // A Unix socket has neither name nor port of its own: the client's word is all there is.
            Peer::Unix(path) => {
                let said = from_host(head.headers.get(header::HOST), https)
                    .unwrap_or_else(|| (path.to_string_lossy().into_owned(), String::new()));
                environ.set_item(name, said.0)?;
                environ.set_item(port, said.1)
            }
        }
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

/// What Gunicorn says of a stream. Priorities are those of a client that has none: HTTP/2 has given them up.
fn add_http2(environ: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = environ.py();
    environ.set_item(intern!(py, "HTTP_VERSION"), intern!(py, "2"))?;
    environ.set_item(intern!(py, "gunicorn.http2.priority_weight"), 16)?;
    environ.set_item(intern!(py, "gunicorn.http2.priority_depends_on"), 0)
}

fn method<'py>(py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
    match *method {
        Method::GET => intern!(py, "GET").clone(),
        Method::POST => intern!(py, "POST").clone(),
        Method::HEAD => intern!(py, "HEAD").clone(),
        ref other => PyString::new(py, other.as_str()),
    }
}

fn protocol<'py>(py: Python<'py>, head: &Parts) -> Bound<'py, PyString> {
    match target::version(head) {
        (1, 1) => intern!(py, "HTTP/1.1").clone(),
        _ => PyString::new(py, &target::protocol(head)),
    }
}

fn raw_target<'py>(py: Python<'py>, head: &Parts) -> Bound<'py, PyString> {
    PyString::new(py, &target::raw(head))
}

/// Where the proxy gave no addresses they are None, and the ports the word for it, as in Gunicorn.
fn add_proxied(environ: &Bound<'_, PyDict>, proxied: &Proxied) -> PyResult<()> {
    let (client, proxy) = proxied.ends.as_ref().map(|(client, proxy)| (client, proxy)).unzip();
    let port = |end: Option<&Endpoint>| end.map_or_else(|| "None".to_owned(), |end| end.port.to_string());
    environ.set_item("PROXY_PROTOCOL", proxied.protocol)?;
    environ.set_item("REMOTE_ADDR", client.map(|end| &end.address))?;
    environ.set_item("REMOTE_PORT", port(client))?;
    environ.set_item("PROXY_ADDR", proxy.map(|end| &end.address))?;
    environ.set_item("PROXY_PORT", port(proxy))
}

/// The address as Python strings, made once for all requests from it.
fn known<'a>(py: Python<'_>, kept: &'a mut HashMap<SocketAddr, Address>, address: SocketAddr) -> &'a Address {
    if kept.len() >= KEPT_CLIENTS && !kept.contains_key(&address) {
        kept.clear();
    }
    let text = |text: String| PyString::new(py, &text).unbind();
    kept.entry(address).or_insert_with(|| (text(address.ip().to_string()), text(address.port().to_string())))
}

/// Name and port as Gunicorn finds them, but for addresses of IPv6, which have colons of their own.
fn from_host(host: Option<&HeaderValue>, https: bool) -> Option<(String, String)> {
    let host = latin1_text(host.filter(|value| !value.is_empty())?.as_bytes());
    let usual = if https { "443" } else { "80" };
    let (address, rest) = match host.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => host.split_at(end + 2),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = rest.strip_prefix(':').map_or(usual, |port| port.split(':').next().unwrap_or(port));
    Some((address.to_owned(), port.to_owned()))
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
