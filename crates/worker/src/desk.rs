//! Where a worker's main thread and the application's threads meet: requests that wait for a
//! thread on one side, what the threads have to say on the other.
//!
//! The locks are held for moments, and never while anything else is waited for: an application's
//! thread may hold its language's lock when it comes here.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferricorn_application::{Head, Request};
use http::{HeaderMap, StatusCode};

use crate::answer::Content;
use crate::stream::Stream;

/// A request that waits for a thread.
pub(crate) struct Waiting {
    /// Its number among the worker's calls.
    pub(crate) number: u64,
    pub(crate) request: Request,
    /// Since when, by the monotonic clock.
    pub(crate) since: Duration,
}

/// What a thread says of a call.
pub(crate) enum Letter {
    /// Headers that the response will have.
    Hints(u64, HeaderMap),
    /// The response, or its beginning.
    Answer(u64, Head, Parcel),
    /// No thread has taken it in time, and none will.
    Late(u64),
    /// It has returned.
    Done(u64, Outcome),
    /// The thread has ended for no good reason, in this call if it was in one.
    Lost(Option<u64>),
}

/// A body that crosses threads; see [`Content`].
pub(crate) enum Parcel {
    Whole(Bytes),
    Stream(Arc<Stream>),
    File { file: File, offset: u64, left: u64 },
}

impl From<Parcel> for Content {
    fn from(parcel: Parcel) -> Self {
        match parcel {
            Parcel::Whole(bytes) => Self::Whole(bytes),
            Parcel::Stream(stream) => Self::Stream(stream),
            Parcel::File { file, offset, left } => Self::File { file, offset, left },
        }
    }
}

/// What access log and metrics want to know of a call.
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) sent: u64,
    pub(crate) annotations: Vec<(String, String)>,
    pub(crate) ended: Instant,
    /// It has gone on for longer than it may.
    pub(crate) late: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Desk {
    /// How long a request may wait; zero for ever.
    patience: Duration,
    counter: Mutex<Counter>,
    /// For threads that wait for a request.
    called: Condvar,
    mail: Mutex<Mail>,
}

#[derive(Default)]
struct Counter {
    queue: VecDeque<Waiting>,
    /// Threads that wait.
    idle: usize,
    /// One of them has been woken and has not come to take anything yet. There is never a second
    /// one: whoever takes a request wakes the next if there are more, so that threads which would
    /// only wait for the language's lock sleep on.
    coming: bool,
    closed: bool,
}

impl Counter {
    /// Takes out those that have waited too long.
    fn take_late(&mut self, now: Duration, patience: Duration) -> Vec<u64> {
        let mut late = Vec::new();
        let is_late = |first: &Waiting| !patience.is_zero() && now.saturating_sub(first.since) > patience;
        while self.queue.front().is_some_and(is_late) {
            late.extend(self.queue.pop_front().map(|first| first.number));
        }
        late
    }
}

#[derive(Default)]
struct Mail {
    letters: Vec<Letter>,
    reader: Option<Waker>,
}

impl Desk {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    fn counter(&self) -> MutexGuard<'_, Counter> {
        self.counter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request.
    pub(crate) fn queue(&self, waiting: Waiting) {
        let mut counter = self.counter();
        counter.queue.push_back(waiting);
        self.call_next(counter);
    }

    /// Wakes a thread if one is needed that would not come by itself.
    fn call_next(&self, mut counter: MutexGuard<'_, Counter>) {
        let needed = !counter.queue.is_empty() && counter.idle > 0 && !counter.coming;
        counter.coming |= needed;
        drop(counter);
        if needed {
            self.called.notify_one();
        }
    }

    /// Takes a request back that no thread has taken; says whether that was so.
    pub(crate) fn withdraw(&self, number: u64) -> bool {
        let mut counter = self.counter();
        let place = counter.queue.iter().position(|waiting| waiting.number == number);
        place.and_then(|place| counter.queue.remove(place)).is_some()
    }

    /// There will be no more requests, and those that wait are given up.
    pub(crate) fn close(&self) {
        let mut counter = self.counter();
        counter.closed = true;
        counter.queue.clear();
        drop(counter);
        self.called.notify_all();
    }

    /// Waits until a request is there; false once the desk is closed.
    pub(crate) fn wait(&self) -> bool {
        let mut counter = self.counter();
        while counter.queue.is_empty() && !counter.closed {
            counter.idle += 1;
            counter = self.called.wait(counter).unwrap_or_else(PoisonError::into_inner);
            counter.idle -= 1;
            if counter.queue.is_empty() {
                // The one it was woken for has been taken by another.
                counter.coming = false;
            }
        }
        !counter.closed
    }

    /// Takes the request that has waited longest, if not too long. `came`: this thread has waited.
    pub(crate) fn take(&self, came: bool, now: Duration) -> Option<Waiting> {
        let mut counter = self.counter();
        if came {
            counter.coming = false;
        }
        let late = counter.take_late(now, self.patience);
        let taken = counter.queue.pop_front();
        self.call_next(counter);
        if !late.is_empty() {
            self.post(late.into_iter().map(Letter::Late));
        }
        taken
    }

    /// Takes out the requests that have waited too long.
    pub(crate) fn take_late(&self, now: Duration) -> Vec<u64> {
        self.counter().take_late(now, self.patience)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.counter().queue.len()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.counter().queue.is_empty()
    }

    /// Leaves letters for the main thread. It is woken once for all that come before it looks.
    pub(crate) fn post(&self, letters: impl IntoIterator<Item = Letter>) {
        let mut mail = self.mail();
        mail.letters.extend(letters);
        let reader = mail.reader.take();
        drop(mail);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Exchanges an empty list for the letters there are.
    pub(crate) fn fetch(&self, empty: &mut Vec<Letter>) {
        std::mem::swap(&mut self.mail().letters, empty);
    }

    /// Ready when there are letters.
    pub(crate) fn poll_mail(&self, context: &Context<'_>) -> Poll<()> {
        let mut mail = self.mail();
        if !mail.letters.is_empty() {
            return Poll::Ready(());
        }
        mail.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use ferricorn_application::{Body, Connection, Peer};

    use super::*;

    fn waiting(number: u64) -> Waiting {
        let peer = Peer::Unix(PathBuf::new());
        let socket = Box::new(File::open("/dev/null").unwrap());
        let connection = Arc::new(Connection {
            remote: peer.clone(),
            local: peer,
            socket,
            proxied: Default::default(),
            tls: Default::default(),
        });
        let head = http::Request::new(()).into_parts().0;
        let request = Request { head, body: Body::Memory(Bytes::new()), https: false, connection };
        Waiting { number, request, since: Duration::ZERO }
    }

    #[test]
    fn the_oldest_is_taken_first_and_nothing_after_the_end() {
        let desk = Desk::default();
        (0..3).for_each(|number| desk.queue(waiting(number)));
        assert!(desk.wait() && desk.has_queued());
        assert_eq!(desk.take(true, Duration::ZERO).map(|taken| taken.number), Some(0));
        assert_eq!(desk.take(false, Duration::ZERO).map(|taken| taken.number), Some(1));
        desk.close();
        assert!(!desk.wait());
        assert!(desk.take(false, Duration::ZERO).is_none());
    }

    #[test]
    fn who_has_waited_too_long_is_not_taken() {
        let (desk, second) = (Desk::new(Duration::from_secs(1)), Duration::from_secs(1));
        (0..4).for_each(|number| desk.queue(Waiting { since: second * number, ..waiting(number.into()) }));
        assert!(desk.take_late(second).is_empty());
        assert_eq!(desk.take_late(second * 2), [0]);
        assert_eq!(desk.take(false, second * 7 / 2).map(|taken| taken.number), Some(3));
        let mut letters = Vec::new();
        desk.fetch(&mut letters);
        assert!(matches!(letters[..], [Letter::Late(1), Letter::Late(2)]));
        assert_eq!(desk.waiting(), 0);
    }

    #[test]
    fn every_request_is_taken_once_and_all_threads_end() {
        let desk = Arc::new(Desk::default());
        let taken = Arc::new(AtomicUsize::new(0));
        let work = || {
            let (desk, taken) = (Arc::clone(&desk), Arc::clone(&taken));
            thread::spawn(move || {
                while desk.wait() {
                    let mut came = true;
                    while desk.take(std::mem::take(&mut came), Duration::ZERO).is_some() {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let threads: Vec<_> = (0..4).map(|_| work()).collect();
        for number in 0..2000 {
            desk.queue(waiting(number));
            if number % 7 == 0 {
                // Lets them fall asleep now and then.
                while taken.load(Ordering::Relaxed) <= number as usize {
                    thread::yield_now();
                }
            }
        }
        while taken.load(Ordering::Relaxed) < 2000 {
            thread::yield_now();
        }
        desk.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(taken.load(Ordering::Relaxed), 2000);
    }

    #[test]
    fn requests_that_take_long_run_beside_each_other() {
        let desk = Arc::new(Desk::default());
        let together = Arc::new(std::sync::Barrier::new(3));
        let work = || {
            let (desk, together) = (Arc::clone(&desk), Arc::clone(&together));
            thread::spawn(move || {
                assert!(desk.wait());
                assert!(desk.take(true, Duration::ZERO).is_some());
                together.wait();
            })
        };
        let threads: Vec<_> = (0..3).map(|_| work()).collect();
        (0..3).for_each(|number| desk.queue(waiting(number)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn the_main_thread_is_woken_once_for_all_letters() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (desk, count) = (Desk::default(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let context = Context::from_waker(&waker);
        assert!(desk.poll_mail(&context).is_pending());
        (0..3).for_each(|number| desk.post([Letter::Lost(Some(number))]));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(desk.poll_mail(&context).is_ready());
        let mut letters = Vec::new();
        desk.fetch(&mut letters);
        assert_eq!(letters.len(), 3);
        assert!(desk.poll_mail(&context).is_pending());
    }
}
