//! The application's side of one call.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferricorn_application::{Exchange, Gone, Head};
use http::{HeaderMap, Method, StatusCode};
use tokio::runtime::LocalRuntime;
use tokio::sync::oneshot;

use crate::answer::{Answer, Content, End, Pieces};
use crate::hints::Hints;
use crate::shared::{Phase, Shared};

/// Pieces wait for a slow client up to this many bytes; then the application waits.
const RESPONSE_BUFFER: usize = 1024 * 1024;
/// A call that goes on for longer than this after its response was complete is worth a turn to
/// I/O before it does.
const LINGERING: Duration = Duration::from_millis(1);

/// See [`Exchange`].
pub(crate) struct CallExchange {
    runtime: Rc<LocalRuntime>,
    shared: Rc<Shared>,
    reply: RefCell<Option<oneshot::Sender<Answer>>>,
    hints: Hints,
    /// Set by `begin`: the pieces go there.
    pieces: RefCell<Option<Rc<Pieces>>>,
    is_head: bool,
    /// Body bytes that may still be sent; `None` without a Content-Length.
    left: Cell<Option<u64>>,
    begun: Cell<bool>,
    settled: Cell<Option<Instant>>,
    pub(crate) sent: Cell<u64>,
    pub(crate) status: Cell<StatusCode>,
    pub(crate) logged_headers: RefCell<HeaderMap>,
    pub(crate) annotations: RefCell<Vec<(String, String)>>,
}

impl CallExchange {
    pub(crate) fn new(
        runtime: Rc<LocalRuntime>,
        shared: Rc<Shared>,
        reply: oneshot::Sender<Answer>,
        hints: Hints,
        method: &Method,
    ) -> Rc<Self> {
        Rc::new(Self {
            runtime,
            shared,
            reply: RefCell::new(Some(reply)),
            hints,
            pieces: RefCell::default(),
            is_head: *method == Method::HEAD,
            left: Cell::new(None),
            begun: Cell::new(false),
            settled: Cell::new(None),
            sent: Cell::new(0),
            status: Cell::new(StatusCode::INTERNAL_SERVER_ERROR),
            logged_headers: RefCell::default(),
            annotations: RefCell::default(),
        })
    }

    /// The call has returned.
    pub(crate) fn close(&self) {
        let lingered = self.settled.get().is_some_and(|since| since.elapsed() > LINGERING);
        self.shared.lingering_calls.set(lingered);
        // An application that broke its promise leaves a connection that must not hang.
        self.abort();
    }

    /// Takes note of a head, and of the bytes that may follow it.
    fn open(&self, head: &Head) {
        self.begun.set(true);
        self.status.set(head.status);
        let bodiless = self.is_head
            || head.status.is_informational()
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.left.set(if bodiless { Some(0) } else { head.length });
        let wants_headers =
            |log: &RefCell<ferricorn_telemetry::access_log::AccessLog>| log.borrow().format().wants_response_headers();
        if self.shared.access_log.as_ref().is_some_and(wants_headers) {
            self.logged_headers.borrow_mut().clone_from(&head.headers);
        }
    }

    /// Cuts a piece to what Content-Length still allows.
    fn admit(&self, mut piece: Bytes) -> Bytes {
        if let Some(left) = self.left.get() {
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.left.set(Some(left - piece.len() as u64));
        }
        self.sent.set(self.sent.get() + piece.len() as u64);
        piece
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

    /// Waits, after a turn, for as long as the client is behind.
    fn wait_for_room(&self, pieces: &Pieces) {
        let shared = &self.shared;
        shared.waits_for_client.set(true);
        self.runtime.block_on(poll_fn(|context| {
            if shared.phase() == Phase::Leaving {
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
        if !self.begun.get()
            && let Err(error) = self.hints.send(headers)
        {
            log::debug!("Early hints did not reach their client: {error}");
        }
    }

    fn respond(&self, head: Head, body: Bytes) {
        self.open(&head);
        let body = self.admit(body);
        self.reply(head, Content::Whole(body));
    }

    fn respond_file(&self, head: Head, file: File, offset: u64, length: u64) {
        self.open(&head);
        let left = self.left.get().map_or(length, |left| left.min(length));
        self.left.set(self.left.get().map(|all| all - left));
        self.sent.set(left);
        self.reply(head, Content::File { file, offset, left });
    }

    fn begin(&self, head: Head) {
        self.open(&head);
        let pieces = Rc::new(Pieces::default());
        *self.pieces.borrow_mut() = Some(Rc::clone(&pieces));
        self.reply(head, Content::Pieces(pieces));
    }

    fn send(&self, piece: Bytes, flush: bool) -> Result<(), Gone> {
        let Some(pieces) = self.pieces.borrow().clone() else { return Err(Gone) };
        let piece = self.admit(piece);
        if !piece.is_empty() {
            if flush {
                self.turn(|| pieces.push(piece));
                self.wait_for_room(&pieces);
            } else {
                pieces.push(piece);
            }
        }
        if pieces.is_gone() || self.shared.phase() == Phase::Leaving { Err(Gone) } else { Ok(()) }
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
        self.begun.get()
    }

    fn sent(&self) -> u64 {
        self.sent.get()
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

    fn annotate(&self, name: &str, value: String) {
        self.annotations.borrow_mut().push((name.to_owned(), value));
    }
}
