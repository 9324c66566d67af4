//! Two ways to a socket. Registered with the runtime it is one of many, and whoever waits for it waits for all of them. A
//! thread that has nothing else to wait for goes past the runtime: it waits in the kernel for this socket alone, as libpq
//! does, and neither wakes, nor is held up by, what else goes on there.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use bytes::BytesMut;
use ferricorn_unix::socket;
use tokio::io::{AsyncRead, AsyncWrite};

/// How much is read past the runtime at once, on a connection whose answers are no longer.
const SMALL: usize = 4 * 1024;
/// How much on any other.
const LARGE: usize = 32 * 1024;

/// What may be done with the socket until somebody says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// What the runtime says.
    #[default]
    Registered,
    /// Past the runtime: nothing is to be read yet.
    Write,
    /// Past the runtime: all that is there is read.
    Look,
    /// Past the runtime: if nothing is there, it is waited for until then.
    Wait(Instant),
}

/// Says it to the stream of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way(Arc<Mutex<Step>>);

impl Way {
    pub(crate) fn step(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn go(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }
}

/// A stream that may have a socket on which its bytes are as they are.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The socket; `None` for TLS.
    fn plain(&self) -> Option<BorrowedFd<'_>>;
}

/// What has to be known from one read or write past the runtime to the next.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    /// What is read comes here first.
    room: Vec<u8>,
    /// There was no room for what is to be written.
    is_full: bool,
}

impl Passage {
    /// Reads, if this step is for that.
    pub(crate) fn poll_read(
        &mut self,
        socket: BorrowedFd<'_>,
        way: &Way,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let step = way.step();
        way.go(Step::Write);
        let is_there = match step {
            Step::Registered | Step::Write => false,
            Step::Look => true,
            Step::Wait(until) => {
                let left = until.saturating_duration_since(Instant::now());
                socket::wait(socket, self.is_full, left)?
            }
        };
        if !is_there {
            return Poll::Pending;
        }
        if self.room.is_empty() {
            self.room.resize(SMALL, 0);
        }
        let received = poll(socket::receive(socket, &mut self.room));
        if let Poll::Ready(Ok(length)) = received {
            buffer.extend_from_slice(&self.room[..length]);
            let is_full = length == self.room.len();
            if is_full {
                self.room.resize(LARGE, 0);
            }
            // What was waited for may be all; who looks wants to see the end, too, which may stand behind some words.
            if is_full || step == Step::Look {
                way.go(Step::Look);
            }
        }
        received
    }

    /// Writes what there is room for.
    pub(crate) fn poll_write(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = poll(socket::transmit(socket, bytes));
        self.is_full = sent.is_pending();
        sent
    }
}

fn poll(done: io::Result<usize>) -> Poll<io::Result<usize>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
