//! The same answers of an application by way of Ferricorn and of Gunicorn: clients get the same bytes, but for the
//! differences that `tests/responses/allowed.txt` lists with their reasons.
//!
//! What is not looked at: the values of Date and Server, the case of header names, the order of headers that have different
//! names, and `Connection` where it says what its version of HTTP means anyway. The page of an application that failed
//! always closes the connection; Gunicorn's has neither Date nor Server, says that it is HTTP/1.1, and goes to HEAD as well.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::harness::connection::Address;
use crate::harness::target::Target;
use crate::harness::{Connection, Launch, Server};

use super::allowed::Allowed;

/// How answers are asked for: the name of the way, the method, and the requests, `{}` in place of the path. A second request
/// shows whether the connection lives on, and whether both sides agree about where the answer has ended.
const WAYS: [(&str, &str, &str); 5] = [
    ("1.1", "GET", "GET {} HTTP/1.1\r\nHost: x\r\n\r\nGET /body-one-piece HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("head", "HEAD", "HEAD {} HTTP/1.1\r\nHost: x\r\n\r\nGET /body-one-piece HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("close", "GET", "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    ("1.0", "GET", "GET {} HTTP/1.0\r\n\r\n"),
    ("kept 1.0", "GET", "GET {} HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /body-one-piece HTTP/1.0\r\n\r\n"),
];

/// The status of an application that failed, and of no answer here.
const FAILED: &str = "500 Internal Server Error";
/// How its page begins, which Gunicorn sends to HEAD, too.
const PAGE: &[u8] = b"<html>\n  <head>\n    <title>Internal Server Error</title>";

/// How much of a body is shown.
const SHOWN: usize = 300;

/// One response, as it came.
#[derive(Debug, Default)]
struct Response {
    /// The status line.
    status: String,
    /// By name, in lower case; those of one name in their order.
    headers: BTreeMap<String, Vec<String>>,
    /// Decoded.
    body: Vec<u8>,
    /// The sizes of its chunks.
    chunks: Vec<usize>,
    /// All of it came.
    is_complete: bool,
}

/// All responses in these bytes, of which the first is to a request of this method.
fn responses(bytes: &[u8], method: &str) -> Vec<Response> {
    let (mut all, mut rest, mut bodiless) = (Vec::new(), bytes, method == "HEAD");
    while !rest.is_empty() {
        let (response, behind) = response(rest, bodiless);
        // The one that comes before the response is none.
        bodiless &= response.status.contains(" 103 ");
        rest = behind;
        all.push(response);
    }
    all
}

fn response(bytes: &[u8], bodiless: bool) -> (Response, &[u8]) {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return (Response { status: latin1(bytes), ..Response::default() }, b"");
    };
    let mut response = Response { is_complete: true, ..Response::default() };
    let head = latin1(&bytes[..end]);
    let mut lines = head.split("\r\n");
    response.status = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        response.headers.entry(name.to_ascii_lowercase()).or_default().push(masked(name, value));
    }
    let code = response.status.split(' ').nth(1).unwrap_or_default();
    let bodiless = bodiless || code.starts_with('1') || ["204", "304"].contains(&code);
    let behind = &bytes[end + 4..];
    let bodiless = bodiless && !behind.starts_with(PAGE);
    let rest = match (response.one("transfer-encoding"), response.one("content-length")) {
        _ if bodiless => behind,
        (Some("chunked"), _) => response.take_chunks(behind),
        (_, Some(length)) => response.take(behind, length.parse().unwrap_or(usize::MAX)),
        (_, None) => response.take(behind, behind.len()),
    };
    (response, rest)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn masked(name: &str, value: &str) -> String {
    let is_masked =
        name.eq_ignore_ascii_case("server") || (name.eq_ignore_ascii_case("date") && value.ends_with(" GMT"));
    if is_masked { "*".to_owned() } else { value.to_owned() }
}

impl Response {
    fn one(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    fn take<'a>(&mut self, bytes: &'a [u8], length: usize) -> &'a [u8] {
        let (body, rest) = bytes.split_at(length.min(bytes.len()));
        self.body.extend(body);
        self.is_complete &= body.len() == length;
        rest
    }

    fn take_chunks<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        loop {
            let end = bytes.windows(2).position(|window| window == b"\r\n");
            let size = end.and_then(|end| usize::from_str_radix(&latin1(&bytes[..end]), 16).ok());
            let (Some(end), Some(size)) = (end, size) else {
                self.is_complete = false;
                return bytes;
            };
            bytes = self.take(&bytes[end + 2..], size);
            let Some(rest) = bytes.strip_prefix(b"\r\n") else {
                self.is_complete = false;
                return bytes;
            };
            bytes = rest;
            if size == 0 {
                return bytes;
            }
            self.chunks.push(size);
        }
    }

    /// Leaves out what says nothing, and in what the pages of failed applications are known to differ.
    fn mask(&mut self) {
        let (version, rest) = self.status.split_once(' ').unwrap_or((&self.status, ""));
        let usual = if version == "HTTP/1.1" { "keep-alive" } else { "close" };
        let is_page = rest == FAILED;
        if self.one("connection") == Some(usual) || is_page {
            self.headers.remove("connection");
        }
        if is_page {
            self.headers.retain(|name, _| !["date", "server"].contains(&name.as_str()));
            self.status = format!("HTTP/1.1 {FAILED}");
        }
    }

    fn shown_body(&self) -> String {
        let shown = latin1(&self.body[..self.body.len().min(SHOWN)]);
        format!("{} bytes {shown:?}", self.body.len())
    }

    /// Kind and words of each difference.
    fn differences(&self, other: &Self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let mut add = |kind: &str, ours: String, theirs: String| {
            if ours != theirs {
                all.push((kind.to_owned(), format!("{kind}: {ours}, not {theirs}")));
            }
        };
        add("status", self.status.clone(), other.status.clone());
        if self.status == other.status {
            for name in self.headers.keys().chain(other.headers.keys().filter(|name| !self.headers.contains_key(*name)))
            {
                let shown = |response: &Self| format!("{:.200?}", response.headers.get(name));
                add(&format!("header {name}"), shown(self), shown(other));
            }
            let is_page_of_head = self.status.ends_with(FAILED) && self.body.is_empty() && other.body.starts_with(PAGE);
            if self.body != other.body && !is_page_of_head {
                add("body", self.shown_body(), other.shown_body());
            }
            add("chunks", format!("{:?}", self.chunks), format!("{:?}", other.chunks));
            add("end", self.is_complete.to_string(), other.is_complete.to_string());
        }
        all
    }
}

fn ask(address: &Address, path: &str, (_, method, requests): (&str, &str, &str)) -> Vec<Response> {
    let mut connection = Connection::open(address).expect("the server listens");
    connection.send(requests.replace("{}", path));
    connection.finish_sending();
    let mut all = responses(&connection.drain(), method);
    all.iter_mut().for_each(Response::mask);
    all
}

fn differences(ours: &[Response], theirs: &[Response]) -> Vec<(String, String)> {
    let mut all: Vec<_> = ours.iter().zip(theirs).flat_map(|(ours, theirs)| ours.differences(theirs)).collect();
    if ours.len() != theirs.len() {
        let shown = |all: &[Response]| all.iter().map(|response| response.status.clone()).collect::<Vec<_>>();
        let words = format!("count: {:?}, not {:?}", shown(ours), shown(theirs));
        all.push(("count".to_owned(), words));
    }
    all
}

/// How often each iterable was closed.
fn closed(server: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in server.workdir().read("closed").lines() {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// Compares what clients get of all answers. Gunicorn's workers with threads are those that keep connections.
#[track_caller]
fn compare(class: &str) {
    only_ferricorn!("both servers are asked in one run");
    let start = |target, class| Launch::app("answering").put_to(target).args("--worker-class").args(class).start();
    let (ours, theirs) = (start(Target::Ferricorn, class), start(Target::Gunicorn, "gthread"));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("responses");
    let mut allowed = Allowed::read(&folder, None);
    let names = ours.get("/names").text();
    let (our_address, their_address) = (ours.address(), theirs.address());
    let mut faults = Vec::new();
    for path in names.lines() {
        for way in WAYS {
            for (kind, words) in differences(&ask(&our_address, path, way), &ask(&their_address, path, way)) {
                if !allowed.covers(way.0, path.trim_start_matches('/'), &kind) {
                    faults.push(format!("{path} ({}): {words}", way.0));
                }
            }
        }
    }
    // The last iterable is closed after its client has got everything.
    ours.get("/names");
    theirs.get("/names");
    let (ours, theirs) = (closed(&ours), closed(&theirs));
    for name in ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name))) {
        if ours.get(name) != theirs.get(name) && !allowed.covers("all", name, "closed") {
            faults.push(format!("{name}: closed {:?} times, not {:?}", ours.get(name), theirs.get(name)));
        }
    }
    faults.extend(allowed.unused().map(|line| format!("no longer different, take it out of allowed.txt: {line}")));
    let count = names.lines().count() * WAYS.len();
    assert!(faults.is_empty(), "{} differences in {count} answers:\n{}", faults.len(), faults.join("\n"));
}

/// A sync worker's answers.
#[test]
fn answers_of_a_sync_worker() {
    compare("sync");
}

/// Those of a worker with threads.
#[test]
fn answers_of_a_worker_with_threads() {
    compare("gthread");
}
