//! Request bodies: how they arrive and what the application reads.

use serde_json::{Value, json};

use crate::harness::{Launch, Server};

/// The parts that the application read from `body`, sent with a length, in the way that `path` names.
#[track_caller]
fn parts(server: &Server, path: &str, body: &str) -> Value {
    let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let response = server.ask(request);
    assert_eq!(response.status(), 200, "{path}: {}", response.text());
    serde_json::from_str(&response.text()).expect("the application answers in JSON")
}

/// A body with a length is read whole.
#[test]
fn a_body_with_a_length_is_read() {
    let server = Launch::app("plain").start();
    server.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").expect(200, "hello");
    server.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").expect(200, "");
}

/// A chunked body is decoded; chunk sizes in either case and trailers are fine.
#[test]
fn a_chunked_body_is_decoded() {
    let server = Launch::app("plain").start();
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    server.ask(format!("{head}5\r\nhello\r\n0\r\n\r\n")).expect(200, "hello");
    server.ask(format!("{head}a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n")).expect(200, "0123456789abcdefghij");
    server.ask(format!("{head}3\r\nend\r\n0\r\nX-Trailer: yes\r\n\r\n")).expect(200, "end");
    server.ask(format!("{head}0\r\n\r\n")).expect(200, "");
}

/// A request without a length has an empty body: reading it does not hang.
#[test]
fn without_a_length_the_body_is_empty() {
    let server = Launch::app("plain").start();
    server.ask("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n").expect(200, "");
    server.ask("POST /echo HTTP/1.0\r\n\r\n").expect(200, "");
}

/// `Expect: 100-continue` is answered before the client sends its body.
#[test]
fn the_client_is_told_to_continue() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    let head = connection.head();
    assert_eq!((head.status, head.reason.as_str()), (100, "Continue"));
    connection.send("hello");
    connection.response().expect(200, "hello");
}

/// A body of 8 MiB comes back as it was, whether it was sent with a length or chunked.
#[test]
fn a_large_body_survives() {
    let server = Launch::app("plain").start();
    let body: Vec<u8> = (0..8 << 20).map(|number: u32| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut connection = server.connect();
    connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
    connection.send(&body);
    assert!(connection.response().body == body, "with a length");
    let mut connection = server.connect();
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(100_000) {
        connection.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    connection.send("0\r\n\r\n");
    assert!(connection.response().body == body, "chunked");
}

/// A request may arrive byte by byte.
#[test]
fn a_request_may_arrive_byte_by_byte() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    for byte in b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" {
        connection.send([*byte]);
    }
    connection.response().expect(200, "hello");
}

/// A client that leaves in the middle of its body harms nobody else.
#[test]
fn a_client_may_leave_in_the_middle() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut connection = server.connect();
        connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n5\r\nhel"));
        connection.finish_sending();
        connection.drain();
    }
    assert_eq!(server.serving_pid(), worker);
}

/// `read` takes everything or so many bytes, and gives nothing at the end.
#[test]
fn input_is_read() {
    let server = Launch::app("reading").start();
    assert_eq!(parts(&server, "/read", "hello"), json!(["hello"]));
    assert_eq!(parts(&server, "/read-none", "hello"), json!(["hello"]));
    assert_eq!(parts(&server, "/read-sized", "abcdefghij"), json!(["abc", "", "defg", "hij", "", ""]));
    assert_eq!(parts(&server, "/read", ""), json!([""]));
}

/// `readline` gives a line with its end, or so many bytes of it, and nothing at the end.
#[test]
fn input_is_read_by_the_line() {
    let server = Launch::app("reading").start();
    assert_eq!(parts(&server, "/readline", "one\ntwo\nlast"), json!(["one\n", "tw", "o\n", "last", ""]));
}

/// `readlines` and iteration give all lines with their ends.
#[test]
fn input_is_iterated() {
    let server = Launch::app("reading").start();
    for path in ["/readlines", "/iterate"] {
        assert_eq!(parts(&server, path, "one\n\ntwo\nlast"), json!(["one\n", "\n", "two\n", "last"]), "{path}");
        assert_eq!(parts(&server, path, ""), json!([]), "{path}");
    }
}
