//! Fairness among workers: nobody waits for a busy one while another has nothing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::connection::Address;
use crate::harness::process::{alive, send, wait_gone};
use crate::harness::strict::{Load, Mode};
use crate::harness::tls::secure;
use crate::harness::wait::{PATIENCE, stays, within};
use crate::harness::{Connection, Launch, Server};

const CLOSES: &str = "Gunicorn's sync worker keeps no connection";
const PINNED: &str = "with Gunicorn's threads a connection stays with its worker";
/// How long something is watched that is not to happen.
const WATCH: Duration = Duration::from_millis(500);
/// Answers in which shares show.
const ENOUGH: usize = 1200;
/// Clients at once.
const CROWD: usize = 32;
/// Connections that are opened before a worker has enough of them.
const MOST: usize = 200;

fn two() -> Launch {
    Launch::app("fair").args("--workers 2 --keep-alive 60")
}

fn two_with_threads() -> Launch {
    two().args("--threads 2")
}

/// Four workers, of which each has answered.
fn four_that_serve(arguments: &str) -> Server {
    let server = Launch::app("fair").args("--workers 4").args(arguments).start();
    let workers = server.wait_workers(4);
    let mut serving = BTreeSet::new();
    server.wait_for("an answer of each worker", || {
        serving.insert(server.serving_pid());
        (serving.len() == workers.len()).then_some(())
    });
    server
}

/// So many connections that one and the same worker has, and that worker.
#[track_caller]
fn pinned<const COUNT: usize>(server: &Server, address: &Address) -> ([Connection; COUNT], String) {
    let mut had = BTreeMap::<String, Vec<Connection>>::new();
    for _ in 0..MOST {
        let mut connection = Connection::open(address).expect("the server listens");
        let worker = connection.get("/pid").text();
        let of_worker = had.entry(worker.clone()).or_default();
        of_worker.push(connection);
        if of_worker.len() == COUNT {
            let pinned = had.remove(&worker).and_then(|pinned| pinned.try_into().ok());
            return (pinned.expect("they were there just now"), worker);
        }
    }
    panic!("no worker has {COUNT} of {MOST} connections; log:\n{}", server.log());
}

/// Begins a call that goes on until `let_go`.
#[track_caller]
fn hold(server: &Server, connection: &mut Connection, gate: &str) {
    connection.send(format!("GET /gate?{gate} HTTP/1.1\r\nHost: x\r\n\r\n"));
    server.wait_file(&format!("{gate}.entered"));
}

#[track_caller]
fn let_go(server: &Server, connection: &mut Connection, gate: &str, worker: &str) {
    server.write(gate, "");
    connection.response().expect(200, worker);
}

/// Two workers, three connections that one of them has, and that one.
#[track_caller]
fn three_of_one() -> (Server, [Connection; 3], String) {
    let server = two().start();
    server.wait_workers(2);
    let (connections, worker) = pinned(&server, &server.address());
    (server, connections, worker)
}

/// The same, and both workers are in calls: on the third connection, and on the second, which the other worker has got. A request
/// waits on the first.
#[track_caller]
fn all_busy() -> (Server, [Connection; 3], String) {
    let (server, [mut kept, mut second, mut first], busy) = three_of_one();
    hold(&server, &mut first, "first");
    hold(&server, &mut second, "second");
    kept.send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n");
    (server, [kept, second, first], busy)
}

/// With equal work all workers do the same share of it, on new connections and on kept ones.
#[test]
fn equal_work_is_shared_equally() {
    let server = four_that_serve("");
    let counts = |close: bool| {
        let (answered, header) = (AtomicUsize::new(0), if close { "Connection: close\r\n" } else { "" });
        let client = || {
            let (mut kept, mut seen) = (None, Vec::new());
            while answered.fetch_add(1, Ordering::Relaxed) < ENOUGH {
                let mut connection = kept.take().unwrap_or_else(|| server.connect());
                connection.send(format!("GET /work HTTP/1.1\r\nHost: x\r\n{header}\r\n"));
                let response = connection.response();
                seen.push(response.text());
                kept = (!response.head.closes()).then_some(connection);
            }
            seen
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..16).map(|_| scope.spawn(client)).collect();
            let seen = clients.into_iter().flat_map(|client| client.join().unwrap());
            seen.fold(BTreeMap::<String, usize>::new(), |mut counts, worker| {
                *counts.entry(worker).or_default() += 1;
                counts
            })
        })
    };
    let is_equal = |counts: &BTreeMap<String, usize>| {
        let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        counts.len() == 4 && 2 * most <= 3 * least
    };
    for close in [true, false] {
        // A machine that is busy with other things may keep a worker from its share once; a server that does does so each time.
        let rounds: Vec<_> = (0..3).map(|_| counts(close)).collect();
        assert!(rounds.iter().any(is_equal), "close: {close}, {rounds:?}");
    }
}

/// Clients that come all at once are divided among the workers, though the first that wakes could take them all.
#[test]
fn a_crowd_is_divided() {
    only_ferricorn!(CLOSES);
    let server = four_that_serve("--keep-alive 60");
    let mut crowd: Vec<_> = (0..MOST).map(|_| server.connect()).collect();
    let mut shares = BTreeMap::<String, usize>::new();
    for connection in &mut crowd {
        *shares.entry(connection.get("/pid").text()).or_default() += 1;
    }
    assert!(shares.len() == 4 && shares.values().all(|share| share * 12 >= MOST), "{shares:?}");
}

/// Where all workers are busy all the time, everybody is served in turn: who has just had an answer and asks again at once does not
/// come before those who wait.
#[test]
fn nobody_overtakes() {
    only_ferricorn!(CLOSES);
    let server = two().start();
    server.wait_workers(2);
    let (answered, all_there) = (AtomicUsize::new(0), Barrier::new(CROWD));
    let client = || {
        let (mut connection, mut had) = (server.connect(), 0);
        // With long calls among them, requests wait where they came.
        connection.get("/sleep?6");
        all_there.wait();
        while answered.fetch_add(1, Ordering::Relaxed) < ENOUGH {
            connection.get("/sleep?1");
            had += 1;
        }
        had
    };
    let had: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CROWD).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    // The workers need not have equally many of them.
    assert!(had.iter().all(|had| 4 * had * CROWD >= ENOUGH), "{had:?}");
}

/// Where all workers are busy all the time, a crowd that comes anew has its turn among those who are there already: nobody is served
/// again and again before that.
#[test]
fn newcomers_have_their_turn() {
    only_ferricorn!(CLOSES);
    const REQUEST: &str = "GET /sleep?6 HTTP/1.1\r\nHost: x\r\n\r\n";
    const REGULARS: usize = 8;
    let server = two().start();
    server.wait_workers(2);
    let (had, over) = ([const { AtomicUsize::new(0) }; REGULARS], AtomicBool::new(false));
    let read = || had.each_ref().map(|had| had.load(Ordering::Relaxed));
    let most = thread::scope(|scope| {
        for had in &had {
            scope.spawn(|| {
                let mut connection = server.connect();
                while !over.load(Ordering::Relaxed) {
                    connection.get("/sleep?6");
                    had.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let all_know = within(PATIENCE, || read().iter().all(|had| *had > 5).then_some(()));
        let mut newcomers: Vec<_> = (0..MOST).map(|_| server.connect()).collect();
        let before = read();
        newcomers.iter_mut().for_each(|newcomer| newcomer.send(REQUEST));
        newcomers.iter_mut().for_each(|newcomer| drop(newcomer.response()));
        let most = read().iter().zip(before).map(|(after, before)| after - before).max();
        over.store(true, Ordering::Relaxed);
        all_know.and(most)
    });
    assert!(most.is_some_and(|most| most <= 4), "{most:?} answers of one, while {MOST} waited for their first");
}

/// Where all workers are busy all the time, one that comes later gets its share of the clients, though all of them have their
/// connections already; be their calls short, or some of them long.
#[test]
fn a_worker_that_comes_later_gets_its_share() {
    only_ferricorn!(CLOSES);
    for first_call in ["/pid", "/sleep?6"] {
        let server = two().start();
        let old = server.wait_workers(2);
        let (of_new, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let client = || {
            let mut connection = server.connect();
            while !over.load(Ordering::Relaxed) {
                connection.get(first_call);
                for _ in 0..20 {
                    let worker = connection.get("/pid").text().parse().map(Pid::from_raw).unwrap();
                    of_new.fetch_add(usize::from(!old.contains(&worker)), Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CROWD).map(|_| scope.spawn(client)).collect();
            server.signal(Signal::SIGTTIN);
            let enough = within(PATIENCE, || (of_new.load(Ordering::Relaxed) > ENOUGH).then_some(()));
            over.store(true, Ordering::Relaxed);
            clients.into_iter().for_each(|client| client.join().unwrap());
            assert!(enough.is_some(), "{of_new:?} answers of the new worker in {PATIENCE:?}");
        });
    }
}

/// A request on a kept connection does not wait for a long call of the worker that has the connection: an idle one answers,
/// and keeps the connection.
#[test]
fn a_kept_connection_goes_to_an_idle_worker() {
    only_ferricorn!(CLOSES);
    let (server, [mut kept, mut idle, mut held], busy) = three_of_one();
    hold(&server, &mut held, "gate");
    let other = kept.get("/pid").text();
    assert_ne!(other, busy);
    // On the way it has lost nothing: it is at home where it is now.
    for _ in 0..20 {
        kept.get("/pid").expect(200, &other);
    }
    kept.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    kept.send("lo");
    kept.response().expect(200, "hello");
    let_go(&server, &mut held, "gate", &busy);
    // Who asks for nothing stays; and the worker has forgotten the one that went.
    idle.get("/pid").expect(200, &busy);
    kept.get("/pid").expect(200, &other);
    held.get("/pid").expect(200, &busy);
}

/// The same over a Unix socket.
#[test]
fn unix_sockets_are_handed_over_too() {
    only_ferricorn!(CLOSES);
    let server = two().also_bind("unix:socket").start();
    server.wait_workers(2);
    let address = Address::Unix(server.workdir().join("socket"));
    let ([mut kept, _, mut held], busy) = pinned(&server, &address);
    hold(&server, &mut held, "gate");
    assert_ne!(kept.get("/pid").text(), busy);
    let_go(&server, &mut held, "gate", &busy);
}

/// Who the client is, by its socket or by its proxy's word, is known to the next worker, which does not ask again.
#[test]
fn a_connection_keeps_its_name() {
    only_ferricorn!(CLOSES);
    let server = two().args("--proxy-protocol v1").start();
    server.wait_workers(2);
    let header = "PROXY TCP4 10.0.0.9 10.0.0.1 1234 443\r\n";
    let ([mut held, mut plain], busy) = pinned(&server, &server.address());
    let mut proxied = (0..MOST).find_map(|_| {
        let mut connection = server.connect();
        connection.send(header);
        connection.get("/pid").text().eq(&busy).then_some(connection)
    });
    let proxied = proxied.as_mut().expect("each worker takes connections");
    let (told, port) = (proxied.get("/who").text(), plain.local_port());
    assert!(told.starts_with(&format!("{busy} 10.0.0.9 1234 10.0.0.1 ")), "{told}");
    hold(&server, &mut held, "gate");
    let facts = |text: &str| text.split_once(' ').map(|(pid, facts)| (pid.to_owned(), facts.to_owned())).unwrap();
    let (worker, passed_on) = facts(&proxied.get("/who").text());
    assert_ne!(worker, busy);
    assert_eq!(passed_on, facts(&told).1);
    let (worker, passed_on) = facts(&plain.get("/who").text());
    assert_ne!(worker, busy);
    assert!(passed_on.starts_with(&format!("127.0.0.1 {port} - ")), "{passed_on}");
    // A name may be given before the first request, by whomever it was served.
    plain.send(format!("{header}GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(plain.response().status(), 400);
    let_go(&server, &mut held, "gate", &busy);
}

/// While all workers are busy a request waits for whichever is idle first.
#[test]
fn who_is_idle_first_serves() {
    only_ferricorn!(CLOSES);
    let (server, [mut kept, mut second, mut first], busy) = all_busy();
    let mut other = String::new();
    assert!(stays(WATCH, || !server.workdir().has("second")));
    server.write("second", "");
    second.response().text().clone_into(&mut other);
    assert_ne!(other, busy);
    kept.response().expect(200, &other);
    let_go(&server, &mut first, "first", &busy);
}

/// A response that is streamed for long holds up no other request either.
#[test]
fn a_long_stream_holds_up_nobody() {
    only_ferricorn!(CLOSES);
    let (server, [mut kept, mut second, mut streamed], busy) = three_of_one();
    streamed.send("GET /stream?gate HTTP/1.1\r\nHost: x\r\n\r\n");
    streamed.head();
    // It has gone on for longer than a moment.
    for _ in 0..10 {
        assert_eq!(streamed.chunk(), b".");
    }
    let other = kept.get("/pid").text();
    assert_ne!(other, busy);
    // One more: it was not chance.
    second.get("/pid").expect(200, &other);
    server.write("gate", "");
    while streamed.chunk() == b"." {}
    assert_eq!(streamed.chunk(), b"");
    // Its call may not have ended yet: then somebody else answers.
    assert_eq!(streamed.get("/pid").status(), 200);
}

/// Requests that a busy worker has not read are answered though it is killed.
#[test]
fn a_killed_worker_keeps_no_request_from_being_answered() {
    only_ferricorn!(CLOSES);
    let (server, [mut kept, mut second, _first], busy) = all_busy();
    // The time in which a call becomes a long one has passed.
    assert!(stays(WATCH, || alive(busy.parse().map(Pid::from_raw).unwrap())));
    let old: Pid = busy.parse().map(Pid::from_raw).unwrap();
    send(old, Signal::SIGKILL);
    wait_gone(old);
    assert_eq!(kept.response().status(), 200);
    server.write("second", "");
    assert_eq!(second.response().status(), 200);
}

/// In a stop what waits for a busy worker is still answered, by that one or another.
#[test]
fn a_stop_loses_nobody() {
    only_ferricorn!(CLOSES);
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let (server, [mut kept, mut second, mut first], busy) = all_busy();
        assert!(stays(WATCH, || server.ended().is_none()));
        server.signal(signal);
        server.write("second", "");
        assert_eq!(second.response().status(), 200);
        assert_eq!(kept.response().status(), 200);
        let_go(&server, &mut first, "first", &busy);
    }
}

/// Under load of short and long calls, while everything is replaced, not one request is lost on its way.
#[test]
fn nothing_is_lost_on_the_way() {
    for threads in ["", "--threads 2"] {
        let server = Launch::app("fair").args("--workers 3 --max-requests 300").args(threads).start();
        server.wait_workers(3);
        let load = Load::start(&server.address(), &[[Mode::KeepAlive; 12].as_slice(), &[Mode::Close; 2]].concat());
        for signal in [Signal::SIGHUP, Signal::SIGTTIN, Signal::SIGHUP, Signal::SIGTTOU] {
            server.wait_progress(&load, 700);
            server.signal(signal);
        }
        server.wait_progress(&load, 1000);
        let tally = load.finish();
        assert!(tally.anomalies.is_empty(), "{tally:?}");
    }
}

/// With threads, a request that finds all of them in long calls goes to another worker, and its connection stays there. While
/// one is idle, it is the one to answer.
#[test]
fn threads_that_are_all_in_long_calls_hold_up_nobody() {
    only_ferricorn!(PINNED);
    let server = two_with_threads().start();
    server.wait_workers(2);
    let ([mut kept, mut idle, mut first, mut second], busy) = pinned(&server, &server.address());
    hold(&server, &mut first, "first");
    for _ in 0..20 {
        kept.get("/pid").expect(200, &busy);
    }
    // Until it is a long call, whoever comes next may well wait for it.
    assert!(stays(WATCH, || server.ended().is_none()));
    hold(&server, &mut second, "second");
    let other = kept.get("/pid").text();
    assert_ne!(other, busy, "one of the two is a long call already");
    for _ in 0..20 {
        kept.get("/pid").expect(200, &other);
    }
    kept.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    kept.send("lo");
    kept.response().expect(200, "hello");
    let_go(&server, &mut first, "first", &busy);
    let_go(&server, &mut second, "second", &busy);
    idle.get("/pid").expect(200, &busy);
    kept.get("/pid").expect(200, &other);
}

/// With threads, too, a request that finds all of all workers in long calls is answered by whoever is idle first; also if that
/// happens during a stop, or because a worker is killed.
#[test]
fn with_threads_who_is_idle_first_serves() {
    only_ferricorn!(PINNED);
    let gates = ["a", "b", "c", "d"];
    for end in [None, Some(Signal::SIGTERM), Some(Signal::SIGHUP), Some(Signal::SIGKILL)] {
        let server = two_with_threads().start();
        server.wait_workers(2);
        let ([mut kept, mut held @ ..], busy) = pinned::<5>(&server, &server.address());
        for (connection, gate) in held.iter_mut().zip(gates) {
            hold(&server, connection, gate);
            // Until it is a long call, it may well be a short one for which the next request would wait.
            assert!(stays(WATCH, || server.ended().is_none()));
        }
        kept.send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(stays(WATCH, || server.ended().is_none()));
        match end {
            Some(Signal::SIGKILL) => {
                let old: Pid = busy.parse().map(Pid::from_raw).unwrap();
                send(old, Signal::SIGKILL);
                wait_gone(old);
            }
            Some(signal) => server.signal(signal),
            None => {}
        }
        // The other worker's.
        let [.., third, _] = &mut held;
        server.write("c", "");
        let other = third.response().text();
        assert_ne!(other, busy);
        if end.is_some() {
            assert_eq!(kept.response().status(), 200);
        } else {
            kept.response().expect(200, &other);
        }
        gates.iter().for_each(|gate| server.write(gate, ""));
    }
}

/// Where a connection cannot be handed over, a worker whose calls are long closes it, so that the next request goes to an idle
/// one; connections of a worker whose calls are short are kept.
#[test]
fn slow_workers_close_what_they_cannot_hand_over() {
    only_ferricorn!(CLOSES);
    let server = secure("fair").args("--workers 2 --keep-alive 60").start();
    server.wait_workers(2);
    let mut connection = server.connect();
    for _ in 0..50 {
        assert!(!connection.get("/pid").head.closes());
    }
    assert!(connection.get("/sleep?200").head.closes());
    connection.drain();
    // One worker has nobody else to send its clients to.
    let server = secure("fair").args("--workers 1 --keep-alive 60").start();
    let mut connection = server.connect();
    assert!(!connection.get("/sleep?200").head.closes());
    assert!(!connection.get("/pid").head.closes());
}
