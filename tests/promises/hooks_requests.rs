//! pre_request and post_request: what they see of a request and its response, and what they can change.

use crate::harness::notes::names;
use crate::harness::{Launch, Server};

/// Starts `app` with `hooks` after `from noting_hooks import note` in its configuration file.
#[track_caller]
fn with(app: &str, hooks: &str) -> Server {
    Launch::app(app).conf(&format!("from noting_hooks import note\n{hooks}")).start()
}

/// pre_request is called once for each request, before the application, and post_request after it.
#[test]
fn requests_are_announced_and_reported() {
    let server = Launch::app("plain").conf("from noting_hooks import pre_request, post_request\n").start();
    server.get("/token?a").expect(200, "token=a");
    server.get("/nowhere?b");
    let after = server.wait_noted("post_request", 2);
    assert_eq!(names(&server.notes()), ["pre_request", "post_request", "pre_request", "post_request"]);
    assert_eq!((&after[0]["path"], &after[0]["status"]), (&"/token".into(), &"200 OK".into()));
    assert_eq!((&after[1]["uri"], &after[1]["status"]), (&"/nowhere?b".into(), &"404 Not Found".into()));
}

/// `req` has method, target and its parts, version, upper-case headers, peer and scheme.
#[test]
fn a_request_can_be_inspected() {
    let server = with("plain", "def pre_request(worker, req):
    note('seen', method=req.method, uri=req.uri, path=req.path, query=req.query, version=req.version, headers=req.headers,
         peer=req.peer_addr, remote=req.remote_addr, scheme=req.scheme, number=req.req_number)
");
    let mut connection = server.connect();
    let port = connection.local_port();
    connection.send("POST /echo?x=1&y HTTP/1.1\r\nHost: shop\r\nX-Coupon: Tyre\r\nContent-Length: 2\r\n\r\nhi");
    connection.response().expect(200, "hi");
    let seen = server.wait_noted("seen", 1).remove(0);
    let facts = ["method", "uri", "path", "query", "version", "peer", "remote", "scheme", "number"];
    let peer = serde_json::json!(["127.0.0.1", port]);
    let wanted = serde_json::json!(["POST", "/echo?x=1&y", "/echo", "x=1&y", [1, 1], peer, peer, "http", 1]);
    assert_eq!(serde_json::json!(facts.map(|name| seen[name].clone())), wanted);
    assert_eq!(seen["headers"], serde_json::json!([["HOST", "shop"], ["X-COUPON", "Tyre"], ["CONTENT-LENGTH", "2"]]));
}

/// What pre_request adds to `req.headers` is in the application's environ.
#[test]
fn pre_request_can_add_headers() {
    let hook = "def pre_request(worker, req):\n    req.headers.append(('X-COUPON', req.path.strip('/')))\n";
    let app = "def application(environ, start_response):
    body = environ['HTTP_X_COUPON'].encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";
    let server = Launch::app("coupons").file("coupons.py", app).conf(hook).start();
    server.get("/tyre").expect(200, "tyre");
    server.get("/brake").expect(200, "brake");
}

/// `resp` has the status as text and number, the headers as the application gave them, and what was sent.
#[test]
fn a_response_can_be_inspected() {
    let server = with("plain", "def post_request(worker, req, environ, resp):
    note('sent', status=resp.status, code=resp.status_code, headers=resp.headers, sent=resp.sent, length=resp.response_length,
         headers_sent=resp.headers_sent, chunked=resp.chunked, method=environ['REQUEST_METHOD'], nr=worker.nr)
");
    server.get("/token?spare").expect(200, "token=spare");
    let sent = server.wait_noted("sent", 1).remove(0);
    let names = ["status", "code", "sent", "length", "headers_sent", "chunked", "method", "nr"];
    let facts = names.map(|name| sent[name].clone());
    assert_eq!(serde_json::json!(facts), serde_json::json!(["200 OK", 200, 11, 11, true, false, "GET", 1]));
    assert_eq!(sent["headers"], serde_json::json!([["Content-Type", "text/plain"], ["Content-Length", "11"]]));
}

/// A response without a length is chunked, and `sent` counts the bytes of its body.
#[test]
fn a_streamed_response_is_counted() {
    let app = "def application(environ, start_response):
    start_response('200 OK', [])
    yield b'one'
    yield b'three'
";
    let hook = "from noting_hooks import note\ndef post_request(worker, req, environ, resp):
    note('sent', chunked=resp.chunked, sent=resp.sent, length=resp.response_length)
";
    let server = Launch::app("streams").file("streams.py", app).conf(hook).start();
    server.get("/").expect(200, "onethree");
    let sent = server.wait_noted("sent", 1).remove(0);
    let facts = ["chunked", "sent", "length"].map(|name| sent[name].clone());
    assert_eq!(serde_json::json!(facts), serde_json::json!([true, 8, null]));
}

/// post_request takes two, three or four arguments.
#[test]
fn post_request_takes_what_it_wants() {
    for (arguments, last) in [
        ("worker, req", "req.path"),
        ("worker, req, environ", "environ['PATH_INFO']"),
        ("worker, req, environ, resp", "req.path"),
        ("worker, req, environ=None, resp=None", "environ['PATH_INFO']"),
    ] {
        let server = with("plain", &format!("def post_request({arguments}):\n    note('called', path={last})\n"));
        server.get("/pid");
        assert_eq!(server.wait_noted("called", 1)[0]["path"], "/pid", "{arguments}");
    }
}

/// post_request is called for an application that failed too.
#[test]
fn a_failed_request_is_reported() {
    let server =
        with("plain", "def post_request(worker, req, environ, resp):\n    note('failed', status=resp.status)\n");
    assert_eq!(server.get("/error").status(), 500);
    server.wait_noted("failed", 1);
}

/// Without hooks of one's own each request is a line at debug.
#[test]
fn requests_are_lines_at_debug() {
    let server = Launch::app("plain").args("--log-level debug").start();
    server.get("/token?a").expect(200, "token=a");
    assert_eq!(server.wait_line("GET /token").level, "DEBUG");
}
