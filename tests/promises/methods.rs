//! Methods that are not the usual ones: refused by default, accepted or turned to upper case on request.

use crate::harness::{Launch, Server};

/// A server of an application that answers with the method as it sees it.
fn methods(args: &str) -> Server {
    let application = "def application(environ, start_response):\n\
        \x20   body = environ['REQUEST_METHOD'].encode()\n\
        \x20   start_response('200 OK', [('Content-Length', str(len(body)))])\n\
        \x20   return [body]\n";
    Launch::app("methods").file("methods.py", application).args(args).start()
}

/// Panics unless a request with each method is answered with the status, and if that is 200 with the other method.
#[track_caller]
fn assert_seen(server: &Server, expected: &[(&str, u16, &str)]) {
    for (method, status, seen) in expected {
        let target = if method.eq_ignore_ascii_case("options") { "*" } else { "/" };
        let response = server.ask(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(response.status(), *status, "{method:?}");
        if *status == 200 {
            assert_eq!(response.text(), *seen, "{method:?}");
        }
    }
}

/// Without a word of the operator's a method has 3 to 20 characters, none of them lower case or `#`.
#[test]
fn unconventional_methods_are_refused() {
    let server = methods("");
    let refused = ["get", "Get", "GE", "G#T", "ABCDEFGHIJKLMNOPQRSTU", "G{}T"].map(|method| (method, 400, ""));
    assert_seen(&server, &refused);
    assert_seen(&server, &[("GET", 200, "GET"), ("M-SEARCH", 200, "M-SEARCH"), ("A!$%'1", 200, "A!$%'1")]);
}

/// `--permit-unconventional-http-method` takes any token, and passes it on as it came.
#[test]
fn any_token_may_be_permitted() {
    let server = methods("--permit-unconventional-http-method");
    let long = "abcdefghijklmnopqrstuvwxyz#ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    assert_seen(&server, &["get", "Get", "G", "ge", "G#T", long].map(|method| (method, 200, method)));
    assert_seen(&server, &["G{}T", "G/T", "G\"T", "G,T"].map(|method| (method, 400, "")));
}

/// `--casefold-http-method` alone permits nothing: what is in lower case is refused before.
#[test]
fn folding_does_not_permit() {
    let server = methods("--casefold-http-method");
    assert_seen(&server, &[("get", 400, ""), ("GET", 200, "GET")]);
}

/// Together they turn every method to upper case, for the application, the log, and the rules that follow.
#[test]
fn permitted_methods_are_folded() {
    let server = methods("--casefold-http-method --permit-unconventional-http-method --access-logfile -");
    assert_seen(&server, &[("get", 200, "GET"), ("PaTcH", 200, "PATCH"), ("x", 200, "X"), ("options", 200, "OPTIONS")]);
    server.wait_for("the access log", || server.stdout().contains("\"PATCH / HTTP/1.1\" 200 5").then_some(()));
    let mut connection = server.connect();
    connection.send("head / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let response = connection.response_to("HEAD");
    assert_eq!((response.status(), response.head.header("Content-Length")), (200, Some("4")));
    assert_eq!(connection.drain(), b"");
}
