//! `--reload` and code that cannot be loaded: a syntax error is shown in the browser, and gone when it is mended.

use crate::harness::http::Response;
use crate::harness::{Launch, Server};

/// Python that does not compile.
const BROKEN: &str = "def application(\n";

/// An application that answers with `version`.
fn version(version: &str) -> String {
    format!("from specs import make\napplication = make('{version}')\n")
}

/// A server with `--reload` of the application `text`.
#[track_caller]
fn reloading(text: &str) -> Server {
    Launch::app("changing").file("changing.py", text).args("--reload").start()
}

/// Writes `text` until an answer passes `wanted`: Gunicorn overlooks a change in the first second after the import.
#[track_caller]
fn write_until(server: &Server, text: &str, wanted: impl Fn(&Response) -> bool) -> Response {
    server.wait_for("the new code", || {
        server.write("changing.py", text);
        Some(server.get("/")).filter(|answer| wanted(answer))
    })
}

/// Panics unless `answer` is a page that shows the syntax error of `BROKEN`.
#[track_caller]
fn assert_shows_the_error(answer: &Response) {
    assert_eq!((answer.status(), answer.header("content-type")), (500, Some("text/plain")), "{answer:?}");
    let text = answer.text();
    assert!(text.starts_with("Traceback (most recent call last):\n"), "{text}");
    assert!(text.contains("changing.py\", line 1\n    def application(") && text.contains("\nSyntaxError: "), "{text}");
}

/// A syntax error at the start is a 500 page with the traceback for every path, an error in the log, and mended by mending.
#[test]
fn a_syntax_error_at_the_start_is_shown() {
    let server = reloading(BROKEN);
    assert_shows_the_error(&server.get("/"));
    assert_shows_the_error(&server.get("/any/other"));
    let line = server.wait_line("'(' was never closed (changing.py, line 1)");
    assert_eq!(line.level, "ERROR");
    server.wait_log("SyntaxError: '(' was never closed");
    write_until(&server, &version("mended"), |answer| answer.text() == "('mended',) []").expect(200, "('mended',) []");
}

/// A syntax error that comes with a change is shown too, and the server goes on to watch.
#[test]
fn a_syntax_error_of_a_change_is_shown() {
    let server = reloading(&version("old"));
    server.get("/").expect(200, "('old',) []");
    assert_shows_the_error(&write_until(&server, BROKEN, |answer| answer.status() == 500));
    write_until(&server, &version("mended again"), |answer| answer.status() == 200).expect(200, "('mended again',) []");
}

/// Without `--reload` a syntax error is a boot failure, and nobody gets to see a traceback.
#[test]
fn without_reload_it_is_a_boot_failure() {
    let finished = Launch::app("changing").file("changing.py", BROKEN).run();
    finished.expect(3, &["SyntaxError: '(' was never closed", "Worker failed to boot."]);
}

/// Other errors at the start are boot failures with `--reload` too.
#[test]
fn other_errors_at_the_start_are_boot_failures() {
    let run = |text: &str| Launch::app("changing").file("changing.py", text).args("--reload").run();
    run("import no_such_module\n").expect(3, &["No module named 'no_such_module'"]);
    run("nothing = 1\n").expect(4, &["Failed to find attribute 'application' in 'changing'."]);
}

/// The log warns of a reloader in production.
#[test]
fn the_log_warns_of_the_reloader() {
    let line = reloading(&version("any")).wait_line("Reloader is on. Use in development only!");
    assert_eq!(line.level, "WARNING");
}
