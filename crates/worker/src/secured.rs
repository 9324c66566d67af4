//! A socket with TLS on it, once both sides have agreed. The stream can be reached past whoever
//! reads and writes it, for the few things that need not wait their turn.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::socket::Raw;

/// Reads and writes what TLS carries.
pub(crate) struct Secured {
    stream: Rc<RefCell<TlsStream<Raw>>>,
    /// A client that leaves without saying so has merely ended its stream.
    forgives: bool,
}

impl Secured {
    pub(crate) fn new(stream: TlsStream<Raw>, forgives: bool) -> Self {
        Self { stream: Rc::new(RefCell::new(stream)), forgives }
    }

    pub(crate) fn side_door(&self) -> SideDoor {
        SideDoor(Rc::downgrade(&self.stream))
    }
}

impl AsyncRead for Secured {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, buffer));
        match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.forgives => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(context)
    }
}

/// A way to the stream that does not keep it open.
pub(crate) struct SideDoor(Weak<RefCell<TlsStream<Raw>>>);

impl SideDoor {
    /// Sends these bytes behind what was written so far. What the socket has no room for follows
    /// when the stream is flushed.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = self.0.upgrade() else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut stream = stream.borrow_mut();
        stream.get_mut().1.writer().write_all(bytes)?;
        push(&mut stream)
    }

    /// Tells the client that nothing follows.
    pub(crate) fn take_leave(&self) -> io::Result<()> {
        let Some(stream) = self.0.upgrade() else { return Ok(()) };
        let mut stream = stream.borrow_mut();
        stream.get_mut().1.send_close_notify();
        push(&mut stream)
    }
}

impl fmt::Debug for SideDoor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SideDoor")
    }
}

/// Moves to the socket what it has room for.
fn push(stream: &mut TlsStream<Raw>) -> io::Result<()> {
    let (raw, session) = stream.get_mut();
    while session.wants_write() {
        match session.write_tls(&mut Now(raw)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A socket that takes what it has room for.
struct Now<'a>(&'a Raw);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
