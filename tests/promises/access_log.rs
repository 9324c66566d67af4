//! The access log's format: the default line and every atom.

use regex_lite::Regex;

use crate::harness::{Launch, Server};

/// A server with the access log on standard output, in `format`.
fn logging(app: &str, format: &str) -> Server {
    Launch::app(app).args("--access-logfile - --access-logformat").arg(format).start()
}

/// Sends `request` and gives the first access line.
fn line_after(server: &Server, request: &str) -> String {
    server.ask(request);
    server.wait_for("an access line", || server.stdout().split_once('\n').map(|(line, _)| line.to_owned()))
}

#[track_caller]
fn assert_matches(line: &str, pattern: &str) {
    assert!(Regex::new(pattern).expect("the pattern is well formed").is_match(line), "{line:?} is not {pattern}");
}

/// The default line is Apache's combined format.
#[test]
fn the_default_line_is_combined() {
    let server = Launch::app("plain").args("--access-logfile -").start();
    let request = "GET /?a=b HTTP/1.1\r\nHost: x\r\nReferer: http://from/\r\nUser-Agent: probe \"1\"\r\n\r\n";
    let time = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]";
    let line = line_after(&server, request);
    assert_matches(
        &line,
        &format!(r#"^127\.0\.0\.1 - - {time} "GET /\?a=b HTTP/1\.1" 200 5 "http://from/" "probe \\"1\\""$"#),
    );
}

/// h l u r m U q H s B b f a: what the request and the response were.
#[test]
fn atoms_of_request_and_response() {
    let server = logging("plain", "%(h)s|%(l)s|%(u)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(B)s|%(b)s|%(f)s|%(a)s");
    // dXNlcjpwYXNz is `user:pass`.
    let request = "GET /token?x=%20y HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\r\n";
    let line = line_after(&server, request);
    assert_eq!(line, "127.0.0.1|-|user|GET /token?x=%20y HTTP/1.1|GET|/token|x=%20y|HTTP/1.1|200|12|12|-|-");
}

/// T D M L are the time taken in seconds, microseconds, milliseconds and decimal seconds; p is the worker's pid.
#[test]
fn atoms_of_time_and_process() {
    let server = logging("plain", "%(T)s|%(D)s|%(M)s|%(L)s|%(p)s|%(t)s");
    let line = line_after(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let worker = server.wait_workers(1)[0];
    let time = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]";
    assert_matches(&line, &format!(r"^\d+\|\d+\|\d+\|\d+\.\d{{6}}\|<{worker}>\|{time}$"));
}

/// {name}i {name}o {name}e are headers of the request, of the response, and environ values; a missing one is `-`.
#[test]
fn atoms_by_name() {
    let format =
        "%({X-In}i)s|%({content-type}o)s|%({PATH_INFO}e)s|%({wsgi.url_scheme}e)s|%({none}i)s|%({none}o)s|%({none}e)s";
    let server = logging("plain", format);
    let line = line_after(&server, "GET /pid HTTP/1.1\r\nHost: x\r\nX-In: inward\r\n\r\n");
    assert_eq!(line, "inward|text/plain|/pid|http|-|-|-");
}

/// A percent sign is written as `%%`, and an unknown atom is `-`.
#[test]
fn literal_percent_and_unknown_atoms() {
    let server = logging("plain", "100%% %(nonsense)s %(s)s");
    assert_eq!(line_after(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "100% - 200");
}

/// b counts the bytes of the body only: no head, no chunk framing, nothing for HEAD.
#[test]
fn byte_counts_exclude_framing() {
    let server = logging("framing", "%(U)s %(B)s");
    for request in ["GET /list", "GET /empty", "GET /too-long"] {
        server.ask(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    let mut connection = server.connect();
    connection.send("HEAD /length HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.response_to("HEAD");
    let seen = server.wait_for("four lines", || Some(server.stdout()).filter(|out| out.lines().count() == 4));
    assert_eq!(seen, "/list 11\n/empty 0\n/too-long 5\n/length 0\n");
}

/// A request whose application failed is logged too, with its 500.
#[test]
fn a_failed_request_is_logged_as_500() {
    let server = logging("plain", "%(r)s %(s)s");
    let line = line_after(&server, "GET /error HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(line, "GET /error HTTP/1.1 500");
}
