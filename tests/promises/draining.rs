//! What has been accepted is served before a server ends, also what only the kernel has accepted.

use nix::sys::signal::Signal;

use strict_client::anomaly::Kind;

use crate::harness::strict::{Load, Mode};
use crate::harness::{Connection, Launch, Server};

/// Why this is only promised by us.
const RESETS: &str = "Gunicorn resets what waits in the queue of its socket";

/// A request in flight, and others that wait behind it in the socket's queue.
fn queue(server: &Server, waiting: usize) -> (Connection, Vec<Connection>) {
    let held = server.hold("open");
    let mut queued: Vec<Connection> = (0..waiting).map(|_| server.connect()).collect();
    for (number, connection) in queued.iter_mut().enumerate() {
        connection.send(format!("GET /token?{number} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    (held, queued)
}

/// TERM serves everything that waits in the queue, and what comes into it while the last request is finished.
#[test]
fn term_serves_what_waits() {
    only_ferricorn!(RESETS);
    for bind in ["127.0.0.1:0", "unix:socket"] {
        let server = Launch::app("plain").bind(bind).start();
        let (mut held, mut queued) = queue(&server, 30);
        let late = server.connect();
        server.signal(Signal::SIGTERM);
        server.wait_log("Handling signal: term");
        server.write("open", "");
        held.response().expect(200, "passed");
        for (number, connection) in queued.iter_mut().enumerate() {
            connection.response().expect(200, &format!("token={number}"));
        }
        drop(late);
        assert_eq!(server.wait_exit(), 0);
    }
}

/// A stop under load: until nobody listens any more every request is answered.
#[test]
fn a_stop_under_load_breaks_off_nothing() {
    only_ferricorn!(RESETS);
    let server = Launch::app("plain").args("--workers 2").start();
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::Trickle, Mode::Close, Mode::Close]);
    server.wait_progress(&load, 300);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let tally = load.finish();
    let broken: Vec<_> = tally.anomalies.iter().filter(|anomaly| anomaly.kind != Kind::Refused).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
