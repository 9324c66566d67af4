//! Signals that reach others than the master, because somebody sent them by name or to a whole group.

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::process::{alive, children, send, stopped};
use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// Panics unless `pid` goes on running after each of `signals`, and the server after all of them.
#[track_caller]
fn assert_unimpressed(server: &Server, pid: Pid, signals: &[Signal]) {
    for signal in signals {
        send(pid, *signal);
        let runs = || alive(pid) && !stopped(pid);
        assert!(stays(std::time::Duration::from_millis(200), runs), "{signal} ended or stopped {pid}");
    }
    server.get("/").expect(200, "hello");
}

/// A worker goes on when it gets what is meant for the master: TTIN, TTOU, WINCH.
#[test]
fn workers_overhear_what_resizes_the_server() {
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    assert_unimpressed(&server, worker, &[Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGWINCH]);
    assert_eq!(server.serving_pid(), worker);
}

/// HUP and USR2 do a worker no harm either.
#[test]
fn workers_overhear_what_replaces_the_server() {
    only_ferricorn!("these end a worker of Gunicorn's at once");
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    assert_unimpressed(&server, worker, &[Signal::SIGHUP, Signal::SIGUSR2]);
    assert_eq!(server.serving_pid(), worker);
}

/// The mold overhears everything that the master acts on, but for INT and QUIT, which a terminal does not send it.
#[test]
fn the_mold_overhears_what_the_master_acts_on() {
    only_ferricorn!("Gunicorn has no mold");
    let server = Launch::app("plain").start();
    let worker = server.serving_pid();
    let mold = children(server.pid()).into_iter().find(|pid| *pid != worker).expect("a master has a mold");
    let signals = [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
    ];
    assert_unimpressed(&server, mold, &signals);
    server.signal(Signal::SIGTTIN);
    server.wait_workers(2);
}
