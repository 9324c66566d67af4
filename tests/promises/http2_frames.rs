//! HTTP/2 frame by frame: what the protocol forbids is answered with an error, and what it permits is not. The cases are those that tell implementations apart (RFC 9113; the numbers are its sections).

use crate::harness::http2::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
    HEADERS, Http2, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
    block, frame, head,
};
use crate::harness::tls::{TlsClient, secure};
use crate::harness::{Connection, Server};

const WHOLE: u8 = END_HEADERS | END_STREAM;

fn start() -> Server {
    secure("http2_app").args("--threads 4 --http-protocols h2,h1").start()
}

fn get() -> Vec<u8> {
    head("GET", "/", &[])
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A head of these pseudo-header fields and others.
fn request(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, &block(fields))
}

/// Panics unless each of these frames ends stream or connection with one of these errors, each on a connection of its
/// own; and unless the server serves on.
#[track_caller]
fn assert_errors(cases: &[(&str, Vec<u8>, &[u32])]) {
    let server = start();
    for (what, frames, expected) in cases {
        let mut client = Http2::open(&server.address());
        client.connection.send(frames);
        let code = client.error();
        // In places the general error is said where a particular one would say more.
        assert!(
            expected.contains(&code) || code == PROTOCOL_ERROR,
            "{what}: error {code}, expected one of {expected:?}"
        );
    }
    Http2::open(&server.address()).assert_serves(1);
}

/// Frames that belong to no stream, to one that is not there, or to one that is closed.
#[test]
fn frames_belong_to_streams() {
    assert_errors(&[
        ("6.1 DATA without a stream", frame(DATA, 0, 0, b"x"), &[PROTOCOL_ERROR]),
        ("6.2 HEADERS without a stream", frame(HEADERS, WHOLE, 0, &get()), &[PROTOCOL_ERROR]),
        ("6.4 RST_STREAM without a stream", frame(RST_STREAM, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        ("6.5 SETTINGS of a stream", frame(SETTINGS, 0, 1, &[]), &[PROTOCOL_ERROR]),
        ("6.7 PING of a stream", frame(PING, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        ("6.8 GOAWAY of a stream", frame(GOAWAY, 0, 1, &[0; 8]), &[PROTOCOL_ERROR]),
        ("5.1.1 an even number", frame(HEADERS, WHOLE, 2, &get()), &[PROTOCOL_ERROR]),
        (
            "5.1.1 a number that has been passed",
            [frame(HEADERS, WHOLE, 5, &get()), frame(HEADERS, WHOLE, 3, &get())].concat(),
            &[PROTOCOL_ERROR, STREAM_CLOSED],
        ),
        ("5.1 DATA of an idle stream", frame(DATA, 0, 1, b"x"), &[PROTOCOL_ERROR]),
        ("5.1 RST_STREAM of an idle stream", frame(RST_STREAM, 0, 1, &[0; 4]), &[PROTOCOL_ERROR]),
        ("5.1 WINDOW_UPDATE of an idle stream", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), &[PROTOCOL_ERROR]),
        (
            "5.1 DATA after the end",
            [frame(HEADERS, WHOLE, 1, &head("GET", "/gate?g", &[])), frame(DATA, 0, 1, b"x")].concat(),
            &[STREAM_CLOSED],
        ),
        (
            "5.1 HEADERS after the end",
            [frame(HEADERS, WHOLE, 1, &head("GET", "/gate?g", &[])), frame(HEADERS, WHOLE, 1, &get())].concat(),
            &[STREAM_CLOSED, PROTOCOL_ERROR],
        ),
        ("8.4 PUSH_PROMISE of a client", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), &[PROTOCOL_ERROR]),
    ]);
}

/// Frames of a length that they cannot have, and values that cannot be.
#[test]
fn frames_have_their_size_and_values() {
    assert_errors(&[
        ("4.2 too long", frame(DATA, 0, 1, &[0; 16385]), &[FRAME_SIZE_ERROR]),
        ("6.4 RST_STREAM of three bytes", frame(RST_STREAM, 0, 1, &[0; 3]), &[FRAME_SIZE_ERROR]),
        ("6.5 SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), &[FRAME_SIZE_ERROR]),
        ("6.5 an acknowledgement with settings", frame(SETTINGS, ACK, 0, &setting(1, 1)), &[FRAME_SIZE_ERROR]),
        ("6.5.2 push that is neither", frame(SETTINGS, 0, 0, &setting(2, 2)), &[PROTOCOL_ERROR]),
        ("6.5.2 a window beyond all", frame(SETTINGS, 0, 0, &setting(4, 1 << 31)), &[FLOW_CONTROL_ERROR]),
        ("6.5.2 frames too short", frame(SETTINGS, 0, 0, &setting(5, 16383)), &[PROTOCOL_ERROR]),
        ("6.7 PING of seven bytes", frame(PING, 0, 0, &[0; 7]), &[FRAME_SIZE_ERROR]),
        ("6.9 WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), &[FRAME_SIZE_ERROR]),
        ("6.9 no window", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), &[PROTOCOL_ERROR]),
        ("6.9.1 a window beyond all", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), &[FLOW_CONTROL_ERROR]),
        (
            "6.1 padding beyond the frame",
            [frame(HEADERS, END_HEADERS, 1, &get()), frame(DATA, 8, 1, &[9, 0])].concat(),
            &[PROTOCOL_ERROR],
        ),
    ]);
}

/// Blocks of headers that do not hold together.
#[test]
fn blocks_of_headers_hold_together() {
    let (first, second) = (get()[..10].to_vec(), get()[10..].to_vec());
    assert_errors(&[
        ("6.10 CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &get()), &[PROTOCOL_ERROR]),
        (
            "6.10 something in between",
            [frame(HEADERS, END_STREAM, 1, &first), frame(PING, 0, 0, &[0; 8])].concat(),
            &[PROTOCOL_ERROR],
        ),
        (
            "6.10 CONTINUATION of another stream",
            [frame(HEADERS, END_STREAM, 1, &first), frame(CONTINUATION, END_HEADERS, 3, &second)].concat(),
            &[PROTOCOL_ERROR],
        ),
        ("4.3 an index of nothing", frame(HEADERS, WHOLE, 1, &[0x80]), &[COMPRESSION_ERROR]),
        ("4.3 a text that does not end", frame(HEADERS, WHOLE, 1, &[0, 5, b'a']), &[COMPRESSION_ERROR]),
    ]);
}

/// Requests that are none.
#[test]
fn requests_are_well_formed() {
    let ends = &[PROTOCOL_ERROR][..];
    let [method, scheme, authority, path] =
        [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")];
    assert_errors(&[
        ("8.2 a name in upper case", request(&[method, scheme, authority, path, ("X-Upper", "a")]), ends),
        ("8.2.2 Connection", request(&[method, scheme, authority, path, ("connection", "close")]), ends),
        (
            "8.2.2 Transfer-Encoding",
            request(&[method, scheme, authority, path, ("transfer-encoding", "chunked")]),
            ends,
        ),
        ("8.2.2 TE", request(&[method, scheme, authority, path, ("te", "gzip")]), ends),
        ("8.3 what nobody knows", request(&[method, scheme, authority, path, (":unknown", "a")]), ends),
        ("8.3 what belongs to responses", request(&[method, scheme, authority, path, (":status", "200")]), ends),
        ("8.3 pseudo behind the others", request(&[method, scheme, authority, ("a", "b"), path]), ends),
        ("8.3.1 no method", request(&[scheme, authority, path]), ends),
        ("8.3.1 no scheme", request(&[method, authority, path]), ends),
        ("8.3.1 no path", request(&[method, scheme, authority]), ends),
        ("8.3.1 an empty path", request(&[method, scheme, authority, (":path", "")]), ends),
        ("8.3.1 two methods", request(&[method, method, scheme, authority, path]), ends),
        ("8.3.1 two paths", request(&[method, scheme, authority, path, path]), ends),
        ("a value with a line feed", request(&[method, scheme, authority, path, ("a", "b\nc")]), ends),
        ("two hosts", request(&[method, scheme, path, ("host", "a"), ("host", "b")]), ends),
    ]);
}

/// A body that is longer or shorter than it was said to be.
#[test]
fn bodies_have_their_length() {
    let begun = |length| frame(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[("content-length", length)]));
    assert_errors(&[
        ("8.1.1 longer", [begun("2"), frame(DATA, END_STREAM, 1, b"abc")].concat(), &[PROTOCOL_ERROR]),
        ("8.1.1 shorter", [begun("4"), frame(DATA, END_STREAM, 1, b"abc")].concat(), &[PROTOCOL_ERROR]),
    ]);
}

/// What nobody knows is passed over, and what is asked for is answered.
#[test]
fn what_is_permitted_is_served() {
    let server = start();
    let mut client = Http2::open(&server.address());
    client.send(0x20, 0xff, 0, b"unknown");
    client.send(SETTINGS, 0, 0, &setting(0x99, 1));
    client.send(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]);
    client.send(PING, 0, 0, b"12345678");
    let pong = client.until("the answer to a ping", |frame| frame.kind == PING);
    assert_eq!((pong.flags, pong.payload.as_slice()), (ACK, &b"12345678"[..]));
    client.assert_serves(1);
    let split = head("GET", "/token?split", &[]);
    client.send(HEADERS, END_STREAM, 3, &split[..7]);
    client.send(CONTINUATION, 0, 3, &split[7..9]);
    client.send(CONTINUATION, END_HEADERS, 3, &split[9..]);
    assert_eq!((client.status(3), client.body(3)), (Some(200), b"token=split".to_vec()));
    client.send(HEADERS, END_HEADERS, 5, &head("POST", "/echo", &[]));
    client.send(DATA, 8, 5, b"\x03body\0\0\0");
    client.send(HEADERS, WHOLE, 5, &block(&[("trailer", "a")]));
    assert_eq!((client.status(5), client.body(5)), (Some(200), b"body".to_vec()));
}

/// A connection that does not begin as it must is closed.
#[test]
fn the_preface_is_needed() {
    let server = start();
    let mut connection = Connection::open_tls(&server.address(), &TlsClient::speaks(&["h2"])).unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let said = String::from_utf8_lossy(&connection.drain()).into_owned();
    assert!(!said.contains("HTTP/1.1"), "{said}");
    Http2::open(&server.address()).assert_serves(1);
}

/// A head that never ends is ended.
#[test]
fn a_flood_of_continuations_is_stopped() {
    let server = start();
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_STREAM, 1, &get());
    let more = frame(CONTINUATION, 0, 1, &block(&[("a", &"b".repeat(1000))]));
    let sent = (0..100_000).take_while(|_| client.connection.try_send(&more).is_ok()).count();
    assert!(sent < 100_000);
    Http2::open(&server.address()).assert_serves(1);
}

/// So is one in frames without anything in them.
#[test]
fn a_flood_of_empty_continuations_is_stopped() {
    let server = start();
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_STREAM, 1, &get());
    let more = frame(CONTINUATION, 0, 1, &[]).repeat(100);
    let sent = (0..10_000).take_while(|_| client.connection.try_send(&more).is_ok()).count();
    assert!(sent < 10_000);
    Http2::open(&server.address()).assert_serves(1);
}

/// Pings and settings without end cost the others nothing.
#[test]
fn floods_of_small_frames_hold_nobody() {
    let server = start();
    for flood in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut client = Http2::open(&server.address());
        let flood = flood.repeat(200);
        let sent = (0..200).take_while(|_| client.connection.try_send(&flood).is_ok()).count();
        Http2::open(&server.address()).assert_serves(1);
        println!("{sent} times 200 frames were taken");
    }
}
