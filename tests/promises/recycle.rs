//! Workers are recycled after so many requests, and nobody notices.

use crate::harness::Launch;
use crate::harness::process::alive;

/// After `--max-requests` a worker is replaced by a fresh one; every request is answered.
#[test]
fn workers_are_recycled() {
    let server = Launch::app("plain").args("--max-requests 5").start();
    let first = server.serving_pid();
    let answers = (0..40).map(|_| server.serving_pid()).collect::<Vec<_>>();
    server.wait_log("Autorestarting worker after current request.");
    server.wait_for("the first worker's end", || (!alive(first)).then_some(()));
    assert!(answers.iter().any(|pid| *pid != first), "{first} answered everything");
    assert!(!server.log().contains("exited with code"), "{}", server.log());
}

/// With jitter each worker has its own limit, between max-requests and max-requests plus jitter.
#[test]
fn jitter_spreads_the_recycling() {
    let server = Launch::app("plain").args("--max-requests 5 --max-requests-jitter 10").start();
    let first = server.serving_pid();
    let by_first = (0..60).take_while(|_| server.serving_pid() == first).count();
    assert!((3..60).contains(&by_first), "the first worker answered {by_first} requests");
}

/// Without `--max-requests` workers live on.
#[test]
fn workers_live_on_by_default() {
    let server = Launch::app("plain").start();
    let first = server.serving_pid();
    assert!((0..50).all(|_| server.serving_pid() == first));
}
