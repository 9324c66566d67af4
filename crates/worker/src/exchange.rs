//! The application's side of one call.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferricorn_application::{Driven, Exchange, Gone, Head};
use http::{HeaderMap, Method};
use tokio::runtime::LocalRuntime;
use tokio::sync::oneshot;

use crate::answer::{Answer, Content, End, Pieces};
use crate::hints::{Hints, Progress};
use crate::lookout::MAIN_THREAD;
use crate::shared::{Phase, Shared};
use crate::tally::Tally;

/// Pieces wait for a slow client up to this many bytes; then the application waits.
pub(crate) const RESPONSE_BUFFER: usize = 1024 * 1024;
/// A call that goes on for longer than this after its response was complete is worth a turn to
/// I/O before it does.
pub(crate) const LINGERING: Duration = Duration::from_millis(1);

/// See [`Exchange`].
pub(crate) struct CallExchange {
    runtime: Rc<LocalRuntime>,
    shared: Rc<Shared>,
    reply: RefCell<Option<oneshot::Sender<Answer>>>,
    hints: Hints,
    /// Set by `begin`: the pieces go there.
    pieces: RefCell<Option<Rc<Pieces>>>,
    settled: Cell<Option<Instant>>,
    /// The application has been told that its client is gone.
    told_gone: Cell<bool>,
    pub(crate) tally: Tally,
}

impl CallExchange {
    pub(crate) fn new(
        runtime: Rc<LocalRuntime>,
        shared: Rc<Shared>,
        reply: oneshot::Sender<Answer>,
        hints: Hints,
        method: &Method,
    ) -> Rc<Self> {
        let tally = Tally::new(method, shared.logs_response_headers());
        let (pieces, settled, told_gone) = (RefCell::default(), Cell::new(None), Cell::new(false));
        Rc::new(Self { runtime, shared, reply: RefCell::new(Some(reply)), hints, pieces, settled, told_gone, tally })
    }

    /// The call has returned.
    pub(crate) fn close(&self) {
        let lingered = self.settled.get().is_some_and(|since| since.elapsed() > LINGERING);
        self.shared.lingering_calls.set(lingered);
        // An application that broke its promise leaves a connection that must not hang.
        self.abort();
    }

    fn reply(&self, head: Head, content: Content) {
        if let Some(reply) = self.reply.borrow_mut().take() {
            self.shared.post(reply, Answer { head, content });
        }
    }

    /// Does something within the runtime, then lets everything that is ready move once, without
    /// waiting.
    fn turn(&self, first: impl FnOnce()) {
        self.shared.note_turn();
        self.runtime.block_on(async {
            self.shared.deliver();
            first();
            tokio::task::yield_now().await;
        });
        self.shared.turn_ended();
    }

    /// Whether the client has gone before it got an answer, and the application does not know yet.
    fn finds_client_gone(&self, context: &mut Context<'_>) -> bool {
        let gone = match self.reply.borrow_mut().as_mut() {
            Some(reply) => reply.poll_closed(context).is_ready(),
            None => false,
        };
        gone && !self.told_gone.replace(true)
    }

    /// Waits, after a turn, for as long as the client is behind.
    fn wait_for_room(&self, pieces: &Pieces) {
        let shared = &self.shared;
        shared.waits_for_client.set(true);
        self.runtime.block_on(poll_fn(|context| {
            if shared.phase() == Phase::Leaving || shared.posts.is_late(MAIN_THREAD) {
                return Poll::Ready(());
            }
            // The phase may change without a byte moving: the sweeper's tick wakes us too.
            shared.wake_with_tick(context.waker());
            pieces.poll_room(context, RESPONSE_BUFFER)
        }));
        shared.waits_for_client.set(false);
        self.shared.turn_ended();
    }
}

impl Exchange for CallExchange {
    fn hint(&self, headers: &HeaderMap) {
        if self.tally.begun.get() {
            return;
        }
        match self.hints.send(headers) {
            Ok(Progress::Done) => {}
            Ok(Progress::Queued) => self.turn(|| {}),
            Err(error) => log::debug!("Early hints did not reach their client: {error}"),
        }
    }

    fn respond(&self, head: Head, body: Bytes) {
        self.tally.open(&head);
        let body = self.tally.admit(body);
        self.reply(head, Content::Whole(body));
    }

    fn respond_file(&self, head: Head, file: File, offset: u64, length: u64) {
        self.tally.open(&head);
        let left = self.tally.admit_length(length);
        self.reply(head, Content::File { file, offset, left });
    }

    fn begin(&self, head: Head) {
        self.tally.open(&head);
        let pieces = Rc::new(Pieces::default());
        *self.pieces.borrow_mut() = Some(Rc::clone(&pieces));
        self.reply(head, Content::Pieces(pieces));
    }

    fn send(&self, piece: Bytes, flush: bool) -> Result<(), Gone> {
        let Some(pieces) = self.pieces.borrow().clone() else { return Err(Gone) };
        let piece = self.tally.admit(piece);
        if !piece.is_empty() {
            if flush {
                self.turn(|| pieces.push(piece));
                self.wait_for_room(&pieces);
            } else {
                pieces.push(piece);
            }
        }
        let ends = self.shared.phase() == Phase::Leaving || self.shared.posts.is_late(MAIN_THREAD);
        if pieces.is_gone() || ends { Err(Gone) } else { Ok(()) }
    }

    fn finish(&self) {
        if let Some(pieces) = self.pieces.borrow_mut().take() {
            pieces.end(End::Complete);
        }
    }

    fn abort(&self) {
        if let Some(pieces) = self.pieces.borrow_mut().take() {
            pieces.end(End::BrokenOff);
        }
        self.reply.borrow_mut().take();
    }

    fn begun(&self) -> bool {
        self.tally.begun.get()
    }

    fn sent(&self) -> u64 {
        self.tally.sent.get()
    }

    fn settle(&self) {
        // With nothing else to do, or when it is time, a turn costs next to nothing; else finished
        // responses wait for the end of this call, unless calls have been seen to go on.
        self.shared.read_clock();
        if !self.shared.has_queued() || self.shared.turn_is_due() || self.shared.lingering_calls.get() {
            self.turn(|| {});
        }
        self.settled.set(Some(Instant::now()));
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn drive(&self, mut future: Pin<&mut dyn Future<Output = ()>>) -> Driven {
        let shared = &self.shared;
        shared.note_turn();
        let tick = shared.tick.get();
        let driven = self.runtime.block_on(async {
            shared.deliver();
            poll_fn(|context| {
                if future.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Driven::Done);
                }
                if self.finds_client_gone(context) {
                    return Poll::Ready(Driven::ClientGone);
                }
                if shared.tick.get() != tick {
                    return Poll::Ready(Driven::Waiting);
                }
                shared.wake_with_tick(context.waker());
                Poll::Pending
            })
            .await
        });
        shared.turn_ended();
        driven
    }

    fn annotate(&self, name: &str, value: String) {
        self.tally.annotate(name, value);
    }
}
