//! Bodies of any size, in either direction, in constant memory.

use nix::unistd::Pid;

use crate::harness::process::peak_memory;
use crate::harness::{Connection, Launch, Server};

/// Far more than a worker may need for it.
const LENGTH: usize = 96 << 20;
/// What a worker's memory may have grown by at its peak: buffers of the connection, of hyper and of Python.
const GROWTH_KIB: u64 = 32 << 10;

/// Reads an upload piece by piece, sends a download in one of several ways.
const APP: &str = r#"
import os
LENGTH = 96 << 20

class Unknown:
    def __init__(self, source):
        self.read = source.read

def pieces(size):
    for _ in range(LENGTH // size):
        yield b"x" * size

def upload(environ):
    total = 0
    while piece := environ["wsgi.input"].read(65536):
        total += len(piece)
    return total

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/pid":
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    if path == "/upload":
        total = upload(environ)
        start_response("200 OK", [])
        return [str(total).encode()]
    start_response("200 OK", [("Content-Length", str(LENGTH))])
    if path == "/generator":
        return pieces(65536)
    if path == "/small":
        return pieces(512)
    source = open("sparse", "rb")
    return environ["wsgi.file_wrapper"](source if path == "/file" else Unknown(source), 65536)
"#;

fn start(class: &str) -> (Server, Pid) {
    let launch = Launch::app("large").file("large.py", APP).file("sparse", "").conf("tmp_upload_dir = '.'\n");
    let sparse = std::fs::OpenOptions::new().write(true).open(launch.workdir().join("sparse"));
    sparse.and_then(|file| file.set_len(LENGTH as u64)).expect("a file can be made longer");
    let server = launch.args(class).start();
    let worker = server.serving_pid();
    (server, worker)
}

/// Panics if a worker needs much memory for what is done.
#[track_caller]
fn assert_modest(worker: Pid, what: &str, done: impl FnOnce()) {
    let before = peak_memory(worker).expect("the worker lives");
    done();
    // The kernel counts pages for each processor apart, and adds them up roughly: a peak may seem lower afterwards.
    let grown = peak_memory(worker).expect("the worker lives").saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{what}: {grown} KiB more");
}

#[track_caller]
fn take_all(mut connection: Connection, target: &str) {
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(connection.head().status, 200);
    for _ in 0..LENGTH >> 20 {
        assert_eq!(connection.take(1 << 20).map(|piece| piece.len()), Ok(1 << 20), "{target}");
    }
}

/// Files, generators and whatever can be read are sent in constant memory, in every class of worker.
#[test]
fn downloads_need_no_memory() {
    for class in ["--worker-class sync", "--worker-class gthread"] {
        let (server, worker) = start(class);
        for target in ["/file", "/generator", "/reader"] {
            assert_modest(worker, &format!("{class}, {target}"), || take_all(server.connect(), target));
        }
    }
}

/// A client that is slower than the application needs no more.
#[test]
fn slow_downloads_need_no_memory() {
    only_ferricorn!("pieces of 512 bytes take Gunicorn too long");
    for class in ["--worker-class sync", "--worker-class gthread"] {
        let (server, worker) = start(class);
        assert_modest(worker, class, || take_all(server.connect(), "/small"));
    }
}

/// An upload needs none either, with a length or in chunks.
#[test]
fn uploads_need_no_memory() {
    for class in ["--worker-class sync", "--worker-class gthread"] {
        let (server, worker) = start(class);
        for framing in ["Transfer-Encoding: chunked".to_owned(), format!("Content-Length: {LENGTH}")] {
            assert_modest(worker, &format!("{class}, {framing}"), || {
                let mut connection = server.connect();
                connection.send(format!("POST /upload HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"));
                let piece = vec![b'x'; 1 << 20];
                let chunk = [&b"100000\r\n"[..], &piece, b"\r\n"].concat();
                let is_chunked = framing.ends_with("chunked");
                for _ in 0..LENGTH >> 20 {
                    connection.send(if is_chunked { &chunk } else { &piece });
                }
                connection.send(if is_chunked { "0\r\n\r\n" } else { "" });
                connection.response().expect(200, &LENGTH.to_string());
            });
        }
    }
}
