//! `queue_timeout`: a request that has waited too long for its call is not run any more.

use std::time::Duration;

use crate::harness::http::Response;
use crate::harness::wait::stays;
use crate::harness::{Connection, Datagrams, Launch, Server};

/// One application thread, in both kinds of worker.
const CLASSES: [&str; 2] = ["", "--worker-class gthread"];

/// A machine that does much else may keep even those waiting for a while whose turn it is.
const PATIENCE: &str = "--queue-timeout 1.5";

/// Longer than that.
const TOO_LONG: Duration = Duration::from_millis(1800);

/// A server in whose only thread a call waits for the file `open`, on the first connection; on the second there was a request.
fn busy(launch: Launch) -> (Server, Connection, Connection) {
    let server = launch.start();
    // A request waits for a worker that is not there yet, too, and on a busy machine that takes its time.
    server.wait_for("a worker that serves", || (server.get("/").status() == 200).then_some(()));
    let mut other = server.connect();
    other.get("/").expect(200, "hello");
    let held = server.hold("open");
    (server, held, other)
}

fn ask_for_gate(connection: &mut Connection) {
    connection.send("GET /gate?never HTTP/1.1\r\nHost: x\r\n\r\n");
}

#[track_caller]
fn assert_refused(response: &Response) {
    assert_eq!((response.status(), response.header("Retry-After")), (503, Some("2")));
    assert_eq!(response.header("Connection"), Some("close"));
    assert!(response.text().contains("<h1><p>Service Unavailable</p></h1>"), "{}", response.text());
}

/// A request that has waited for longer gets 503 with Retry-After and is not run; the log says how many there were, and
/// the access log has it. It does not matter whether its connection was known before.
#[test]
fn who_waits_too_long_is_not_run() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let launch = Launch::app("plain").args(PATIENCE).args("--access-logfile -").args(class);
        let (server, mut held, mut known) = busy(launch);
        let worker = server.workers();
        let mut unknown = server.connect();
        for connection in [&mut known, &mut unknown] {
            ask_for_gate(connection);
        }
        assert!(stays(TOO_LONG, || !server.workdir().has("never.entered")));
        server.write("open", "");
        held.response().expect(200, "passed");
        for connection in [&mut known, &mut unknown] {
            assert_refused(&connection.response());
        }
        server.get("/").expect(200, "hello");
        assert!(!server.workdir().has("never.entered"));
        assert_eq!(server.workers(), worker);
        server.wait_log("having waited for more than 1.5 s (queue_timeout): ");
        let logged = || server.stdout().matches("\"GET /gate?never HTTP/1.1\" 503").count();
        server.wait_for("two lines of the access log", || (logged() == 2).then_some(()));
    }
}

/// With threads the client hears of it while the call before it still runs.
#[test]
fn threads_do_not_keep_the_news() {
    only_ferricorn!("a setting of ours");
    let (server, mut held, mut other) = busy(Launch::app("plain").args(PATIENCE).args("-k gthread"));
    ask_for_gate(&mut other);
    assert_refused(&other.response());
    server.write("open", "");
    held.response().expect(200, "passed");
    assert!(!server.workdir().has("never.entered"));
}

/// A request that has not waited for as long is run, and so is everybody without the setting.
#[test]
fn who_can_wait_is_run() {
    only_ferricorn!("a setting of ours");
    for (class, patience) in CLASSES.iter().flat_map(|class| [(class, ""), (class, "--queue-timeout 60")]) {
        let (server, mut held, mut other) = busy(Launch::app("plain").args(class).args(patience));
        other.send("GET /token?a HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(stays(TOO_LONG, || !server.log().contains("queue_timeout")));
        server.write("open", "");
        held.response().expect(200, "passed");
        other.response().expect(200, "token=a");
    }
}

/// statsd hears of each, and with `enable_backlog_metric` how many wait.
#[test]
fn the_queue_is_measured() {
    only_ferricorn!("metrics of ours");
    let sink = Datagrams::udp();
    let launch = Launch::app("plain").args(PATIENCE).args("-k gthread --enable-backlog-metric --statsd-host");
    let (server, mut held, mut other) = busy(launch.arg(&sink.address()));
    sink.wait("ferricorn.queue:0|h");
    ask_for_gate(&mut other);
    assert_refused(&other.response());
    sink.wait("ferricorn.queue_timeouts:1|c|@1.0");
    sink.wait("gunicorn.request.status.503:1|c|@1.0");
    server.write("open", "");
    held.response().expect(200, "passed");
}

/// Values that are no times: a text, a negative number, what is no number.
#[test]
fn bad_values_are_refused() {
    only_ferricorn!("settings of ours");
    for setting in ["queue_timeout", "request_timeout"] {
        for (value, problem) in [
            ("'soon'", "must be a number of seconds"),
            ("-0.5", "must not be negative"),
            ("float('nan')", "must be a number of seconds"),
            ("[1]", "must be a number of seconds"),
        ] {
            let launch = Launch::app("plain").conf(&format!("\n{setting} = {value}\n"));
            launch.run().expect(1, &["Error: ", setting, problem, "line 2"]);
        }
        let flag = setting.replace('_', "-");
        for (value, problem) in [("soon", "must be a number of seconds"), ("-1", "must not be negative")] {
            let finished = Launch::app("plain").args(&format!("--{flag}={value}")).run();
            finished.expect(1, &["Error: ", setting, value, problem]);
        }
    }
}
