//! Deploys under load: the strict client sees no anomaly of any kind.

use nix::sys::signal::Signal;

use strict_client::anomaly::Kind;

use crate::harness::process::alive;
use crate::harness::strict::{Load, Mode, Tally};
use crate::harness::{Launch, Server};

/// How many clients of each kind ask at the same time.
const CLIENTS: [Mode; 6] = [Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close];

/// Sends HUP and waits until `count` workers run of which none is of the old generation.
#[track_caller]
fn reload(server: &Server, count: usize) {
    let old = server.workers();
    server.signal(Signal::SIGHUP);
    server.wait_for("the new generation", || {
        let now = server.workers();
        (now.len() >= count && old.iter().all(|pid| !alive(*pid))).then_some(())
    });
}

#[track_caller]
fn assert_spotless(tally: &Tally, server: &Server) {
    assert!(tally.anomalies.is_empty(), "{tally:?}");
    assert!(tally.right > 100, "{tally:?}");
    println!("{} right answers, no anomaly, {} lines of log", tally.right, server.lines().len());
}

/// The strict client itself is sound: a server that is left alone shows it no anomaly.
#[test]
fn a_quiet_server_is_spotless() {
    let server = Launch::app("plain").args("--workers 2").start();
    let load = Load::start(&server.address(), &CLIENTS);
    server.wait_progress(&load, 500);
    assert_spotless(&load.finish(), &server);
}

/// The strict client sees what goes wrong: a killed worker shows up in its tally.
#[test]
fn the_strict_client_counts_failures() {
    let server = Launch::app("plain").start();
    let load = Load::start(&server.address(), &CLIENTS);
    server.wait_progress(&load, 50);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let tally = load.finish();
    assert!(tally.anomalies.iter().any(|anomaly| anomaly.kind == Kind::Refused), "{tally:?}");
}

/// Six deploys in a row, with recycling every 200 requests, under load: not one request fails.
#[test]
fn six_deploys_lose_nothing() {
    let server = Launch::app("plain").args("--workers 4 --max-requests 200").start();
    server.wait_workers(4);
    let load = Load::start(&server.address(), &CLIENTS);
    for _ in 0..6 {
        server.wait_progress(&load, 200);
        reload(&server, 4);
    }
    server.wait_progress(&load, 200);
    assert_spotless(&load.finish(), &server);
}

/// The same with `--preload`.
#[test]
fn preloaded_deploys_lose_nothing() {
    let server = Launch::app("plain").args("--workers 4 --max-requests 200 --max-requests-jitter 50 --preload").start();
    server.wait_workers(4);
    let load = Load::start(&server.address(), &CLIENTS);
    for _ in 0..3 {
        server.wait_progress(&load, 200);
        reload(&server, 4);
    }
    assert_spotless(&load.finish(), &server);
}

/// TTIN and TTOU under load: not one request fails.
#[test]
fn resizing_loses_nothing() {
    let server = Launch::app("plain").args("--workers 2").start();
    server.wait_workers(2);
    let load = Load::start(&server.address(), &CLIENTS);
    for (signal, count) in [(Signal::SIGTTIN, 3), (Signal::SIGTTOU, 2), (Signal::SIGTTIN, 3), (Signal::SIGTTOU, 2)] {
        server.wait_progress(&load, 100);
        server.signal(signal);
        server.wait_workers(count);
    }
    assert_spotless(&load.finish(), &server);
}

/// The reference command line, word for word but for the address, serves a package under load through six deploys.
#[test]
fn the_reference_command_line_loses_nothing() {
    let launch = Launch::app("backend.wsgi:application").bind("unix:socket").file("backend/__init__.py", "");
    let launch = launch.file("backend/wsgi.py", "from plain import application\n").error_log("error.log").args(
        "--workers 4 --worker-class sync --worker-connections 1000 --max-requests 200 --max-requests-jitter 100 \
         --timeout 30 --keep-alive 2 --preload --access-logfile access.log --log-level warning --capture-output",
    );
    let server = launch.start();
    let load = Load::start(&server.address(), &CLIENTS);
    for _ in 0..6 {
        server.wait_progress(&load, 200);
        // At level warning the log names no worker: those that answer are asked for their names.
        let old: Vec<_> = (0..20).map(|_| server.serving_pid()).collect();
        server.signal(Signal::SIGHUP);
        server.wait_for("the old workers' end", || (!old.iter().any(|pid| alive(*pid))).then_some(()));
    }
    server.wait_progress(&load, 200);
    assert_spotless(&load.finish(), &server);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(server.workdir().read("access.log").lines().count() > 1000);
    assert_eq!(server.log(), "", "nothing worth a warning happened");
}
