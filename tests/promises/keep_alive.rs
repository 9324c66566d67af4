//! Connections: kept, closed, pipelined.

use std::time::{Duration, Instant};

use crate::harness::Launch;
use crate::harness::http::Fault;
use crate::harness::process::alive;

/// A client that goes on sending after its last request has been answered can read the answer: the connection is not reset.
#[test]
fn what_is_sent_too_late_does_not_take_the_answer_along() {
    let server = Launch::app("plain").start();
    for _ in 0..20 {
        let mut connection = server.connect();
        connection.send(format!("GET / HTTP/1.0\r\n\r\n{}", "x".repeat(30_000)));
        connection.response().expect(200, "hello");
        connection.finish_sending();
        assert_eq!(connection.try_response_to("GET").unwrap_err(), Fault::Closed);
    }
}

/// Why kept connections are only promised by us.
const CLOSES: &str = "Gunicorn's sync worker closes every connection";

/// Several requests are answered on one connection.
#[test]
fn connections_are_kept() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    for number in 0..5 {
        let response = connection.get(&format!("/token?{number}"));
        response.expect(200, &format!("token={number}"));
        assert!(!response.head.closes(), "{:?}", response.head);
    }
}

/// Gunicorn's sync worker closes every connection; here so that we notice if it ever changes.
#[test]
fn gunicorn_keeps_no_connection() {
    only_gunicorn!("our sync worker keeps connections alive");
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    assert!(connection.get("/").head.closes());
    assert_eq!(connection.drain(), b"");
}

/// `Connection: close` is honoured.
#[test]
fn close_is_honoured() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(connection.response().expect(200, "hello").head.closes());
    assert_eq!(connection.drain(), b"");
}

/// `--keep-alive 0` closes after each response.
#[test]
fn keep_alive_can_be_switched_off() {
    let server = Launch::app("plain").args("--keep-alive 0").start();
    let mut connection = server.connect();
    assert!(connection.get("/").expect(200, "hello").head.closes());
    assert_eq!(connection.drain(), b"");
}

/// An idle connection is closed after `--keep-alive` seconds, not before.
#[test]
fn idle_connections_are_closed_in_time() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").args("--keep-alive 1").start();
    let mut connection = server.connect();
    connection.get("/").expect(200, "hello");
    let idle = Instant::now();
    assert_eq!(connection.drain(), b"");
    assert!(idle.elapsed() > Duration::from_millis(900), "closed after {:?}", idle.elapsed());
    assert!(idle.elapsed() < Duration::from_secs(5), "closed after {:?}", idle.elapsed());
}

/// Two requests sent at once are answered in order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("GET /token?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /token?2 HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.response().expect(200, "token=1");
    connection.response().expect(200, "token=2");
}

/// HTTP/1.0 closes, unless the client asks for more.
#[test]
fn http_1_0_closes() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.0\r\n\r\n");
    let response = connection.response();
    response.expect(200, "hello");
    assert_eq!(response.head.version, "HTTP/1.0");
    assert!(response.head.closes());
    assert_eq!(connection.drain(), b"");
}

/// HTTP/1.0 with `Connection: keep-alive` is kept, and the response says so.
#[test]
fn http_1_0_is_kept_on_demand() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    for number in 0..3 {
        connection.send(format!("GET /token?{number} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        let response = connection.response();
        response.expect(200, &format!("token={number}"));
        assert!(!response.head.closes(), "{:?}", response.head);
    }
}

/// A body that the application does not read is not taken for the next request.
#[test]
fn an_unread_body_is_skipped() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    for number in 0..3 {
        let body = "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n";
        connection.send(format!("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        connection.response().expect(200, "ignored");
        connection.get(&format!("/token?{number}")).expect(200, &format!("token={number}"));
    }
}

/// Clients that connect and leave without a word do no harm.
#[test]
fn silent_clients_do_no_harm() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    for _ in 0..20 {
        drop(server.connect());
    }
    assert_eq!(server.serving_pid(), worker);
    assert!(alive(worker) && !server.log().contains("ERROR"), "{}", server.log());
}
