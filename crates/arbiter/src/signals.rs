//! Operating-system signals become events here, and nowhere else. The handlers only write to a
//! pipe; what a signal means is decided by the loop, one at a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// Every signal the master handles.
const HANDLED: [i32; 10] = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH];

/// What the operator (or the kernel) asks of the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A child has ended (SIGCHLD).
    ChildEnded,
    /// Reload everything (SIGHUP).
    Reload,
    /// Stop, finishing what is in progress (SIGTERM).
    StopGracefully,
    /// Stop at once (SIGINT or SIGQUIT).
    StopQuickly(&'static str),
    /// One worker more (SIGTTIN).
    MoreWorkers,
    /// One worker less (SIGTTOU).
    FewerWorkers,
    /// Reopen log files (SIGUSR1).
    ReopenLogs,
    /// Binary upgrade (SIGUSR2).
    Upgrade,
    /// The terminal's size changed, or an operator wants no workers (SIGWINCH).
    Winch,
}

impl Event {
    fn from_signal(signal: i32) -> Option<Self> {
        Some(match signal {
            SIGCHLD => Self::ChildEnded,
            SIGHUP => Self::Reload,
            SIGTERM => Self::StopGracefully,
            SIGINT => Self::StopQuickly("int"),
            SIGQUIT => Self::StopQuickly("quit"),
            SIGTTIN => Self::MoreWorkers,
            SIGTTOU => Self::FewerWorkers,
            SIGUSR1 => Self::ReopenLogs,
            SIGUSR2 => Self::Upgrade,
            SIGWINCH => Self::Winch,
            _ => return None,
        })
    }

    /// The signal's name as log lines give it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChildEnded => "chld",
            Self::Reload => "hup",
            Self::StopGracefully => "term",
            Self::StopQuickly(name) => name,
            Self::MoreWorkers => "ttin",
            Self::FewerWorkers => "ttou",
            Self::ReopenLogs => "usr1",
            Self::Upgrade => "usr2",
            Self::Winch => "winch",
        }
    }
}

/// The queue of signals that have arrived. The handlers stay installed for the process's life.
pub(crate) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, HANDLED)?))
    }

    /// Everything that has arrived; a signal that arrived several times counts once.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.0.pending().filter_map(Event::from_signal).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}
