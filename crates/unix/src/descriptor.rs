//! Descriptors: pipes, inheritance across exec, and the standard streams.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{MsgFlags, recv};

/// A pipe, both ends close-on-exec and non-blocking: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

/// Says whether a descriptor stays open across exec.
pub fn set_inheritable(descriptor: BorrowedFd<'_>, inheritable: bool) -> io::Result<()> {
    let flags = if inheritable { FdFlag::empty() } else { FdFlag::FD_CLOEXEC };
    fcntl(descriptor, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

/// Sets or clears O_NONBLOCK.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let mut flags = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_NONBLOCK, nonblocking);
    fcntl(descriptor, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Looks at what has arrived on a stream socket, and leaves it there: how many bytes there are, zero at the end.
pub fn peek(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket.as_raw_fd(), bytes, MsgFlags::MSG_PEEK)?)
}

/// Whether something has arrived on a stream socket that nobody has read. The end is nothing.
pub fn has_unread(socket: BorrowedFd<'_>) -> bool {
    peek(socket, &mut [0]).is_ok_and(|length| length > 0)
}

/// Takes ownership of a descriptor that the parent process left open under a number it told us.
/// An error if nothing is open there.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a standard stream cannot be taken"));
    }
    // SAFETY: a number is only borrowed for this one query, which is defined for closed ones too.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_GETFD)?;
    // SAFETY: it is open, and a number handed over by the parent belongs to whoever was told it:
    // our callers take each number once, before anything else in this process opens files by it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes standard output and standard error write to this file.
pub fn redirect_output(file: &File) -> io::Result<()> {
    nix::unistd::dup2_stdout(file.as_fd())?;
    nix::unistd::dup2_stderr(file.as_fd())?;
    Ok(())
}

/// Points the standard streams at /dev/null; output streams only where `output` says so.
pub fn silence_standard_streams(output: bool) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(null.as_fd())?;
    if output {
        redirect_output(&null)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_open_numbers_can_be_taken() {
        assert!(take_inherited(1).is_err());
        assert!(take_inherited(900_000).is_err());
    }

    #[test]
    fn what_was_looked_at_is_still_there() {
        let (mut sender, mut receiver) = UnixStream::pair().unwrap();
        sender.write_all(b"abc").unwrap();
        drop(sender);
        let mut bytes = [0; 2];
        assert_eq!((peek(receiver.as_fd(), &mut bytes).unwrap(), &bytes), (2, b"ab"));
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).unwrap();
        assert_eq!((all.as_slice(), peek(receiver.as_fd(), &mut bytes).unwrap()), (&b"abc"[..], 0));
    }
}
