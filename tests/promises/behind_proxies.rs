//! Behind real proxies, with the configurations in `etc/`.

use serde_json::Value;

use crate::differential::{answers, cases};
use crate::harness::eventually;
use crate::harness::proxy::Proxy;
use crate::harness::{Connection, Launch, Server};

fn start(args: &str) -> Server {
    Launch::app("telling").args(args).start()
}

#[track_caller]
fn said(connection: &mut Connection, method: &str) -> Value {
    let response = connection.response_to(method);
    assert_eq!(response.status(), 200, "{}", response.text());
    serde_json::from_str(&response.text()).expect("the application answers in JSON")
}

/// Panics unless ordinary requests pass this proxy, which speaks HTTP, unharmed and with the client's address.
#[track_caller]
fn assert_passes_http(proxy: &Proxy) {
    let mut connection = proxy.connect();
    connection.send(
        "GET /a%20b?c=d HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-Proto: https\r\n\r\n",
    );
    let environ = said(&mut connection, "GET");
    for (key, value) in [
        ("RAW_URI", "/a%20b?c=d"),
        ("PATH_INFO", "/a b"),
        ("HTTP_HOST", "shop.example"),
        ("HTTP_X_FORWARDED_FOR", "127.0.0.1"),
        ("HTTP_X_FORWARDED_PROTO", "http"),
        ("wsgi.url_scheme", "http"),
    ] {
        assert_eq!(environ[key], value, "{key}");
    }
    let body = "0123456789".repeat(100_000);
    connection.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(said(&mut connection, "POST")["body"], body);
    let chunks = format!("f4240\r\n{body}\r\n5;a=b\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n");
    connection.send(format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(said(&mut connection, "POST")["body"], format!("{body}hello"));
    connection.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.response_to("HEAD").status(), 200);
    connection.send("GET /last HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(said(&mut connection, "GET")["PATH_INFO"], "/last");
}

/// Panics unless this proxy, which passes bytes on, names the client.
#[track_caller]
fn assert_names_the_client(proxy: &Proxy) {
    let mut connection = proxy.connect();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let environ = said(&mut connection, "GET");
    assert_eq!(environ["PROXY_PROTOCOL"], "TCP4");
    assert_eq!(environ["REMOTE_ADDR"], "127.0.0.1");
    assert_eq!(environ["REMOTE_PORT"], connection.local_port().to_string());
    assert_eq!(environ["PROXY_PORT"], proxy.address().port().to_string());
}

/// HAProxy speaks HTTP, and the server believes its header fields.
#[test]
fn haproxy_speaks_http() {
    let server = start("--proxy-protocol auto");
    assert_passes_http(&Proxy::haproxy(":80", &server.address(), |text| text));
}

/// HAProxy passes bytes on, and names the client in the PROXY protocol, in either version.
#[test]
fn haproxy_speaks_the_proxy_protocol() {
    let server = start("--proxy-protocol auto");
    assert_names_the_client(&Proxy::haproxy(":8080", &server.address(), |text| text));
    let words = |text: String| text.replace("send-proxy-v2", "send-proxy");
    assert_names_the_client(&Proxy::haproxy(":8080", &server.address(), words));
}

/// nginx speaks HTTP, and the server believes its header fields.
#[test]
fn nginx_speaks_http() {
    let server = start("");
    assert_passes_http(&Proxy::nginx("nginx.conf", "80", &server.address()));
}

/// nginx passes bytes on, and names the client in the PROXY protocol.
#[test]
fn nginx_speaks_the_proxy_protocol() {
    let server = start("--proxy-protocol v1");
    assert_names_the_client(&Proxy::nginx("stream.conf", "8080", &server.address()));
}

/// Whatever a client sends, the application sees the requests that nginx has passed on, each once, and no others.
#[test]
fn nothing_is_smuggled_past_nginx() {
    let server = start("--access-logfile - --access-logformat %(U)s");
    let proxy = Proxy::nginx("nginx.conf", "80", &server.address());
    let all = ["smuggling.txt", "chunked.txt", "malformed.txt"].map(|file| cases::read(file).cases);
    // nginx waits a second for more on each connection, so all of them wait together.
    let sent = all.iter().flatten().map(|case| {
        let mut connection = proxy.connect();
        connection.try_send(&case.bytes).unwrap_or_else(|fault| panic!("{}: {fault:?}", case.name));
        connection
    });
    sent.collect::<Vec<_>>().iter_mut().for_each(|connection| drop(connection.drain()));
    let mut last = proxy.connect();
    last.send("GET /the-end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    said(&mut last, "GET");
    server.wait_for("the last request", || server.stdout().contains("/the-end").then_some(()));
    let refused = server.lines().iter().filter(|line| line.message.starts_with("Invalid request from ip=")).count();
    let seen = server.stdout().lines().count();
    // nginx writes its line when it is through with the request, which may be some time after the client has its answer.
    let address = format!(" 127.0.0.1:{}", server.address().port());
    let count = || proxy.read("access.log").lines().filter(|line| line.ends_with(&address)).count();
    let passed = eventually(&format!("that nginx has passed on what was seen: {seen} and {refused} refused"), || {
        Some(count()).filter(|passed| *passed == seen + refused)
    });
    println!("nginx passed on {passed} of {} cases", all.iter().flatten().count());
    assert!(seen > 20, "{}", server.stdout());
}

/// nginx and the server read the same bytes alike: where both serve a request, it is the same request with the same body.
#[test]
fn nginx_reads_requests_as_the_server_does() {
    let server = start("");
    let proxy = Proxy::nginx("nginx.conf", "80", &server.address());
    let all = ["smuggling.txt", "chunked.txt", "malformed.txt"].map(|file| cases::read(file).cases);
    let sent = all.iter().flatten().map(|case| {
        let mut connection = proxy.connect();
        connection.try_send(&case.bytes).unwrap_or_else(|fault| panic!("{}: {fault:?}", case.name));
        (case, connection)
    });
    let (mut compared, mut different) = (0, Vec::new());
    for (case, mut connection) in sent.collect::<Vec<_>>() {
        let (passed, direct) =
            (answers::read_all(&mut connection), answers::ask(&server, &case.bytes, case.bytes.len()));
        for (passed, direct) in passed.requests().into_iter().zip(direct.requests()) {
            compared += 1;
            if passed != direct {
                different.push(format!("{}: {passed:?}, not {direct:?}", case.name));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    println!("{compared} requests were served on both ways");
    assert!(compared > 20, "only {compared} requests were served on both ways");
}
