//! The connections that could be served by another worker, and the lookout's duty to see to it: when a request arrives on one
//! of them while the main thread is in a long call, the connection goes to the queue that all workers share. Where the calls are
//! those of threads the main thread sees to it itself.
//!
//! Between two requests nothing belongs to a connection but its socket, so there is nothing to hand over but a descriptor. The
//! queue keeps it until a worker is idle, be it this one. Where many wait at every worker none will be idle: there is more to do than
//! all can do, and nearly everybody is served soonest where he is. Then there are few at a time in the queue, so that a call for which
//! many wait sends away only as many as the others have turns for meanwhile.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferricorn_telemetry::scoreboard::SlotWriter;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::descriptor;
use ferricorn_unix::epoll::Watched;

use crate::arrival;
use crate::lookout::{Duty, LongCall, MAIN_THREAD, Posts};
use crate::pace::LONG_CALL;
use crate::standing::{Claim, Standing};

/// So many connections for each worker may wait in the queue.
const WAITING: usize = 16;
/// The same where so many others wait at each worker that none of them will be idle soon.
const WAITING_IN_CROWD: usize = 1;
const CROWD: usize = 16;
/// What the kernel counts for one.
const MESSAGE: usize = 768;

/// See the module.
#[derive(Debug)]
pub(crate) struct Roster {
    /// The end of the queue that takes.
    queue: Channel,
    workers: usize,
    /// Where the workers show how many wait at each.
    slot: Arc<SlotWriter>,
    /// With so many connections the worker is full, and others may be, too: then everybody stays where they are.
    most: usize,
    /// Held for moments, and while one connection is passed on.
    books: Mutex<Books>,
    /// There is something in `passed`.
    has_passed: AtomicBool,
}

#[derive(Debug, Default)]
struct Books {
    entries: HashMap<u64, Entry>,
    /// Connections that another worker has or will have, and that the main thread does not know of yet.
    passed: Vec<u64>,
    /// Nothing is passed on any more.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    standing: Arc<Standing>,
    /// The lookout waits for it, with those. A worker whose calls are short has none of these.
    watched: Option<Arc<Watched>>,
}

/// The main thread's side.
impl Roster {
    pub(crate) fn new(queue: Channel, slot: Arc<SlotWriter>, workers: usize, most: usize) -> Self {
        Self { queue, workers, slot, most, books: Mutex::default(), has_passed: AtomicBool::new(false) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, standing: Arc<Standing>) {
        self.books().entries.insert(standing.number, Entry { standing, watched: None });
    }

    pub(crate) fn strike(&self, number: u64) {
        self.books().entries.remove(&number);
    }

    /// Nothing is passed on after this.
    pub(crate) fn close(&self) {
        self.books().closed = true;
    }

    /// Those that are to be forgotten: another worker has them.
    pub(crate) fn take_passed(&self) -> Vec<u64> {
        if !self.has_passed.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut self.books().passed)
    }

    /// Whether the main thread may read.
    pub(crate) fn claim(&self, standing: &Standing) -> bool {
        loop {
            match standing.claim() {
                Claim::Granted => return true,
                Claim::Passed => return false,
                // The lookout has the books until it is through with this connection.
                Claim::Pending => drop(self.books()),
            }
        }
    }

    /// Passes a connection on if it is offered and has a request. Says whether it did: not one that has ended, and not while many
    /// others wait to be taken.
    pub(crate) fn pass_on(&self, standing: &Standing) -> io::Result<bool> {
        if !self.has_room()? {
            return Ok(false);
        }
        self.pass_on_with(&mut self.books(), standing)
    }

    /// Whether somebody waits in the queue, whichever worker has passed him on. If it cannot be asked, whoever does is let in when
    /// the worker is idle, or at a tick.
    pub(crate) fn has_passed_on(&self) -> bool {
        self.queue.has_unread().unwrap_or(false)
    }
}

/// The lookout's side.
impl Roster {
    fn watch_new(&self, watched: &Arc<Watched>) -> io::Result<()> {
        for (number, entry) in self.books().entries.iter_mut().filter(|(_, entry)| entry.watched.is_none()) {
            watched.add(entry.standing.connection.socket.as_fd(), *number)?;
            entry.watched = Some(Arc::clone(watched));
        }
        Ok(())
    }

    fn pass_on_watched(&self, number: u64) -> io::Result<()> {
        let mut books = self.books();
        let Some(standing) = books.entries.get(&number).map(|entry| Arc::clone(&entry.standing)) else { return Ok(()) };
        self.pass_on_with(&mut books, &standing).map(drop)
    }
}

/// Both sides'.
impl Roster {
    /// Whether what was passed on has been taken, but for a few.
    fn has_room(&self) -> io::Result<bool> {
        let crowded = !self.slot.another_has_line_below(CROWD);
        let waiting = if crowded { WAITING_IN_CROWD } else { WAITING };
        Ok(self.queue.unread()? < self.workers * waiting * MESSAGE)
    }

    fn pass_on_with(&self, books: &mut Books, standing: &Standing) -> io::Result<bool> {
        if books.closed || books.entries.len() >= self.most || !standing.hold() {
            return Ok(false);
        }
        let socket = standing.connection.socket.as_fd();
        let sent = self.send(standing, socket);
        let passed = matches!(sent, Ok(true));
        standing.release(passed);
        if passed {
            books.passed.push(standing.number);
            self.has_passed.store(true, Ordering::Relaxed);
            if let Some(watched) = books.entries.remove(&standing.number).and_then(|entry| entry.watched) {
                // It lives on with others: it would be watched for ever.
                watched.remove(socket)?;
            }
        }
        sent
    }

    fn send(&self, standing: &Standing, socket: BorrowedFd<'_>) -> io::Result<bool> {
        match descriptor::peek(socket, &mut [0]) {
            Ok(0) => Ok(false),
            Ok(_) => self.queue.try_send(&arrival::describe(standing)?, &[socket]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The duty.
pub(crate) struct Patrol {
    roster: Arc<Roster>,
    posts: Arc<Posts>,
    watched: Arc<Watched>,
    /// The long call that goes on.
    call: Option<Duration>,
    /// Connections on which something has arrived, in the order of that; those come first for which there was no room.
    ready: VecDeque<u64>,
}

/// What the queue is watched as: somebody has taken something. No connection ever has this number.
const TAKEN: u64 = u64::MAX;

impl Patrol {
    pub(crate) fn new(roster: Arc<Roster>, posts: Arc<Posts>) -> io::Result<Self> {
        let watched = Watched::none()?;
        watched.add_taken(roster.queue.as_fd(), TAKEN)?;
        Ok(Self { roster, posts, watched: Arc::new(watched), call: None, ready: VecDeque::new() })
    }

    fn goes_on(&self) -> bool {
        self.call.is_some() && self.posts.call(MAIN_THREAD) == self.call
    }

    /// Passes on what has a request, and what gets one within this time.
    fn pass_on(&mut self, limit: Duration) {
        let arrived = self.watched.wait(limit).unwrap_or_else(|error| {
            log::error!("Cannot wait for requests of others during a long call: {error}");
            std::thread::sleep(limit);
            Vec::new()
        });
        for number in arrived.into_iter().filter(|number| *number != TAKEN) {
            if !self.ready.contains(&number) {
                self.ready.push_back(number);
            }
        }
        if let Err(error) = self.pass_on_ready() {
            log::debug!("A connection was not passed on to another worker: {error}");
        }
    }

    fn pass_on_ready(&mut self) -> io::Result<()> {
        while self.goes_on() && !self.ready.is_empty() && self.roster.has_room()? {
            if let Some(number) = self.ready.pop_front() {
                self.roster.pass_on_watched(number)?;
            }
        }
        Ok(())
    }
}

impl Duty for Patrol {
    fn after(&self) -> Duration {
        LONG_CALL
    }

    fn attend(&mut self, call: &LongCall<'_>) -> Option<Duration> {
        self.call = Some(call.began);
        if let Err(error) = self.roster.watch_new(&self.watched) {
            log::error!("Cannot watch connections during a long call: {error}");
        }
        self.pass_on(Duration::ZERO);
        Some(LONG_CALL)
    }

    fn wait(&mut self, pause: Duration) -> bool {
        let goes_on = self.goes_on();
        if goes_on {
            self.pass_on(pause);
        }
        goes_on
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::net::UnixStream;

    use ferricorn_telemetry::scoreboard::{Scoreboard, Slot};

    use super::*;
    use crate::standing::tests::standing_of;

    const WORKERS: usize = 2;

    /// Those of two workers of one server.
    pub(crate) fn seats() -> [SlotWriter; WORKERS] {
        let board = Scoreboard::create(WORKERS as u32).unwrap();
        [0, 1].map(|slot| {
            board.clear(Slot(slot));
            Scoreboard::map(board.as_fd().try_clone_to_owned().unwrap()).unwrap().seat(Slot(slot))
        })
    }

    /// Of a worker beside which there is none that shows itself.
    pub(crate) fn roster(queue: Channel) -> Roster {
        let [slot, _] = seats();
        Roster::new(queue, Arc::new(slot), WORKERS, 100)
    }

    #[test]
    fn few_are_passed_on_where_a_crowd_waits_everywhere() {
        let (give, _take) = Channel::pair().unwrap();
        let [slot, other] = seats();
        other.show_clients(Some(100));
        other.show_line(CROWD);
        let roster = Roster::new(give, Arc::new(slot), WORKERS, 100);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let pass_on_while_there_is_room = || {
            (0..).find(|_| {
                let message = arrival::describe(&standing_of(ours.try_clone().unwrap())).unwrap();
                !roster.has_room().unwrap() || !roster.queue.try_send(&message, &[ours.as_fd()]).unwrap()
            })
        };
        assert_eq!(pass_on_while_there_is_room(), Some(WORKERS * WAITING_IN_CROWD));
        other.show_line(CROWD - 1);
        let more = WORKERS * (WAITING - WAITING_IN_CROWD);
        assert_eq!(pass_on_while_there_is_room(), Some(more));
    }

    #[test]
    fn what_the_main_thread_has_passed_on_is_not_watched_any_more() {
        let (give, _take) = Channel::pair().unwrap();
        let roster = Arc::new(roster(give));
        let mut patrol = Patrol::new(Arc::clone(&roster), Posts::new(1, false)).unwrap();
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let standing = Arc::new(standing_of(ours));
        roster.enter(Arc::clone(&standing));
        roster.watch_new(&patrol.watched).unwrap();
        standing.offer();
        io::Write::write_all(&mut theirs, b"GET").unwrap();
        assert!(roster.pass_on(&standing).unwrap());
        assert_eq!(roster.take_passed(), [0]);
        patrol.pass_on(Duration::ZERO);
        assert!(patrol.ready.is_empty(), "it is another worker's");
    }
}
