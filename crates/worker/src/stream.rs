//! A body on its way from the application's thread that makes it to the connection that takes it.
//! The locks are held for moments only.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ferricorn_application::Gone;

use crate::answer::End;
use crate::exchange::RESPONSE_BUFFER;

/// The pieces between the two.
#[derive(Default)]
pub(crate) struct Stream {
    state: Mutex<State>,
    /// Less waits than before, or nobody takes it any more.
    room: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    /// Bytes in `queue`.
    waiting: usize,
    end: Option<End>,
    /// The connection does not take any more.
    gone: bool,
    reader: Option<Waker>,
}

impl State {
    fn is_full(&self) -> bool {
        self.waiting > RESPONSE_BUFFER && !self.gone
    }
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a further piece has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.state().is_full()
    }

    /// Adds a piece, once there is room.
    pub(crate) fn push(&self, piece: Bytes) -> Result<(), Gone> {
        let full = self.room.wait_while(self.state(), |state| state.is_full());
        let mut state = full.unwrap_or_else(PoisonError::into_inner);
        if state.gone {
            return Err(Gone);
        }
        if !piece.is_empty() {
            state.waiting += piece.len();
            state.queue.push_back(piece);
            wake_reader(state);
        }
        Ok(())
    }

    pub(crate) fn end(&self, end: End) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        wake_reader(state);
    }

    /// Nobody takes any more pieces.
    pub(crate) fn give_up(&self) {
        self.state().gone = true;
        self.room.notify_all();
    }

    pub(crate) fn poll_piece(&self, context: &Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut state = self.state();
        if let Some(piece) = state.queue.pop_front() {
            let was_full = state.is_full();
            state.waiting -= piece.len();
            if was_full && !state.is_full() {
                self.room.notify_all();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end {
            Some(End::Complete) => Poll::Ready(None),
            Some(End::BrokenOff) => Poll::Ready(Some(Err(io::Error::other("the application broke off")))),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// To wake a task of another thread's costs a system call, so this is done without the lock.
fn wake_reader(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn next(stream: &Stream) -> Poll<Option<io::Result<Bytes>>> {
        stream.poll_piece(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn pieces_come_in_order_and_then_the_end() {
        let stream = Stream::default();
        assert!(next(&stream).is_pending());
        stream.push(Bytes::from_static(b"a")).unwrap();
        stream.push(Bytes::from_static(b"b")).unwrap();
        stream.end(End::Complete);
        assert!(matches!(next(&stream), Poll::Ready(Some(Ok(piece))) if piece == "a"));
        assert!(matches!(next(&stream), Poll::Ready(Some(Ok(piece))) if piece == "b"));
        assert!(matches!(next(&stream), Poll::Ready(None)));
    }

    #[test]
    fn who_is_ahead_waits_for_room() {
        let stream = Arc::new(Stream::default());
        let piece = Bytes::from(vec![b'x'; RESPONSE_BUFFER]);
        stream.push(piece.clone()).unwrap();
        assert!(!stream.is_full());
        stream.push(Bytes::from_static(b"more")).unwrap();
        assert!(stream.is_full());
        let writer = thread::spawn({
            let stream = Arc::clone(&stream);
            move || stream.push(Bytes::from_static(b"last"))
        });
        assert!(matches!(next(&stream), Poll::Ready(Some(Ok(taken))) if taken == piece));
        writer.join().unwrap().unwrap();
        assert!(matches!(next(&stream), Poll::Ready(Some(Ok(taken))) if taken == "more"));
    }

    #[test]
    fn who_waits_hears_that_the_client_is_gone() {
        let stream = Arc::new(Stream::default());
        stream.push(Bytes::from(vec![b'x'; RESPONSE_BUFFER + 1])).unwrap();
        let writer = thread::spawn({
            let stream = Arc::clone(&stream);
            move || stream.push(Bytes::from_static(b"last"))
        });
        stream.give_up();
        assert_eq!(writer.join().unwrap(), Err(Gone));
        assert_eq!(stream.push(Bytes::new()), Err(Gone));
    }
}
