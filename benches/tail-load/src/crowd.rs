//! Clients that want nothing yet: connections that have had an answer and stay, and others that send a request byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use strict_client::connection::{Address, Connection};
use strict_client::http::Fault;

/// Between two bytes of a slow request.
const BYTE_PAUSE: Duration = Duration::from_secs(1);

/// Open for as long as this is kept.
pub(crate) struct Crowd {
    idle: Vec<Connection>,
    over: Arc<AtomicBool>,
    dribblers: Option<JoinHandle<usize>>,
}

impl Crowd {
    /// Opens so many connections; each of `idle` gets one answer from `target`.
    pub(crate) fn gather(address: &Address, target: &str, idle: usize, dribbling: usize) -> Result<Self, Fault> {
        let one = |_| {
            let mut connection = Connection::open(address)?;
            connection.try_send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
            connection.try_response_to("GET").map(|_| connection)
        };
        let idle = (0..idle).map(one).collect::<Result<_, _>>()?;
        let slow = (0..dribbling).map(|_| {
            let mut connection = Connection::open(address)?;
            connection.try_send(b"GET / HTTP/1.1\r\nX-Slow: ")?;
            Ok(connection)
        });
        let slow = slow.collect::<Result<Vec<_>, Fault>>()?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let dribblers = Some(thread::spawn(move || dribble(slow, &told)));
        Ok(Self { idle, over, dribblers })
    }

    /// Ends it; how many of its connections the server had kept to the end.
    pub(crate) fn dismiss(mut self, target: &str) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let dribbling = self.dribblers.take().map_or(0, |thread| thread.join().expect("sending a byte does not panic"));
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answers = |connection: &mut Connection| {
            connection.try_send(request.as_bytes()).and_then(|()| connection.try_response_to("GET")).is_ok()
        };
        dribbling + self.idle.iter_mut().map(answers).filter(|answered| *answered).count()
    }
}

/// Each at its own moment within the pause, as clients that know nothing of each other; all at once would be a burst, in which
/// it is the sender that keeps the machine busy.
fn dribble(mut slow: Vec<Connection>, over: &AtomicBool) -> usize {
    while !over.load(Ordering::Relaxed) && !slow.is_empty() {
        let gap = BYTE_PAUSE / slow.len() as u32;
        slow.retain_mut(|connection| {
            thread::sleep(gap);
            connection.try_send(b"x").is_ok()
        });
    }
    slow.len()
}
