//! The WSGI environ: every key of Gunicorn's, with Gunicorn's value.

use serde_json::{Value, json};

use crate::harness::target::GUNICORN_VERSION;
use crate::harness::{Launch, Server};

/// The environ that the application gets for raw `request`.
#[track_caller]
fn environ(server: &Server, request: &str) -> Value {
    parse(&server.ask(request).text())
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("the application answered {text:?}"))
}

/// The environ for a GET of `target` with the header lines `headers`.
#[track_caller]
fn environ_of(server: &Server, target: &str, headers: &str) -> Value {
    environ(server, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"))
}

/// Panics unless `environ` has these values; null means that the key is missing.
#[track_caller]
fn assert_values(environ: &Value, wanted: &[(&str, Value)]) {
    for (key, value) in wanted {
        assert_eq!(environ.get(key).unwrap_or(&Value::Null), value, "{key} in {environ:#}");
    }
}

/// The request line: method, target verbatim, path decoded to latin-1, query raw, protocol.
#[test]
fn the_request_line_is_taken_apart() {
    let server = Launch::app("environ").start();
    assert_values(
        &environ_of(&server, "/caf%C3%A9/%20x%2Fy;p//?a=1&b=%20+?c", ""),
        &[
            ("REQUEST_METHOD", json!("GET")),
            ("RAW_URI", json!("/caf%C3%A9/%20x%2Fy;p//?a=1&b=%20+?c")),
            ("PATH_INFO", json!("/caf\u{c3}\u{a9}/ x/y;p//")),
            ("QUERY_STRING", json!("a=1&b=%20+?c")),
            ("SCRIPT_NAME", json!("")),
            ("SERVER_PROTOCOL", json!("HTTP/1.1")),
        ],
    );
    let old = environ(&server, "PROPFIND / HTTP/1.0\r\n\r\n");
    let wanted =
        [("REQUEST_METHOD", "PROPFIND"), ("SERVER_PROTOCOL", "HTTP/1.0"), ("QUERY_STRING", ""), ("PATH_INFO", "/")];
    assert_values(&old, &wanted.map(|(key, value)| (key, json!(value))));
}

/// A target in absolute form gives its path; the Host header stays as it was sent.
#[test]
fn an_absolute_target_gives_its_path() {
    let server = Launch::app("environ").start();
    let wanted =
        [("RAW_URI", "http://other:1/path?q"), ("PATH_INFO", "/path"), ("QUERY_STRING", "q"), ("HTTP_HOST", "x")];
    assert_values(&environ_of(&server, "http://other:1/path?q", ""), &wanted.map(|(key, value)| (key, json!(value))));
}

/// Client and server: the peer's address and port, the listener's address and port, never the Host header's.
#[test]
fn both_ends_of_the_connection_are_named() {
    let server = Launch::app("environ").start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: shop.example:81\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n");
    let port = connection.local_port();
    assert_values(
        &parse(&connection.response().text()),
        &[
            ("REMOTE_ADDR", json!("127.0.0.1")),
            ("REMOTE_PORT", json!(port.to_string())),
            ("SERVER_NAME", json!("127.0.0.1")),
            ("SERVER_PORT", json!(server.address().port().to_string())),
            ("HTTP_HOST", json!("shop.example:81")),
            ("HTTP_X_FORWARDED_FOR", json!("9.9.9.9")),
        ],
    );
}

/// On a unix socket there is no peer address, and the server's name comes from the Host header.
#[test]
fn a_unix_peer_has_no_address() {
    let server = Launch::app("environ").bind("unix:socket").start();
    let seen = parse(&server.ask("GET / HTTP/1.1\r\nHost: shop.example:81\r\n\r\n").text());
    assert_values(
        &seen,
        &[
            ("REMOTE_ADDR", json!("")),
            ("REMOTE_PORT", Value::Null),
            ("SERVER_NAME", json!("shop.example")),
            ("SERVER_PORT", json!("81")),
        ],
    );
    assert_values(&environ_of(&server, "/", ""), &[("SERVER_NAME", json!("x")), ("SERVER_PORT", json!("80"))]);
    let seen = parse(&server.ask("GET / HTTP/1.0\r\n\r\n").text());
    assert_values(&seen, &[("SERVER_NAME", json!("socket")), ("SERVER_PORT", json!(""))]);
}

/// An address of IPv6 in that header is one name.
#[test]
fn a_host_may_have_colons() {
    only_ferricorn!("Gunicorn takes what is in front of the first colon");
    let server = Launch::app("environ").bind("unix:socket").start();
    for (host, port) in [("[2001:db8::1]:81", "81"), ("[2001:db8::1]", "80")] {
        let seen = parse(&server.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).text());
        assert_values(&seen, &[("SERVER_NAME", json!("[2001:db8::1]")), ("SERVER_PORT", json!(port))]);
    }
}

/// Content-Type and Content-Length have keys of their own, only when sent, and no HTTP_ twins.
#[test]
fn content_headers_have_their_own_keys() {
    let server = Launch::app("environ").start();
    let sent = environ(&server, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nhi");
    assert_values(
        &sent,
        &[
            ("CONTENT_TYPE", json!("a/b")),
            ("CONTENT_LENGTH", json!("2")),
            ("HTTP_CONTENT_TYPE", Value::Null),
            ("HTTP_CONTENT_LENGTH", Value::Null),
        ],
    );
    assert_values(&environ_of(&server, "/", ""), &[("CONTENT_TYPE", Value::Null), ("CONTENT_LENGTH", Value::Null)]);
}

/// Headers become HTTP_ keys: repeats joined by commas, blanks around the value trimmed, latin-1, empty ones kept.
#[test]
fn headers_become_keys() {
    let server = Launch::app("environ").start();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Twice: a\r\nCookie: a=1\r\nx-twice:b\r\nCookie: b=2\r\n\
        X-Blank: \t inner  blank \t\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n\r\n";
    assert_values(
        &parse(&server.ask(request).text()),
        &[
            ("HTTP_X_TWICE", json!("a,b")),
            ("HTTP_COOKIE", json!("a=1,b=2")),
            ("HTTP_X_BLANK", json!("inner  blank")),
            ("HTTP_X_EMPTY", json!("")),
            ("HTTP_X_LATIN", json!("caf\u{e9}")),
        ],
    );
}

/// Headers with an underscore are dropped: they could pass for another header.
#[test]
fn headers_with_underscores_are_dropped() {
    let server = Launch::app("environ").start();
    let seen = environ_of(&server, "/", "X_Real_User: root\r\nX-Real-User: guest\r\nContent_Length: 9\r\n");
    assert_values(
        &seen,
        &[("HTTP_X_REAL_USER", json!("guest")), ("HTTP_CONTENT_LENGTH", Value::Null), ("CONTENT_LENGTH", Value::Null)],
    );
    assert_values(&environ_of(&server, "/", "Only_Under: x\r\n"), &[("HTTP_ONLY_UNDER", Value::Null)]);
}

/// A trusted peer (the loopback, by default) says whether the client came by https; only the exact value counts.
#[test]
fn a_trusted_peer_tells_the_scheme() {
    let server = Launch::app("environ").start();
    for (header, scheme) in [
        ("", "http"),
        ("X-Forwarded-Proto: https\r\n", "https"),
        ("X-Forwarded-Proto: http\r\n", "http"),
        ("X-Forwarded-Proto: HTTPS\r\n", "http"),
        ("X-Forwarded-Ssl: on\r\n", "https"),
        ("X-Forwarded-Protocol: ssl\r\n", "https"),
    ] {
        assert_values(&environ_of(&server, "/", header), &[("wsgi.url_scheme", json!(scheme))]);
    }
}

/// Headers that contradict each other about the scheme are 400.
#[test]
fn contradictory_schemes_are_400() {
    let server = Launch::app("environ").start();
    let headers = "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n";
    assert_eq!(server.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).status(), 400);
}

/// Others are not believed; who is, is set by `--forwarded-allow-ips` or the environment.
#[test]
fn other_peers_are_not_believed() {
    let header = "X-Forwarded-Proto: https\r\n";
    let server = Launch::app("environ").args("--forwarded-allow-ips 10.1.2.3").start();
    let wanted = [("wsgi.url_scheme", json!("http")), ("HTTP_X_FORWARDED_PROTO", json!("https"))];
    assert_values(&environ_of(&server, "/", header), &wanted);
    let server = Launch::app("environ").env("FORWARDED_ALLOW_IPS", "10.1.2.3").start();
    assert_values(&environ_of(&server, "/", header), &wanted);
    let server = Launch::app("environ").args("--forwarded-allow-ips *").start();
    assert_values(&environ_of(&server, "/", header), &[("wsgi.url_scheme", json!("https"))]);
}

/// SCRIPT_NAME comes from a trusted peer's header or from the process environment, and is cut off the path.
#[test]
fn the_script_name_is_cut_off() {
    let wanted = [("SCRIPT_NAME", json!("/shop")), ("PATH_INFO", json!("/cars")), ("RAW_URI", json!("/shop/cars"))];
    let server = Launch::app("environ").start();
    assert_values(&environ_of(&server, "/shop/cars", "SCRIPT_NAME: /shop\r\n"), &wanted);
    let server = Launch::app("environ").env("SCRIPT_NAME", "/shop").start();
    assert_values(&environ_of(&server, "/shop/cars", ""), &wanted);
}

/// The `wsgi.` keys have the values and the methods that PEP 3333 asks for.
#[test]
fn the_wsgi_keys_are_complete() {
    let server = Launch::app("environ").start();
    assert_values(
        &environ_of(&server, "/", ""),
        &[
            ("wsgi.version", json!([1, 0])),
            ("wsgi.url_scheme", json!("http")),
            ("wsgi.multithread", json!(false)),
            ("wsgi.multiprocess", json!(false)),
            ("wsgi.run_once", json!(false)),
            ("wsgi.input_terminated", json!(true)),
            ("methods of wsgi.input", json!(["read", "readline", "readlines", "__iter__"])),
            ("methods of wsgi.errors", json!(["write", "writelines", "flush"])),
            ("file_wrapper is callable", json!(true)),
            ("environ is a dict", json!(true)),
        ],
    );
    let server = Launch::app("environ").args("--workers 2").start();
    assert_values(&environ_of(&server, "/", ""), &[("wsgi.multiprocess", json!(true))]);
}

/// SERVER_SOFTWARE starts with the Gunicorn whose behaviour is promised, in environ and in the process environment.
#[test]
fn the_software_is_named() {
    let promised = format!("gunicorn/{GUNICORN_VERSION}");
    let server = Launch::app("environ").start();
    let seen = environ_of(&server, "/", "");
    assert!(seen["SERVER_SOFTWARE"].as_str().is_some_and(|value| value.starts_with(&promised)), "{seen:#}");
    let server = Launch::app("plain").start();
    assert!(server.get("/env?SERVER_SOFTWARE").text().starts_with(&promised));
}

/// What `server_software` says is SERVER_SOFTWARE in the environ.
#[test]
fn the_software_is_a_setting() {
    only_ferricorn!("Gunicorn always gives its own name");
    let server = Launch::app("environ").arg("--server-software").arg("gunicorn/19.9.0 (shop)").start();
    assert_values(&environ_of(&server, "/", ""), &[("SERVER_SOFTWARE", json!("gunicorn/19.9.0 (shop)"))]);
    let server = Launch::app("environ").start();
    let version = env!("CARGO_PKG_VERSION");
    let usual = json!(format!("gunicorn/{GUNICORN_VERSION} ferricorn/{version}"));
    assert_values(&environ_of(&server, "/", ""), &[("SERVER_SOFTWARE", usual)]);
}

/// The environ is a request's own: no variable of the process, no CGI key that Gunicorn does not set.
#[test]
fn nothing_else_leaks_in() {
    let server = Launch::app("environ").env("LEAK", "secret").start();
    let seen = environ_of(&server, "/", "");
    for key in [
        "LEAK",
        "PATH",
        "HOME",
        "DOCUMENT_ROOT",
        "REQUEST_URI",
        "GATEWAY_INTERFACE",
        "REMOTE_HOST",
        "HTTPS",
        "REMOTE_USER",
    ] {
        assert_values(&seen, &[(key, Value::Null)]);
    }
}
