//! Waiting on several descriptors with a deadline.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

/// Waits until one of them can be read (or has ended), at most this long; `None` waits for ever.
/// Says for each whether it can be read. A signal ends the wait early, with nothing readable.
pub fn readable(descriptors: &[BorrowedFd<'_>], at_most: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut entries: Vec<PollFd<'_>> =
        descriptors.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
    let timeout = match at_most {
        None => PollTimeout::NONE,
        // Rounded up: a wait that ends a little early would come back for nothing.
        Some(duration) => PollTimeout::try_from(duration + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX),
    };
    match poll(&mut entries, timeout) {
        Ok(_) => Ok(entries.iter().map(|entry| entry.any().unwrap_or(false)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; descriptors.len()]),
        Err(errno) => Err(errno.into()),
    }
}

/// What the other side of a socket has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Nothing that we know of.
    Nothing,
    /// It sends no more. Whether it still listens shows when something is sent to it.
    Half,
    /// Everything.
    Whole,
}

/// Says what the other side of a socket has closed, without a wait.
pub fn hang_up(socket: BorrowedFd<'_>) -> io::Result<HangUp> {
    let mut entry = [PollFd::new(socket, PollFlags::POLLIN)];
    poll(&mut entry, PollTimeout::ZERO)?;
    let events = entry[0].revents().unwrap_or(PollFlags::empty());
    if events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
        return Ok(HangUp::Whole);
    }
    // The end of what it sends is something that can be read, and is nothing.
    let is_end = || recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) == Ok(0);
    Ok(if events.contains(PollFlags::POLLIN) && is_end() { HangUp::Half } else { HangUp::Nothing })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn says_what_the_other_side_has_closed() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(hang_up(ours.as_fd()).unwrap(), HangUp::Nothing);
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(hang_up(ours.as_fd()).unwrap(), HangUp::Half);
        drop(theirs);
        assert_eq!(hang_up(ours.as_fd()).unwrap(), HangUp::Whole);
    }

    #[test]
    fn says_which_is_readable() {
        let (quiet, _keep) = io::pipe().unwrap();
        let (loud, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(readable(&[quiet.as_fd(), loud.as_fd()], None).unwrap(), [false, true]);
        assert_eq!(readable(&[quiet.as_fd()], Some(Duration::ZERO)).unwrap(), [false]);
    }
}
