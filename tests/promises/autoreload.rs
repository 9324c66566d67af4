//! `--reload`: code that changes on disk is picked up without a signal.

use crate::harness::Launch;

/// A changed module is loaded by a new worker.
#[test]
fn a_changed_file_is_picked_up() {
    let text = |version: &str| format!("from specs import make\napplication = make('{version}')\n");
    let server = Launch::app("changing").file("changing.py", &text("old")).args("--reload").start();
    server.get("/").expect(200, "('old',) []");
    // Gunicorn overlooks a change in the first second after the import: write until it is seen.
    server.wait_for("the new code", || {
        server.write("changing.py", &text("new and longer"));
        (server.get("/").text() == "('new and longer',) []").then_some(())
    });
}
