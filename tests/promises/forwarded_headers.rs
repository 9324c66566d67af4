//! What a proxy says in header fields, and who is taken for a proxy: what the settings change of it. The defaults are in `environ`.

use serde_json::Value;

use crate::harness::{Launch, Server};

/// What the application sees of a request with these fields.
#[track_caller]
fn environ(server: &Server, fields: &str) -> Value {
    let response = server.ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
    serde_json::from_str(&response.expect(200, &response.text()).text()).expect("the application answers in JSON")
}

fn start(arguments: &str) -> Server {
    Launch::app("environ").args(arguments).start()
}

/// Networks can be trusted, in both families; who is in none of them is not.
#[test]
fn networks_are_trusted() {
    for (bind, list, scheme) in [
        ("127.0.0.1:0", "10.0.0.0/8,127.0.0.0/8", "https"),
        ("127.0.0.1:0", "10.0.0.0/8,127.1.0.0/16", "http"),
        ("127.0.0.1:0", "0.0.0.0/0", "https"),
        ("127.0.0.1:0", "::1", "http"),
        ("[::1]:0", "::/64", "https"),
        ("[::1]:0", "127.0.0.1,2001:db8::/32", "http"),
    ] {
        let server = Launch::app("environ").bind(bind).args("--forwarded-allow-ips").arg(list).start();
        let seen = environ(&server, "X-Forwarded-Proto: https\r\n");
        assert_eq!(seen["wsgi.url_scheme"], scheme, "{list} on {bind}");
    }
}

/// `secure_scheme_headers` says which field and value mean https, in the place of those that do otherwise.
#[test]
fn the_operator_says_what_means_https() {
    let server = Launch::app("environ").conf("secure_scheme_headers = {'X-SCHEME': 'tls'}\n").start();
    for (fields, scheme) in [
        ("X-Scheme: tls\r\n", "https"),
        ("X-Scheme: https\r\n", "http"),
        ("X-Forwarded-Proto: https\r\n", "http"),
        ("X-Scheme: tls\r\nX-Forwarded-Proto: http\r\n", "https"),
    ] {
        assert_eq!(environ(&server, fields)["wsgi.url_scheme"], scheme, "{fields:?}");
    }
}

/// `forwarder_headers` lists the names with an underscore that a trusted peer may send, and nobody else.
#[test]
fn forwarders_may_send_some_underscores() {
    let fields = "REMOTE_USER: alice\r\nX_Other: y\r\nSCRIPT_NAME: /mount\r\n";
    let seen = environ(&start("--forwarder-headers REMOTE_USER,X_OTHER"), fields);
    let ours = ["HTTP_REMOTE_USER", "HTTP_X_OTHER", "HTTP_SCRIPT_NAME", "REMOTE_USER"].map(|key| &seen[key]);
    assert_eq!(ours, [&Value::from("alice"), &Value::from("y"), &Value::Null, &Value::Null]);
    let seen = environ(&start("--forwarder-headers REMOTE_USER,X_OTHER --forwarded-allow-ips 10.0.0.1"), fields);
    assert_eq!((&seen["HTTP_REMOTE_USER"], &seen["HTTP_X_OTHER"]), (&Value::Null, &Value::Null));
}

/// `header_map = refuse` refuses names with an underscore, but for those that a trusted peer may send; `dangerous` takes them from everybody.
#[test]
fn underscores_can_be_refused_or_taken() {
    let server = start("--header-map refuse");
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: x\r\nX_Other: y\r\n\r\n").status(), 400);
    assert_eq!(environ(&server, "PATH_INFO: y\r\n")["HTTP_PATH_INFO"], "y");
    let stranger = start("--header-map refuse --forwarded-allow-ips 10.0.0.1");
    assert_eq!(stranger.ask("GET / HTTP/1.1\r\nHost: x\r\nPATH_INFO: y\r\n\r\n").status(), 400);
    let taken = start("--header-map dangerous --forwarded-allow-ips 10.0.0.1");
    assert_eq!(environ(&taken, "X_Other: y\r\n")["HTTP_X_OTHER"], "y");
}
