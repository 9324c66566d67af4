//! `close()` is called on every path, once, by the thread that made the call; in a sync worker and in one with threads.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::wait::stays;
use crate::harness::{Connection, Launch, Server};

/// How long is watched that nothing is closed a second time.
const MOMENT: Duration = Duration::from_millis(100);

/// Puts a server of each class to a test. The log is theirs if that fails.
#[track_caller]
fn in_every_class(test: impl Fn(&Server)) {
    for class in ["sync", "gthread"] {
        test(&Launch::app("closing").args("--worker-class").args(class).start());
    }
}

/// Waits until so many iterables have been closed, and panics if one was closed twice, or by another thread.
#[track_caller]
fn wait_closed(server: &Server, times: usize) {
    let notes = || server.workdir().read("notes");
    server.wait_for("close()", || (notes().lines().count() >= times).then_some(()));
    assert!(stays(MOMENT, || notes().lines().eq(std::iter::repeat_n("closed", times))), "{}", notes());
}

#[track_caller]
fn begin(server: &Server, request: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
    connection
}

/// After a complete response, after one that has no body, and after one that failed, early or late.
#[test]
fn after_every_kind_of_response() {
    in_every_class(|server| {
        let requests = [
            "GET /",
            "HEAD /",
            "GET /fits",
            "GET /fails-first",
            "GET /fails-later",
            "GET /not-bytes",
            "GET /never-started",
        ];
        for (count, request) in requests.iter().enumerate() {
            let mut connection = begin(server, request);
            connection.finish_sending();
            connection.drain();
            wait_closed(server, count + 1);
        }
        server.get("/").expect(200, "onetwo");
    });
}

/// When the client leaves before the response has begun.
#[test]
fn when_the_client_leaves_before_the_response() {
    in_every_class(|server| {
        let connection = begin(server, "GET /late");
        server.wait_file("gate.entered");
        drop(connection);
        server.write("gate", "");
        wait_closed(server, 1);
        server.get("/").expect(200, "onetwo");
    });
}

/// When it leaves in the middle: of a generator, of something that is read.
#[test]
fn when_the_client_leaves_in_the_middle() {
    in_every_class(|server| {
        for (count, target) in ["/endless", "/wrapped"].iter().enumerate() {
            let mut connection = begin(server, &format!("GET {target}"));
            assert_eq!(connection.chunk_after_head().len(), 65536);
            drop(connection);
            wait_closed(server, count + 1);
        }
        server.get("/").expect(200, "onetwo");
    });
}

/// When it has taken nothing for a while, so that the application waits, and then leaves.
#[test]
fn when_a_client_that_takes_nothing_leaves() {
    in_every_class(|server| {
        let connection = begin(server, "GET /endless");
        server.wait_file("begun");
        assert!(stays(MOMENT, || server.workdir().read("notes").is_empty()));
        drop(connection);
        wait_closed(server, 1);
        server.get("/").expect(200, "onetwo");
    });
}

/// When a sync worker is told to end at once. (Threads are left where they are, and end with the process.)
#[test]
fn when_a_worker_is_told_to_end() {
    let server = Launch::app("closing").start();
    let mut connection = begin(&server, "GET /endless");
    assert_eq!(connection.chunk_after_head().len(), 65536);
    assert_eq!(server.stop(Signal::SIGQUIT), 0);
    assert_eq!(server.workdir().read("notes"), "closed\n");
}
