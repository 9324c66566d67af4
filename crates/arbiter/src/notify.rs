//! Words to the service manager (sd_notify(3)): datagrams to the socket in NOTIFY_SOCKET.

use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use ferricorn_unix::process::ProcessId;
use ferricorn_unix::{channel, clock};

/// Sends these lines; nothing when no service manager listens. A failure is worth a log line and
/// nothing more.
pub(crate) fn notify(lines: &str) {
    notify_with(lines, &[]);
}

/// Sends these lines and copies of these descriptors.
fn notify_with(lines: &str, descriptors: &[BorrowedFd<'_>]) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = address(name.as_bytes()).and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        channel::send_with_descriptors(socket.as_fd(), lines.as_bytes(), descriptors)
    });
    if let Err(error) = sent {
        log::warn!("Cannot notify the service manager at {name:?}: {error}");
    }
}

/// A reload begins; READY=1 ends it. The time tells it from one that has ended before.
pub(crate) fn reloading() {
    notify(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", clock::monotonic().as_micros()));
}

/// Serving, in these words.
pub(crate) fn ready(status: &str) {
    notify(&format!("READY=1\nSTATUS={status}\n"));
}

/// Leaves a socket with the service manager, which passes it to the next start of the service under this name.
pub(crate) fn store(name: &str, socket: &impl AsFd) {
    notify_with(&format!("FDSTORE=1\nFDNAME={name}\n"), &[socket.as_fd()]);
}

/// Takes a socket away again.
pub(crate) fn forget(name: &str) {
    notify(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"));
}

fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
    }
}

/// The signs of life that the service manager wants to see (WATCHDOG_USEC), from the master's loop.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Half of the time that it waits; `None` if it does not.
    interval: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    /// `takes_over`: this process is to become the one that is watched, whose number the variable does not have yet.
    pub(crate) fn from_environment(takes_over: bool) -> Self {
        let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours =
            number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(ProcessId::current().as_raw().unsigned_abs()));
        let interval =
            number("WATCHDOG_USEC").filter(|_| is_ours || takes_over).map(|time| Duration::from_micros(time) / 2);
        Self { interval: interval.filter(|interval| !interval.is_zero()), last: Instant::now() }
    }

    /// When the next sign is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.interval.map(|interval| self.last + interval)
    }

    /// Gives a sign, if it is time.
    pub(crate) fn bark(&mut self) {
        if self.due().is_some_and(|due| Instant::now() >= due) {
            self.last = Instant::now();
            notify("WATCHDOG=1\n");
        }
    }
}
