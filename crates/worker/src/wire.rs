//! A client's socket as hyper sees it: what arrives passes the guard, and what moves is noted.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::guard::{Guard, Notes, Step};
use crate::refusal::Refusal;
use crate::shared::{Activity, Shared};
use crate::socket::Socket;
use crate::standing::Standing;

/// Head and body together up to this many bytes go out in one plain write, which costs the kernel
/// less than a vectored one.
const JOINED: usize = 2048;

/// How much is read at a time while something is held back.
const PIECE: usize = 8 * 1024;

thread_local! {
    /// Where they are joined. Of what one write has left here the next one sees nothing.
    static JOINT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that have arrived and that hyper has not got yet.
#[derive(Default)]
struct Held {
    /// Those that are judged good.
    good: Bytes,
    /// Those that come after them and are not judged yet.
    doubtful: BytesMut,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.good.is_empty() && self.doubtful.is_empty()
    }
}

/// Reads and writes, and notes in [`Activity`] that it did.
pub(crate) struct Wire {
    socket: Socket,
    guard: Guard,
    held: Held,
    notes: Rc<Notes>,
    /// What comes next is not to be served. It concerns nobody if hyper does not ask for what
    /// comes next, because its last answer has closed the connection.
    refusal: Option<Refusal>,
    /// The client has closed its side.
    ended: bool,
    /// Of a connection that may be handed over between two requests.
    standing: Option<Arc<Standing>>,
    /// Nothing of an answer is left here or with hyper.
    flushed: bool,
    activity: Rc<Activity>,
    shared: Rc<Shared>,
}

impl Wire {
    pub(crate) fn new(
        socket: Socket,
        guard: Guard,
        notes: Rc<Notes>,
        activity: Rc<Activity>,
        shared: Rc<Shared>,
    ) -> Self {
        let held = Held::default();
        let (refusal, ended, standing, flushed) = (None, false, None, true);
        Self { socket, guard, held, notes, refusal, ended, standing, flushed, activity, shared }
    }

    /// Lets this connection be handed over between two requests.
    pub(crate) fn may_go(&mut self, standing: Arc<Standing>) {
        self.standing = Some(standing);
    }

    /// Whether the socket may be read from now; if not, the task is woken when it may, if ever.
    fn may_read(&self, context: &Context<'_>) -> bool {
        let Some(standing) = &self.standing else { return true };
        // Who has just had an answer comes after those who wait, however soon the next request is here.
        if self.shared.has_line() && !standing.is_offered() && self.is_between() && standing.has_unread() {
            standing.offer();
        }
        self.shared.may_read(standing, context.waker())
    }

    /// Waits for something to read, without hyper and its buffers. Over TLS there may be something that has been read already.
    pub(crate) async fn rest(&self) -> io::Result<()> {
        if let Socket::Plain(raw) = &self.socket {
            self.pause();
            let readable = raw.readable().await;
            self.activity.rest.over();
            readable?;
        }
        Ok(())
    }

    /// Nothing is left of the last request, and nothing has been read of the next.
    fn is_between(&self) -> bool {
        self.flushed
            && !self.activity.busy.get()
            && self.held.is_empty()
            && self.guard.awaits_head()
            && self.notes.are_even()
    }

    /// There is nothing to read: if nothing is left of the last request either, the connection is no more than its socket.
    fn pause(&self) {
        if !self.is_between() || matches!(self.socket, Socket::Tls(_)) {
            return;
        }
        self.activity.rest.begin(self.shared.tick.get());
        if let Some(standing) = &self.standing {
            standing.offer();
        }
    }

    /// Something moved, be it the end of the stream.
    fn note_progress(&self) {
        self.activity.last_progress.set(self.shared.tick.get());
    }

    /// Who takes nothing of a response is not excused by sending something.
    fn note_read(&self) {
        if !self.activity.write_blocked.get() {
            self.note_progress();
        }
    }

    fn note_write<T>(&self, result: &Poll<io::Result<T>>) {
        self.activity.write_blocked.set(result.is_pending());
        if result.is_ready() {
            self.note_progress();
        }
    }

    /// Bytes of a request that is not there yet count from now on, unless they have been counted.
    fn note_head(&self) {
        if !self.activity.busy.get() && self.activity.head_since.get().is_none() {
            self.activity.head_since.set(Some(self.shared.tick.get()));
        }
    }

    /// Whether the client has closed its side.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads past guard and hyper, once those two are through with the connection.
    pub(crate) fn poll_rest(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }

    /// Reads straight into hyper's buffer. What cannot go on as it is, is taken out again and held.
    /// `false`: the stream has ended.
    fn poll_direct(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        if !self.may_read(context) {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(context, buffer) else {
            self.pause();
            return Poll::Pending;
        };
        read?;
        self.flushed = false;
        self.activity.rest.end(self.shared.tick.get());
        self.note_read();
        self.note_head();
        let arrived = buffer.filled().len() > before;
        self.ended = !arrived;
        let mut good = before;
        while good < buffer.filled().len() {
            match self.guard.step(&buffer.filled()[good..]) {
                Ok(Step::Pass(count)) => good += count,
                Ok(Step::Replace(count, text)) => {
                    self.held.good = text.into();
                    self.held.doubtful.extend_from_slice(&buffer.filled()[good + count..]);
                    break;
                }
                Ok(Step::More) => {
                    self.held.doubtful.extend_from_slice(&buffer.filled()[good..]);
                    break;
                }
                Err(refusal) => {
                    self.refusal = Some(refusal);
                    break;
                }
            }
        }
        buffer.set_filled(good);
        Poll::Ready(Ok(arrived))
    }

    /// Moves on what is held and judged good, as far as there is room.
    fn release(&mut self, buffer: &mut ReadBuf<'_>) {
        while buffer.remaining() > 0 && !self.held.is_empty() {
            if self.held.good.is_empty() {
                match self.guard.step(&self.held.doubtful) {
                    Ok(Step::Pass(count)) => self.held.good = self.held.doubtful.split_to(count).freeze(),
                    Ok(Step::Replace(count, text)) => {
                        self.held.doubtful.advance(count);
                        self.held.good = text.into();
                    }
                    Ok(Step::More) => return,
                    Err(refusal) => {
                        self.refusal = Some(refusal);
                        self.held = Held::default();
                        return;
                    }
                }
            }
            let count = self.held.good.len().min(buffer.remaining());
            buffer.put_slice(&self.held.good.split_to(count));
        }
    }

    /// Reads behind what is held. `false`: the stream has ended.
    fn poll_hold(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; PIECE];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut piece))?;
        self.note_read();
        self.held.doubtful.extend_from_slice(piece.filled());
        self.ended = piece.filled().is_empty();
        Poll::Ready(Ok(!self.ended))
    }
}

impl AsyncRead for Wire {
    /// Ready without a byte is the end: that of the stream, or of what hyper is to see of it.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if let Some(refusal) = self.refusal.clone() {
                self.notes.refused_body.set(self.guard.is_within_body());
                self.notes.refusal.replace(Some(refusal));
                return Poll::Ready(Ok(()));
            }
            if self.held.is_empty() {
                if !ready!(self.poll_direct(context, buffer))? || buffer.filled().len() > before {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            self.note_head();
            self.release(buffer);
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if !self.held.is_empty() && !ready!(self.poll_hold(context))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_write(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().map(|slice| slice.len()).sum::<usize>() <= JOINED {
            return JOINT.with_borrow_mut(|joint| {
                joint.clear();
                slices.iter().for_each(|slice| joint.extend_from_slice(slice));
                self.poll_write(context, joint)
            });
        }
        let result = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(context);
        if result.is_pending() {
            self.activity.write_blocked.set(true);
        }
        // Hyper asks for this once it has written all it has; while the answer is on its way it may have more.
        self.flushed = !self.activity.busy.get();
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.notes.refusal.borrow().is_some() {
            // There is something left to say: see `farewell`.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
