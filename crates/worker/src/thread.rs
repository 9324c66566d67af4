//! A thread of the application's at its work, and its side of the call it is in.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ferricorn_application::{Calls, Driven, Exchange, Gone, Head, Request};
use ferricorn_unix::clock;
use http::HeaderMap;

use crate::answer::End;
use crate::desk::{Desk, Letter, Outcome, Parcel};
use crate::exchange::LINGERING;
use crate::lookout::Posts;
use crate::stream::Stream;
use crate::tally::Tally;

/// What one thread works through.
pub(crate) struct ThreadCalls {
    desk: Arc<Desk>,
    posts: Arc<Posts>,
    /// The thread's own post.
    post: usize,
    keeps_headers: bool,
    /// It has waited, and has not taken anything since.
    came: bool,
    /// The call it is in.
    number: Option<u64>,
    /// Whether the last call went on for a while after its response was complete.
    lingering: bool,
    /// It has been told that there is nothing more.
    dismissed: bool,
}

impl ThreadCalls {
    /// `keeps_headers`: the access log will ask for response headers.
    pub(crate) fn new(desk: Arc<Desk>, posts: Arc<Posts>, post: usize, keeps_headers: bool) -> Self {
        Self { desk, posts, post, keeps_headers, came: false, number: None, lingering: false, dismissed: false }
    }
}

impl Calls for ThreadCalls {
    fn wait(&mut self) -> bool {
        self.came = self.desk.wait();
        self.dismissed = !self.came;
        self.came
    }

    fn take(&mut self, answer: &mut dyn FnMut(Request, Rc<dyn Exchange>)) -> bool {
        let now = clock::monotonic();
        let Some(waiting) = self.desk.take(std::mem::take(&mut self.came), now) else { return false };
        self.number = Some(waiting.number);
        self.posts.describe(self.post, waiting.number, &waiting.request.head);
        self.posts.begin(self.post, now);
        let exchange = Rc::new(ThreadExchange {
            desk: Arc::clone(&self.desk),
            number: waiting.number,
            lingering: self.lingering,
            held: RefCell::default(),
            stream: RefCell::default(),
            settled: Cell::new(None),
            tally: Tally::new(&waiting.request.head.method, self.keeps_headers),
        });
        answer(waiting.request, Rc::clone(&exchange) as Rc<dyn Exchange>);
        self.posts.end(self.post);
        self.lingering = exchange.close(self.posts.is_late(self.post));
        self.number = None;
        true
    }
}

impl Drop for ThreadCalls {
    fn drop(&mut self) {
        if !self.dismissed {
            self.desk.post([Letter::Lost(self.number)]);
        }
    }
}

/// See [`Exchange`]. The main thread is told of a whole response when the call is over, so that
/// it is woken once.
struct ThreadExchange {
    desk: Arc<Desk>,
    number: u64,
    lingering: bool,
    /// An answer that the main thread has not been told of yet.
    held: RefCell<Option<Letter>>,
    /// Set by `begin`: the pieces go there.
    stream: RefCell<Option<Arc<Stream>>>,
    settled: Cell<Option<Instant>>,
    tally: Tally,
}

impl ThreadExchange {
    /// The call has returned; `late`: after longer than it may. Says whether it went on after its response was complete.
    fn close(&self, late: bool) -> bool {
        // An application that broke its promise leaves a connection that must not hang.
        self.abort();
        let ended = Instant::now();
        let done = Outcome {
            status: self.tally.status.get(),
            headers: self.tally.headers.take(),
            sent: self.tally.sent.get(),
            annotations: self.tally.annotations.take(),
            ended,
            late,
        };
        let answer = self.held.take();
        self.desk.post(answer.into_iter().chain([Letter::Done(self.number, done)]));
        self.settled.get().is_some_and(|since| ended - since > LINGERING)
    }

    fn hold(&self, head: Head, parcel: Parcel) {
        *self.held.borrow_mut() = Some(Letter::Answer(self.number, head, parcel));
    }

    /// Tells the main thread of the answer, if it has not been told.
    fn release(&self) {
        if let Some(answer) = self.held.take() {
            self.desk.post([answer]);
        }
    }
}

impl Exchange for ThreadExchange {
    fn hint(&self, headers: &HeaderMap) {
        if !self.tally.begun.get() {
            self.desk.post([Letter::Hints(self.number, headers.clone())]);
        }
    }

    fn respond(&self, head: Head, body: Bytes) {
        self.tally.open(&head);
        let body = self.tally.admit(body);
        self.hold(head, Parcel::Whole(body));
    }

    fn respond_file(&self, head: Head, file: File, offset: u64, length: u64) {
        self.tally.open(&head);
        let left = self.tally.admit_length(length);
        self.hold(head, Parcel::File { file, offset, left });
    }

    fn begin(&self, head: Head) {
        self.tally.open(&head);
        let stream = Arc::new(Stream::default());
        *self.stream.borrow_mut() = Some(Arc::clone(&stream));
        self.hold(head, Parcel::Stream(stream));
    }

    fn send(&self, piece: Bytes, flush: bool) -> Result<(), Gone> {
        let Some(stream) = self.stream.borrow().clone() else { return Err(Gone) };
        let piece = self.tally.admit(piece);
        let flush = flush && !piece.is_empty();
        if stream.is_full() {
            // Nobody makes room in a body that nobody knows of.
            self.release();
        }
        let sent = stream.push(piece);
        if flush {
            self.release();
        }
        sent
    }

    fn finish(&self) {
        if let Some(stream) = self.stream.take() {
            stream.end(End::Complete);
        }
    }

    fn abort(&self) {
        if let Some(stream) = self.stream.take() {
            stream.end(End::BrokenOff);
        }
    }

    fn begun(&self) -> bool {
        self.tally.begun.get()
    }

    fn sent(&self) -> u64 {
        self.tally.sent.get()
    }

    fn settle(&self) {
        // While others wait for this thread the answer waits for the end of the call, unless calls
        // have been seen to go on.
        if self.lingering || !self.desk.has_queued() {
            self.release();
        }
        self.settled.set(Some(Instant::now()));
    }

    fn may_wait(&self) -> bool {
        self.stream.borrow().as_ref().is_some_and(|stream| stream.is_full())
    }

    fn drive(&self, _: Pin<&mut dyn Future<Output = ()>>) -> Driven {
        Driven::Elsewhere
    }

    fn annotate(&self, name: &str, value: String) {
        self.tally.annotate(name, value);
    }
}
