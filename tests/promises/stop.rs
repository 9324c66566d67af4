//! Stopping: gently with TERM, quickly with INT and QUIT, always with exit 0 and nothing left.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::connection::Connection;
use crate::harness::http::Fault;
use crate::harness::ports::{at_port, free_port};
use crate::harness::process::{send, working_in};
use crate::harness::{Launch, Server};

/// TERM lets the request in flight finish, then the server exits 0, says so, and removes its pid file.
#[test]
fn term_lets_requests_finish() {
    let server = Launch::app("plain").args("--workers 2 --pid server.pid").start();
    let mut connection = server.hold("open");
    server.signal(Signal::SIGTERM);
    server.wait_log("Handling signal: term");
    server.write("open", "");
    connection.response().expect(200, "passed");
    assert_eq!(server.wait_exit(), 0);
    assert_eq!(server.wait_line("Shutting down: Master").level, "INFO");
    assert!(!server.workdir().has("server.pid"));
    server.wait_nothing_running();
}

/// A request that outlives `--graceful-timeout` does not hold up the stop; the exit status is 0 all the same.
#[test]
fn the_graceful_timeout_bounds_the_stop() {
    let server = Launch::app("plain").args("--graceful-timeout 1").start();
    let mut connection = server.hold("open");
    let asked = Instant::now();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!((1..8).contains(&asked.elapsed().as_secs()), "it took {:?}", asked.elapsed());
    connection.drain();
    server.wait_nothing_running();
}

/// INT and QUIT do not wait for the request in flight: exit 0 within seconds.
#[test]
fn int_and_quit_are_quick() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let server = Launch::app("plain").args("--workers 2").start();
        let mut connection = server.hold("open");
        let asked = Instant::now();
        assert_eq!(server.stop(signal), 0);
        assert!(asked.elapsed() < Duration::from_secs(8), "{signal} took {:?}", asked.elapsed());
        server.wait_log("Shutting down: Master");
        connection.drain();
        server.wait_nothing_running();
    }
}

/// A gentle stop that waits for a request becomes a quick one with this signal.
#[track_caller]
fn assert_hastens(server: &Server, signal: Signal) {
    let mut connection = server.hold("open");
    server.signal(Signal::SIGTERM);
    server.wait_log("Handling signal: term");
    let asked = Instant::now();
    assert_eq!(server.stop(signal), 0);
    assert!(asked.elapsed() < Duration::from_secs(8), "it took {:?}", asked.elapsed());
    server.wait_log("Quick shutdown requested");
    connection.drain();
}

/// INT during a gentle stop makes it a quick one.
#[test]
fn int_hastens_a_gentle_stop() {
    let server = Launch::app("plain").start();
    assert_hastens(&server, Signal::SIGINT);
}

/// A second TERM says that the stop is to be quick.
#[test]
fn a_second_term_hastens_a_gentle_stop() {
    only_ferricorn!("Gunicorn goes on as gently as before");
    let server = Launch::app("plain").start();
    assert_hastens(&server, Signal::SIGTERM);
    server.wait_nothing_running();
}

/// Ctrl-C in a terminal reaches every process of the server at once: exit 0 all the same.
#[test]
fn a_terminals_interrupt_stops_everything() {
    let server = Launch::app("plain").args("--workers 2").start();
    server.wait_workers(2);
    server.get("/").expect(200, "hello");
    for pid in working_in(server.workdir().path()) {
        send(pid, Signal::SIGINT);
    }
    assert_eq!(server.wait_exit(), 0);
    assert!(!server.log().contains("KeyboardInterrupt"), "{}", server.log());
    server.wait_nothing_running();
}

/// After a stop nobody listens: a new connection is refused.
#[test]
fn nobody_listens_after_a_stop() {
    let server = Launch::app("plain").start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(Connection::open(&server.address()).is_err());
}

/// While the last hook runs nobody listens any more, however the server was stopped.
#[test]
fn nobody_listens_while_the_last_hook_runs() {
    let conf = "import os, time
def on_exit(server):
    open('leaving', 'w').close()
    while not os.path.exists('go'):
        time.sleep(0.01)
";
    for (args, signal) in
        [("", Signal::SIGTERM), ("--reuse-port", Signal::SIGTERM), ("", Signal::SIGINT), ("", Signal::SIGQUIT)]
    {
        // With --reuse-port Gunicorn's log does not tell the port.
        let port = free_port();
        let server = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).conf(conf).args(args).start();
        let address = at_port(port);
        // Gunicorn says that it listens a moment before it does.
        let connection = server.wait_for("a connection", || Connection::open(&address).ok());
        { connection }.get("/").expect(200, "hello");
        server.signal(signal);
        server.wait_file("leaving");
        assert_eq!(Connection::open(&address).err(), Some(Fault::Refused), "{signal} {args}");
        server.write("go", "");
        assert_eq!(server.wait_exit(), 0);
    }
}

/// As soon as nobody waits any more new clients are refused, while a request is still being finished.
#[test]
fn new_clients_are_refused_while_requests_finish() {
    only_ferricorn!("a worker of Gunicorn's listens until its call is over, and what it lets in is reset then");
    let server = Launch::app("plain").args("--workers 2").start();
    server.wait_workers(2);
    let mut connection = server.hold("open");
    // Only the other worker can answer this: it serves, and has not merely begun to load.
    server.get("/").expect(200, "hello");
    server.signal(Signal::SIGTERM);
    let refused = || (Connection::open(&server.address()).err() == Some(Fault::Refused)).then_some(());
    server.wait_for("a refusal", refused);
    server.write("open", "");
    connection.response().expect(200, "passed");
    assert_eq!(server.wait_exit(), 0);
}

/// A stop right after the start, while workers still import, is as clean as any other.
#[test]
fn a_stop_during_the_start_is_clean() {
    let app = "import time\nopen('importing', 'w').close()\ntime.sleep(0.5)\nfrom plain import application\n";
    let server = Launch::app("late").file("late.py", app).args("--workers 2").start();
    server.wait_file("importing");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
}

/// An idle keep-alive connection does not hold up a gentle stop.
#[test]
fn idle_connections_do_not_hold_up_the_stop() {
    let server = Launch::app("plain").args("--keep-alive 30").start();
    let mut connection = server.connect();
    connection.get("/").expect(200, "hello");
    let asked = Instant::now();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(asked.elapsed() < Duration::from_secs(8), "it took {:?}", asked.elapsed());
    connection.drain();
}
