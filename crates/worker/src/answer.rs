//! What hyper sends of a response: its head, and a body that is whole, streamed, or a file.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ferricorn_application::Head;
use http_body::{Body, Frame, SizeHint};

use crate::requests::Outcome;
use crate::shared::{Activity, Shared};
use crate::stream::Stream;

/// How much of a file is read at a time.
const FILE_PIECE: u64 = 128 * 1024;

/// From the exchange to the connection.
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) content: Content,
}

/// Where the body's bytes come from.
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// Pieces that the application is still making.
    Pieces(Rc<Pieces>),
    /// The same, made on another thread.
    Stream(Arc<Stream>),
    /// What a native application makes as it is taken.
    Service(Outcome),
    /// Part of a regular file.
    File { file: File, offset: u64, left: u64 },
}

/// The pieces between an application that makes them and a client that takes them.
#[derive(Default)]
pub(crate) struct Pieces {
    queue: RefCell<VecDeque<Bytes>>,
    /// Bytes in `queue`.
    waiting: Cell<usize>,
    end: Cell<Option<End>>,
    /// The connection does not take any more.
    gone: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    BrokenOff,
}

impl Pieces {
    pub(crate) fn push(&self, piece: Bytes) {
        self.waiting.set(self.waiting.get() + piece.len());
        self.queue.borrow_mut().push_back(piece);
        wake(&self.reader);
    }

    pub(crate) fn end(&self, end: End) {
        self.end.set(Some(end));
        wake(&self.reader);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Ready when no more than this many bytes wait, or nobody takes them any more.
    pub(crate) fn poll_room(&self, context: &Context<'_>, most: usize) -> Poll<()> {
        if self.gone.get() || self.waiting.get() <= most {
            return Poll::Ready(());
        }
        *self.writer.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_piece(&self, context: &Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(piece) = self.queue.borrow_mut().pop_front() {
            self.waiting.set(self.waiting.get() - piece.len());
            wake(&self.writer);
            return Poll::Ready(Some(Ok(piece)));
        }
        match self.end.get() {
            Some(End::Complete) => Poll::Ready(None),
            Some(End::BrokenOff) => Poll::Ready(Some(Err(io::Error::other("the application broke off")))),
            None => {
                *self.reader.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.borrow_mut().take() {
        waker.wake();
    }
}

/// The body type of all responses of this server.
pub(crate) struct AnswerBody {
    content: Content,
    /// For bodies whose Content-Length is known and right, so that hyper need not chunk them.
    exact: bool,
    /// What is left to come of the Content-Length; `None` if there is none, or no body.
    owed: Option<u64>,
    /// Whether hyper was given the chance to send what it has before it learns of a failure.
    sent_rest: Cell<bool>,
    activity: Rc<Activity>,
    shared: Rc<Shared>,
}

impl AnswerBody {
    /// `length`: the response's Content-Length. `bodiless`: nobody waits for a body, and hyper
    /// knows it.
    pub(crate) fn new(
        content: Content,
        length: Option<u64>,
        bodiless: bool,
        activity: Rc<Activity>,
        shared: Rc<Shared>,
    ) -> Self {
        let whole = match &content {
            Content::Whole(bytes) => Some(bytes.len() as u64),
            Content::Pieces(_) | Content::Stream(_) | Content::Service(_) | Content::File { .. } => None,
        };
        let exact = length.is_some() && whole == length;
        let owed = length.filter(|_| !bodiless);
        Self { content, exact, owed, sent_rest: Cell::new(false), activity, shared }
    }

    /// Whether nothing is left of it, as far as that is known before it has been asked for.
    pub(crate) fn is_finished(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty() && !self.is_owing(),
            Content::File { left, .. } => *left == 0 && !self.is_owing(),
            Content::Service(outcome) => outcome.is_end_stream() && !self.is_owing(),
            Content::Pieces(_) | Content::Stream(_) => false,
        }
    }

    fn is_owing(&self) -> bool {
        self.owed.is_some_and(|owed| owed > 0)
    }

    /// Hyper drops what it has buffered when a body fails. The client is to see how far it came:
    /// hyper flushes when there is nothing to add, so there is nothing to add once more.
    fn send_rest_first<T>(&self, context: &Context<'_>) -> Poll<T> {
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match next_frame(&mut self.content, context) {
            Poll::Ready(None) if self.is_owing() => {
                Poll::Ready(Some(Err(io::Error::other("the body is shorter than its Content-Length"))))
            }
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |piece| piece.len() as u64);
                self.owed = self.owed.map(|owed| owed.saturating_sub(length));
                Poll::Ready(Some(Ok(frame)))
            }
            frame => frame,
        };
        if let Poll::Ready(Some(Err(_))) = &frame
            && !self.sent_rest.replace(true)
        {
            return self.send_rest_first(context);
        }
        frame
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) if self.exact => SizeHint::with_exact(bytes.len() as u64),
            Content::Service(outcome) => outcome.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        match &self.content {
            Content::Pieces(pieces) => {
                pieces.gone.set(true);
                wake(&pieces.writer);
            }
            Content::Stream(stream) => stream.give_up(),
            Content::Whole(_) | Content::Service(_) | Content::File { .. } => {}
        }
        self.activity.busy.set(false);
        self.activity.last_progress.set(self.shared.tick.get());
        self.shared.response_ended();
    }
}

fn next_frame(content: &mut Content, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
    let piece = match content {
        Content::Service(outcome) => return outcome.poll_frame(context),
        Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
        Content::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
        Content::Pieces(pieces) => pieces.poll_piece(context),
        Content::Stream(stream) => stream.poll_piece(context),
        Content::File { file, offset, left } => Poll::Ready(next_of_file(file, offset, left)),
    };
    piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
}

/// Reading blocks this thread for as long as the page cache or the disk takes, as the
/// application's own reading would.
fn next_of_file(file: &File, offset: &mut u64, left: &mut u64) -> Option<io::Result<Bytes>> {
    if *left == 0 {
        return None;
    }
    let mut piece = vec![0; FILE_PIECE.min(*left) as usize];
    match file.read_at(&mut piece, *offset) {
        Ok(0) => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"))),
        Ok(length) => {
            piece.truncate(length);
            *offset += length as u64;
            *left -= length as u64;
            Some(Ok(Bytes::from(piece)))
        }
        Err(error) => Some(Err(error)),
    }
}
