//! Lends connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{fmt, mem};

use deadpool::Runtime;
use deadpool::managed::{self, Object, PoolConfig, PoolError, QueueMode, TimeoutType, Timeouts};
use futures_util::future::join_all;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::canceller::Canceller;
use crate::connection::{Connection, Connector};
use crate::failure::{Exhausted, Failure};
use crate::keeper;
use crate::lease::Lease;
use crate::measures::Measured;
use crate::options::Options;
use crate::room::Room;
use crate::server;

/// A line of source code: where a connection was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// How a pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Open connections.
    pub size: usize,
    /// How many there may be.
    pub max_size: usize,
    /// Connections of this pool that nobody has.
    pub idle: usize,
    /// Connections that are lent, by all pools that share the allowance.
    pub lent: usize,
    /// Those who wait for one.
    pub waiting: usize,
    /// Loans so far.
    pub leases: u64,
    /// Attempts that failed: no connection could be made, or none became free.
    pub failures: u64,
}

/// Connections to one database, on one runtime. To clone it is to share it.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Arc<Options>,
    connections: managed::Pool<Connector>,
    /// Shared by all pools of this process to the same database: together they lend as many as one may.
    allowance: Arc<Semaphore>,
    books: Arc<Books>,
    /// Somebody looks after it.
    kept: AtomicBool,
}

/// A pool that may be gone.
#[derive(Clone, Debug)]
pub(crate) struct WeakPool(Weak<Inner>);

impl WeakPool {
    pub(crate) fn upgrade(&self) -> Option<Pool> {
        self.0.upgrade().map(Pool)
    }
}

/// A connection that is out.
#[derive(Debug)]
struct Loan {
    since: Instant,
    place: Place,
    canceller: Canceller,
}

/// Who has what, over all pools that share an allowance.
#[derive(Debug, Default)]
pub(crate) struct Books {
    out: Mutex<BTreeMap<u64, Loan>>,
    leases: AtomicU64,
    failures: AtomicU64,
    waiting: AtomicU64,
    /// A connection has come back.
    returned: Notify,
}

impl Books {
    fn out(&self) -> MutexGuard<'_, BTreeMap<u64, Loan>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self, place: Place, canceller: Canceller) -> u64 {
        let number = self.leases.fetch_add(1, Ordering::Relaxed);
        self.out().insert(number, Loan { since: Instant::now(), place, canceller });
        number
    }

    /// A loan has ended: where it was taken.
    pub(crate) fn take_back(&self, number: u64) -> Option<Place> {
        let loan = self.out().remove(&number);
        self.returned.notify_one();
        loan.map(|loan| loan.place)
    }

    fn longest(&self) -> Option<(Duration, Place)> {
        let out = self.out();
        out.values().next().map(|loan| (loan.since.elapsed(), loan.place.clone()))
    }
}

impl Pool {
    /// A pool that has no connection yet.
    pub fn new(options: Options) -> Self {
        let allowance = Arc::new(Semaphore::new(options.pool_max));
        let room = Arc::new(Room::new(options.pool_max));
        if options.monitored
            && let Some(board) = server::board()
        {
            board.watch();
        }
        let (options, measures, outage) = (Arc::new(options), Arc::default(), Arc::default());
        let connector = Connector { options, measures, outage, room };
        Self::build(connector, allowance, Arc::default())
    }

    /// Another pool to the same database for another runtime of this process; together they have no more connections than one.
    pub fn sibling(&self) -> Self {
        let connector = self.0.connections.manager().clone();
        Self::build(connector, Arc::clone(&self.0.allowance), Arc::clone(&self.0.books))
    }

    fn build(connector: Connector, allowance: Arc<Semaphore>, books: Arc<Books>) -> Self {
        let (options, room) = (Arc::clone(&connector.options), Arc::clone(&connector.room));
        let configuration = PoolConfig {
            max_size: options.pool_max,
            timeouts: Timeouts { wait: None, create: None, recycle: None },
            queue_mode: QueueMode::Lifo,
        };
        let builder = managed::Pool::builder(connector).config(configuration);
        #[expect(clippy::expect_used, reason = "fails only where timeouts are set and no runtime is")]
        let connections = builder.runtime(Runtime::Tokio1).build().expect("a runtime is named");
        let pool = Self(Arc::new(Inner { options, connections, allowance, books, kept: AtomicBool::new(false) }));
        room.admit(WeakPool(Arc::downgrade(&pool.0)));
        pool
    }

    /// What it is made from.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Lends a connection, which is back when the lease is dropped. `place` is where the borrower is.
    pub async fn lease(&self, place: Place) -> Result<Lease, Failure> {
        let inner = &self.0;
        let began = Instant::now();
        let allowance = self.admit().await?;
        match self.get().await {
            Ok(connection) => {
                inner.connections.manager().measures.acquired(began.elapsed());
                let canceller = Canceller::of(&connection);
                let number = inner.books.lend(place, canceller.clone());
                Ok(Lease::new(connection, allowance, Arc::clone(&inner.books), number, canceller))
            }
            Err(failure) => {
                inner.books.failures.fetch_add(1, Ordering::Relaxed);
                Err(failure)
            }
        }
    }

    /// A connection that nobody has, or a new one. Where all workers together may have no more, waits for whichever comes
    /// first: one of ours that is given back, or room for another.
    async fn get(&self) -> Result<Lent, Failure> {
        let began = Instant::now();
        loop {
            let limit = match self.0.connections.get().await {
                Ok(connection) => return Ok(connection),
                Err(PoolError::Backend(Failure::OverLimit { limit, .. })) => limit,
                Err(PoolError::Backend(failure)) => return Err(failure),
                Err(PoolError::Timeout(TimeoutType::Wait)) => return Err(self.exhausted(Duration::ZERO)),
                Err(other) => return Err(Failure::Unusable(other.to_string())),
            };
            let waited = began.elapsed();
            if waited >= self.0.options.pool_timeout {
                note_timeout();
                return Err(Failure::OverLimit { waited, limit });
            }
            // Which of the two it was shows in the next round.
            let _ = timeout(server::pause(), self.0.books.returned.notified()).await;
        }
    }

    async fn admit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let inner = &self.0;
        if let Ok(permit) = Arc::clone(&inner.allowance).try_acquire_owned() {
            return Ok(permit);
        }
        let began = Instant::now();
        let others = inner.books.waiting.fetch_add(1, Ordering::Relaxed);
        if let Some(board) = server::board() {
            board.waits(others + 1);
        }
        let waited = timeout(inner.options.pool_timeout, Arc::clone(&inner.allowance).acquire_owned()).await;
        inner.books.waiting.fetch_sub(1, Ordering::Relaxed);
        match waited {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                inner.books.failures.fetch_add(1, Ordering::Relaxed);
                note_timeout();
                Err(self.exhausted(began.elapsed()))
            }
        }
    }

    fn exhausted(&self, waited: Duration) -> Failure {
        let books = &self.0.books;
        Failure::Exhausted(Box::new(Exhausted {
            waited,
            size: self.0.connections.status().size,
            max_size: self.0.options.pool_max,
            waiting: books.waiting.load(Ordering::Relaxed) as usize,
            longest: books.longest(),
        }))
    }

    /// From now on somebody looks after it, on the runtime that this is called on: connections are kept warm, and closed
    /// when nobody needs them.
    pub fn keep(&self) {
        if !self.0.kept.swap(true, Ordering::Relaxed) {
            tokio::spawn(keeper::run(WeakPool(Arc::downgrade(&self.0))));
        }
    }

    /// Whether somebody does already.
    pub fn is_kept(&self) -> bool {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to connect did not fail, if there was one.
    pub(crate) fn answers(&self) -> bool {
        self.0.books.leases.load(Ordering::Relaxed) > 0 && !self.0.connections.manager().outage.is_on()
    }

    /// Closes so many connections that nobody has used for this long.
    pub(crate) fn close_idle(&self, count: usize, unused: Duration) {
        let mut left = count;
        self.0.connections.retain(|connection, _| {
            let close = left > 0 && connection.rested() >= unused;
            left -= usize::from(close);
            !close
        });
    }

    /// Ends a connection that nobody has, for another pool of the process; says whether there was one.
    pub(crate) fn cut_idle(&self) -> bool {
        let mut found = false;
        self.0.connections.retain(|connection, _| {
            let close = !mem::replace(&mut found, true);
            if close {
                connection.cut();
            }
            !close
        });
        found
    }

    /// Opens connections until there are as many as are to be kept, or as many as there may be.
    pub async fn warm(&self) {
        let mut held: Vec<Object<Connector>> = Vec::new();
        let Ok(count) = u32::try_from(self.0.options.pool_min) else { return };
        // What others may want meanwhile is not taken from them.
        let Ok(_allowance) = Arc::clone(&self.0.allowance).try_acquire_many_owned(count) else { return };
        let room = &self.0.connections.manager().room;
        let may = || room.has_place() && server::board().is_none_or(server::Board::has_room);
        while self.0.connections.status().size < self.0.options.pool_min && may() {
            match self.0.connections.get().await {
                Ok(connection) => held.push(connection),
                Err(_) => return,
            }
        }
    }

    /// Ends every statement that runs on a connection that is out: their process is about to end.
    pub async fn cancel_all(&self) {
        let cancellers: Vec<_> = self.0.books.out().values().map(|loan| loan.canceller.clone()).collect();
        let cancelled = cancellers.iter().map(Canceller::cancel);
        for failure in join_all(cancelled).await.into_iter().filter_map(Result::err) {
            log::debug!("A statement was not cancelled: {failure}");
        }
    }

    /// How long connections were waited for and statements took so far, in all pools of this process to the same database.
    pub fn measured(&self) -> Measured {
        self.0.connections.manager().measures.read()
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let status = self.0.connections.status();
        let books = &self.0.books;
        let lent = self.0.options.pool_max - self.0.allowance.available_permits();
        Status {
            size: status.size,
            max_size: self.0.options.pool_max,
            idle: status.available,
            lent,
            waiting: books.waiting.load(Ordering::Relaxed) as usize,
            leases: books.leases.load(Ordering::Relaxed),
            failures: books.failures.load(Ordering::Relaxed),
        }
    }
}

/// A connection was waited for in vain.
fn note_timeout() {
    if let Some(board) = server::board() {
        board.timed_out();
    }
}

/// What deadpool lends.
pub(crate) type Lent = Object<Connector>;

/// Takes a connection out of its pool for good; it ends when it is dropped.
pub(crate) fn retire(lent: Lent) -> Box<Connection> {
    Object::take(lent)
}
