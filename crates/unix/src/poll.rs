//! Waiting on several descriptors with a deadline.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn says_which_is_readable() {
        let (quiet, _keep) = io::pipe().unwrap();
        let (loud, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(readable(&[quiet.as_fd(), loud.as_fd()], None).unwrap(), [false, true]);
        assert_eq!(readable(&[quiet.as_fd()], Some(Duration::ZERO)).unwrap(), [false]);
    }
}
