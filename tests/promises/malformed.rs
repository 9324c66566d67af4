//! Malformed requests get the right status and a closed connection, and the server serves on.

use crate::harness::{Launch, Server};

/// Panics unless `request` is answered with `status` and a closed connection, and the server serves on.
#[track_caller]
fn assert_refused(server: &Server, request: impl AsRef<[u8]>, status: u16) {
    let shown: String = String::from_utf8_lossy(request.as_ref()).chars().take(120).collect();
    let mut connection = server.connect();
    connection.send(&request);
    match connection.try_response_to("GET") {
        Ok(response) => assert_eq!(response.status(), status, "{shown:?}"),
        Err(fault) => panic!("{fault:?} to {shown:?}"),
    }
    connection.drain();
    // Gunicorn lingers until the client has closed its side too.
    drop(connection);
    server.get("/").expect(200, "hello");
}

/// A request line that is none is 400.
#[test]
fn bad_request_lines_are_400() {
    let server = Launch::app("plain").start();
    for line in [
        "GARBAGE",
        "GET /",
        "GET  / HTTP/1.1",
        "get / HTTP/1.1",
        "GE/T / HTTP/1.1",
        "GET / HTTP/2.0",
        "GET / HTTP/1.10",
        "GET / http/1.1",
        "GET / FTP/1.1",
        "GET relative HTTP/1.1",
        "GET * HTTP/1.1",
        "GET /caf\u{e9} HTTP/1.1",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1",
    ] {
        assert_refused(&server, format!("{line}\r\nHost: x\r\n\r\n"), 400);
    }
}

/// A header that is none is 400.
#[test]
fn bad_headers_are_400() {
    let server = Launch::app("plain").start();
    for header in [
        "no colon",
        "Spaced : x",
        "Bad Name: x",
        ": nameless",
        "X-Nul: a\0b",
        "Folded: a\r\n b",
        "Brack[et]: x",
        "X-Return: a\rb",
    ] {
        assert_refused(&server, format!("GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n"), 400);
    }
}

/// Lines that end in a bare line feed are 400.
#[test]
fn bare_line_feeds_are_400() {
    let server = Launch::app("plain").start();
    assert_refused(&server, "GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", 400);
    assert_refused(&server, "GET / HTTP/1.1\r\nHost: x\nX-Other: y\r\n\r\n", 400);
}

/// Headers that must be alone and are not, or contradict each other, are 400: no room for smuggling.
#[test]
fn ambiguous_framing_is_400() {
    let server = Launch::app("plain").start();
    for headers in [
        "Host: y",
        "Content-Type: a/b\r\nContent-Type: a/b",
        "Content-Length: x",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 1, 1",
        "Content-Length: 0x1",
        "Content-Length:",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
    ] {
        assert_refused(&server, format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n"), 400);
    }
    assert_refused(&server, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

/// Nor is there room for a length said twice, or besides a coding, even where both agree.
#[test]
fn doubled_framing_is_400() {
    let server = Launch::app("plain").start();
    for headers in [
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        assert_refused(&server, format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n"), 400);
    }
}

/// A transfer coding that nobody knows is 501.
#[test]
fn unknown_codings_are_501() {
    let server = Launch::app("plain").start();
    assert_refused(&server, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n", 501);
}

/// An expectation other than 100-continue is 417.
#[test]
fn unknown_expectations_are_417() {
    let server = Launch::app("plain").start();
    assert_refused(&server, "GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417);
}

/// Chunks that break the grammar are 400.
#[test]
fn bad_chunks_are_400() {
    let server = Launch::app("plain").start();
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_refused(&server, format!("{head}{body}"), 400);
    }
}

/// A request line longer than `--limit-request-line` is 414; the default is 4094.
#[test]
fn long_request_lines_are_414() {
    let server = Launch::app("plain").start();
    let line = |length: usize| format!("GET /?{} HTTP/1.1", "x".repeat(length - "GET /? HTTP/1.1".len()));
    assert_refused(&server, format!("{}\r\nHost: x\r\n\r\n", line(5000)), 414);
    server.ask(format!("{}\r\nHost: x\r\n\r\n", line(4000))).expect(200, "hello");
    let server = Launch::app("plain").args("--limit-request-line 100").start();
    assert_refused(&server, format!("{}\r\nHost: x\r\n\r\n", line(150)), 414);
    server.ask(format!("{}\r\nHost: x\r\n\r\n", line(90))).expect(200, "hello");
}

/// More header fields than `--limit-request-fields` are 431; the default is 100.
#[test]
fn too_many_fields_are_431() {
    let request = |count: usize| {
        let fields: String = (0..count).map(|number| format!("X-{number}: y\r\n")).collect();
        format!("GET / HTTP/1.1\r\n{fields}\r\n")
    };
    let server = Launch::app("plain").start();
    assert_refused(&server, request(101), 431);
    server.ask(request(100)).expect(200, "hello");
    let server = Launch::app("plain").args("--limit-request-fields 3").start();
    assert_refused(&server, request(4), 431);
    server.ask(request(3)).expect(200, "hello");
}

/// A header line longer than `--limit-request-field_size` is 431; the default is 8190.
#[test]
fn long_fields_are_431() {
    let request = |length: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "y".repeat(length));
    let server = Launch::app("plain").start();
    assert_refused(&server, request(8190), 431);
    server.ask(request(8100)).expect(200, "hello");
    let server = Launch::app("plain").args("--limit-request-field_size 50").start();
    assert_refused(&server, request(60), 431);
    server.ask(request(30)).expect(200, "hello");
}

/// The operator is told about a malformed request, at level WARNING, with the peer's address.
#[test]
fn the_log_tells_of_malformed_requests() {
    let server = Launch::app("plain").start();
    assert_refused(&server, "GARBAGE\r\n\r\n", 400);
    assert_eq!(server.wait_line("Invalid request from ip=127.0.0.1: ").level, "WARNING");
}

/// An error response is closed, says so, and is well formed.
#[test]
fn error_responses_say_that_they_close() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("GARBAGE\r\n\r\n");
    let response = connection.response();
    assert_eq!((response.head.version.as_str(), response.head.reason.as_str()), ("HTTP/1.1", "Bad Request"));
    assert!(response.head.closes());
    assert_eq!(connection.drain(), b"");
}
