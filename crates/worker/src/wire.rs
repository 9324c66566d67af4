//! A client's socket as hyper sees it, with an eye on what moves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use crate::shared::{Activity, Shared};

/// Head and body together up to this many bytes go out in one plain write, which costs the kernel
/// less than a vectored one.
const JOINED: usize = 2048;

/// Copies the slices together; `None` if they do not fit.
fn join(slices: &[IoSlice<'_>], joined: &mut [u8; JOINED]) -> Option<usize> {
    let mut length = 0;
    for slice in slices {
        joined.get_mut(length..length + slice.len())?.copy_from_slice(slice);
        length += slice.len();
    }
    Some(length)
}

/// The socket of either family.
pub(crate) enum Socket {
    Tcp(TokioIo<TcpStream>),
    Unix(TokioIo<UnixStream>),
}

/// Reads and writes, and notes in [`Activity`] that it did.
pub(crate) struct Wire {
    socket: Socket,
    activity: Rc<Activity>,
    shared: Rc<Shared>,
}

impl Wire {
    pub(crate) fn new(socket: Socket, activity: Rc<Activity>, shared: Rc<Shared>) -> Self {
        Self { socket, activity, shared }
    }

    /// Something moved, be it the end of the stream.
    fn note_progress(&self) {
        self.activity.last_progress.set(self.shared.tick.get());
    }

    fn note_write<T>(&self, result: &Poll<io::Result<T>>) {
        self.activity.write_blocked.set(result.is_pending());
        if result.is_ready() {
            self.note_progress();
        }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let result = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
        };
        if result.is_ready() {
            self.note_progress();
            if !self.activity.busy.get() && self.activity.head_since.get().is_none() {
                self.activity.head_since.set(Some(self.shared.tick.get()));
            }
        }
        result
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
        };
        self.note_write(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut joined = [0; JOINED];
        if let Some(length) = join(slices, &mut joined) {
            return self.poll_write(context, &joined[..length]);
        }
        let result = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Socket::Unix(socket) => Pin::new(socket).poll_write_vectored(context, slices),
        };
        self.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets have no buffer of their own to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
