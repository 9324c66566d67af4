//! HTTP to a native application: many requests at once, bodies as they arrive and as they are made, and the same guard,
//! TLS, HTTP/2 and logs as for Python.

use crate::harness::http2::{DATA, END_HEADERS, END_STREAM, HEADERS, Http2, head};
use crate::harness::tls::{TlsClient, self_signed};
use crate::harness::{Connection, Launch, Server};

use super::native::NATIVE;

fn secure() -> Launch {
    let identity = self_signed("localhost");
    let files = Launch::native().file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
    files.args("--certfile cert.pem --keyfile key.pem --http-protocols h2,h1")
}

fn access_log(server: &Server, line: &str) {
    let log = || server.workdir().read("access.log");
    server.wait_for(&format!("`{line}` in the access log"), || log().contains(line).then_some(()));
}

/// One worker answers many requests at once: these two wait for each other.
#[test]
fn requests_are_answered_at_once() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let (mut one, mut other) = (server.connect(), server.connect());
    one.send("GET /meet HTTP/1.1\r\nHost: x\r\n\r\n");
    other.send("GET /meet HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut led = [one.response().text(), other.response().text()];
    led.sort();
    assert_eq!(led, ["false", "true"]);
}

/// `worker_connections` bounds what one worker holds open; the rest waits in the kernel.
#[test]
fn connections_are_bounded() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--worker-connections 2 --keep-alive 30").start();
    let (mut one, mut other, mut third) = (server.connect(), server.connect(), server.connect());
    one.get("/").expect(200, "hello");
    other.get("/").expect(200, "hello");
    third.send("GET /token?third HTTP/1.1\r\nHost: x\r\n\r\n");
    one.get("/").expect(200, "hello");
    drop(other);
    third.response().expect(200, "token=third");
}

/// A body goes through the application as it arrives, in both directions.
#[test]
fn bodies_are_streams() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let mut connection = server.connect();
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    connection.head();
    assert_eq!(connection.chunk(), b"first");
    connection.send("6\r\nsecond\r\n0\r\n\r\n");
    assert_eq!(connection.chunk(), b"second");
    assert_eq!(connection.chunk(), b"");
    connection.get("/token?next").expect(200, "token=next");
    let large = "x".repeat(1_500_000);
    let request = format!("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{large}", large.len());
    server.ask(request).expect(200, "1500000");
}

/// Who waits for a word before the body gets it when the application asks for the body.
#[test]
fn expectations_are_met() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let mut connection = server.connect();
    connection.send("POST /length HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let first = connection.take(b"HTTP/1.1 100 Continue\r\n\r\n".len()).expect("an interim response");
    assert_eq!(String::from_utf8_lossy(&first), "HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("body");
    connection.response().expect(200, "4");
}

/// What is malformed never reaches the application, nor does its client get two answers.
#[test]
fn malformed_requests_are_refused() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let twice = server.ask("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
    assert!(twice.status() == 400 && twice.text().contains("CONTENT-LENGTH"), "{}", twice.text());
    let bad_chunk = "HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nz\r\n";
    let mut waiting = server.connect();
    waiting.send(format!("POST /length {bad_chunk}"));
    let refused = waiting.response();
    assert!(refused.status() == 400 && refused.text().contains("chunk size"), "{}", refused.text());
    let mut answered = server.connect();
    answered.send(format!("POST /ignore {bad_chunk}"));
    let all = String::from_utf8_lossy(&answered.drain()).into_owned();
    assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
    server.wait_log("Invalid chunk size: b'z'");
    server.get("/").expect(200, "hello");
}

/// A body that is longer than `limit_request_body` is a 413, announced or not, in HTTP/2 too.
#[test]
fn long_bodies_are_refused() {
    only_ferricorn!(NATIVE);
    let server = secure().args("--limit-request-body 10").start();
    for body in
        ["Content-Length: 11\r\n\r\n01234567890", "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"]
    {
        let mut client =
            Connection::open_tls(&server.address(), &TlsClient::speaks(&["http/1.1"])).expect("a handshake");
        client.send(format!("POST /length HTTP/1.1\r\nHost: x\r\n{body}"));
        assert_eq!(client.response().status(), 413, "{body}");
    }
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/length", &[]));
    client.send(DATA, 0, 1, b"0123456789");
    client.send(DATA, END_STREAM, 1, b"0");
    assert_eq!(client.status(1), Some(413));
    client.send(HEADERS, END_HEADERS, 3, &head("POST", "/length", &[]));
    client.send(DATA, END_STREAM, 3, b"0123456789");
    assert_eq!(client.status(3), Some(200));
}

/// A client that stops in the middle of a body is not waited for for ever.
#[test]
fn a_client_that_stalls_is_given_up() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--client-stall-timeout 1").start();
    let mut client = server.connect();
    client.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123");
    let response = client.response();
    assert!(
        response.status() == 400 && response.text().contains("sent nothing for 1 second(s)"),
        "{}",
        response.text()
    );
}

/// The access log has every request, with the bytes that were sent, when its response has ended.
#[test]
fn requests_are_logged() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--access-logfile access.log").start();
    server.get("/pieces?x").expect(200, "piece.piece.piece.");
    server.get("/nowhere").expect(404, "");
    access_log(&server, "\"GET /pieces?x HTTP/1.1\" 200 18 ");
    access_log(&server, "\"GET /nowhere HTTP/1.1\" 404 0 ");
}

/// Connections are kept; HEAD has no body; the server names itself once.
#[test]
fn connections_are_kept() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let mut connection = server.connect();
    connection.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = connection.response_to("HEAD");
    head.expect(200, "");
    assert_eq!(head.header("content-length"), Some("5"));
    assert_eq!(head.header("server"), Some("ferricorn"));
    let address = connection.local_port();
    connection.get("/").expect(200, "hello");
    assert_eq!(connection.local_port(), address);
    connection.get("/client").expect(200, "127.0.0.1 http");
}

/// Names of headers go out as they are held.
#[test]
fn names_of_headers_are_in_lower_case() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let response = String::from_utf8_lossy(&connection.drain()).into_owned();
    for line in ["content-length: 5", "server: ferricorn", "connection: close"] {
        assert!(response.contains(&format!("\r\n{line}\r\n")), "{response}");
    }
}

/// A trusted proxy's word about the scheme counts.
#[test]
fn a_trusted_proxy_is_believed() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let asked = "GET /client HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n";
    server.ask(asked).expect(200, "127.0.0.1 https");
    let server = Launch::native().args("--forwarded-allow-ips 10.0.0.1").start();
    server.ask(asked).expect(200, "127.0.0.1 http");
    let server = Launch::native().bind("unix:socket").start();
    server.get("/client").expect(200, "none http");
}

/// TLS and HTTP/2 are there, with streams side by side, bodies both ways and trailers.
#[test]
fn http2_is_spoken() {
    only_ferricorn!(NATIVE);
    let server = secure().start();
    let mut plain = Connection::open_tls(&server.address(), &TlsClient::speaks(&["http/1.1"])).expect("a handshake");
    plain.get("/client").expect(200, "127.0.0.1 https");
    let mut client = Http2::open(&server.address());
    client.get(1, "/meet");
    client.get(3, "/meet");
    let mut met = [(); 2].map(|()| {
        let head = client.until("a response", |frame| frame.kind == HEADERS);
        (head.stream, head.status())
    });
    met.sort_unstable();
    assert_eq!(met, [(1, Some(200)), (3, Some(200))]);
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[]));
    client.send(DATA, 0, 1, b"first");
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.until("data", |frame| frame.kind == DATA).payload, b"first");
    client.send(DATA, END_STREAM, 1, b"");
    client.until("the end", |frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
    client.get(3, "/trailers");
    assert_eq!(client.status(3), Some(200));
    let trailers = client.until("trailers", |frame| frame.kind == HEADERS && frame.flags & END_STREAM != 0);
    assert_eq!(trailers.stream, 3);
    client.get(5, "/panic");
    assert_eq!(client.status(5), Some(500));
}
