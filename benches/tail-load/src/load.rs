//! Sends what is due on a number of keep-alive connections, one thread each. A request that finds all of them busy waits for
//! one, and that wait is part of its latency: a load that slowed down with the server would not see its worst moments.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use strict_client::connection::{Address, Connection};
use strict_client::http::Fault;

use crate::plan::Due;

/// How long an answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// Where to ask, and what.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    pub(crate) address: Address,
    pub(crate) fast: String,
    pub(crate) slow: String,
}

/// What has become of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) due: Due,
    /// From the moment at which it was due to the end of its answer; `None`: there was no good answer.
    pub(crate) latency: Option<Duration>,
    /// A connection was opened for it.
    pub(crate) opened: bool,
}

/// What a client is told to do.
#[derive(Clone, Copy, Debug)]
enum Order {
    Ask { due: Due, at: Instant },
    Leave,
}

/// Who has nothing to do, and what nobody has begun yet.
#[derive(Default)]
struct Counter {
    /// Those who have waited longest come first, so that all connections are used.
    idle: VecDeque<Sender<Order>>,
    waiting: VecDeque<Order>,
}

/// The connections, which stay from one load to the next.
pub(crate) struct Clients {
    counter: Arc<Mutex<Counter>>,
    outcomes: Receiver<Outcome>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// So many of them, with nothing to do.
    pub(crate) fn hire(targets: &Targets, connections: usize) -> Self {
        let counter = Arc::new(Mutex::new(Counter::default()));
        let (told, outcomes) = channel();
        let hire = |_| {
            let (itself, orders) = channel();
            lock(&counter).idle.push_back(itself.clone());
            let client = Client {
                targets: targets.clone(),
                connection: None,
                counter: Arc::clone(&counter),
                itself,
                told: told.clone(),
            };
            thread::spawn(move || client.work(&orders))
        };
        let threads = (0..connections).map(hire).collect();
        Self { counter, outcomes, threads }
    }

    /// Asks what is due, when it is due, and waits until all of it is answered.
    pub(crate) fn ask(&self, due: &[Due]) -> Vec<Outcome> {
        let begin = Instant::now();
        for due in due {
            let at = begin + due.at;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let order = Order::Ask { due: *due, at };
            let mut counter = lock(&self.counter);
            match counter.idle.pop_front() {
                Some(client) => client.send(order).expect("a client works until it is told to leave"),
                None => counter.waiting.push_back(order),
            }
        }
        self.outcomes.iter().take(due.len()).collect()
    }

    /// To be called when all is answered: all are idle then.
    pub(crate) fn dismiss(self) {
        for client in lock(&self.counter).idle.drain(..) {
            client.send(Order::Leave).expect("a client works until it is told to leave");
        }
        for thread in self.threads {
            thread.join().expect("a client does not panic");
        }
    }
}

fn lock(counter: &Mutex<Counter>) -> MutexGuard<'_, Counter> {
    counter.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    targets: Targets,
    connection: Option<Connection>,
    counter: Arc<Mutex<Counter>>,
    itself: Sender<Order>,
    told: Sender<Outcome>,
}

impl Client {
    fn work(mut self, orders: &Receiver<Order>) {
        while let Ok(Order::Ask { due, at }) = orders.recv() {
            let mut outcome = self.ask(due, at);
            while let Some(Order::Ask { due, at }) = self.next_or_idle() {
                self.tell(outcome);
                outcome = self.ask(due, at);
            }
            // Only now: who has heard of all outcomes finds all clients idle.
            self.tell(outcome);
        }
    }

    fn tell(&self, outcome: Outcome) {
        self.told.send(outcome).expect("outcomes are heard until all clients have left");
    }

    /// Takes what waits, or says that there is nothing to do.
    fn next_or_idle(&self) -> Option<Order> {
        let mut counter = lock(&self.counter);
        let next = counter.waiting.pop_front();
        if next.is_none() {
            counter.idle.push_back(self.itself.clone());
        }
        next
    }

    fn ask(&mut self, due: Due, at: Instant) -> Outcome {
        let opened = self.connection.is_none();
        let latency = self.exchange(due.slow).ok().map(|()| at.elapsed());
        Outcome { due, latency, opened }
    }

    /// One request and its answer, on the connection that the last one has left.
    fn exchange(&mut self, slow: bool) -> Result<(), Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.targets.address)?,
        };
        connection.patience(ANSWER_PATIENCE);
        let target = if slow { &self.targets.slow } else { &self.targets.fast };
        connection.try_send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        let response = connection.try_response_to("GET")?;
        if response.status() != 200 {
            return Err(Fault::Garbled(format!("status {}", response.status())));
        }
        if !response.head.closes() {
            self.connection = Some(connection);
        }
        Ok(())
    }
}
