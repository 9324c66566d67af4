//! The strict client: keeps asking from several threads, checks every answer by a token, counts every anomaly by kind.
//! It retries nothing, with one exception that the protocol demands of every client: an idle connection which the server
//! closed between two requests (no byte of an answer) is counted apart, as `closed on a reused connection`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::connection::{Address, Connection};
use super::http::{Fault, Response};

/// Whether a thread keeps its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One connection for many requests, as long as the server keeps it.
    KeepAlive,
    /// A fresh connection for each request, with `Connection: close`.
    Close,
}

/// What the clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Right answers.
    pub(crate) right: usize,
    /// How often each kind of anomaly was seen.
    pub(crate) anomalies: BTreeMap<String, usize>,
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// Right answers of all threads so far, for tests that wait for progress.
    right: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts one thread for each of `modes`, asking for `/token?...` at `address`.
    pub(crate) fn start(address: &Address, modes: &[Mode]) -> Self {
        let (stop, right) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |(number, mode): (usize, &Mode)| {
            let (address, mode, stop, right) = (address.clone(), *mode, Arc::clone(&stop), Arc::clone(&right));
            thread::spawn(move || Client { number, mode, address, connection: None }.work(&stop, &right))
        };
        let threads = modes.iter().enumerate().map(client).collect();
        Self { stop, right, threads }
    }

    /// How many right answers there have been.
    pub(crate) fn right(&self) -> usize {
        self.right.load(Ordering::Relaxed)
    }

    /// Lets every thread finish its request, and adds up.
    pub(crate) fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads {
            let tally = thread.join().expect("a client does not panic");
            sum.right += tally.right;
            for (kind, count) in tally.anomalies {
                *sum.anomalies.entry(kind).or_default() += count;
            }
        }
        sum
    }
}

/// One thread's state.
struct Client {
    number: usize,
    mode: Mode,
    address: Address,
    /// The kept connection, if the last answer left it open.
    connection: Option<Connection>,
}

impl Client {
    fn work(mut self, stop: &AtomicBool, right: &AtomicUsize) -> Tally {
        let mut tally = Tally::default();
        for serial in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            match self.ask(serial) {
                Ok(()) => {
                    tally.right += 1;
                    right.fetch_add(1, Ordering::Relaxed);
                }
                Err(kind) => *tally.anomalies.entry(kind).or_default() += 1,
            }
        }
        tally
    }

    /// One request and its answer, judged.
    fn ask(&mut self, serial: usize) -> Result<(), String> {
        let token = format!("{}-{serial}", self.number);
        let kept = self.connection.take();
        let place = if kept.is_some() { "on a reused connection" } else { "on a fresh connection" };
        let named = |fault: Fault| format!("{fault:?} {place}");
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(&self.address).map_err(named)?,
        };
        connection.patience(Duration::from_secs(10));
        let connection_header = if self.mode == Mode::Close { "Connection: close\r\n" } else { "" };
        let request = format!("GET /token?{token} HTTP/1.1\r\nHost: localhost\r\n{connection_header}\r\n");
        connection.try_send(request.as_bytes()).map_err(named)?;
        let response = connection.try_response_to("GET").map_err(named)?;
        if self.mode == Mode::KeepAlive && !response.head.closes() {
            self.connection = Some(connection);
        }
        judge(&response, &token)
    }
}

/// Whether the answer is the one to this question.
fn judge(response: &Response, token: &str) -> Result<(), String> {
    match (response.status(), response.text() == format!("token={token}")) {
        (200, true) => Ok(()),
        (200, false) => Err("wrong body".to_owned()),
        (status, _) => Err(format!("status {status}")),
    }
}
