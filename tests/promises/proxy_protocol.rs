//! The PROXY protocol: what the proxy in front says about a connection before its first request.

use serde_json::Value;

use crate::harness::{Connection, Launch, Server};

/// A binary header of version 2 that says that 10.0.0.9:1234 has called 10.0.0.1:443.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x09\x0a\0\0\x01\x04\xd2\x01\xbb";
const WORDS: &str = "PROXY TCP4 10.0.0.9 10.0.0.1 1234 443\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn start(args: &str) -> Server {
    Launch::app("environ").args(args).start()
}

#[track_caller]
fn environ(connection: &mut Connection) -> Value {
    serde_json::from_str(&connection.response().text()).expect("the application answers in JSON")
}

/// Panics unless these bytes, and a request behind them, make the environ say this.
#[track_caller]
fn assert_said(server: &Server, header: impl AsRef<[u8]>, expected: &[(&str, Value)]) {
    let header = header.as_ref();
    for piece in [header.len().max(1), 1] {
        let mut connection = server.connect();
        header.chunks(piece).for_each(|piece| connection.send(piece));
        connection.send(GET);
        let environ = environ(&mut connection);
        for (key, value) in expected {
            assert_eq!(environ.get(*key).unwrap_or(&Value::Null), value, "{key}, pieces of {piece}");
        }
    }
}

/// Panics unless these bytes are refused with this status.
#[track_caller]
fn assert_refused(server: &Server, header: impl AsRef<[u8]>, status: u16) {
    let mut connection = server.connect();
    connection.send([header.as_ref(), GET.as_bytes()].concat());
    assert_eq!(connection.response().status(), status);
    connection.drain();
}

fn proxied() -> [(&'static str, Value); 5] {
    [
        ("PROXY_PROTOCOL", "TCP4".into()),
        ("REMOTE_ADDR", "10.0.0.9".into()),
        ("REMOTE_PORT", "1234".into()),
        ("PROXY_ADDR", "10.0.0.1".into()),
        ("PROXY_PORT", "443".into()),
    ]
}

/// The client is whom the proxy names, in either version.
#[test]
fn the_proxy_says_who_the_client_is() {
    let server = start("--proxy-protocol auto");
    assert_said(&server, WORDS, &proxied());
    assert_said(&server, BINARY, &proxied());
    let words = "PROXY TCP6 2001:DB8::9 2001:db8::1 1234 443\r\n";
    let expected = [("PROXY_PROTOCOL", "TCP6".into()), ("REMOTE_ADDR", "2001:DB8::9".into())];
    assert_said(&server, words, &expected);
}

/// A connection may begin without; so may those behind one that did not.
#[test]
fn the_header_may_be_absent() {
    let server = start("--proxy-protocol auto");
    assert_said(&server, "", &[("PROXY_PROTOCOL", Value::Null), ("REMOTE_ADDR", "127.0.0.1".into())]);
    assert_said(&server, "\r\n", &[("PROXY_PROTOCOL", Value::Null)]);
}

/// One version alone may be asked for; the other is then a malformed request.
#[test]
fn one_version_may_be_asked_for() {
    let server = start("--proxy-protocol v1");
    assert_said(&server, WORDS, &proxied());
    assert_refused(&server, BINARY, 400);
    let server = start("--proxy-protocol v2");
    assert_said(&server, BINARY, &proxied());
    assert_refused(&server, WORDS, 400);
}

/// Nobody is believed who has not been asked.
#[test]
fn it_is_off_by_default() {
    let server = start("");
    assert_refused(&server, WORDS, 400);
    assert_refused(&server, BINARY, 400);
}

/// What is malformed is 400 in words and 500 in bytes, and the log tells.
#[test]
fn malformed_headers_are_refused() {
    let server = start("--proxy-protocol auto");
    for words in
        ["PROXY\x20\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP4 1.2.3 10.0.0.1 1 1\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n"]
    {
        assert_refused(&server, words, 400);
    }
    server.wait_line("Invalid request from ip=127.0.0.1: Invalid PROXY line: 'PROXY UNKNOWN'");
    let mut other_version = BINARY.to_vec();
    other_version[12] = 0x11;
    assert_refused(&server, other_version, 500);
}

/// A peer that is not among `--proxy-allow-from` may not speak it, but may speak HTTP.
#[test]
fn strangers_may_not_say_it() {
    let server = start("--proxy-protocol auto --proxy-allow-from 10.0.0.0/8");
    assert_refused(&server, WORDS, 403);
    assert_refused(&server, BINARY, 403);
    server.wait_log("Proxy request from '127.0.0.1' not allowed");
    assert_said(&server, "", &[("REMOTE_ADDR", "127.0.0.1".into())]);
    assert_said(&start("--proxy-protocol auto --proxy-allow-from *"), WORDS, &proxied());
}

/// Whom the proxy names is not thereby a proxy that is believed, and the proxy is not less believed for it.
#[test]
fn trust_is_in_the_peer_itself() {
    let server = start("--proxy-protocol auto");
    let mut connection = server.connect();
    connection.send(format!("{WORDS}GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n"));
    assert_eq!(environ(&mut connection)["wsgi.url_scheme"], "https");
    let server = start("--proxy-protocol auto --forwarded-allow-ips 10.0.0.9");
    let mut connection = server.connect();
    connection.send(format!("{WORDS}GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n"));
    assert_eq!(environ(&mut connection)["wsgi.url_scheme"], "http");
}

/// The access log has the client's address.
#[test]
fn the_access_log_names_the_client() {
    let server = start("--proxy-protocol auto --access-logfile - --access-logformat %(h)s|%(s)s");
    assert_said(&server, WORDS, &proxied());
    server.wait_for("the line", || server.stdout().contains("10.0.0.9|200").then_some(()));
}

/// It holds for all requests of the connection, not for the first alone.
#[test]
fn all_requests_of_the_connection_are_the_clients() {
    only_ferricorn!("with threads Gunicorn forgets it after the first request; sync serves but one");
    let server = start("--proxy-protocol auto");
    let mut connection = server.connect();
    connection.send(WORDS);
    for _ in 0..3 {
        connection.send(GET);
        assert_eq!(environ(&mut connection)["REMOTE_ADDR"], "10.0.0.9");
    }
}

/// A check of the proxy's own (LOCAL) comes from nobody.
#[test]
fn a_check_of_the_proxys_own_has_no_client() {
    let server = start("--proxy-protocol auto");
    let expected = [("PROXY_PROTOCOL", "LOCAL".into()), ("REMOTE_PORT", "None".into()), ("PROXY_PORT", "None".into())];
    assert_said(&server, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", &expected);
}

/// A Unix socket is always believed.
#[test]
fn a_unix_socket_is_believed() {
    let server = Launch::app("environ")
        .bind("unix:server.sock")
        .args("--proxy-protocol auto --proxy-allow-from 10.0.0.1")
        .start();
    assert_said(&server, WORDS, &proxied());
}
