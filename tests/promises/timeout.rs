//! A worker that is stuck in a request is ended after `--timeout` and replaced; one that is not stuck is left alone.

use std::time::Duration;

use nix::unistd::Pid;

use crate::harness::connection::Connection;
use crate::harness::http::Fault;
use crate::harness::process::{alive, wait_gone};
use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// A server with a timeout of one second, its worker, and a request to `path` that hangs.
fn hanging(path: &str) -> (Server, Pid, Connection) {
    hanging_in(Launch::app("slow").args("--timeout 1"), path)
}

fn hanging_in(launch: Launch, path: &str) -> (Server, Pid, Connection) {
    let server = launch.start();
    let worker = server.serving_pid();
    let mut connection = server.connect();
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    server.wait_file("hanging");
    (server, worker, connection)
}

/// Panics unless the log says that `worker` was late, the worker is gone, and another one serves.
#[track_caller]
fn assert_replaced(server: &Server, worker: Pid) {
    let line = server.wait_line(&format!("WORKER TIMEOUT (pid:{worker})"));
    assert_eq!((line.level.as_str(), line.pid), ("CRITICAL", server.pid()));
    wait_gone(worker);
    assert_ne!(server.serving_pid(), worker);
}

/// A request that takes too long ends in a 500, its worker is replaced, and the log shows where it hung.
#[test]
fn a_late_request_gets_500() {
    let (server, worker, mut connection) = hanging("/hang");
    assert_eq!(connection.response().status(), 500);
    assert_replaced(&server, worker);
    server.wait_log("Error handling request GET /hang");
    server.wait_log("time.sleep(60)");
}

/// An application that swallows SystemExit is killed; its client sees the connection end.
#[test]
fn a_stubborn_request_is_killed() {
    let (server, worker, mut connection) = hanging("/hang-stubbornly");
    let answer = connection.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    assert_replaced(&server, worker);
    server.wait_log(&format!("Worker (pid:{worker}) was sent SIGKILL!"));
}

/// An application that is stuck in C and holds the GIL is killed too.
#[test]
fn a_request_stuck_in_c_is_killed() {
    let (server, worker, mut connection) = hanging("/hang-in-c");
    connection.drain();
    assert_replaced(&server, worker);
}

/// An idle worker is not late.
#[test]
fn an_idle_worker_is_left_alone() {
    let server = Launch::app("plain").args("--timeout 1").start();
    let worker = server.serving_pid();
    assert!(stays(Duration::from_millis(3500), || alive(worker)), "{}", server.log());
    assert!(!server.log().contains("WORKER TIMEOUT"));
    assert_eq!(server.serving_pid(), worker);
}

/// An import may take longer than the timeout.
#[test]
fn a_slow_import_is_not_late() {
    let app = "import time\ntime.sleep(3.5)\nfrom plain import application\n";
    let server = Launch::app("late").file("late.py", app).args("--timeout 1").start();
    server.get("/").expect(200, "hello");
    assert!(!server.log().contains("WORKER TIMEOUT"), "{}", server.log());
}

/// `--timeout 0` means that no request is ever late.
#[test]
fn zero_means_no_timeout() {
    let server = Launch::app("plain").args("--timeout 0").start();
    let mut connection = server.connect();
    connection.send("GET /gate?open HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(stays(Duration::from_millis(2500), || !server.log().contains("TIMEOUT")));
    server.write("open", "");
    connection.response().expect(200, "passed");
}

/// Before the worker is told to abort the log says where all its threads are, and with native code that holds the GIL from
/// where it was called; then comes the hook.
#[test]
fn where_a_late_request_hangs_is_told_first() {
    only_ferricorn!("Gunicorn tells where the main thread was when it is aborted");
    let conf = "def worker_abort(worker):\n    worker.log.info('the hook was called')\n";
    for (path, words) in
        [("/hang", "time.sleep(60)"), ("/hang-in-c", "native code has not let go of the interpreter's lock")]
    {
        let launch = Launch::app("slow").args("--timeout 2").conf(conf);
        let (server, worker, mut connection) = hanging_in(launch, path);
        let line = server.wait_line(&format!("GET {path} has taken "));
        assert_eq!((line.level.as_str(), line.pid), ("ERROR", worker));
        server.wait_log(words);
        connection.drain();
        assert_replaced(&server, worker);
        let log = server.log();
        assert_eq!(log.contains("the hook was called"), path == "/hang", "{log}");
    }
}
