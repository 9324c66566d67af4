//! Request bodies that are too long for memory: the files they wait in, and what happens if there is no room for them.

use std::fs;
use std::process::Command;

use nix::unistd::{Pid, geteuid};

use crate::harness::http::Response;
use crate::harness::http2::{DATA, END_HEADERS, HEADERS, Http2, RST_STREAM, head};
use crate::harness::process::descriptors;
use crate::harness::{Connection, Launch, Server};

/// Why these are only promised by us.
const NO_FILES: &str = "Gunicorn's application reads its body from the socket";

/// Bodies of more than 1000 bytes get a file in the directory `uploads`.
const SPOOLING: &str = "tmp_upload_dir = 'uploads'\nclient_body_buffer_size = 1000\n";

fn spooling(more: &str) -> Launch {
    Launch::app("plain").file("uploads/begun", "").conf(&format!("{SPOOLING}{more}"))
}

/// The files of `uploads` that the worker holds open.
fn spooled(worker: Pid) -> usize {
    descriptors(worker).iter().filter(|path| path.contains("/uploads/")).count()
}

/// Sends the head of a POST and so many bytes of its body.
fn begin(server: &Server, length: usize, sent: usize) -> Connection {
    let mut connection = server.connect();
    connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"));
    connection.send(vec![b'x'; sent]);
    connection
}

/// Nothing is left of a body: no name, no descriptor.
#[track_caller]
fn assert_nothing_left(server: &Server, worker: Pid) {
    server.wait_for("the end of the file", || (spooled(worker) == 0).then_some(()));
    let names = fs::read_dir(server.workdir().join("uploads")).expect("the directory is there");
    assert_eq!(names.count(), 1, "there is more than the file that was there before");
}

/// A body longer than `client_body_buffer_size` waits in a file in `tmp_upload_dir` which has no name, and which is gone
/// when the request is.
#[test]
fn a_long_body_waits_in_a_file() {
    only_ferricorn!(NO_FILES);
    let server = spooling("").start();
    let worker = server.serving_pid();
    let mut short = begin(&server, 1000, 999);
    let mut long = begin(&server, 1001, 0);
    server.serving_pid();
    assert_eq!(spooled(worker), 0);
    long.send(vec![b'x'; 1001]);
    long.response().expect(200, &"x".repeat(1001));
    short.send("x");
    short.response().expect(200, &"x".repeat(1000));
    let mut long = begin(&server, 3000, 2000);
    server.wait_for("a file", || (spooled(worker) == 1).then_some(()));
    long.send(vec![b'x'; 1000]);
    long.response().expect(200, &"x".repeat(3000));
    assert_nothing_left(&server, worker);
}

/// A client that leaves in the middle of its upload leaves nothing behind, and the application is not called.
#[test]
fn a_client_that_leaves_leaves_nothing() {
    only_ferricorn!(NO_FILES);
    let server = spooling("").args("--access-logfile access").start();
    let worker = server.serving_pid();
    for head in ["Content-Length: 3000", "Transfer-Encoding: chunked"] {
        let mut connection = server.connect();
        connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n7d0\r\n"));
        connection.send(vec![b'x'; 2000]);
        server.wait_for("a file", || (spooled(worker) == 1).then_some(()));
        drop(connection);
        assert_nothing_left(&server, worker);
    }
    assert_eq!(server.serving_pid(), worker);
    server.wait_for("the access log", || server.workdir().read("access").contains("/pid").then_some(()));
    assert!(!server.workdir().read("access").contains("/echo"));
}

/// Panics unless a body for which there is no room is answered with 507 and a line in the log that names the directory
/// and the reason, once, and the same worker serves on.
#[track_caller]
fn assert_507(server: &Server, folder: &str, reason: &str) {
    let worker = server.serving_pid();
    let length = 3 << 20;
    let response: Response = begin(server, length, length).response();
    assert_eq!((response.status(), response.head.reason.as_str()), (507, "Insufficient Storage"));
    assert!(response.head.closes());
    assert!(response.text().contains("The request body cannot be stored.") && !response.text().contains(folder));
    let line = server.wait_line(&format!("Cannot keep a request body in {folder}: {reason}"));
    assert_eq!(line.level, "ERROR");
    assert_eq!(server.log().matches("equest body").count(), 1, "{}", server.log());
    server.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok").expect(200, "ok");
    assert_eq!(server.serving_pid(), worker);
    server.wait_for("the end of the file", || (spooled(worker) == 0).then_some(()));
}

/// A conf file that ends a worker's writes as a full disk does, once a file has so many bytes; it needs no privilege.
fn file_limit(bytes: usize) -> String {
    format!(
        "import resource\ndef post_fork(server, worker):\n    \
         resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))\n"
    )
}

/// A disk that is full in the middle of an upload.
#[test]
fn a_full_disk_is_507() {
    only_ferricorn!(NO_FILES);
    let server = spooling(&file_limit(1 << 20)).start();
    let worker = server.serving_pid();
    assert_507(&server, "uploads", "File too large");
    assert_nothing_left(&server, worker);
}

/// A stream of HTTP/2 is told the same, and the others of its connection go on.
#[test]
fn a_full_disk_ends_one_stream() {
    only_ferricorn!(NO_FILES);
    let conf = format!("{SPOOLING}{}", file_limit(20_000));
    let launch = Launch::app("http2_app").file("uploads/begun", "").conf(&conf);
    let server = launch.args("--http-protocols h2,h1 --http2-cleartext prior-knowledge").start();
    let mut client = Http2::begin(server.connect());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[]));
    for _ in 0..3 {
        client.send(DATA, 0, 1, &[b'x'; 16_384]);
    }
    assert!(String::from_utf8_lossy(&client.body(1)).contains("The request body cannot be stored."));
    assert_eq!(client.until("the end of the stream", |frame| frame.kind == RST_STREAM).code(), 0);
    client.assert_serves(3);
    server.wait_line("Cannot keep a request body in uploads: File too large");
}

/// The same with a file system that is full in earnest. Needs the right to mount one, at least in a namespace.
#[test]
fn a_full_file_system_is_507() {
    only_ferricorn!(NO_FILES);
    let namespace = if geteuid().is_root() { "-m" } else { "-rm" };
    let mount = "mount -t tmpfs -o size=1m tmpfs uploads";
    let try_it = Command::new("unshare").args([namespace, "sh", "-c", &mount.replace("uploads", "/mnt")]).output();
    if !try_it.is_ok_and(|output| output.status.success()) {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let started =
        spooling("").file("mounted.sh", &format!("{mount} && exec \"$@\"\n")).by("/usr/bin/unshare").no_bind();
    let server = started.args(&format!("{namespace} sh mounted.sh ferricorn --bind 127.0.0.1:0")).start();
    assert_507(&server, "uploads", "No space left on device");
}

/// A directory that is not there is told of at the start, with what to do; bodies that need none are served.
#[test]
fn a_missing_directory_is_told_of() {
    only_ferricorn!(NO_FILES);
    let conf = SPOOLING.replace("uploads", "missing");
    let server = Launch::app("plain").conf(&conf).start();
    let line = server.wait_line("Request bodies of more than 1000 bytes will be answered with 507");
    assert_eq!(line.level, "ERROR");
    for part in ["they cannot be kept in missing: No such file or directory", "set tmp_upload_dir to a directory"] {
        assert!(line.message.contains(part), "{}", line.message);
    }
    let worker = server.serving_pid();
    assert_eq!(begin(&server, 1001, 1001).response().status(), 507);
    server.wait_line("Cannot keep a request body in missing: No such file or directory");
    begin(&server, 1000, 1000).response().expect(200, &"x".repeat(1000));
    assert_eq!(server.serving_pid(), worker);
}

/// So is one that a worker may not write to, which depends on whom it runs as.
#[test]
fn a_forbidden_directory_is_told_of() {
    only_ferricorn!(NO_FILES);
    if !geteuid().is_root() {
        println!("skipped: only root can give up privileges");
        return;
    }
    let server = spooling("").args("--user nobody --group nogroup").start();
    let line = server.wait_line("Request bodies of more than 1000 bytes will be answered with 507");
    assert!(line.message.contains("they cannot be kept in uploads: Permission denied"), "{}", line.message);
}
