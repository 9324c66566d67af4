//! What the server that this process is a worker of has to say about connections: a common limit, and a place to show how
//! the pool is. Outside a server nobody has anything to say.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::time::Duration;

use crate::failure::Failure;
use crate::pool::Status;

/// How long another try for one of the server's connections has to wait, in milliseconds. Two that try at once both find no
/// room: they must not try at once again.
const RETRY: RangeInclusive<u64> = 20..=35;

/// Shared by all workers of a server.
pub trait Board: Send + Sync + Debug {
    /// Counts one more connection of this worker's, if there may be one more; else says to the others that one is wanted.
    fn admit(&self) -> bool;
    /// Whether there may be one more. Says nothing to anybody.
    fn has_room(&self) -> bool;
    /// One less.
    fn leave(&self);
    /// Whether another worker is in want of a connection.
    fn is_wanted(&self) -> bool;
    /// Whether another worker has less than its share and wants a connection, and this one has more than its own.
    fn must_yield(&self) -> bool;
    /// How the pool is.
    fn show(&self, status: Status);
    /// The server's log is to say how its pools do.
    fn watch(&self);
    /// So many wait for a connection now.
    fn waits(&self, number: u64);
    /// Somebody has waited for one in vain.
    fn timed_out(&self);
    /// A connection was waited for so long.
    fn acquired(&self, waited: Duration);
    /// A statement took so long.
    fn ran(&self, took: Duration, failed: bool);
    /// Whether this is the first worker that looks at the database's own limits.
    fn looks_first(&self) -> bool;
}

/// A worker's part in a server.
#[derive(Debug)]
pub struct Part {
    /// Where the workers meet.
    pub board: Box<dyn Board>,
    /// How many connections all workers together may have, if that is limited.
    pub limit: Option<u64>,
    /// How many workers there are.
    pub workers: u64,
}

static PART: OnceLock<Part> = OnceLock::new();
static FILE: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Takes this process's part in a server. The first is the only one.
pub fn join(part: Part) {
    // A worker is born once.
    let _ = PART.set(part);
}

/// Keeps what the server's configuration says of the pool, for this process and its forks.
pub fn keep_file(file: BTreeMap<String, String>) {
    // A mold has one configuration.
    let _ = FILE.set(file);
}

/// What the server's configuration says of the pool.
pub fn file() -> &'static BTreeMap<String, String> {
    FILE.get_or_init(BTreeMap::new)
}

pub(crate) fn part() -> Option<&'static Part> {
    PART.get()
}

pub(crate) fn board() -> Option<&'static dyn Board> {
    PART.get().map(|part| &*part.board)
}

/// One of the connections that the server may have.
#[derive(Debug)]
pub(crate) struct Permit(());

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(board) = board() {
            board.leave();
        }
    }
}

/// Takes one of the connections that the server may have, if one is left.
pub(crate) fn admit() -> Result<Permit, Failure> {
    match part() {
        Some(part) if !part.board.admit() => {
            Err(Failure::OverLimit { waited: Duration::ZERO, limit: part.limit.unwrap_or_default() })
        }
        _ => Ok(Permit(())),
    }
}

/// How long to wait before the next try.
pub(crate) fn pause() -> Duration {
    Duration::from_millis(fastrand::u64(RETRY))
}
