//! `--reload`: code that changes on disk is picked up without a signal.

use std::time::Duration;

use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// An application that answers with `version`.
fn version(version: &str) -> String {
    format!("from specs import make\napplication = make('{version}')\n")
}

/// An application that answers with what `page.html` held when it was imported, if it was there.
const PAGE: &str = "from specs import make\nimport os.path\n\
    application = make(open('page.html').read() if os.path.exists('page.html') else 'no page')\n";

/// Writes `text` until the answer is `answer`: Gunicorn overlooks a change in the first second after the import.
#[track_caller]
fn write_until(server: &Server, name: &str, text: &str, answer: &str) {
    server.wait_for("the new code", || {
        server.write(name, text);
        (server.get("/").text() == answer).then_some(())
    });
}

/// A changed module is loaded by a new worker, whichever way changes are noticed; the log names the file.
#[test]
fn a_changed_file_is_picked_up() {
    for engine in ["auto", "poll"] {
        let launch = Launch::app("changing").file("changing.py", &version("old"));
        let server = launch.args("--reload --reload-engine").arg(engine).start();
        server.get("/").expect(200, "('old',) []");
        write_until(&server, "changing.py", &version("new and longer"), "('new and longer',) []");
        let line = server.wait_line("Worker reloading: ");
        assert!(line.message.ends_with("/changing.py modified"), "{}", line.message);
        assert_eq!(line.level, "INFO");
    }
}

/// One change that comes right after the start is enough.
#[test]
fn no_change_is_overlooked() {
    only_ferricorn!("what Gunicorn first looks at after the change is old to it, and inotify needs a package");
    for engine in ["auto", "poll", "inotify"] {
        let launch = Launch::app("changing").file("changing.py", &version("old"));
        let server = launch.args("--reload --reload-engine").arg(engine).start();
        server.get("/").expect(200, "('old',) []");
        server.write("changing.py", &version("new and longer"));
        server.wait_for("the new code", || (server.get("/").text() == "('new and longer',) []").then_some(()));
    }
}

/// So is a change of a module that was imported by a request, long after the start.
#[test]
fn late_imports_are_watched() {
    let application = "def application(environ, start_response):\n    from late import application as late\n\
        \x20   return late(environ, start_response)\n";
    let launch = Launch::app("changing").file("changing.py", application).file("late.py", &version("old"));
    let server = launch.args("--reload").start();
    server.get("/").expect(200, "('old',) []");
    write_until(&server, "late.py", &version("new and longer"), "('new and longer',) []");
}

/// `--reload-extra-file` watches a file that is no module.
#[test]
fn extra_files_are_watched() {
    let launch = Launch::app("page").file("page.py", PAGE).file("page.html", "old");
    let server = launch.args("--reload --reload-extra-file page.html").start();
    server.get("/").expect(200, "('old',) []");
    write_until(&server, "page.html", "new and longer", "('new and longer',) []");
    assert_eq!(server.wait_line("Worker reloading: ").message, "Worker reloading: page.html modified");
}

/// Or all files that match a pattern, also those that come to match it later.
#[test]
fn extra_patterns_are_expanded_again() {
    let launch = Launch::app("page").file("page.py", PAGE);
    let server = launch.args("--reload --reload-extra-file *.html").start();
    server.get("/").expect(200, "('no page',) []");
    server.write("page.html", "first");
    // To Gunicorn a file that has come to match is old, what changes after that is new.
    write_until(&server, "page.html", "a later one", "('a later one',) []");
    server.wait_line("Worker reloading: page.html modified");
}

/// A file that has come to match is a change by itself.
#[test]
fn new_files_of_patterns_are_changes() {
    only_ferricorn!("Gunicorn takes note of a new file, and reloads when it changes after that");
    let launch = Launch::app("page").file("page.py", PAGE);
    let server = launch.args("--reload --reload-extra-file **/*.html").start();
    server.get("/").expect(200, "('no page',) []");
    server.write("page.html", "one");
    server.wait_for("the new page", || (server.get("/").text() == "('one',) []").then_some(()));
}

/// Other files beside the modules may change as they like.
#[test]
fn other_files_do_not_matter() {
    let launch = Launch::app("changing").file("changing.py", &version("old"));
    let server = launch.args("--reload").start();
    server.get("/").expect(200, "('old',) []");
    let workers = server.wait_workers(1);
    let quiet = stays(Duration::from_millis(2500), || {
        server.write("notes.txt", "whatever");
        server.workers() == workers && !server.log().contains("Worker reloading")
    });
    assert!(quiet, "a worker was replaced for a file that it does not use");
}
