//! The scoreboard: shared memory with one fixed slot per worker, written by its worker and read
//! by the master (and by whoever shows how the server is).
//!
//! Every word is an atomic of its own; a reader may see a request's text while it changes, and
//! then sees no text rather than a wrong one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferricorn_unix::clock;
use ferricorn_unix::shared_memory::SharedMemory;

use crate::database::{self, Database};

const HEADER_WORDS: usize = 8;

// Words of the header.
const STOPPING: usize = 0;
const SHARED: usize = 1;
const CONNECTION_WANTED: usize = 2;
const DATABASE_SEEN: usize = 3;
const CONNECTION_NEEDED: usize = 4;
const SLOTS_USED: usize = 5;

const SLOT_WORDS: usize = 96;

// Words of a slot.
const HEARTBEAT: usize = 0;
const REQUESTS: usize = 1;
const CALL_STARTED: usize = 2;
const TEXT_VERSION: usize = 3;
const TEXT_LENGTH: usize = 4;
/// One more than there are open, so long as the worker takes more.
const CLIENTS: usize = 5;
/// When the call began of which the worker has told that it takes too long.
const TOLD: usize = 6;
/// How many of them wait for a call.
const LINE: usize = 7;
const DATABASE: usize = 8;
const TEXT: usize = DATABASE + database::WORDS;

/// The longest description of a request that a slot keeps, in bytes; longer ones are cut.
pub const LONGEST_TEXT: usize = (SLOT_WORDS - TEXT) * size_of::<u64>();

/// The number of a worker's slot, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// The whole scoreboard.
#[derive(Debug)]
pub struct Scoreboard(SharedMemory);

impl Scoreboard {
    /// Makes a new one with room for this many workers.
    pub fn create(slots: u32) -> io::Result<Self> {
        Ok(Self(SharedMemory::create("ferricorn-scoreboard", HEADER_WORDS + slots as usize * SLOT_WORDS)?))
    }

    /// Maps the one that the master made.
    pub fn map(descriptor: OwnedFd) -> io::Result<Self> {
        Ok(Self(SharedMemory::map(descriptor)?))
    }

    /// How many workers have room.
    pub fn capacity(&self) -> u32 {
        ((self.0.words().len() - HEADER_WORDS) / SLOT_WORDS) as u32
    }

    /// Says to all workers that the whole server stops: who leaves now leaves nobody behind to
    /// take what still waits in the accept queue.
    pub fn announce_stop(&self) {
        self.0.words()[STOPPING].store(1, Ordering::Release);
    }

    /// Whether the whole server stops.
    pub fn is_stopping(&self) -> bool {
        self.0.words()[STOPPING].load(Ordering::Acquire) != 0
    }

    /// Says whether another master serves from the same sockets: then nobody of this server may end one, whatever happens
    /// to its master.
    pub fn share_sockets(&self, shared: bool) {
        self.0.words()[SHARED].store(u64::from(shared), Ordering::Release);
    }

    /// Whether another master serves from the same sockets.
    pub fn shares_sockets(&self) -> bool {
        self.0.words()[SHARED].load(Ordering::Acquire) != 0
    }

    /// Empties a slot for a new worker.
    pub fn clear(&self, slot: Slot) {
        self.0.words()[SLOTS_USED].fetch_max(u64::from(slot.0) + 1, Ordering::Relaxed);
        for word in self.slot(slot) {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// How long ago the worker last showed that it is alive; `None` if it has not yet begun to.
    pub fn silence(&self, slot: Slot) -> Option<Duration> {
        match self.slot(slot)[HEARTBEAT].load(Ordering::Relaxed) {
            0 => None,
            beat => Some(clock::monotonic().saturating_sub(Duration::from_millis(beat))),
        }
    }

    /// How many requests the worker has been given.
    pub fn requests(&self, slot: Slot) -> u64 {
        self.slot(slot)[REQUESTS].load(Ordering::Relaxed)
    }

    /// The request that the worker is in, and for how long: `GET /path`.
    pub fn current_call(&self, slot: Slot) -> Option<(String, Duration)> {
        let words = self.slot(slot);
        let version = words[TEXT_VERSION].load(Ordering::Acquire);
        let started = words[CALL_STARTED].load(Ordering::Relaxed);
        let length = (words[TEXT_LENGTH].load(Ordering::Relaxed) as usize).min(LONGEST_TEXT);
        let mut bytes = Vec::with_capacity(LONGEST_TEXT);
        for word in &words[TEXT..] {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        std::sync::atomic::fence(Ordering::Acquire);
        if started == 0 || version % 2 == 1 || words[TEXT_VERSION].load(Ordering::Relaxed) != version {
            return None;
        }
        let elapsed = clock::monotonic().saturating_sub(Duration::from_millis(started));
        Some((String::from_utf8_lossy(&bytes[..length]).into_owned(), elapsed))
    }

    /// Whether the worker has told where the call is that it is in.
    pub fn has_told(&self, slot: Slot) -> bool {
        let [told, started] = [TOLD, CALL_STARTED].map(|word| self.slot(slot)[word].load(Ordering::Relaxed));
        started != 0 && told == started
    }

    /// The worker's own handle of its slot's words.
    pub fn seat(self, slot: Slot) -> SlotWriter {
        SlotWriter { board: self, slot }
    }

    /// The worker has ended, and its connections to clients and to the database with it.
    pub fn forget_connections(&self, slot: Slot) {
        self.slot(slot)[CLIENTS].store(0, Ordering::Relaxed);
        self.database(slot).forget();
    }

    /// What a worker does with the database.
    pub fn database(&self, slot: Slot) -> Database<'_> {
        Database::new(&self.slot(slot)[DATABASE..TEXT])
    }

    /// Connections of all workers to the database.
    pub fn connections(&self) -> u64 {
        self.used().map(|slot| self.database(slot).open()).sum()
    }

    /// The slots that any worker has ever had.
    pub fn used(&self) -> impl Iterator<Item = Slot> {
        (0..self.0.words()[SLOTS_USED].load(Ordering::Relaxed) as u32).map(Slot)
    }

    /// A worker wants a connection, and all that there may be are taken. `needed`: it has less than its share.
    pub fn want_connection(&self, needed: bool) {
        let now = milliseconds(clock::monotonic());
        self.0.words()[CONNECTION_WANTED].store(now, Ordering::Relaxed);
        if needed {
            self.0.words()[CONNECTION_NEEDED].store(now, Ordering::Relaxed);
        }
    }

    /// Whether a worker has wanted a connection within this time.
    pub fn connection_is_wanted(&self, within: Duration) -> bool {
        self.was_said(CONNECTION_WANTED, within)
    }

    /// Whether one that has less than its share has.
    pub fn connection_is_needed(&self, within: Duration) -> bool {
        self.was_said(CONNECTION_NEEDED, within)
    }

    fn was_said(&self, word: usize, within: Duration) -> bool {
        let said = Duration::from_millis(self.0.words()[word].load(Ordering::Relaxed));
        !said.is_zero() && clock::monotonic().saturating_sub(said) < within
    }

    /// Whether this is the first worker to look at the database's limits.
    pub fn see_database(&self) -> bool {
        self.0.words()[DATABASE_SEEN].swap(1, Ordering::Relaxed) == 0
    }

    fn slot(&self, slot: Slot) -> &[AtomicU64] {
        let start = HEADER_WORDS + slot.0 as usize * SLOT_WORDS;
        &self.0.words()[start..start + SLOT_WORDS]
    }
}

impl AsFd for Scoreboard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a worker writes about itself.
#[derive(Debug)]
pub struct SlotWriter {
    board: Scoreboard,
    slot: Slot,
}

impl SlotWriter {
    /// Which slot it is.
    pub fn number(&self) -> u32 {
        self.slot.0
    }

    /// Shows that the worker is alive.
    pub fn beat(&self) {
        self.words()[HEARTBEAT].store(milliseconds(clock::monotonic()), Ordering::Relaxed);
    }

    /// A call begins at this moment of the monotonic clock; `method` and `target` say which.
    /// Beats too.
    pub fn begin_call(&self, now: Duration, method: &str, target: &str) {
        self.words()[HEARTBEAT].store(milliseconds(now), Ordering::Relaxed);
        self.show_call(now, method, target);
        self.count_call();
    }

    /// The call to be seen is this one, begun at that moment: for a worker that has several.
    pub fn show_call(&self, began: Duration, method: &str, target: &str) {
        let words = self.words();
        words[TEXT_VERSION].fetch_add(1, Ordering::AcqRel);
        let mut text = [0; LONGEST_TEXT];
        let mut length = 0;
        for part in [method.as_bytes(), b" ", target.as_bytes()] {
            let part = &part[..part.len().min(LONGEST_TEXT - length)];
            text[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        for (word, bytes) in words[TEXT..].iter().zip(text[..length].chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        words[TEXT_LENGTH].store(length as u64, Ordering::Relaxed);
        words[CALL_STARTED].store(milliseconds(began), Ordering::Relaxed);
        words[TEXT_VERSION].fetch_add(1, Ordering::Release);
    }

    /// The worker has been given another request.
    pub fn count_call(&self) {
        let requests = &self.words()[REQUESTS];
        requests.store(requests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The call has returned, and no other is to be seen.
    pub fn end_call(&self) {
        self.words()[CALL_STARTED].store(0, Ordering::Relaxed);
    }

    /// The worker takes connections, and has so many; `None`: it takes no more.
    pub fn show_clients(&self, open: Option<usize>) {
        self.words()[CLIENTS].store(open.map_or(0, |open| open as u64 + 1), Ordering::Relaxed);
    }

    /// So many of the worker's clients wait for a call.
    pub fn show_line(&self, waiting: usize) {
        self.words()[LINE].store(waiting as u64, Ordering::Relaxed);
    }

    /// Whether there is another worker that takes connections and at which fewer than so many wait.
    pub fn another_has_line_below(&self, waiting: usize) -> bool {
        self.board.used().filter(|slot| *slot != self.slot).any(|slot| {
            let [clients, line] = [CLIENTS, LINE].map(|word| self.board.slot(slot)[word].load(Ordering::Relaxed));
            clients > 0 && line < waiting as u64
        })
    }

    /// How many connections that one has which has fewest, of the other workers that take connections and are in no call that began
    /// longer ago than this; `None` if there is none of them.
    pub fn fewest_clients(&self, longest_call: Duration) -> Option<usize> {
        let now = milliseconds(clock::monotonic());
        let of_others = self.board.used().filter(|slot| *slot != self.slot).filter_map(|slot| {
            let words = self.board.slot(slot);
            let [shown, began] = [CLIENTS, CALL_STARTED].map(|word| words[word].load(Ordering::Relaxed));
            let is_held = began > 0 && Duration::from_millis(now.saturating_sub(began)) > longest_call;
            (shown > 0 && !is_held).then(|| shown as usize - 1)
        });
        of_others.min()
    }

    /// The worker has told where its call is, because it takes too long.
    pub fn note_told(&self) {
        let words = self.words();
        words[TOLD].store(words[CALL_STARTED].load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How long ago it last beat; see [`Scoreboard::silence`].
    pub fn silence(&self) -> Option<Duration> {
        self.board.silence(self.slot)
    }

    /// The call that is to be seen; see [`Scoreboard::current_call`].
    pub fn current_call(&self) -> Option<(String, Duration)> {
        self.board.current_call(self.slot)
    }

    /// Whether the whole server stops.
    pub fn server_is_stopping(&self) -> bool {
        self.board.is_stopping()
    }

    /// Whether another master serves from the same sockets.
    pub fn server_shares_sockets(&self) -> bool {
        self.board.shares_sockets()
    }

    fn words(&self) -> &[AtomicU64] {
        self.board.slot(self.slot)
    }
}

/// Never 0, which means "not yet".
fn milliseconds(time: Duration) -> u64 {
    (time.as_millis() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_sees_what_a_worker_does() {
        let board = Scoreboard::create(4).unwrap();
        assert_eq!(board.capacity(), 4);
        let copy = Scoreboard::map(board.as_fd().try_clone_to_owned().unwrap()).unwrap();
        let writer = copy.seat(Slot(3));
        assert_eq!(board.silence(Slot(3)), None);
        writer.begin_call(clock::monotonic(), "GET", "/a/path?with=query");
        assert_eq!(board.current_call(Slot(3)).unwrap().0, "GET /a/path?with=query");
        assert!(board.silence(Slot(3)).unwrap() < Duration::from_secs(60));
        assert!(!board.has_told(Slot(3)));
        writer.note_told();
        assert!(board.has_told(Slot(3)));
        writer.end_call();
        assert_eq!(board.current_call(Slot(3)), None);
        assert!(!board.has_told(Slot(3)));
        assert_eq!((board.requests(Slot(3)), board.requests(Slot(2))), (1, 0));
        board.clear(Slot(3));
        assert_eq!(board.silence(Slot(3)), None);
    }

    /// A worker in a slot that was emptied for it, with a map of its own.
    fn begun(board: &Scoreboard, slot: u32) -> SlotWriter {
        board.clear(Slot(slot));
        Scoreboard::map(board.as_fd().try_clone_to_owned().unwrap()).unwrap().seat(Slot(slot))
    }

    #[test]
    fn workers_know_who_has_fewest_connections() {
        let board = Scoreboard::create(3).unwrap();
        let [first, second, third] = [0, 1, 2].map(|slot| begun(&board, slot));
        let hour = Duration::from_secs(3600);
        let fewest = || first.fewest_clients(hour);
        first.show_clients(Some(2));
        assert_eq!(fewest(), None, "nobody else is there");
        second.show_clients(Some(5));
        third.show_clients(Some(3));
        assert_eq!([&first, &second, &third].map(|worker| worker.fewest_clients(hour)), [Some(3), Some(2), Some(2)]);
        third.begin_call(clock::monotonic(), "GET", "/");
        assert_eq!(fewest(), Some(3));
        third.show_call(clock::monotonic().saturating_sub(2 * hour), "GET", "/");
        assert_eq!(fewest(), Some(5));
        third.end_call();
        assert_eq!(fewest(), Some(3));
        third.show_clients(None);
        assert_eq!(fewest(), Some(5));
        third.show_clients(Some(0));
        assert_eq!(fewest(), Some(0));
        board.forget_connections(Slot(2));
        assert_eq!(fewest(), Some(5));
    }

    #[test]
    fn workers_know_where_few_wait() {
        let board = Scoreboard::create(2).unwrap();
        let [first, second] = [0, 1].map(|slot| begun(&board, slot));
        first.show_clients(Some(9));
        assert!(!first.another_has_line_below(1), "nobody else is there");
        second.show_clients(Some(9));
        assert!(first.another_has_line_below(1));
        second.show_line(3);
        assert!(first.another_has_line_below(4) && !first.another_has_line_below(3));
        second.show_clients(None);
        assert!(!first.another_has_line_below(4), "it takes no more");
    }

    #[test]
    fn long_targets_are_cut() {
        let board = Scoreboard::create(1).unwrap();
        let writer = Scoreboard::map(board.as_fd().try_clone_to_owned().unwrap()).unwrap().seat(Slot(0));
        writer.begin_call(clock::monotonic(), "GET", &"/x".repeat(500));
        assert_eq!(board.current_call(Slot(0)).unwrap().0.len(), LONGEST_TEXT);
    }
}
