//! `request_timeout`: a call that takes too long is ended, its client gets 504, and the worker lives on.

use std::thread;
use std::time::Duration;

use crate::harness::http::{Fault, Response};
use crate::harness::process::wait_gone;
use crate::harness::wait::stays;
use crate::harness::{Connection, Datagrams, Launch, Server};

/// Both kinds of worker, with one thread for calls.
const CLASSES: [&str; 2] = ["", "--worker-class gthread"];

fn launch(class: &str) -> Launch {
    Launch::app("late").args("--request-timeout 0.5").args(class)
}

fn ask(server: &Server, target: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    connection
}

#[track_caller]
fn assert_timed_out(response: &Response) {
    assert_eq!(response.status(), 504, "{}", response.text());
    assert_eq!(response.header("Connection"), Some("close"));
    assert!(response.text().contains("<h1><p>Gateway Timeout</p></h1>"), "{}", response.text());
}

/// A call in Python code is ended: the client gets 504, the log tells which request it was and where all threads were, the
/// access log has it, and the same worker serves on. What the application would do with an `Exception` it does not do with
/// this one, but it cleans up.
#[test]
fn a_late_call_is_ended() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).args("--access-logfile -").start();
        let workers = server.wait_workers(1);
        assert_timed_out(&server.get("/care?60"));
        assert!(server.workdir().has("cleaned") && !server.workdir().has("swallowed"));
        let line = server.wait_line("GET /care has taken ");
        assert_eq!((line.level.as_str(), line.pid), ("ERROR", workers[0]));
        for words in [
            "s (request_timeout) and is ended.\nThread ",
            ", which is in the request:\n",
            "in with_care\n    spin(seconds)\n",
            "in spin\n",
        ] {
            server.wait_log(words);
        }
        server.wait_for("the access line", || server.stdout().contains("\"GET /care?60 HTTP/1.1\" 504").then_some(()));
        assert!(!server.log().contains("Error handling request"), "{}", server.log());
        server.get("/").expect(200, "hello");
        assert_eq!(server.workers(), workers);
    }
}

/// A sync worker's call is woken from what it waits for: a sleep, a lock.
#[test]
fn a_call_that_waits_is_woken() {
    only_ferricorn!("a setting of ours");
    let server = launch("").start();
    let workers = server.wait_workers(1);
    for target in ["/sleep?60", "/lock?60"] {
        assert_timed_out(&server.get(target));
    }
    server.wait_log("in the request:");
    assert_eq!(server.workers(), workers);
}

/// In a thread no wait is cut short, but the client is told in time. If the thread does not come back within 5 s the worker
/// is replaced, after its successor is ready; its other threads serve meanwhile.
#[test]
fn a_thread_that_waits_costs_its_worker_but_not_its_client() {
    only_ferricorn!("a setting of ours");
    let server = launch("--threads 2 --graceful-timeout 1").start();
    let worker = server.wait_workers(1)[0];
    assert_timed_out(&server.get("/sleep?60"));
    server.get("/").expect(200, "hello");
    assert_eq!(server.workers(), [worker]);
    server.wait_line("GET /sleep has not come back within 5 s");
    wait_gone(worker);
    assert_ne!(server.serving_pid(), worker);
    assert!(!server.log().contains("SIGKILL"), "{}", server.log());
}

/// A thread that comes back in time is used again.
#[test]
fn a_thread_that_comes_back_is_used_again() {
    only_ferricorn!("a setting of ours");
    let server = launch("--worker-class gthread").start();
    let workers = server.wait_workers(1);
    assert_timed_out(&server.get("/sleep?2"));
    server.get("/").expect(200, "hello");
    assert_eq!(server.workers(), workers);
    assert!(!server.log().contains("has not come back"), "{}", server.log());
}

/// A sync worker whose call swallows the exception is replaced: its successor is ready before it is ended.
#[test]
fn a_stubborn_call_costs_its_worker() {
    only_ferricorn!("a setting of ours");
    let server = launch("").args("--timeout 0").start();
    let worker = server.wait_workers(1)[0];
    let mut stuck = ask(&server, "/stubborn?60");
    server.wait_line("GET /stubborn has not come back within 5 s");
    assert!(server.workdir().has("swallowed"));
    wait_gone(worker);
    server.wait_log("keeps this worker from leaving: it is sent SIGKILL.");
    let answer = stuck.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    assert_ne!(server.serving_pid(), worker);
}

/// Native code that holds the GIL is reported as such, with the place from which it was called; its worker is replaced.
#[test]
fn native_code_that_holds_the_gil_is_named() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).args("--timeout 0 --graceful-timeout 1").start();
        let worker = server.wait_workers(1)[0];
        let mut stuck = ask(&server, "/c?0");
        server.wait_line("GET /c has taken ");
        server.wait_log(
            "No Python code can run: for 0.5 s native code has not let go of the interpreter's lock (the GIL).",
        );
        server.wait_log("in in_c");
        if class.is_empty() {
            wait_gone(worker);
            stuck.drain();
        } else {
            assert_timed_out(&stuck.response());
            wait_gone(worker);
        }
        assert_ne!(server.serving_pid(), worker);
    }
}

/// A response that has begun ends with its connection.
#[test]
fn a_response_that_has_begun_is_cut() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).start();
        let mut connection = ask(&server, "/stream?60");
        assert_eq!(connection.head().status, 200);
        assert_eq!(connection.chunk(), b"first");
        assert!(connection.take(1).is_err(), "there is neither a last piece nor an end");
        server.get("/").expect(200, "hello");
    }
}

/// The time for which a client does not take a response counts, too.
#[test]
fn a_client_that_takes_nothing_ends_its_call() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).start();
        let workers = server.wait_workers(1);
        let stalled = ask(&server, "/endless");
        server.wait_line("GET /endless has taken ");
        server.get("/").expect(200, "hello");
        assert_eq!(server.workers(), workers);
        drop(stalled);
    }
}

/// What the body's `close()` does counts, and ends; the response was complete before.
#[test]
fn the_end_of_a_body_counts() {
    only_ferricorn!("a setting of ours");
    let server = launch("").start();
    let mut connection = ask(&server, "/closing?60");
    connection.response().expect(200, "whole");
    server.wait_line("GET /closing has taken ");
    server.get("/").expect(200, "hello");
    assert!(!server.workdir().has("closed"));
}

/// `ferricorn.RequestTimeout` is a BaseException; an application that catches it gives an answer of its own.
#[test]
fn an_application_may_answer_itself() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).start();
        server.get("/own?60").expect(503, "[\"BaseException\", \"\"]");
    }
}

/// statsd hears of each.
#[test]
fn late_calls_are_counted() {
    only_ferricorn!("a metric of ours");
    for class in CLASSES {
        let sink = Datagrams::udp();
        let server = launch(class).args("--statsd-host").arg(&sink.address()).start();
        assert_timed_out(&server.get("/spin?60"));
        sink.wait("ferricorn.request_timeouts:1|c|@1.0");
        sink.wait("gunicorn.request.status.504:1|c|@1.0");
    }
}

/// A logger in Python gets the report, and the access line says 504.
#[test]
fn a_logger_in_python_hears_of_it() {
    only_ferricorn!("a setting of ours");
    let conf = "logconfig_dict = {'version': 1, 'disable_existing_loggers': False}\naccesslog = '-'\n";
    for class in CLASSES {
        let server = launch(class).conf(conf).start();
        assert_timed_out(&server.get("/spin?60"));
        server.wait_log("(request_timeout) and is ended.\nThread ");
        server.wait_for("the access line", || server.stdout().contains("\"GET /spin?60 HTTP/1.1\" 504").then_some(()));
    }
}

/// Without the setting, or before its time, a call takes as long as it takes.
#[test]
fn who_is_in_time_is_left_alone() {
    only_ferricorn!("a setting of ours");
    for (class, limit) in CLASSES.iter().flat_map(|class| [(class, "0"), (class, "60")]) {
        let server = Launch::app("late").args("--request-timeout").arg(limit).args(class).start();
        let mut connection = ask(&server, "/gate?open");
        assert!(stays(Duration::from_millis(900), || !server.log().contains("request_timeout")));
        server.write("open", "");
        connection.response().expect(200, "passed");
    }
}

/// An exception that is still to be raised when its call ends, because no Python code has run since, is taken back: the next
/// request of the thread does not get it.
#[test]
fn an_exception_ends_with_its_call() {
    only_ferricorn!("a setting of ours");
    for class in CLASSES {
        let server = launch(class).start();
        let workers = server.wait_workers(1);
        for turn in 1..=2 {
            ask(&server, "/ending?1").response().expect(200, "whole");
            server.wait_for("the report", || {
                (server.log().matches("GET /ending has taken").count() == turn).then_some(())
            });
            let short = server.get("/short");
            assert_eq!(short.status(), 200, "{}", short.text());
        }
        assert_eq!(server.workers(), workers);
        assert!(!server.log().contains("Error handling request"), "{}", server.log());
    }
}

/// Of calls that end just when their time is up some are ended and some are not, and no other request gets the exception that
/// was meant for one.
#[test]
fn no_request_is_ended_in_the_place_of_another() {
    only_ferricorn!("a setting of ours");
    for class in ["", "--threads 4"] {
        let server = Launch::app("late").args("--request-timeout 0.1").args(class).start();
        let workers = server.wait_workers(1);
        let outcomes: Vec<u16> = thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|client| scope.spawn(move_client(&server, client))).collect();
            clients.into_iter().flat_map(|client| client.join().expect("a client's thread ends")).collect()
        });
        let late = outcomes.iter().filter(|status| **status == 504).count();
        assert!(late > 0 && late < outcomes.len(), "{class}: {late} of {} were late", outcomes.len());
        assert_eq!(server.workers(), workers, "{}", server.log());
        // An exception that was not meant for the call it comes to is one of the application's.
        assert!(!server.log().contains("Error handling request"), "{}", server.log());
    }
}

/// Asks for calls of about 100 ms and short ones, in turns; the statuses of the long ones. With several threads it takes until
/// the exception can be set, so that a few of the long ones are longer.
fn move_client(server: &Server, client: u64) -> impl FnOnce() -> Vec<u16> + Send + '_ {
    move || {
        let mut random = fastrand::Rng::with_seed(client);
        let mut statuses = Vec::new();
        for _ in 0..24 {
            let microseconds = if random.u64(0..6) == 0 { 600_000 } else { random.u64(97_000..110_000) };
            let edge = server.get(&format!("/spin?0.{microseconds:06}"));
            assert!([200, 504].contains(&edge.status()), "{}", edge.text());
            statuses.push(edge.status());
            for _ in 0..3 {
                let short = server.get("/short");
                assert!([200, 504].contains(&short.status()), "{}", short.text());
            }
        }
        statuses
    }
}
