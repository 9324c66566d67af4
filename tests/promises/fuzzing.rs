//! Nonsense from clients: tens of thousands of damaged requests do no harm to a server that is alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::differential::cases;
use crate::harness::connection::Address;
use crate::harness::{Connection, Launch, eventually, process};

/// How many requests; more by `CONFORMANCE_FUZZ`.
const REQUESTS: usize = 100_000;
/// After this no more are sent, however many there were.
const BOUND: Duration = Duration::from_secs(60);
const CLIENTS: u64 = 3;
/// Of so many requests one is good, and must be answered.
const GOOD: usize = 50;
/// How much more memory a worker may hold afterwards, in KiB: its allocator keeps what it once had.
const GROWTH: u64 = 32 * 1024;

/// What requests are damaged with.
const PIECES: [&str; 24] = [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    "GET / HTTP/1.1\r\n\r\n",
    "POST ",
    " HTTP/1.0",
    "HTTP/9.9",
    "%zz",
    "\u{ff}",
    "Content-Length: 5\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: x\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "5;a=\"\r\n",
    "Connection: close\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
];

/// A request with one to four damages.
fn damaged(random: &mut fastrand::Rng, all: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = all[random.usize(..all.len())].clone();
    for _ in 0..random.usize(1..5) {
        let (one, other) = (random.usize(..=bytes.len()), random.usize(..=bytes.len()));
        let (start, end) = (one.min(other), one.max(other));
        match random.u8(..6) {
            0 if start < bytes.len() => bytes[start] = random.u8(..),
            1 => drop(bytes.drain(start..end.min(start + 20))),
            2 => bytes.truncate(end.max(1)),
            3 => {
                let piece = PIECES[random.usize(..PIECES.len())];
                bytes.splice(start..start, piece.bytes());
            }
            4 => {
                let again = bytes[start..end].to_vec();
                bytes.splice(end..end, again);
            }
            _ => bytes.extend_from_slice(&all[random.usize(..all.len())]),
        }
    }
    bytes
}

fn connect(address: &Address) -> Connection {
    Connection::open(address).unwrap_or_else(|fault| panic!("cannot connect: {fault:?}"))
}

/// Sends it in a few pieces; reads the answers, or leaves without a word.
fn send(address: &Address, random: &mut fastrand::Rng, bytes: &[u8]) {
    let mut connection = connect(address);
    let piece = bytes.len().div_ceil(random.usize(1..4)).max(1);
    // A server that has seen enough does not take the rest.
    let sent = bytes.chunks(piece).try_for_each(|piece| connection.try_send(piece));
    if random.u8(..10) == 0 {
        return;
    }
    if sent.is_ok() {
        connection.finish_sending();
    }
    let answers = connection.drain();
    let shown = || format!("{:?} to {:?}", String::from_utf8_lossy(&answers), String::from_utf8_lossy(bytes));
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."), "{}", shown());
}

/// Damaged requests are answered or not, and leave nothing behind: no crash, no hang, no descriptor, no memory; good ones in between are
/// answered.
#[test]
fn damaged_requests_do_no_harm() {
    only_ferricorn!("Gunicorn serves a tenth as many in that time");
    let server = Launch::app("telling").args("--access-logfile /dev/null --proxy-protocol auto --timeout 10").start();
    let (worker, address) = (server.wait_workers(1)[0], server.address());
    let files = ["valid.txt", "malformed.txt", "chunked.txt", "smuggling.txt"];
    let all = files.map(|file| cases::read(file).cases).into_iter().flatten().map(|case| case.bytes);
    let all: Vec<_> = all.filter(|bytes| bytes.len() < 2000).collect();
    let wanted = std::env::var("CONFORMANCE_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(REQUESTS);
    let (begun, sent) = (Instant::now(), AtomicUsize::new(0));
    let serve_some = |seed: u64, most: usize| {
        let mut random = fastrand::Rng::with_seed(seed);
        while begun.elapsed() < BOUND {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            if number >= most {
                break;
            }
            if number % GOOD == 0 {
                assert_eq!(connect(&address).get(&format!("/{number}")).status(), 200);
            } else {
                let bytes = damaged(&mut random, &all);
                send(&address, &mut random, &bytes);
            }
        }
    };
    // What is loaded, cached and kept at the first use is not counted.
    serve_some(0, 1000);
    let descriptors = process::descriptors(worker).len();
    let memory = process::own_memory(worker).expect("a worker that lives has memory");
    std::thread::scope(|scope| {
        for seed in 1..=CLIENTS {
            scope.spawn(move || serve_some(seed, wanted));
        }
    });
    println!("{} requests in {:?}", sent.load(Ordering::Relaxed), begun.elapsed());
    assert_eq!(server.workers(), [worker], "the worker is another");
    eventually("all connections are closed", || (process::descriptors(worker).len() <= descriptors).then_some(()));
    let now = process::own_memory(worker).expect("a worker that lives has memory");
    assert!(now < memory + GROWTH, "{now} KiB of memory, {memory} at the beginning");
    assert!(!server.log().contains("panicked"));
}
