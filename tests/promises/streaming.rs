//! Streams: each chunk goes out when the application yields it, and `close()` is always called, once.

use crate::harness::http::Fault;
use crate::harness::{Launch, Server};

/// Waits until the application's iterable has been closed, and panics if it was closed more than once.
#[track_caller]
fn wait_closed(server: &Server, times: usize) {
    server.wait_for("close()", || (server.workdir().read("closed").lines().count() >= times).then_some(()));
    assert_eq!(server.workdir().read("closed").lines().count(), times);
}

/// The first chunk arrives while the application is still busy with the second.
#[test]
fn a_chunk_arrives_when_it_is_yielded() {
    let server = Launch::app("framing").start();
    let mut connection = server.connect();
    connection.send("GET /held?open HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.head().status, 200);
    assert_eq!(connection.chunk(), b"first");
    assert!(!server.workdir().has("open") && !server.workdir().has("closed"));
    server.write("open", "");
    assert_eq!(connection.chunk(), b"second");
    assert_eq!(connection.chunk(), b"");
    wait_closed(&server, 1);
}

/// The same on HTTP/1.0, where the end of the connection is the end of the stream.
#[test]
fn http_1_0_streams_too() {
    let server = Launch::app("framing").start();
    let mut connection = server.connect();
    connection.send("GET /held?open HTTP/1.0\r\n\r\n");
    assert_eq!(connection.head().status, 200);
    server.wait_file("open.entered");
    server.write("open", "");
    assert_eq!(connection.drain(), b"firstsecond");
}

/// `close()` is called once after a complete response, also when no body is sent.
#[test]
fn close_is_called_once() {
    let server = Launch::app("framing").start();
    server.get("/closing").expect(200, "ab");
    wait_closed(&server, 1);
    let mut connection = server.connect();
    connection.send("HEAD /closing HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.response_to("HEAD");
    wait_closed(&server, 2);
}

/// When the client goes away in the middle, the application is stopped and `close()` is called.
#[test]
fn a_client_that_leaves_stops_the_stream() {
    let server = Launch::app("framing").start();
    let mut connection = server.connect();
    connection.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.chunk_after_head().len(), 65536);
    drop(connection);
    wait_closed(&server, 1);
    server.get("/length").expect(200, "hello");
}

/// An exception after the first chunk cuts the connection, so that the client sees that the response is incomplete;
/// it is logged, and `close()` is called.
#[test]
fn an_exception_cuts_the_stream() {
    let server = Launch::app("framing").start();
    let mut connection = server.connect();
    connection.send("GET /failing HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.chunk_after_head(), b"first");
    let end = connection.try_response_to("GET");
    assert!(matches!(end, Err(Fault::Closed | Fault::Reset)), "{end:?}");
    server.wait_log("Error handling request");
    server.wait_log("LookupError: the body failed on purpose");
    wait_closed(&server, 1);
}

/// An exception before the first chunk is a 500, and `close()` is called.
#[test]
fn an_exception_before_the_stream_is_500() {
    let server = Launch::app("framing").start();
    assert_eq!(server.get("/failing-at-once").status(), 500);
    server.wait_log("ZeroDivisionError");
    wait_closed(&server, 1);
}

/// `wsgi.early_hints` sends a 103 ahead of the response, and nothing to a client of HTTP/1.0.
#[test]
fn early_hints_come_before_the_response() {
    let app = "def application(environ, start_response):\n    \
               environ['wsgi.early_hints']([('Link', '</a.css>; rel=preload')])\n    \
               start_response('200 OK', [('Content-Length', '2')])\n    \
               return [b'ok']\n";
    let server = Launch::app("hinting").file("hinting.py", app).start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let hints = connection.head();
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a.css>; rel=preload")));
    connection.response().expect(200, "ok");
    server.ask("GET / HTTP/1.0\r\n\r\n").expect(200, "ok");
}
