//! gthread: as many requests at a time as a worker has threads, and none in the way of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::connection::Connection;
use crate::harness::http::Fault;
use crate::harness::process::{alive, send};
use crate::harness::strict::{Load, Mode};
use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// How long something is watched that is not to happen.
const WATCH: Duration = Duration::from_millis(700);

/// Clients that ask for more than a worker can serve.
const CLIENTS: usize = 24;

/// Four threads in one worker.
fn four() -> Launch {
    Launch::app("threaded").args("--threads 4")
}

/// Asks for each of `targets` on a connection of its own, without waiting for answers.
fn ask_all(server: &Server, targets: &[&str]) -> Vec<Connection> {
    let ask = |target: &&str| {
        let mut connection = server.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        connection
    };
    targets.iter().map(ask).collect()
}

/// Starts a request for each of these gates, and waits until the application is in all of them.
#[track_caller]
fn hold(server: &Server, gates: &[&str]) -> Vec<Connection> {
    let targets: Vec<String> = gates.iter().map(|gate| format!("/gate?{gate}")).collect();
    let held = ask_all(server, &targets.iter().map(String::as_str).collect::<Vec<_>>());
    for gate in gates {
        wait_entered(server, gate);
    }
    held
}

#[track_caller]
fn wait_entered(server: &Server, gate: &str) {
    server.wait_file(&format!("{gate}.entered"));
}

#[track_caller]
fn release(server: &Server, held: Vec<Connection>, gates: &[&str]) {
    for gate in gates {
        server.write(gate, "");
    }
    for mut connection in held {
        connection.response().expect(200, "passed");
    }
}

fn told(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// As many requests run at the same time as there are threads, and no more.
#[test]
fn as_many_requests_as_threads_run_at_a_time() {
    let server = four().start();
    let met = ask_all(&server, &["/meet"; 4]);
    for mut connection in met {
        connection.response().expect(200, "met");
    }
    let mut held = hold(&server, &["a", "b", "c", "d"]);
    held.extend(ask_all(&server, &["/gate?e"]));
    assert!(stays(WATCH, || !server.workdir().has("e.entered")), "a fifth request was begun");
    server.write("a", "");
    wait_entered(&server, "e");
    release(&server, held, &["b", "c", "d", "e"]);
}

/// Workers times threads requests run at the same time: a worker takes a connection only while a thread of its is idle.
#[test]
fn workers_times_threads_requests_run_at_a_time() {
    only_ferricorn!("Gunicorn's workers take connections that they have no thread for");
    let server = Launch::app("threaded").args("--workers 2 --threads 3").start();
    server.wait_workers(2);
    let gates = ["a", "b", "c", "d", "e", "f"];
    let held = hold(&server, &gates);
    release(&server, held, &gates);
}

/// A slow request holds no other, not even on connections that are older than it.
#[test]
fn a_slow_request_holds_no_other() {
    let server = four().start();
    let mut kept = server.connect();
    kept.get("/").expect(200, "hello");
    let held = hold(&server, &["a", "b", "c"]);
    for _ in 0..20 {
        kept.get("/").expect(200, "hello");
        server.get("/").expect(200, "hello");
    }
    release(&server, held, &["a", "b", "c"]);
}

/// Threads are for life, and not Python's main thread; what one keeps in a `threading.local` is there the next time.
#[test]
fn threads_are_for_life() {
    let server = four().start();
    let mut seen = std::collections::BTreeMap::<i64, i64>::new();
    for _ in 0..10 {
        for mut connection in ask_all(&server, &["/keep?x"; 4]) {
            let before = told(&connection.response().text())["before"].as_i64().expect("a number");
            *seen.entry(before).or_default() += 1;
        }
    }
    assert_eq!(seen, (0..10).map(|before| (before, 4)).collect(), "each thread counts its own requests");
    let thread = told(&server.get("/thread").text());
    assert_eq!(thread["is_main"], false, "{thread}");
}

/// The threads have names of ours, for those who log them.
#[test]
fn threads_have_names() {
    only_ferricorn!("Gunicorn's are those of concurrent.futures");
    let server = four().start();
    let told = ask_all(&server, &["/meet-thread"; 4]).into_iter().map(|mut asked| told(&asked.response().text()));
    let mut names: Vec<String> = told.map(|thread| thread["name"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    assert_eq!(names, (1..=4).map(|number| format!("ferricorn-thread-{number}")).collect::<Vec<_>>());
}

/// A chunk goes out when it is yielded, whatever the other threads do.
#[test]
fn streams_flow_beside_each_other() {
    let server = four().start();
    let mut streams = ask_all(&server, &["/held?a", "/held?b", "/held?c"]);
    for stream in &mut streams {
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.chunk(), b"first");
    }
    server.get("/").expect(200, "hello");
    for gate in ["b", "c", "a"] {
        server.write(gate, "");
    }
    for stream in &mut streams {
        assert_eq!((stream.chunk(), stream.chunk()), (b"second".to_vec(), Vec::new()));
    }
}

/// A client that takes nothing makes the application wait, and nobody else; when it takes again, more comes.
#[test]
fn a_slow_client_makes_its_thread_wait() {
    let server = four().start();
    let mut slow = server.connect();
    slow.send("GET /counted HTTP/1.1\r\nHost: x\r\n\r\n");
    slow.chunk_after_head();
    let count = || server.workdir().read("yielded").parse::<usize>().unwrap_or_default();
    // What the kernel and the server keep is bounded, so the count comes to rest.
    server.wait_for("the application's rest", || {
        let before = count();
        stays(WATCH, || count() == before).then_some(())
    });
    let rested = count();
    assert!(rested < 1024, "{rested} pieces of 64 KiB for a client that takes nothing");
    server.get("/").expect(200, "hello");
    while count() == rested {
        assert_eq!(slow.chunk().len(), 65536);
    }
}

/// When the client goes away in the middle, the stream is stopped, `close()` is called, and the thread is free again.
#[test]
fn a_client_that_leaves_frees_its_thread() {
    let server = four().start();
    for round in 1..=6 {
        let mut stream = server.connect();
        stream.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.chunk_after_head();
        drop(stream);
        server.wait_for("close()", || (server.workdir().read("closed").lines().count() == round).then_some(()));
    }
}

/// Bodies that arrive at the same time come back as they were.
#[test]
fn uploads_arrive_beside_each_other() {
    let server = four().start();
    let upload = |number: u8| {
        let address = server.address();
        thread::spawn(move || {
            let body = vec![b'a' + number; (1 << 20) + usize::from(number)];
            let mut connection = Connection::open(&address).expect("a connection");
            connection.send(format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()));
            connection.send(&body);
            assert!(connection.response().body == body, "upload {number}");
        })
    };
    for upload in (0..8).map(upload).collect::<Vec<_>>() {
        upload.join().expect("a right answer");
    }
}

/// An exception in one thread is that request's 500, or the end of its stream, and nothing to the others.
#[test]
fn a_failure_is_one_requests_own() {
    let server = four().start();
    let worker = server.serving_pid();
    let held = hold(&server, &["a"]);
    for _ in 0..8 {
        assert_eq!(server.get("/error").status(), 500);
    }
    server.wait_log("LookupError: the application failed on purpose");
    let mut stream = server.connect();
    stream.send("GET /failing HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(stream.chunk_after_head(), b"first");
    let end = stream.try_response_to("GET");
    assert!(matches!(end, Err(Fault::Closed | Fault::Reset)), "{end:?}");
    release(&server, held, &["a"]);
    assert_eq!(server.serving_pid(), worker);
}

/// `sys.exit()` in a request is that request's 500 too.
#[test]
fn an_exit_is_one_requests_own() {
    only_ferricorn!("Gunicorn closes the connection without an answer");
    let server = four().start();
    let worker = server.serving_pid();
    for _ in 0..8 {
        assert_eq!(server.get("/leave").status(), 500);
    }
    assert_eq!(server.serving_pid(), worker);
}

/// `--timeout` bounds the silence of a worker, and a worker with a stuck request is not silent.
#[test]
fn a_stuck_request_is_no_timeout() {
    let server = four().args("--timeout 1").start();
    let worker = server.serving_pid();
    let held = hold(&server, &["a"]);
    assert!(stays(Duration::from_secs(3), || server.serving_pid() == worker));
    release(&server, held, &["a"]);
}

/// TERM lets all requests in flight finish.
#[test]
fn term_lets_all_requests_finish() {
    let server = four().start();
    let held = hold(&server, &["a", "b", "c"]);
    server.signal(Signal::SIGTERM);
    server.wait_log("Handling signal: term");
    release(&server, held, &["b", "c", "a"]);
    assert_eq!(server.wait_exit(), 0);
    server.wait_nothing_running();
}

/// A request that outlives `--graceful-timeout` does not hold up the stop.
#[test]
fn the_graceful_timeout_bounds_a_stop_with_threads() {
    let server = four().args("--graceful-timeout 1").start();
    let held = hold(&server, &["a", "b"]);
    let asked = Instant::now();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!((1..8).contains(&asked.elapsed().as_secs()), "it took {:?}", asked.elapsed());
    drop(held);
    server.wait_nothing_running();
}

/// INT and QUIT wait for no thread, also for one that does not let go of the GIL for long.
#[test]
fn int_and_quit_wait_for_no_thread() {
    only_ferricorn!("Gunicorn waits for the threads of its pool");
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let server = four().start();
        let held = hold(&server, &["a", "b"]);
        let asked = Instant::now();
        assert_eq!(server.stop(signal), 0);
        assert!(asked.elapsed() < Duration::from_secs(5), "{signal} took {:?}", asked.elapsed());
        drop(held);
        server.wait_nothing_running();
    }
}

/// Handlers of signals run on the main thread and at once, though no request does: the application's and `worker_int`.
#[test]
fn signal_handlers_run_at_once() {
    let app = "import signal, threading\nfrom threaded import application\n\
               def note(*_):\n    open('alarm.' + threading.current_thread().name, 'w').close()\n\
               signal.signal(signal.SIGALRM, note)\n";
    let conf = "import threading\ndef worker_int(worker):\n    \
                open('int.' + threading.current_thread().name, 'w').close()\n";
    let server = Launch::app("alarmed").file("alarmed.py", app).conf(conf).args("--threads 4").start();
    let worker = server.serving_pid();
    let held = hold(&server, &["a"]);
    send(worker, Signal::SIGALRM);
    server.wait_file("alarm.MainThread");
    release(&server, held, &["a"]);
    send(worker, Signal::SIGQUIT);
    server.wait_file("int.MainThread");
}

/// Clients that keep a worker busy leave none of the others without an answer, whether it has threads or not.
#[test]
fn no_client_starves() {
    let app = "import time\nfrom plain import application as plain\n\
               def application(environ, start_response):\n    time.sleep(0.005)\n    return plain(environ, start_response)\n";
    for args in ["--threads 2", "--worker-class sync"] {
        let server = Launch::app("slowly").file("slowly.py", app).args(args).start();
        let satisfied = Arc::new(AtomicUsize::new(0));
        let client = |_| {
            let (address, satisfied) = (server.address(), Arc::clone(&satisfied));
            thread::spawn(move || {
                let mut connection = Connection::open(&address).expect("a connection");
                let mut answers = 0;
                // Who has had enough goes on asking, so that those who have had nothing stay in need.
                while satisfied.load(Ordering::Relaxed) < CLIENTS {
                    let response = connection.get("/");
                    response.expect(200, "hello");
                    if response.head.closes() {
                        connection = Connection::open(&address).expect("a connection");
                    }
                    answers += 1;
                    if answers == 5 {
                        satisfied.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().for_each(|client| client.join().expect("an answer to each request"));
    }
}

/// Recycling loses no request, on kept connections and on fresh ones.
#[test]
fn recycling_with_threads_loses_nothing() {
    let modes = [Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close];
    let server = four().args("--workers 2 --max-requests 100 --max-requests-jitter 20 --preload").start();
    server.wait_workers(2);
    let first = server.serving_pid();
    let load = Load::start(&server.address(), &modes);
    server.wait_for("the first worker's end", || (!alive(first)).then_some(()));
    server.wait_progress(&load, 500);
    let tally = load.finish();
    assert!(tally.anomalies.is_empty(), "{tally:?}");
}

/// Reloads under load lose no request, and TERM loses none that was taken.
#[test]
fn deploys_with_threads_lose_nothing() {
    let modes = [Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close];
    let server = four().args("--workers 2").start();
    server.wait_workers(2);
    let load = Load::start(&server.address(), &modes);
    for _ in 0..4 {
        let old = server.workers();
        server.wait_progress(&load, 200);
        server.signal(Signal::SIGHUP);
        server.wait_for("the new generation", || old.iter().all(|pid| !alive(*pid)).then_some(()));
    }
    let tally = load.finish();
    assert!(tally.anomalies.is_empty() && tally.right > 800, "{tally:?}");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// Lines of the access log are whole, one for each request.
#[test]
fn access_lines_are_whole() {
    let server = four().args("--access-logfile access.log --access-logformat").arg("<%(m)s %(q)s %(s)s %(B)s>").start();
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close]);
    server.wait_progress(&load, 400);
    let tally = load.finish();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let log = server.workdir().read("access.log");
    let mut lines: Vec<&str> = log.lines().collect();
    let whole = |line: &&str| line.starts_with("<GET ") && line.contains(" 200 ") && line.ends_with('>');
    assert!(lines.iter().all(whole), "{:?}", lines.iter().find(|line| !whole(line)));
    lines.sort_unstable();
    lines.dedup();
    assert!(lines.len() >= tally.right, "{} lines for {} requests", lines.len(), tally.right);
}

/// Request hooks run on the thread that makes the call.
#[test]
fn request_hooks_run_on_the_thread() {
    let conf = "import threading\ndef note(name):\n    \
                with open(name, 'a') as file: file.write('%s\\n' % threading.get_ident())\n\
                def pre_request(worker, req):\n    note('before')\n\
                def post_request(worker, req, environ, resp):\n    note('after')\n";
    let server = four().conf(conf).start();
    let idents: Vec<String> = ask_all(&server, &["/meet-thread"; 4])
        .into_iter()
        .map(|mut asked| told(&asked.response().text())["ident"].to_string())
        .collect();
    for name in ["before", "after"] {
        let noted = || server.workdir().read(name).lines().map(str::to_owned).collect::<Vec<_>>();
        let mut noted = server.wait_for(name, || Some(noted()).filter(|noted| noted.len() == 4));
        let mut idents = idents.clone();
        noted.sort();
        idents.sort();
        assert_eq!(noted, idents, "{name}");
    }
}

/// More threads than there can be are refused in one sentence.
#[test]
fn too_many_threads_are_refused() {
    only_ferricorn!("Gunicorn takes any number");
    let finished = Launch::app("plain").args("--threads 1001").run();
    finished.expect(1, &["Error: `threads = 1001` (--threads) from the command line: must be at most 1000"]);
    Launch::app("plain").args("--threads 1000 --workers 0 --check-config").run().expect(0, &[]);
}
