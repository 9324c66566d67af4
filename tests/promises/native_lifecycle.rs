//! A native application lives as a Python one does: reloads, recycling, crashes and stops that nobody notices.

use std::time::Duration;

use nix::sys::signal::Signal;

use strict_client::anomaly::Kind;

use super::native::NATIVE;
use crate::harness::Launch;
use crate::harness::process::{alive, send, wait_gone};
use crate::harness::strict::{Load, Mode};
use crate::harness::wait::stays;

const CLIENTS: [Mode; 4] = [Mode::KeepAlive, Mode::Close, Mode::Trickle, Mode::KeepAlive];
/// Answers that show that the clients get on.
const SOME: usize = 50;

#[track_caller]
fn assert_nothing_went_wrong(load: Load) {
    let tally = load.finish();
    assert!(tally.anomalies.is_empty() && tally.right > 0, "{tally:#?}");
}

/// HUP starts the program that is on disk now, and no request is lost.
#[test]
fn hup_runs_the_new_program() {
    only_ferricorn!(NATIVE);
    let server = Launch::installed("old").args("--workers 2").start();
    server.get("/image").expect(200, "old");
    let old = server.wait_workers(2);
    let load = Load::start(&server.address(), &CLIENTS);
    for image in ["new", "newer"] {
        server.wait_progress(&load, SOME);
        server.workdir().install(image);
        server.signal(Signal::SIGHUP);
        server.wait_for("the new program", || (server.get("/image").text() == image).then_some(()));
    }
    old.into_iter().for_each(wait_gone);
    server.wait_progress(&load, SOME);
    assert_nothing_went_wrong(load);
    server.wait_workers(2);
}

/// A new program that dies, fails or panics before it serves changes nothing.
#[test]
fn a_bad_program_changes_nothing() {
    only_ferricorn!(NATIVE);
    let server = Launch::installed("old").args("--workers 2").start();
    let old = server.wait_workers(2);
    server.wait_for("service", || (server.get("/image").text() == "old").then_some(()));
    let load = Load::start(&server.address(), &CLIENTS);
    for (image, reason) in [("dies", "Reload failed"), ("fails", "there is no oil"), ("panics", "panic: out of oil")] {
        server.workdir().install(image);
        server.signal(Signal::SIGHUP);
        server.wait_log(reason);
        let survive = || old.iter().all(|worker| alive(*worker)) && server.ended().is_none();
        assert!(stays(Duration::from_millis(300), survive), "the old generation did not survive");
    }
    server.wait_progress(&load, SOME);
    assert_nothing_went_wrong(load);
    server.workdir().install("good");
    server.signal(Signal::SIGHUP);
    server.wait_for("the good program", || (server.get("/image").text() == "good").then_some(()));
}

/// USR2 puts a new master beside the old one, with the program that is on disk now.
#[test]
fn usr2_starts_the_new_program() {
    only_ferricorn!(NATIVE);
    let server = Launch::installed("old").args("--pid server.pid").start();
    server.get("/image").expect(200, "old");
    server.workdir().install("new");
    server.signal(Signal::SIGUSR2);
    server.wait_file("server.pid.2");
    server.wait_for("the new program", || (server.get("/image").text() == "new").then_some(()));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_for("the new program alone", || (server.get("/image").text() == "new").then_some(()));
}

/// With `--reload` a program that was built anew is served at once.
#[test]
fn reload_notices_a_new_program() {
    only_ferricorn!(NATIVE);
    let server = Launch::installed("old").args("--reload").start();
    server.get("/image").expect(200, "old");
    server.workdir().install("new");
    server.wait_for("the new program", || (server.get("/image").text() == "new").then_some(()));
    server.wait_log("Worker reloading: ");
}

/// Workers are recycled under load, and no request is lost.
#[test]
fn workers_are_recycled() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--workers 2 --max-requests 50 --max-requests-jitter 50").start();
    let first = server.wait_workers(2);
    let load = Load::start(&server.address(), &CLIENTS);
    first.into_iter().for_each(wait_gone);
    server.wait_progress(&load, SOME);
    assert_nothing_went_wrong(load);
    server.wait_log("Autorestarting worker after current request.");
}

/// TERM finishes what is in progress, many requests of a worker's among it, and what waits in the queue.
#[test]
fn term_finishes_what_is_in_progress() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    let mut held: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for connection in &mut held {
        connection.send("GET /gate?open HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let mut told = server.connect();
    told.send("GET /closing-time HTTP/1.1\r\nHost: x\r\n\r\n");
    let has_begun = || server.workdir().has("open.entered") && server.workdir().has("waiting");
    server.wait_for("the requests' begin", || has_begun().then_some(()));
    server.signal(Signal::SIGTERM);
    told.response().expect(200, "the shop closes");
    server.write("open", "");
    for connection in &mut held {
        connection.response().expect(200, "passed");
    }
    assert_eq!(server.wait_exit(), 0);
    server.wait_nothing_running();
}

/// A stop under load breaks off nothing.
#[test]
fn a_stop_under_load_breaks_off_nothing() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--workers 2").start();
    let load = Load::start(&server.address(), &CLIENTS);
    server.wait_progress(&load, SOME);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let tally = load.finish();
    let broken: Vec<_> = tally.anomalies.iter().filter(|anomaly| anomaly.kind != Kind::Refused).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// After `graceful_timeout` whoever is left is ended.
#[test]
fn term_does_not_wait_for_ever() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--graceful-timeout 1").start();
    let _held = server.hold("open");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
}

/// A worker that is killed is replaced; the requests of the others are answered.
#[test]
fn a_killed_worker_is_replaced() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--workers 3").start();
    let mut workers = server.wait_workers(3);
    let killed = server.serving_pid();
    send(killed, Signal::SIGKILL);
    wait_gone(killed);
    workers.retain(|worker| *worker != killed);
    server.wait_workers(3);
    assert!(workers.iter().all(|worker| alive(*worker)), "only one was killed");
    for _ in 0..20 {
        server.get("/").expect(200, "hello");
    }
}

/// When the master is killed, its workers finish what they have and leave.
#[test]
fn nobody_outlives_the_master() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--workers 2").start();
    server.wait_workers(2);
    let mut held = server.hold("open");
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    server.write("open", "");
    held.response().expect(200, "passed");
    server.wait_nothing_running();
}
