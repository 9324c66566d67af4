//! Who may read from a connection: the main thread, or, between two requests, the lookout, which passes it on to another
//! worker. One word decides.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use ferricorn_application::Connection;
use ferricorn_unix::{descriptor, tcp};

/// The main thread reads, or there is more to it than the socket.
const OURS: u8 = 0;
/// There is nothing to it but the socket, and whoever comes first may have it.
const OFFERED: u8 = 1;
/// Somebody is about to pass it on: the lookout, or, if it makes no calls, the main thread.
const HELD: u8 = 2;
/// Another worker has it.
const PASSED: u8 = 3;

/// Since when a request waits: there is none.
const NOBODY: u64 = 0;
/// The same of a new connection, of which the first may have been there before it was accepted.
const FIRST: u64 = u64::MAX;

/// What the main thread learns when it wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It may.
    Granted,
    /// That will be known in a moment.
    Pending,
    /// Never again.
    Passed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Standing {
    word: AtomicU8,
    /// Since when its request waits to be read, in microseconds of the monotonic clock; or `NOBODY` or `FIRST`.
    since: AtomicU64,
    /// The connection's number in this worker.
    pub(crate) number: u64,
    pub(crate) connection: Arc<Connection>,
    /// The number of the listener that it came from.
    pub(crate) listener: usize,
}

impl Standing {
    /// `since`: its request has waited at another worker since then, by the monotonic clock.
    pub(crate) fn new(number: u64, connection: Arc<Connection>, listener: usize, since: Option<Duration>) -> Self {
        let since = AtomicU64::new(since.map_or(FIRST, in_microseconds));
        Self { word: AtomicU8::new(OURS), since, number, connection, listener }
    }

    /// Since when its request waits to be read.
    pub(crate) fn waits_since(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        (since != NOBODY && since != FIRST).then(|| Duration::from_micros(since))
    }

    /// Its request is here and has to wait. Says since when it does: it may have been here before its connection was accepted.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        self.waits_since().unwrap_or_else(|| {
            let is_first = self.since.load(Ordering::Relaxed) == FIRST;
            let since = if is_first { last_heard(now, &self.connection) } else { now };
            self.since.store(in_microseconds(since), Ordering::Relaxed);
            since
        })
    }

    /// The main thread wants to read.
    pub(crate) fn claim(&self) -> Claim {
        let claimed = self.word.compare_exchange(OFFERED, OURS, Ordering::Acquire, Ordering::Acquire);
        match claimed {
            Ok(_) | Err(OURS) => {
                self.since.store(NOBODY, Ordering::Relaxed);
                Claim::Granted
            }
            Err(HELD) => Claim::Pending,
            Err(_) => Claim::Passed,
        }
    }

    /// The main thread has found nothing to read, or does not want to, and has nothing else of this connection. One that was offered
    /// before, and may have been taken, is not offered again by that.
    pub(crate) fn offer(&self) {
        // Any other word stays as it is.
        let _ = self.word.compare_exchange(OURS, OFFERED, Ordering::Release, Ordering::Relaxed);
    }

    /// Whether it is the main thread's no more than anybody's.
    pub(crate) fn is_offered(&self) -> bool {
        self.word.load(Ordering::Relaxed) == OFFERED
    }

    /// Whether something has arrived that nobody has read.
    pub(crate) fn has_unread(&self) -> bool {
        descriptor::has_unread(self.connection.socket.as_fd())
    }

    /// Somebody wants to pass it on.
    pub(crate) fn hold(&self) -> bool {
        self.word.compare_exchange(OFFERED, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// What came of that.
    pub(crate) fn release(&self, passed: bool) {
        self.word.store(if passed { PASSED } else { OFFERED }, Ordering::Release);
    }
}

/// When the client's last byte came, as the kernel tells; of a Unix socket it does not: now.
pub(crate) fn last_heard(now: Duration, connection: &Connection) -> Duration {
    let silence = tcp::silence(connection.socket.as_fd()).unwrap_or_else(|error| {
        log::debug!("Since when a request waits cannot be told: {error}");
        None
    });
    now.saturating_sub(silence.unwrap_or_default())
}

fn in_microseconds(time: Duration) -> u64 {
    time.as_micros() as u64
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use ferricorn_application::Peer;

    use super::*;

    /// Of a connection that leads nowhere.
    pub(crate) fn standing() -> Standing {
        standing_of(File::open("/dev/null").unwrap())
    }

    /// Of a connection that is this socket.
    pub(crate) fn standing_of(socket: impl AsFd + Send + Sync + 'static) -> Standing {
        let (peer, socket) = (Peer::Unix(PathBuf::new()), Box::new(socket));
        let (remote, local) = (peer.clone(), peer);
        let connection = Connection { remote, local, socket, proxied: OnceLock::new(), tls: OnceLock::new() };
        Standing::new(0, Arc::new(connection), 0, None)
    }

    #[test]
    fn what_was_taken_is_not_offered_again() {
        let standing = standing();
        assert!(!standing.hold(), "it has not been offered");
        standing.offer();
        assert!(standing.hold());
        standing.offer();
        assert_eq!(standing.claim(), Claim::Pending);
        standing.release(true);
        standing.offer();
        assert_eq!(standing.claim(), Claim::Passed);
    }

    #[test]
    fn what_could_not_be_passed_on_is_still_there() {
        let standing = standing();
        standing.offer();
        assert!(standing.hold());
        standing.release(false);
        assert!(standing.is_offered());
        assert_eq!(standing.claim(), Claim::Granted);
        assert!(!standing.hold());
    }
}
