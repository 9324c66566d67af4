//! HTTP/2: what a client and an application notice of it.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::http2::{
    CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS, Http2, PING, PROTOCOL_ERROR,
    REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, head,
};
use crate::harness::target::{self, binaries};
use crate::harness::tls::{TlsClient, secure};
use crate::harness::wait::stays;
use crate::harness::{Connection, Launch, Server};

fn launch() -> Launch {
    secure("http2_app").args("--threads 4 --http-protocols h2,h1")
}

#[track_caller]
fn assert_client_is_content(url: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/http2.py");
    let output = Command::new(binaries().join("python")).arg(script).arg(url).output().expect("the client runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn url(server: &Server, scheme: &str) -> String {
    format!("{scheme}://127.0.0.1:{}", server.address().port())
}

/// A real client library finds all that it needs: methods, bodies, streams side by side, an environ as Gunicorn's.
#[test]
fn a_client_library_is_content() {
    let server = launch().start();
    assert_client_is_content(&url(&server, "https"));
}

/// With one application thread too.
#[test]
fn one_thread_is_enough() {
    only_ferricorn!("Gunicorn's sync worker does not speak HTTP/2");
    let server = secure("http2_app").args("--http-protocols h2").start();
    assert_client_is_content(&url(&server, "https"));
}

/// Clients choose: who knows HTTP/1.1 only is served as before, and so is who says nothing.
#[test]
fn clients_choose() {
    let server = launch().start();
    for (alpn, chosen) in [(&["http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let mut connection = Connection::open_tls(&server.address(), &TlsClient::speaks(alpn)).unwrap();
        assert_eq!(connection.session().alpn_protocol(), chosen);
        connection.get("/").expect(200, "hello");
    }
    Http2::open(&server.address()).assert_serves(1);
}

/// Without `h2` in `http_protocols` nobody gets it.
#[test]
fn nobody_gets_http2_unless_told() {
    let server = secure("plain").start();
    let mut connection = Connection::open_tls(&server.address(), &TlsClient::speaks(&["h2", "http/1.1"])).unwrap();
    assert_eq!(connection.session().alpn_protocol(), None);
    connection.get("/").expect(200, "hello");
}

/// The limits of the settings are told to the client.
#[test]
fn limits_are_told() {
    let limits = "--http2-max-concurrent-streams 7 --http2-initial-window-size 70000 --http2-max-frame-size 20000 \
                  --http2-max-header-list-size 9000";
    let server = launch().args(limits).start();
    let mut client = Http2::open(&server.address());
    let settings = client.until("settings", |frame| frame.kind == SETTINGS).payload;
    let mut told: Vec<(u16, u32)> = settings
        .chunks(6)
        .map(|setting| {
            let id = u16::from_be_bytes([setting[0], setting[1]]);
            (id, u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]))
        })
        .collect();
    told.retain(|(id, _)| [3, 4, 5, 6].contains(id));
    told.sort_unstable();
    assert_eq!(told, [(3, 7), (4, 70000), (5, 20000), (6, 9000)]);
}

/// A stream beyond the limit is refused, and costs the others nothing.
#[test]
fn streams_are_limited() {
    only_ferricorn!("Gunicorn reads nothing more while it waits for the application");
    let server = launch().args("--http2-max-concurrent-streams 1").start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/gate?gate");
    server.wait_file("gate.entered");
    client.get(3, "/");
    assert_eq!(client.error(), REFUSED_STREAM);
    server.write("gate", "");
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.body(1), b"passed");
    client.assert_serves(5);
}

/// A slow stream does not keep others waiting.
#[test]
fn streams_do_not_wait_for_each_other() {
    only_ferricorn!("Gunicorn serves the streams of a connection one after the other");
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/gate?gate");
    server.wait_file("gate.entered");
    client.assert_serves(3);
    server.write("gate", "");
    assert_eq!(client.status(1), Some(200));
}

/// An upload that has stopped on one stream does not hold the application.
#[test]
fn a_slow_upload_holds_nobody() {
    only_ferricorn!("Gunicorn's application waits for the body");
    let server = secure("http2_app").args("--http-protocols h2").start();
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[]));
    client.send(DATA, 0, 1, b"half");
    client.assert_serves(3);
    server.get("/").expect(200, "hello");
    client.send(DATA, END_STREAM, 1, b" and half");
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.body(1), b"half and half");
}

/// Early hints are a head before the head.
#[test]
fn early_hints_come_first() {
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/hints");
    assert_eq!(client.status(1), None);
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.body(1), b"ok");
}

/// A client that waits to be told gets to hear that it may send its body.
#[test]
fn an_expectation_is_met() {
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[("expect", "100-continue")]));
    assert_eq!(client.status(1), None);
    client.send(DATA, END_STREAM, 1, b"body");
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.body(1), b"body");
}

/// A body that breaks off resets its stream, so that the client sees it, and no other.
#[test]
fn a_body_that_breaks_off_resets_its_stream() {
    only_ferricorn!("Gunicorn ends the body as if it were whole");
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/failing");
    let reset = client.until("a reset", |frame| frame.kind == RST_STREAM);
    assert_eq!(reset.stream, 1);
    server.wait_log("the body failed on purpose");
    client.assert_serves(3);
}

/// So does one that is shorter than its length says.
#[test]
fn a_short_body_resets_its_stream() {
    only_ferricorn!("Gunicorn ends the body as if it were whole");
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    for (stream, target) in [(1, "/short"), (3, "/short-pieces")] {
        client.get(stream, target);
        assert_eq!(client.until("a reset", |frame| frame.kind == RST_STREAM).stream, stream);
    }
    client.assert_serves(5);
}

/// An application that sends without end stops when its client takes the stream back.
#[test]
fn a_stream_taken_back_stops_the_application() {
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/endless");
    client.until("some of the body", |frame| frame.kind == DATA);
    client.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    client.send(WINDOW_UPDATE, 0, 0, &1_000_000_u32.to_be_bytes());
    server.wait_file("closed");
    client.assert_serves(3);
}

/// With one thread too, which waits meanwhile for room.
#[test]
fn a_stream_taken_back_frees_the_only_thread() {
    only_ferricorn!("Gunicorn's sync worker does not speak HTTP/2");
    let server = secure("http2_app").args("--http-protocols h2").start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/endless");
    client.until("some of the body", |frame| frame.kind == DATA);
    client.get(3, "/");
    client.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    client.send(WINDOW_UPDATE, 0, 0, &1_000_000_u32.to_be_bytes());
    server.wait_file("closed");
    assert_eq!(client.status(3), Some(200));
    assert_eq!(client.body(3), b"hello");
}

/// What is sent of a body is what the client has made room for.
#[test]
fn the_clients_window_is_kept() {
    let server = launch().start();
    let mut client = Http2::greet(&server.address());
    client.send(SETTINGS, 0, 0, &[&4_u16.to_be_bytes()[..], &10_u32.to_be_bytes()].concat());
    client.get(1, "/token?0123456789");
    assert_eq!(client.until("data", |frame| frame.kind == DATA).payload, b"token=0123");
    client.send(WINDOW_UPDATE, 0, 1, &3_u32.to_be_bytes());
    assert_eq!(client.until("data", |frame| frame.kind == DATA).payload, b"456");
    client.send(WINDOW_UPDATE, 0, 1, &100_u32.to_be_bytes());
    assert_eq!(client.body(1), b"789");
}

/// TERM tells the clients, finishes what has been begun, and ends.
#[test]
fn a_stop_finishes_streams() {
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    client.get(1, "/gate?gate");
    server.wait_file("gate.entered");
    server.signal(Signal::SIGTERM);
    server.wait_log("Handling signal: term");
    assert!(stays(Duration::from_millis(300), || server.ended().is_none()));
    server.write("gate", "");
    assert_eq!(client.status(1), Some(200));
    assert_eq!(client.body(1), b"passed");
    assert_eq!(server.wait_exit(), 0);
}

/// A connection on which nothing happens is closed after `keepalive`, and told so; pings do not keep it.
#[test]
fn idle_connections_are_closed() {
    let server = launch().args("--keep-alive 1").start();
    let mut client = Http2::open(&server.address());
    client.assert_serves(1);
    if target::target() == target::Target::Ferricorn {
        while client.try_send(PING, 0, 0, &[0; 8]).is_ok() {
            if client.until("a frame", |frame| frame.kind == PING || frame.kind == GOAWAY).kind == GOAWAY {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    } else {
        assert_eq!(client.until("the farewell", |frame| frame.kind == GOAWAY).code(), 0);
    }
    client.connection.drain();
}

/// A client that opens streams and takes them back at once is stopped, and nobody else notices.
#[test]
fn rapid_resets_end_the_connection() {
    let server = launch().start();
    let mut client = Http2::open(&server.address());
    for stream in (1..4000).step_by(2) {
        let frames = [
            crate::harness::http2::frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", "/", &[])),
            crate::harness::http2::frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
        ];
        if client.connection.try_send(&frames.concat()).is_err() {
            break;
        }
    }
    // Who is stopped may find the connection reset before the reason is read.
    while let Ok(frame) = client.try_frame() {
        if frame.kind == GOAWAY {
            assert_eq!(frame.code(), ENHANCE_YOUR_CALM);
            break;
        }
    }
    assert_eq!(String::from_utf8_lossy(&client.connection.drain()).len(), 0);
    Http2::open(&server.address()).assert_serves(1);
}

/// Heads are held to the limits of HTTP/1.
#[test]
fn heads_are_limited() {
    let limits = "--limit-request-line 100 --limit-request-fields 3 --limit-request-field_size 100";
    let server = launch().args(limits).start();
    let mut client = Http2::open(&server.address());
    let long = "a".repeat(120);
    for (stream, block) in [
        (1, head("GET", &format!("/{long}"), &[])),
        (3, head("GET", "/", &[("a", "b"); 4])),
        (5, head("GET", "/", &[("a", &long)])),
    ] {
        client.send(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        let reset = client.until("a reset", |frame| frame.kind == RST_STREAM);
        assert_eq!((reset.stream, reset.code()), (stream, PROTOCOL_ERROR));
    }
    client.assert_serves(7);
}

/// A list of headers beyond the limit is refused.
#[test]
fn long_header_lists_are_refused() {
    let server = launch().args("--http2-max-header-list-size 2000").start();
    let mut client = Http2::open(&server.address());
    let long = "a".repeat(3000);
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/", &[("a", &long)]));
    let refused = client.until("a refusal", |frame| {
        frame.kind == RST_STREAM || frame.kind == GOAWAY || (frame.kind == HEADERS && frame.status() != Some(200))
    });
    assert!(refused.kind != DATA);
    Http2::open(&server.address()).assert_serves(1);
}

/// The access log has HTTP/2 requests.
#[test]
fn the_access_log_has_them() {
    let server = launch().args("--access-logfile -").start();
    Http2::open(&server.address()).assert_serves(1);
    server.wait_for("a line", || server.stdout().contains("\"GET / HTTP/2.0\" 200 5 ").then_some(()));
}

/// A stream on which nothing moves for `client_stall_timeout`, neither of its body nor of the room for its response, is reset; the others go on.
#[test]
fn stalled_streams_are_reset() {
    only_ferricorn!("Gunicorn's limits are 60 seconds");
    let server = launch().args("--client-stall-timeout 1").start();
    let mut client = Http2::greet(&server.address());
    client.send(SETTINGS, 0, 0, &[&4_u16.to_be_bytes()[..], &10_u32.to_be_bytes()].concat());
    client.send(HEADERS, END_HEADERS, 1, &head("POST", "/echo", &[]));
    client.send(DATA, 0, 1, b"half");
    client.get(3, "/token?0123456789");
    let mut reset = [client.until("a reset", is_reset), client.until("a reset", is_reset)];
    reset.sort_by_key(|frame| frame.stream);
    assert_eq!(reset.map(|frame| (frame.stream, frame.code())), [(1, CANCEL), (3, CANCEL)]);
    client.assert_serves(5);
}

fn is_reset(frame: &Frame) -> bool {
    frame.kind == RST_STREAM
}

/// A client that takes nothing from the connection is given up, though it goes on making room.
#[test]
fn a_client_that_takes_nothing_is_given_up() {
    only_ferricorn!("Gunicorn has no such setting");
    let server = launch().args("--client-stall-timeout 1").start();
    let mut client = Http2::greet(&server.address());
    client.send(SETTINGS, 0, 0, &[&4_u16.to_be_bytes()[..], &0x7fff_ffff_u32.to_be_bytes()].concat());
    client.send(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes());
    client.get(1, "/endless");
    let given_up = || client.try_send(PING, 0, 0, &[0; 8]).is_err().then_some(());
    server.wait_for("the end of the connection", given_up);
    server.wait_file("closed");
    server.get("/").expect(200, "hello");
}
