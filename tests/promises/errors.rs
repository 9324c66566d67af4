//! An application that fails: the client gets a 500, the operator a traceback, everybody else is served on.

use crate::harness::Launch;
use crate::harness::http::Fault;

/// An exception is a 500 page in HTML on a closed connection, and gives nothing away.
#[test]
fn an_exception_is_a_500_page() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    let response = connection.get("/error");
    assert_eq!((response.status(), response.head.reason.as_str()), (500, "Internal Server Error"));
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert!(response.text().contains("<h1><p>Internal Server Error</p></h1>"), "{}", response.text());
    assert!(!response.text().contains("LookupError"));
    assert!(response.head.closes());
    assert_eq!(connection.drain(), b"");
}

/// The error log has method and target of the failed request, and the traceback, at level ERROR.
#[test]
fn the_log_has_the_traceback() {
    let server = Launch::app("plain").start();
    server.get("/error?shop=1");
    let line = server.wait_line("Error handling request GET /error?shop=1");
    assert_eq!((line.level.as_str(), line.pid), ("ERROR", server.wait_workers(1)[0]));
    for part in
        ["Traceback (most recent call last):", "in application", "LookupError: the application failed on purpose"]
    {
        server.wait_log(part);
    }
}

/// The worker survives its application's exceptions.
#[test]
fn the_worker_survives_exceptions() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    for _ in 0..5 {
        assert_eq!(server.get("/error").status(), 500);
    }
    assert_eq!(server.serving_pid(), worker);
}

/// A process that dies in a request closes its client's connection, and the next request is served.
#[test]
fn a_dying_worker_closes_the_connection() {
    let server = Launch::app("plain").start();
    let mut connection = server.connect();
    connection.send("GET /exit?1 HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = connection.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    server.get("/").expect(200, "hello");
}

/// What the application writes to `wsgi.errors` stands in the error log.
#[test]
fn wsgi_errors_go_to_the_error_log() {
    let app = "def application(environ, start_response):
    environ['wsgi.errors'].write('written to wsgi.errors\\n')
    environ['wsgi.errors'].flush()
    start_response('200 OK', [('Content-Length', '0')])
    return []
";
    let server = Launch::app("complains").file("complains.py", app).error_log("error.log").start();
    server.get("/").expect(200, "");
    server.wait_log("written to wsgi.errors");
}
