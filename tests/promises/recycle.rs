//! Workers are recycled after so many requests, and nobody notices.

use crate::harness::Launch;
use crate::harness::process::{alive, wait_gone};
use crate::harness::strict::{Load, Mode};

/// After `--max-requests` a worker is replaced by a fresh one; every request is answered.
#[test]
fn workers_are_recycled() {
    let server = Launch::app("plain").args("--max-requests 5").start();
    let first = server.serving_pid();
    server.wait_for("an answer of its successor", || (server.serving_pid() != first).then_some(()));
    server.wait_log("Autorestarting worker after current request.");
    server.wait_for("the first worker's end", || (!alive(first)).then_some(()));
    assert!(!server.log().contains("exited with code"), "{}", server.log());
}

/// With jitter each worker has its own limit, between max-requests and max-requests plus jitter.
#[test]
fn jitter_spreads_the_recycling() {
    let server = Launch::app("plain").args("--max-requests 5 --max-requests-jitter 10").start();
    let asks = |_: &usize| {
        server.serving_pid();
        server.log().contains("Autorestarting worker after current request.")
    };
    // The last answer may be here before the log line.
    let limit = (1..60).find(asks).expect("the worker asks for a successor");
    assert!((5..=16).contains(&limit), "the first worker's limit was {limit}");
}

/// Without `--max-requests` workers live on.
#[test]
fn workers_live_on_by_default() {
    let server = Launch::app("plain").start();
    let first = server.serving_pid();
    assert!((0..50).all(|_| server.serving_pid() == first));
}

/// A worker that has lived long enough, or holds too much memory, is replaced when its successor is ready, and no request
/// is lost.
#[test]
fn old_and_large_workers_are_replaced() {
    only_ferricorn!("Gunicorn has neither limit");
    let hoards = "held = bytearray(64 << 20)\nfor page in range(0, len(held), 4096): held[page] = 1\nfrom plain import application\n";
    for (args, reason) in
        [("--max-worker-lifetime 1", "(max_worker_lifetime)"), ("--max-worker-memory 48", "(max_worker_memory)")]
    {
        let server = Launch::app("hoards").file("hoards.py", hoards).args(args).start();
        let first = server.serving_pid();
        let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close]);
        server.wait_log(&format!("Worker (pid:{first}) is to be replaced: "));
        wait_gone(first);
        let tally = load.finish();
        assert!(tally.anomalies.is_empty() && tally.right > 0, "{tally:?}");
        assert!(server.log().contains(reason), "{}", server.log());
    }
}
