//! Clients at work, one thread each. They retry nothing: a request that fails is an anomaly, and the next one is asked on a
//! fresh connection.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::anomaly::{Anomaly, Kind, Place};
use crate::connection::{Address, Connection};
use crate::http::{Fault, Response};

/// In targets and answers: what makes each question another one.
pub const TOKEN: &str = "{token}";
/// The header in which an application may say who answers.
const WORKER_HEADER: &str = "x-worker";
/// How long an answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Between two pieces of a request that is sent slowly.
const TRICKLE_PAUSE: Duration = Duration::from_millis(40);
/// How many pieces that are.
const TRICKLE_PIECES: usize = 4;
/// Between a request that failed and the next one, so that a server which is gone is not asked in a storm.
const RECOVERY: Duration = Duration::from_millis(20);

/// How a thread treats its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One connection for many requests, as long as the server keeps it.
    KeepAlive,
    /// A fresh connection for each request, with `Connection: close`.
    Close,
    /// Likewise, and the request arrives in pieces.
    Trickle,
}

/// What is asked, and what the answer has to be.
#[derive(Clone, Debug)]
pub struct Question {
    /// The host to name.
    pub host: String,
    /// Path and query, with `{token}` where the token belongs.
    pub target: String,
    /// The whole body of the answer, with `{token}` in it. `None`: the token is somewhere in the body, if the target has one.
    pub answer: Option<String>,
}

impl Default for Question {
    /// What the applications of the tests answer.
    fn default() -> Self {
        let (target, answer) = (format!("/token?{TOKEN}"), Some(format!("token={TOKEN}")));
        Self { host: "localhost".to_owned(), target, answer }
    }
}

/// What the clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Right answers.
    pub right: usize,
    /// Everything else.
    pub anomalies: Vec<Anomaly>,
}

/// What all threads write to.
#[derive(Debug, Default)]
struct Board {
    stop: AtomicBool,
    right: AtomicUsize,
    anomalies: Mutex<Vec<Anomaly>>,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    board: Arc<Board>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts one thread for each of `modes`, asking the default question at `address`.
    pub fn start(address: &Address, modes: &[Mode]) -> Self {
        Self::asking(&Question::default(), address, modes)
    }

    /// Starts one thread for each of `modes`.
    pub fn asking(question: &Question, address: &Address, modes: &[Mode]) -> Self {
        let board = Arc::new(Board::default());
        let client = |(number, mode): (usize, &Mode)| {
            let (question, address) = (question.clone(), address.clone());
            let client = Client { number, mode: *mode, question, address, kept: None, board: Arc::clone(&board) };
            thread::spawn(move || client.work())
        };
        let threads = modes.iter().enumerate().map(client).collect();
        Self { board, threads }
    }

    /// How many right answers there have been, for those who wait for progress.
    pub fn right(&self) -> usize {
        self.board.right.load(Ordering::Relaxed)
    }

    /// What has been seen so far.
    pub fn tally(&self) -> Tally {
        let anomalies = self.board.anomalies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Tally { right: self.right(), anomalies }
    }

    /// Lets every thread finish its request, and adds up.
    pub fn finish(mut self) -> Tally {
        self.board.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client does not panic");
        }
        self.tally()
    }
}

/// A connection that the last answer has left open, and who gave that answer.
struct Kept {
    connection: Connection,
    worker: Option<String>,
}

/// One thread's state.
struct Client {
    number: usize,
    mode: Mode,
    question: Question,
    address: Address,
    kept: Option<Kept>,
    board: Arc<Board>,
}

impl Client {
    fn work(mut self) {
        for serial in 0.. {
            if self.board.stop.load(Ordering::Relaxed) {
                break;
            }
            let kept = self.kept.take();
            let worker = kept.as_ref().and_then(|kept| kept.worker.clone());
            let began = Instant::now();
            match self.ask(kept, serial) {
                Ok(()) => _ = self.board.right.fetch_add(1, Ordering::Relaxed),
                Err(kind) => {
                    let anomaly = Anomaly { kind, worker, began, ended: Instant::now() };
                    self.board.anomalies.lock().unwrap_or_else(PoisonError::into_inner).push(anomaly);
                    thread::sleep(RECOVERY);
                }
            }
        }
    }

    /// One request and its answer, judged.
    fn ask(&mut self, kept: Option<Kept>, serial: usize) -> Result<(), Kind> {
        // Of one length, so that no token is part of another.
        let token = format!("c{:04}n{serial:010}", self.number);
        let place = if kept.is_some() { Place::Reused } else { Place::Fresh };
        let named = |fault: Fault| Kind::of(fault, place);
        let mut connection = match kept {
            Some(kept) => kept.connection,
            None => Connection::open(&self.address).map_err(named)?,
        };
        connection.patience(ANSWER_PATIENCE);
        self.send(&mut connection, &token).map_err(named)?;
        let response = connection.try_response_to("GET").map_err(named)?;
        if self.mode == Mode::KeepAlive && !response.head.closes() {
            self.kept = Some(Kept { connection, worker: response.header(WORKER_HEADER).map(str::to_owned) });
        }
        self.judge(&response, &token)
    }

    fn send(&self, connection: &mut Connection, token: &str) -> Result<(), Fault> {
        let header = if self.mode == Mode::KeepAlive { "" } else { "Connection: close\r\n" };
        let Question { host, target, .. } = &self.question;
        let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n", target.replace(TOKEN, token));
        if self.mode != Mode::Trickle {
            return connection.try_send(request.as_bytes());
        }
        for piece in request.as_bytes().chunks(request.len().div_ceil(TRICKLE_PIECES)) {
            thread::sleep(TRICKLE_PAUSE);
            connection.try_send(piece)?;
        }
        Ok(())
    }

    /// Whether the answer is the one to this question.
    fn judge(&self, response: &Response, token: &str) -> Result<(), Kind> {
        if response.status() != 200 {
            return Err(Kind::Wrong(format!("status {}", response.status())));
        }
        let right = match &self.question.answer {
            Some(answer) => response.text() == answer.replace(TOKEN, token),
            None => !self.question.target.contains(TOKEN) || response.text().contains(token),
        };
        if right { Ok(()) } else { Err(Kind::Wrong("not the answer to this question".to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::anomaly::counts;

    /// A server that treats each of its connections as one of these functions does, and is then gone.
    fn naughty(scripts: &'static [fn(TcpStream)]) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        thread::spawn(move || scripts.iter().for_each(|script| script(listener.accept().unwrap().0)));
        address
    }

    /// Reads a request and gives its token.
    fn token(stream: &mut TcpStream) -> String {
        let mut room = [0; 1000];
        let length = stream.read(&mut room).unwrap();
        String::from_utf8_lossy(&room[..length]).split(['?', ' ']).nth(2).unwrap().to_owned()
    }

    fn answer(stream: &mut TcpStream, body: &str) {
        write!(stream, "HTTP/1.1 200 OK\r\nX-Worker: 7\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    fn answers_once(mut stream: TcpStream) {
        let token = token(&mut stream);
        answer(&mut stream, &format!("token={token}"));
        token_of_next(&mut stream);
    }

    /// The next request is read, so that closing is no reset.
    fn token_of_next(stream: &mut TcpStream) {
        let _ = stream.read(&mut [0; 1000]);
    }

    #[test]
    fn every_kind_is_counted() {
        let address = naughty(&[
            answers_once,
            |mut stream| _ = token(&mut stream),
            |stream| {
                // Closed with the request unread: a reset.
                while stream.peek(&mut [0; 10]).unwrap() == 0 {}
            },
            |mut stream| {
                token(&mut stream);
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
            },
            |mut stream| {
                token(&mut stream);
                write!(stream, "HTTP/1.1 2").unwrap();
            },
            |mut stream| {
                token(&mut stream);
                answer(&mut stream, "token=of another");
                token_of_next(&mut stream);
            },
            |mut stream| {
                token(&mut stream);
                write!(stream, "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
            },
        ]);
        let load = Load::start(&address, &[Mode::KeepAlive]);
        while !load.tally().anomalies.iter().any(|anomaly| anomaly.kind == Kind::Refused) {
            thread::yield_now();
        }
        let tally = load.finish();
        assert_eq!((tally.right, tally.anomalies[0].worker.as_deref()), (1, Some("7")));
        let mut counts = counts(&tally.anomalies);
        assert!(counts.remove(&Kind::Refused) >= Some(1));
        let told: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        assert_eq!(
            told,
            [
                "1 reset on a fresh connection",
                "1 closed without a byte on a fresh connection",
                "2 closed without a byte on a reused connection",
                "2 truncated",
                "1 wrong: not the answer to this question",
                "1 wrong: status 503",
            ]
        );
    }
}
