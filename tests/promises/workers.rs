//! As many workers as asked for, whatever happens to them; and none without a master.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::process::{alive, parent, send, wait_gone, working_in};
use crate::harness::wait::{eventually, stays};
use crate::harness::{Launch, Server};

/// An application that counts its imports in `boots`, and dies at once while there is a file `broken`.
const FRAGILE: &str = "
import os
with open('boots', 'a') as log:
    log.write('x')
if os.path.exists('broken'):
    os._exit(7)
from plain import application
";

/// `--workers N` runs N workers, each another process than the master.
#[test]
fn as_many_workers_as_asked_for() {
    let server = Launch::app("plain").args("--workers 3").start();
    let workers = server.wait_workers(3);
    assert!(!workers.contains(&server.pid()));
    assert!(workers.contains(&server.serving_pid()));
}

/// A worker that is killed is replaced, and the log says how it died.
#[test]
fn a_killed_worker_is_replaced() {
    let server = Launch::app("plain").start();
    let killed = server.serving_pid();
    send(killed, Signal::SIGKILL);
    let line = server.wait_line(&format!("Worker (pid:{killed}) was sent SIGKILL!"));
    assert_eq!(line.level, "ERROR");
    let replacement = server.wait_workers(1)[0];
    assert_ne!(replacement, killed);
    assert_eq!(server.serving_pid(), replacement);
}

/// A worker that ends with a status of its own is replaced, and the log names the status.
#[test]
fn a_worker_that_exits_is_replaced() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    server.connect().send("GET /exit?5 HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_log(&format!("Worker (pid:{worker}) exited with code 5."));
    assert_ne!(server.serving_pid(), worker);
}

/// TERM to a worker ends that one gently and the master replaces it.
#[test]
fn a_worker_asked_to_leave_is_replaced() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    send(worker, Signal::SIGTERM);
    wait_gone(worker);
    server.wait_log(&format!("Worker exiting (pid: {worker})"));
    assert_ne!(server.serving_pid(), worker);
}

/// TTIN adds a worker.
#[test]
fn ttin_adds_a_worker() {
    let server = Launch::app("plain").start();
    let first = server.wait_workers(1)[0];
    server.signal(Signal::SIGTTIN);
    server.wait_log("Handling signal: ttin");
    assert!(server.wait_workers(2).contains(&first));
}

/// TTOU retires the oldest worker, gently.
#[test]
fn ttou_retires_the_oldest_worker() {
    let server = Launch::app("plain").args("--workers 2").start();
    // In the order of their births: the log has them in the order in which they got to say something.
    let mut workers = server.wait_workers(2);
    workers.sort();
    server.signal(Signal::SIGTTOU);
    wait_gone(workers[0]);
    server.wait_log("Handling signal: ttou");
    server.wait_log(&format!("Worker exiting (pid: {})", workers[0]));
    assert_eq!(server.wait_workers(1), [workers[1]]);
}

/// The last worker stays, however often TTOU comes.
#[test]
fn the_last_worker_stays() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    server.signal(Signal::SIGTTOU);
    server.wait_log("Handling signal: ttou");
    assert!(stays(Duration::from_millis(500), || alive(worker)), "TTOU took the last worker");
    assert_eq!(server.serving_pid(), worker);
}

/// The mold may die: the workers go on serving, and a new mold makes further ones.
#[test]
fn the_mold_may_die() {
    only_ferricorn!("Gunicorn has no mold");
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    let mut children = working_in(server.workdir().path());
    children.retain(|pid| parent(*pid) == Some(server.pid()) && *pid != worker);
    assert_eq!(children.len(), 1, "a master has its workers and one mold");
    send(children[0], Signal::SIGKILL);
    wait_gone(children[0]);
    assert_eq!(server.serving_pid(), worker);
    server.signal(Signal::SIGTTIN);
    assert!(server.wait_workers(2).contains(&worker));
}

/// When the master is killed, its workers notice and leave within seconds.
#[test]
fn workers_leave_when_the_master_is_gone() {
    let server = Launch::app("plain").args("--workers 2 --timeout 4").start();
    let workers = server.wait_workers(2);
    server.serving_pid();
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    workers.into_iter().for_each(wait_gone);
    server.wait_nothing_running();
}

/// The number of times that `FRAGILE` was imported.
fn boots(server: &Server) -> usize {
    server.workdir().read("boots").len()
}

/// Workers that die again and again are not restarted in a storm, and once they can live the server recovers.
#[test]
fn respawning_backs_off() {
    only_ferricorn!("Gunicorn respawns without a pause, some fifteen times a second");
    let server = Launch::app("fragile").file("fragile.py", FRAGILE).start();
    let worker = server.serving_pid();
    server.write("broken", "");
    send(worker, Signal::SIGKILL);
    eventually("a second boot", || (boots(&server) >= 2).then_some(()));
    assert!(stays(Duration::from_secs(2), || boots(&server) <= 10), "{} boots in two seconds", boots(&server));
    assert!(boots(&server) >= 3, "the server has given up");
    std::fs::remove_file(server.workdir().join("broken")).unwrap();
    assert_ne!(server.serving_pid(), worker);
}

/// Of a worker that is killed the log says what it was at, and does not guess whose doing it was where the kernel counts.
#[test]
fn a_killed_worker_is_not_slandered() {
    only_ferricorn!("Gunicorn guesses, and does not know what the worker was at");
    let server = Launch::app("plain").start();
    let killed = server.serving_pid();
    server.connect().send("GET /gate?open HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_file("open.entered");
    send(killed, Signal::SIGKILL);
    server.wait_log(&format!("Worker (pid:{killed}) had been in GET /gate for "));
    let line = server.wait_line(&format!("Worker (pid:{killed}) was sent SIGKILL!"));
    assert!(!line.message.contains("The kernel has killed it"), "{}", line.message);
}
