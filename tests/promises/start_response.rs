//! `start_response`, `write` and what becomes of an application that breaks PEP 3333.

use crate::harness::http::Fault;
use crate::harness::{Launch, Server};

/// A server of the application that calls `start_response` in every way.
fn starting() -> Server {
    Launch::app("starting").start()
}

/// Panics unless `path` is answered with a 500, the log says `word`, and the server serves on.
#[track_caller]
fn assert_500(path: &str, word: &str) {
    let server = starting();
    let response = server.get(path);
    assert_eq!(response.status(), 500, "{}", response.text());
    assert_eq!(response.header("x-injected"), None);
    server.wait_log(&format!("Error handling request GET {path}"));
    server.wait_log(word);
    server.get("/in-generator").expect(200, "generated");
}

/// With `exc_info`, before anything was sent, the second call replaces status and headers.
#[test]
fn exc_info_replaces_the_headers() {
    only_ferricorn!("Gunicorn adds the new headers to the old ones, two lengths included");
    let response = starting().get("/twice-with-exc-info");
    response.expect(503, "second");
    assert_eq!(response.head.reason, "Second Thoughts");
    assert_eq!(response.head.all("content-length"), ["6"]);
}

/// With `exc_info`, after the headers were sent, the exception is raised again and the response cut.
#[test]
fn exc_info_comes_too_late_after_the_headers() {
    let server = starting();
    let mut connection = server.connect();
    connection.send("GET /too-late HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.chunk_after_head(), b"first");
    let end = connection.try_response_to("GET");
    assert!(matches!(end, Err(Fault::Closed | Fault::Reset)), "{end:?}");
    server.wait_log("LookupError: after the headers were sent");
}

/// A second call without `exc_info` is an AssertionError in the application, and a 500.
#[test]
fn a_second_call_is_an_error() {
    assert_500("/twice", "AssertionError");
}

/// `write` sends its bytes before those of the iterable.
#[test]
fn write_comes_before_the_iterable() {
    starting().get("/write").expect(200, "written, ok");
}

/// `start_response` may be called as late as in the iterable's first step.
#[test]
fn a_generator_may_start_the_response() {
    starting().get("/in-generator").expect(200, "generated");
}

/// A status that is no str is a TypeError and a 500.
#[test]
fn a_status_must_be_text() {
    assert_500("/status-bytes", "TypeError");
}

/// A status without a number is a 500.
#[test]
fn a_status_must_have_a_number() {
    assert_500("/status-without-number", "ValueError");
}

/// A header name that is no token is a 500.
#[test]
fn a_header_name_must_be_a_token() {
    assert_500("/header-name", "Traceback");
}

/// A header value with a line break is a 500: no header can be injected.
#[test]
fn a_header_cannot_be_injected() {
    assert_500("/header-value", "Traceback");
}

/// So is a status with a line break.
#[test]
fn a_status_cannot_inject_headers() {
    assert_500("/status-line-end", "ValueError");
}

/// A body of str is a TypeError in the log, and never passes for a complete response.
#[test]
fn a_body_must_be_bytes() {
    let server = starting();
    let mut connection = server.connect();
    connection.send("GET /body-text HTTP/1.1\r\nHost: x\r\n\r\n");
    // Gunicorn has sent the head by the time it looks at the body.
    match connection.try_response_to("GET") {
        Ok(response) => assert_eq!(response.status(), 500),
        Err(fault) => assert_eq!(fault, Fault::Truncated),
    }
    drop(connection);
    server.wait_log("TypeError");
    server.get("/in-generator").expect(200, "generated");
}

/// An application that never calls `start_response` gets its client a 500.
#[test]
fn a_response_must_be_started() {
    only_ferricorn!("Gunicorn sends the status line `HTTP/1.1 None`");
    let app = "def application(environ, start_response):\n    return [b'no']\n";
    let server = Launch::app("silent").file("silent.py", app).start();
    assert_eq!(server.get("/").status(), 500);
}
