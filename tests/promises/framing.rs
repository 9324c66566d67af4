//! How a response says where it ends, and which of the application's headers go out.

use crate::harness::http::{Fault, Framing};
use crate::harness::target::program;
use crate::harness::{Launch, Server};

/// The response to `method target` on HTTP/1.1.
#[track_caller]
fn ask(server: &Server, method: &str, target: &str) -> crate::harness::http::Response {
    let mut connection = server.connect();
    connection.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let response = connection.response_to(method);
    if response.head.closes() {
        assert_eq!(connection.drain(), b"", "bytes after the response to {method} {target}");
    }
    response
}

/// Without a length an HTTP/1.1 response is chunked; empty chunks of the application do not end it.
#[test]
fn without_a_length_the_response_is_chunked() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/list");
    assert_eq!(response.framing, Framing::Chunked);
    response.expect(200, "onetwothree");
    ask(&server, "GET", "/empty").expect(200, "");
}

/// Without a length an HTTP/1.0 response ends with its connection.
#[test]
fn without_a_length_http_1_0_ends_with_the_connection() {
    let server = Launch::app("framing").start();
    for extra in ["", "Connection: keep-alive\r\n"] {
        let response = server.ask(format!("GET /list HTTP/1.0\r\n{extra}\r\n"));
        assert_eq!(response.framing, Framing::Close);
        response.expect(200, "onetwothree");
    }
}

/// A length given by the application is sent as it is, and the response is not chunked.
#[test]
fn a_length_is_respected() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/length");
    assert_eq!(response.framing, Framing::Length(5));
    response.expect(200, "hello");
}

/// Bytes beyond the length given are cut off.
#[test]
fn bytes_beyond_the_length_are_cut_off() {
    let server = Launch::app("framing").start();
    ask(&server, "GET", "/too-long").expect(200, "hello");
    ask(&server, "GET", "/length").expect(200, "hello");
}

/// A body shorter than its length is visibly incomplete: the connection is closed.
#[test]
fn a_short_body_is_visibly_incomplete() {
    let server = Launch::app("framing").start();
    for target in ["/too-short", "/missing"] {
        let mut connection = server.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(connection.try_response_to("GET"), Err(Fault::Truncated), "{target}");
    }
    ask(&server, "GET", "/length").expect(200, "hello");
}

/// HEAD gets the head of GET and no body.
#[test]
fn head_has_no_body() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "HEAD", "/length");
    assert_eq!((response.status(), response.header("content-length")), (200, Some("5")));
    assert_eq!(ask(&server, "HEAD", "/list").status(), 200);
}

/// 204 has neither body nor framing headers.
#[test]
fn no_content_has_no_framing() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/status?204-No-Content");
    assert_eq!((response.status(), response.header("x-kind")), (204, Some("bare")));
    assert_eq!((response.header("content-length"), response.header("transfer-encoding")), (None, None));
}

/// 304 has no body and keeps the length that the application names.
#[test]
fn not_modified_has_no_body() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/not-modified");
    assert_eq!((response.status(), response.header("etag")), (304, Some("\"x\"")));
    assert_eq!((response.header("content-length"), response.header("transfer-encoding")), (Some("5"), None));
    assert_eq!(ask(&server, "GET", "/status?304-Not-Modified").header("transfer-encoding"), None);
}

/// The status line carries the application's code and its own words.
#[test]
fn the_reason_is_the_applications() {
    let server = Launch::app("framing").start();
    for (query, status, reason) in
        [("299-Quite-Fine", 299, "Quite Fine"), ("404-Not-Here", 404, "Not Here"), ("599-Odd", 599, "Odd")]
    {
        let head = ask(&server, "GET", &format!("/status?{query}")).head;
        assert_eq!((head.version.as_str(), head.status, head.reason.as_str()), ("HTTP/1.1", status, reason));
    }
}

/// Headers of one name go out as often as given, in order, never merged.
#[test]
fn repeated_headers_keep_their_order() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/cookies");
    assert_eq!(response.head.all("set-cookie"), ["b=2", "a=1"]);
    // Between different names there is no order that means anything, and hyper keeps none.
    assert_eq!(response.head.all("x-between").len(), 1);
}

/// Server, Date and everything hop-by-hop are the server's own: the application's are dropped.
#[test]
fn hop_by_hop_headers_are_the_servers_own() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/hop-by-hop");
    response.expect(200, "ok");
    assert_eq!(response.head.all("server"), [program()]);
    assert_eq!(response.head.all("date").len(), 1);
    assert!(response.header("date").unwrap().ends_with(" GMT"));
    assert_eq!(response.head.all("keep-alive"), [""; 0]);
    assert_eq!((response.framing, response.header("x-kept")), (Framing::Length(2), Some("yes")));
}

/// The header Server says what `server_header` says, or is not there at all.
#[test]
fn the_server_header_is_a_setting() {
    only_ferricorn!("Gunicorn's is always gunicorn");
    for (header, expected) in [("shop/1.0 (ours)", &["shop/1.0 (ours)"][..]), ("", &[])] {
        let server = Launch::app("framing").arg("--server-header").arg(header).start();
        for target in ["/length", "/hop-by-hop", "/failing-at-once"] {
            assert_eq!(ask(&server, "GET", target).head.all("server"), expected, "{target}");
        }
    }
}

/// A large response arrives complete.
#[test]
fn a_large_response_arrives_complete() {
    let server = Launch::app("framing").start();
    let response = ask(&server, "GET", "/big?33554432");
    assert_eq!(response.body.len(), 32 << 20);
    assert!(response.body.chunks(16).all(|part| part == b"0123456789abcdef"));
}

/// `wsgi.file_wrapper` sends a file from its current position.
#[test]
fn files_are_sent() {
    let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let server = Launch::app("framing").file("served.txt", &text).start();
    ask(&server, "GET", "/file?served.txt").expect(200, &text);
    ask(&server, "GET", "/file-tail?served.txt@7").expect(200, &text[7..]);
    assert_eq!(
        ask(&server, "HEAD", "/file?served.txt").header("content-length"),
        Some(text.len().to_string().as_str())
    );
}
