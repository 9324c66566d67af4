//! The socket of an HTTP/2 connection, and what is known of the connection while it lasts.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::farewell::{PATIENCE, UNREAD};
use crate::shared::{Activity, Shared};
use crate::socket::Socket;

/// Streams that a client may take back within so many ticks (ten seconds), as in Gunicorn.
const TAKEN_BACK: u32 = 200;
const TAKEN_BACK_TICKS: u64 = 100;

/// What is known of a connection.
pub(crate) struct Traffic {
    activity: Rc<Activity>,
    shared: Rc<Shared>,
    streams: Cell<usize>,
    /// Those among them whose answer is on its way.
    answering: Cell<usize>,
    /// Streams that the client has taken back since this tick.
    taken_back: Cell<(u64, u32)>,
}

impl Traffic {
    pub(super) fn new(activity: Rc<Activity>, shared: Rc<Shared>) -> Self {
        let none = Cell::new(0);
        Self { activity, shared, streams: none.clone(), answering: none, taken_back: Cell::new((0, 0)) }
    }

    /// A stream begins.
    pub(super) fn enter(self: &Rc<Self>) -> Stay {
        self.streams.set(self.streams.get() + 1);
        self.activity.used.set(true);
        self.activity.busy.set(true);
        Stay { traffic: Rc::clone(self), answering: Cell::new(false) }
    }

    /// Something moved. What moves between requests does not keep a connection open.
    fn note_progress(&self) {
        if self.streams.get() > 0 {
            self.activity.last_progress.set(self.shared.tick.get());
        }
    }

    fn note_write<T>(&self, result: &Poll<io::Result<T>>) {
        self.activity.write_blocked.set(result.is_pending());
        if result.is_ready() {
            self.note_progress();
        }
    }

    /// Whether there is no stream.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Whether the client has taken back more streams than a client would.
    pub(super) fn is_flooded(&self) -> bool {
        self.taken_back.get().1 > TAKEN_BACK
    }
}

/// A stream's stay in a connection: ends when dropped.
pub(super) struct Stay {
    traffic: Rc<Traffic>,
    answering: Cell<bool>,
}

impl Stay {
    /// How many streams there are, this one among them.
    pub(super) fn streams(&self) -> usize {
        self.traffic.streams.get()
    }

    /// The answer is here.
    pub(super) fn answers(&self) {
        if !self.answering.replace(true) {
            self.traffic.answering.set(self.traffic.answering.get() + 1);
            self.traffic.activity.answered.set(true);
        }
    }

    /// The client has no more use for the stream.
    pub(super) fn is_taken_back(&self) {
        let tick = self.traffic.shared.tick.get();
        let (since, count) = self.traffic.taken_back.get();
        let counted = if tick - since < TAKEN_BACK_TICKS { (since, count + 1) } else { (tick, 1) };
        self.traffic.taken_back.set(counted);
        if self.traffic.is_flooded() {
            self.traffic.activity.parting.ask(tick);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let traffic = &self.traffic;
        traffic.note_progress();
        traffic.streams.set(traffic.streams.get() - 1);
        if self.answering.get() {
            traffic.answering.set(traffic.answering.get() - 1);
        }
        traffic.activity.answered.set(traffic.answering.get() > 0);
        if traffic.streams.get() == 0 {
            traffic.activity.busy.set(false);
            if traffic.shared.settings.keepalive.is_zero() {
                traffic.activity.parting.ask(traffic.shared.tick.get());
            }
        }
        traffic.shared.response_ended();
    }
}

/// The end of a connection: nothing more is sent, and what comes is not heard.
struct Lingering {
    left: usize,
    until: Pin<Box<Sleep>>,
}

/// Reads and writes, and notes that it did.
pub(crate) struct Flow {
    socket: Socket,
    traffic: Rc<Traffic>,
    lingering: Option<Lingering>,
}

impl Flow {
    pub(super) fn new(socket: Socket, traffic: Rc<Traffic>) -> Self {
        Self { socket, traffic, lingering: None }
    }
}

impl AsyncRead for Flow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_read(context, buffer);
        // Who takes nothing is not excused by sending something.
        if result.is_ready() && !self.traffic.activity.write_blocked.get() {
            self.traffic.note_progress();
        }
        result
    }
}

impl AsyncWrite for Flow {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.traffic.note_write(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.traffic.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(context);
        if result.is_pending() {
            self.traffic.note_write(&result);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Flow { socket, lingering, .. } = &mut *self;
        if lingering.is_none() {
            ready!(Pin::new(&mut *socket).poll_shutdown(context))?;
        }
        let lingering =
            lingering.get_or_insert_with(|| Lingering { left: UNREAD, until: Box::pin(tokio::time::sleep(PATIENCE)) });
        let mut piece = [0; 4096];
        loop {
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut *socket).poll_read(context, &mut piece) {
                Poll::Pending => return lingering.until.as_mut().poll(context).map(Ok),
                Poll::Ready(Ok(())) if (1..lingering.left).contains(&piece.filled().len()) => {
                    lingering.left -= piece.filled().len();
                }
                // The client has left, or sends more than it may.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
