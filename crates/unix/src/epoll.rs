//! Waiting for many sockets at once, of which few have anything to say: epoll.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How many can be told of at once; the others are told of next time.
const AT_ONCE: usize = 64;

/// Sockets that are waited for, each under a number of its owner's.
#[derive(Debug)]
pub struct Watched(Epoll);

impl Watched {
    /// None yet.
    pub fn none() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Watches one more, and tells of it each time when something has arrived, beginning with what is there already.
    pub fn add(&self, socket: BorrowedFd<'_>, number: u64) -> io::Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, number);
        Ok(self.0.add(socket, event)?)
    }

    /// Watches the sending end of a channel, and tells of it each time when something that was sent has been taken.
    pub fn add_taken(&self, channel: BorrowedFd<'_>, number: u64) -> io::Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLET, number);
        Ok(self.0.add(channel, event)?)
    }

    /// Forgets one. Closing a socket is enough only if nobody else holds it.
    pub fn remove(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.0.delete(socket)?)
    }

    /// The numbers of those that have something to say; none when the time, rounded up to milliseconds, is over.
    pub fn wait(&self, limit: Duration) -> io::Result<Vec<u64>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let limit = i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let limit = EpollTimeout::try_from(limit).unwrap_or(EpollTimeout::MAX);
        match self.0.wait(&mut events, limit) {
            Ok(count) => Ok(events[..count].iter().map(EpollEvent::data).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::channel::Channel;

    #[test]
    fn it_is_told_each_time_that_something_was_taken() {
        let watched = Watched::none().unwrap();
        let (left, right) = Channel::pair().unwrap();
        watched.add_taken(left.as_fd(), 7).unwrap();
        // As it is: there is room.
        assert_eq!(watched.wait(Duration::ZERO).unwrap(), [7]);
        for _ in 0..2 {
            left.send(b"one", &[]).unwrap();
            assert!(watched.wait(Duration::ZERO).unwrap().is_empty());
            right.receive().unwrap();
            assert_eq!(watched.wait(Duration::from_secs(10)).unwrap(), [7]);
        }
    }

    #[test]
    fn who_has_something_to_say_is_told_of_once_each_time() {
        let watched = Watched::none().unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"early").unwrap();
        watched.add(ours.as_fd(), 7).unwrap();
        assert_eq!(watched.wait(Duration::ZERO).unwrap(), [7]);
        assert!(watched.wait(Duration::ZERO).unwrap().is_empty());
        theirs.write_all(b"late").unwrap();
        assert_eq!(watched.wait(Duration::from_secs(10)).unwrap(), [7]);
        watched.remove(ours.as_fd()).unwrap();
        theirs.write_all(b"too late").unwrap();
        assert!(watched.wait(Duration::ZERO).unwrap().is_empty());
    }
}
