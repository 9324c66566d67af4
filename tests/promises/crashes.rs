//! Crashes of any process of the server: what is lost is what that process had in hand.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use strict_client::anomaly::Kind;

use crate::harness::cgroup::Cgroup;
use crate::harness::http::Fault;
use crate::harness::process::{alive, children, send, title, wait_gone};
use crate::harness::strict::{Load, Mode};
use crate::harness::target::executable;
use crate::harness::{Connection, Launch, Server, eventually};

/// A request that waits for the file `gate`, and the worker that has it.
fn waiting(server: &Server, gate: &str) -> (Connection, Pid) {
    let mut connection = server.connect();
    connection.send(format!("GET /wait?{gate} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let pid = || server.workdir().read(&format!("{gate}.entered")).parse().ok();
    (connection, Pid::from_raw(server.wait_for("the request's begin", pid)))
}

/// Of a worker that is killed only the request in flight is lost: others go on, and those that wait in the queue are
/// served by another.
#[test]
fn a_killed_worker_takes_only_its_own_request() {
    let server = Launch::app("fatal").args("--workers 2").start();
    server.wait_workers(2);
    let ((mut lost, killed), (mut kept, other)) = (waiting(&server, "first"), waiting(&server, "second"));
    assert_ne!(killed, other);
    let mut queued = server.connect();
    queued.send("GET /token?queued HTTP/1.1\r\nHost: x\r\n\r\n");
    send(killed, Signal::SIGKILL);
    let answer = lost.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    queued.response().expect(200, "token=queued");
    server.write("second", "");
    kept.response().expect(200, "passed");
    assert!(alive(other));
    server.wait_workers(2);
}

/// A worker that dies of a segmentation fault is replaced, and the log says of what it died.
#[test]
fn a_segfault_is_survived() {
    let server = Launch::app("fatal").start();
    let worker = server.serving_pid();
    let mut connection = server.connect();
    connection.send("GET /segfault HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = connection.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    server.wait_log(&format!("Worker (pid:{worker}) was sent SIGSEGV!"));
    assert_ne!(server.serving_pid(), worker);
}

/// The log says what a worker was at when it crashed.
#[test]
fn a_segfault_is_told_with_its_request() {
    only_ferricorn!("Gunicorn does not know");
    let server = Launch::app("fatal").start();
    let worker = server.serving_pid();
    server.connect().send("GET /segfault HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_log(&format!("Worker (pid:{worker}) had been in GET /segfault for "));
}

/// What a server in a control group may have, in bytes, and what one request of ours takes, in MiB.
const LIMIT: u64 = 256 << 20;
const HOARD: u64 = 1024;

/// A server that the kernel lets have so much memory and no more, and a worker of it that has just been killed for more.
fn out_of_memory() -> Option<(Server, Pid, Cgroup)> {
    let group = match Cgroup::with_memory(LIMIT) {
        Ok(group) => group,
        Err(why) => {
            println!("skipped: no control group with a limit for memory is permitted here: {why}");
            return None;
        }
    };
    let command = group.running(&format!("{} --bind 127.0.0.1:0 fatal", executable().display()));
    let server = Launch::bare().no_bind().by("/bin/sh").arg("-c").arg(&command).start();
    let worker = server.serving_pid();
    let mut connection = server.connect();
    connection.send(format!("GET /hoard?{HOARD} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let answer = connection.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    Some((server, worker, group))
}

/// A worker that the kernel kills for want of memory is replaced, and takes its own request with it and nothing else.
#[test]
fn a_worker_out_of_memory_is_replaced() {
    let Some((server, worker, _group)) = out_of_memory() else { return };
    server.wait_log(&format!("Worker (pid:{worker}) was sent SIGKILL!"));
    assert_ne!(server.serving_pid(), worker);
    server.stop(Signal::SIGTERM);
}

/// The log says that it was the kernel, for want of memory, and which request it was.
#[test]
fn an_end_for_want_of_memory_is_told() {
    only_ferricorn!("Gunicorn guesses");
    let Some((server, worker, _group)) = out_of_memory() else { return };
    let why = "The kernel has killed it: its control group is out of memory.";
    server.wait_log(&format!("Worker (pid:{worker}) was sent SIGKILL! {why}"));
    server.wait_log(&format!("Worker (pid:{worker}) had been in GET /hoard for "));
    let next = server.serving_pid();
    send(next, Signal::SIGKILL);
    server.wait_log(&format!("Worker (pid:{next}) was sent SIGKILL! Not by this server, and not by the kernel"));
    server.stop(Signal::SIGTERM);
}

/// Once the server serves, no exit status of a worker ends it, also not those that end a start.
#[test]
fn no_exit_status_ends_a_server_that_serves() {
    only_ferricorn!("a worker that exits with 3 or 4 ends Gunicorn at any time");
    let server = Launch::app("fatal").start();
    for status in [3, 4] {
        let worker = server.serving_pid();
        server.connect().send(format!("GET /exit?{status} HTTP/1.1\r\nHost: x\r\n\r\n"));
        server.wait_log(&format!("Worker (pid:{worker}) exited with code {status}."));
        assert_ne!(server.serving_pid(), worker);
    }
    assert!(server.ended().is_none());
}

/// When the mold is killed, under load and while workers are recycled, not one request is lost.
#[test]
fn a_killed_mold_loses_nothing() {
    only_ferricorn!("Gunicorn has no mold");
    let server = Launch::app("plain").args("--workers 2 --max-requests 200").start();
    server.wait_workers(2);
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::Close]);
    for _ in 0..3 {
        let molds = || children(server.pid()).into_iter().find(|pid| title(*pid).starts_with("ferricorn: mold"));
        let mold = server.wait_for("a mold", molds);
        server.wait_progress(&load, 400);
        send(mold, Signal::SIGKILL);
        wait_gone(mold);
    }
    server.wait_progress(&load, 1000);
    let tally = load.finish();
    assert!(tally.anomalies.is_empty(), "{tally:?}");
}

/// When the master is killed while every worker is in a call, a new one can have the address at once. The calls are finished.
#[test]
fn a_killed_master_frees_its_address_at_once() {
    only_ferricorn!("a worker of Gunicorn's listens until its call is over");
    let server = Launch::app("fatal").args("--workers 2").start();
    let port = server.address().port();
    server.wait_workers(2);
    let ((mut first, one), (mut second, other)) = (waiting(&server, "first"), waiting(&server, "second"));
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    let next = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).start();
    next.get("/").expect(200, "hello");
    assert!(alive(one) && alive(other), "a worker has not finished its call");
    for (gate, connection) in [("first", &mut first), ("second", &mut second)] {
        server.write(gate, "");
        connection.response().expect(200, "passed");
    }
    server.wait_nothing_running();
}

/// When the master is killed idle workers serve what has come before they leave.
#[test]
fn a_killed_master_leaves_nobody_waiting() {
    only_ferricorn!("Gunicorn resets what waits in the queue of its socket");
    for bind in ["127.0.0.1:0", "unix:socket"] {
        let server = Launch::app("fatal").bind(bind).args("--workers 2").start();
        server.wait_workers(2);
        let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::Close, Mode::Close]);
        server.wait_progress(&load, 300);
        server.signal(Signal::SIGKILL);
        server.wait_exit();
        server.wait_nothing_running();
        let tally = load.finish();
        let lost: Vec<_> = tally.anomalies.iter().filter(|anomaly| anomaly.kind != Kind::Refused).collect();
        assert!(lost.is_empty(), "{lost:#?}");
    }
}

/// When the master is killed its workers finish what they have and leave, and a new master can take over the address at once,
/// while they do.
#[test]
fn a_killed_master_makes_room_for_the_next() {
    only_ferricorn!("Gunicorn's workers notice up to half a timeout later");
    let server = Launch::app("fatal").args("--workers 2").start();
    let port = server.address().port();
    let workers = server.wait_workers(2);
    let (mut connection, busy) = waiting(&server, "gate");
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    let idle = workers.into_iter().find(|pid| *pid != busy).unwrap();
    wait_gone(idle);
    server.write("gate", "");
    connection.response().expect(200, "passed");
    let next = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).start();
    next.get("/").expect(200, "hello");
    eventually("the end of the other worker", || (!alive(busy)).then_some(()));
    server.wait_nothing_running();
}
