//! How long a request body may be, and where it waits until it is whole.

use crate::harness::http2::{DATA, END_HEADERS, END_STREAM, HEADERS, Http2, RST_STREAM, head};
use crate::harness::{Connection, Launch, Server};

/// Why these are only promised by us.
const NO_LIMIT: &str = "Gunicorn has no limit for bodies";

/// The page, as far as it is about the body.
const PAGE: &str = "<h1><p>Content Too Large</p></h1>\n    Request Body is too large (";

#[track_caller]
fn assert_too_large(connection: &mut Connection, numbers: &str) {
    let response = connection.response();
    assert_eq!((response.status(), response.head.reason.as_str()), (413, "Content Too Large"));
    assert!(response.head.closes());
    assert!(response.text().contains(&format!("{PAGE}{numbers})")), "{}", response.text());
}

fn limited() -> Server {
    Launch::app("plain").args("--limit-request-body 10").start()
}

/// A length over the limit is answered with 413 as soon as the head is there, whether or not the client waits to be told to
/// continue; the log says who and how long.
#[test]
fn a_length_over_the_limit_is_413_at_once() {
    only_ferricorn!(NO_LIMIT);
    let server = limited();
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut connection = server.connect();
        connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: 11\r\n\r\n"));
        assert_too_large(&mut connection, "11 &gt; 10");
    }
    server.wait_line("Invalid request from ip=127.0.0.1: Request Body is too large (11 > 10)");
    server.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789").expect(200, "0123456789");
}

/// A chunked body is refused by the chunk that makes it too long, before that has arrived.
#[test]
fn a_chunk_over_the_limit_is_413() {
    only_ferricorn!(NO_LIMIT);
    let server = limited();
    let chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n";
    let mut connection = server.connect();
    connection.send(format!("{chunked}5\r\n"));
    assert_too_large(&mut connection, "11 &gt; 10");
    let mut connection = server.connect();
    for _ in 0..2 {
        connection.send(format!("{chunked}4\r\n6789\r\n0\r\n\r\n"));
        connection.response().expect(200, "0123456789");
    }
}

/// What comes before a body that is too long is answered.
#[test]
fn the_request_before_is_answered() {
    only_ferricorn!(NO_LIMIT);
    let server = limited();
    let mut connection = server.connect();
    connection.send(
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234567890",
    );
    connection.response().expect(200, "hello");
    assert_too_large(&mut connection, "11 &gt; 10");
}

/// A client that sends all of its body before it reads finds the answer.
#[test]
fn who_sends_first_reads_the_answer() {
    only_ferricorn!(NO_LIMIT);
    let server = limited();
    let mut connection = server.connect();
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n");
    connection.send(vec![b'x'; 4_000_000]);
    assert_too_large(&mut connection, "4000000 &gt; 10");
}

/// HTTP/2 has the same limit: 413, and the client is told that it need not go on. The connection serves on.
#[test]
fn the_limit_holds_for_http2() {
    only_ferricorn!(NO_LIMIT);
    let args = "--http-protocols h2,h1 --http2-cleartext prior-knowledge --limit-request-body 10";
    let server = Launch::app("http2_app").args(args).start();
    let post = |more: &[(&str, &str)]| head("POST", "/echo", more);
    let mut client = Http2::begin(server.connect());
    client.send(HEADERS, END_HEADERS, 1, &post(&[("content-length", "11"), ("expect", "100-continue")]));
    assert_refused(&mut client, 1);
    client.assert_serves(3);
    let mut client = Http2::begin(server.connect());
    client.send(HEADERS, END_HEADERS, 1, &post(&[]));
    client.send(DATA, 0, 1, b"012345");
    client.send(DATA, 0, 1, b"67890");
    assert_refused(&mut client, 1);
    client.send(HEADERS, END_HEADERS, 3, &post(&[]));
    client.send(DATA, END_STREAM, 3, b"0123456789");
    assert_eq!((client.status(3), client.body(3)), (Some(200), b"0123456789".to_vec()));
}

#[track_caller]
fn assert_refused(client: &mut Http2, stream: u32) {
    assert_eq!(client.status(stream), Some(413));
    assert!(String::from_utf8_lossy(&client.body(stream)).contains(&format!("{PAGE}11 &gt; 10)")));
    let told = client.until("the end of the stream", |frame| frame.kind == RST_STREAM && frame.stream == stream);
    assert_eq!(told.code(), 0);
}
