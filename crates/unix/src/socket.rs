//! A connected socket that does not block, for a thread that has nothing else to wait for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

/// Waits until there is something to read (or the end), or, if that is wanted, room to write; at most this long. Says whether
/// it can be read. A signal ends the wait early.
pub fn wait(socket: BorrowedFd<'_>, also_for_room: bool, at_most: Duration) -> io::Result<bool> {
    let mut events = PollFlags::POLLIN;
    events.set(PollFlags::POLLOUT, also_for_room);
    let mut entry = [PollFd::new(socket, events)];
    // Rounded up: a wait that ends a little early would come back for nothing.
    let timeout = PollTimeout::try_from(at_most + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
    match poll(&mut entry, timeout) {
        Ok(0) | Err(Errno::EINTR) => Ok(false),
        Ok(_) => Ok(entry[0].revents().is_none_or(|events| events != PollFlags::POLLOUT)),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads what is there; 0 is the end, and "would block" that there is nothing.
pub fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(socket.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EINTR) => {}
            received => return Ok(received?),
        }
    }
}

/// Writes what there is room for; "would block" says that there is none. A peer that has gone is an error, and no signal.
pub fn transmit(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EINTR) => {}
            sent => return Ok(sent?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn waits_reads_and_writes() {
        const MOMENT: Duration = Duration::from_millis(1);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        assert!(!wait(ours.as_fd(), false, MOMENT).unwrap());
        assert!(!wait(ours.as_fd(), true, Duration::from_secs(60)).unwrap());
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

        assert_eq!(transmit(theirs.as_fd(), b"word").unwrap(), 4);
        assert!(wait(ours.as_fd(), true, Duration::from_secs(60)).unwrap());
        assert_eq!(receive(ours.as_fd(), &mut buffer).unwrap(), 4);

        while transmit(theirs.as_fd(), &[0; 4096]).is_ok() {}
        assert_eq!(transmit(theirs.as_fd(), b"more").unwrap_err().kind(), io::ErrorKind::WouldBlock);

        drop(theirs);
        assert!(wait(ours.as_fd(), false, Duration::from_secs(60)).unwrap());
        assert_eq!(transmit(ours.as_fd(), b"word").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
