//! A socketpair that carries whole messages (SOCK_SEQPACKET) and, with them, descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, recvmsg,
    sendmsg, shutdown, socketpair,
};

/// The longest message in bytes; the kernel's default send buffer holds several of them.
pub const LONGEST_MESSAGE: usize = 64 * 1024;

/// The most descriptors that one message can carry (the kernel's SCM_MAX_FD is 253).
pub const MOST_DESCRIPTORS: usize = 64;

/// One end of the pair. Dropping it makes the other end read [`Received::Closed`].
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What arrived.
#[derive(Debug)]
pub enum Received {
    /// A whole message, and the descriptors sent with it (close-on-exec).
    Message(Vec<u8>, Vec<OwnedFd>),
    /// Nothing yet (only from a non-blocking receive).
    Nothing,
    /// The other end is gone.
    Closed,
}

impl Channel {
    /// Two connected ends, both close-on-exec.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (left, right) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(left), Self(right)))
    }

    /// Takes the end that a parent left open for this process under this number.
    pub fn inherited(number: RawFd) -> io::Result<Self> {
        let descriptor = crate::descriptor::take_inherited(number)?;
        crate::descriptor::set_inheritable(descriptor.as_fd(), false)?;
        Ok(Self(descriptor))
    }

    /// Sends one message with copies of these descriptors, waiting for room.
    pub fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(message, descriptors, MsgFlags::empty())
    }

    /// Sends one message if there is room for it now; says whether there was.
    pub fn try_send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<bool> {
        match self.send_with(message, descriptors, MsgFlags::MSG_DONTWAIT) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn send_with(&self, message: &[u8], descriptors: &[BorrowedFd<'_>], flags: MsgFlags) -> io::Result<()> {
        if message.is_empty() || message.len() > LONGEST_MESSAGE || descriptors.len() > MOST_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message empty or too large"));
        }
        send_whole(self.0.as_fd(), message, descriptors, flags)
    }

    /// Whether the other end has messages of ours that it has not read.
    pub fn has_unread(&self) -> io::Result<bool> {
        Ok(self.unread()? > 0)
    }

    /// The memory that the kernel needs for messages of ours which the other end has not read, in bytes. That is more than they
    /// are long: some 768 for a short one.
    pub fn unread(&self) -> io::Result<usize> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is open for as long as `self` is, and the kernel writes one int to where `bytes` is.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        if result == 0 { Ok(bytes.max(0) as usize) } else { Err(io::Error::last_os_error()) }
    }

    /// Says that nothing more will be sent: the other end reads [`Received::Closed`] after what it has not read yet, and
    /// may still send.
    pub fn finish(&self) -> io::Result<()> {
        Ok(shutdown(self.0.as_raw_fd(), Shutdown::Write)?)
    }

    /// Whether the other end is gone altogether, and has not merely [finished](Self::finish).
    pub fn has_hung_up(&self) -> io::Result<bool> {
        let mut entry = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        while let Err(errno) = poll(&mut entry, PollTimeout::ZERO) {
            if errno != Errno::EINTR {
                return Err(errno.into());
            }
        }
        Ok(entry[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
    }

    /// Waits for the next message.
    pub fn receive(&self) -> io::Result<Received> {
        self.receive_with(MsgFlags::empty())
    }

    /// Takes the next message if there is one.
    pub fn try_receive(&self) -> io::Result<Received> {
        self.receive_with(MsgFlags::MSG_DONTWAIT)
    }

    fn receive_with(&self, flags: MsgFlags) -> io::Result<Received> {
        let mut buffer = vec![0; LONGEST_MESSAGE];
        let mut space = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
        let (length, raw) = {
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let mut was_reset = false;
            let message = loop {
                match recvmsg::<UnixAddr>(
                    self.0.as_raw_fd(),
                    &mut slices,
                    Some(&mut space),
                    flags | MsgFlags::MSG_CMSG_CLOEXEC,
                ) {
                    Ok(message) => break message,
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => return Ok(Received::Nothing),
                    // The other end has left without reading all it was sent; what it had sent itself comes after this.
                    Err(Errno::ECONNRESET) if !was_reset => was_reset = true,
                    Err(Errno::ECONNRESET) => return Ok(Received::Closed),
                    Err(errno) => return Err(errno.into()),
                }
            };
            let mut raw = Vec::new();
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(numbers) = control {
                    raw.extend(numbers);
                }
            }
            (message.bytes, raw)
        };
        // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
        let descriptors = raw.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect();
        if length == 0 {
            return Ok(Received::Closed);
        }
        buffer.truncate(length);
        Ok(Received::Message(buffer, descriptors))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends a datagram over a connected socket with copies of these descriptors.
pub fn send_with_descriptors(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_whole(socket, message, descriptors, MsgFlags::empty())
}

fn send_whole(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        return match sendmsg::<UnixAddr>(
            socket.as_raw_fd(),
            &[IoSlice::new(message)],
            control,
            MsgFlags::MSG_NOSIGNAL | flags,
            None,
        ) {
            Ok(_) => Ok(()),
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(errno.into()),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_full_channel_is_said_to_be_full() {
        let (left, right) = Channel::pair().unwrap();
        let mut sent = 0;
        while left.try_send(&[1; 1024], &[]).unwrap() {
            sent += 1;
        }
        assert!(sent > 10, "{sent}");
        assert!(matches!(right.receive().unwrap(), Received::Message(..)));
        assert!(left.try_send(&[1; 1024], &[]).unwrap());
    }

    #[test]
    fn last_words_arrive_though_not_all_was_read() {
        let (left, right) = Channel::pair().unwrap();
        left.send(b"never read", &[]).unwrap();
        right.send(b"last words", &[]).unwrap();
        drop(right);
        let Received::Message(words, _) = left.receive().unwrap() else { panic!("no message") };
        assert_eq!(words, b"last words");
        assert!(matches!(left.receive().unwrap(), Received::Closed));
    }

    #[test]
    fn who_has_finished_still_hears() {
        let (left, right) = Channel::pair().unwrap();
        left.send(b"the last", &[]).unwrap();
        left.finish().unwrap();
        assert!(matches!(right.receive().unwrap(), Received::Message(..)));
        assert!(matches!(right.receive().unwrap(), Received::Closed));
        right.send(b"an answer", &[]).unwrap();
        assert!(matches!(left.receive().unwrap(), Received::Message(..)));
        assert!(!right.has_hung_up().unwrap());
        drop(left);
        assert!(right.has_hung_up().unwrap());
    }

    #[test]
    fn what_the_other_end_has_not_read_shows() {
        let (left, right) = Channel::pair().unwrap();
        assert!(!left.has_unread().unwrap());
        left.send(b"one", &[]).unwrap();
        assert!(left.has_unread().unwrap());
        right.receive().unwrap();
        assert!(!left.has_unread().unwrap());
    }

    #[test]
    fn messages_keep_their_edges_and_carry_descriptors() {
        let (left, right) = Channel::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        left.send(b"one", &[writer.as_fd()]).unwrap();
        left.send(b"two", &[]).unwrap();
        drop(writer);
        let Received::Message(first, descriptors) = right.receive().unwrap() else { panic!("no message") };
        assert_eq!(first, b"one");
        let mut copy = std::fs::File::from(descriptors.into_iter().next().unwrap());
        copy.write_all(b"through the copy").unwrap();
        drop(copy);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through the copy");
        let Received::Message(second, none) = right.try_receive().unwrap() else { panic!("no message") };
        assert_eq!((second.as_slice(), none.len()), (b"two".as_slice(), 0));
        assert!(matches!(right.try_receive().unwrap(), Received::Nothing));
        drop(left);
        assert!(matches!(right.receive().unwrap(), Received::Closed));
    }
}
