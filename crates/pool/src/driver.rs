//! What moves a connection: sends what its client was told to, and hands out the answers. It is tokio-postgres's.
//!
//! A task of its own does that in the background. Whoever waits for a statement does it himself meanwhile: so there is no
//! other task to be woken, and to wake him, for each statement; and so a thread that waits for nothing else can do it past the
//! runtime (see `way`).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio_postgres::AsyncMessage;

use crate::connection::Notices;
use crate::failure::in_words;
use crate::socket::Socket;
use crate::tap::Tap;
use crate::way::{Step, Way};

/// tokio-postgres's part.
pub(crate) type Engine = tokio_postgres::Connection<Tap<Socket>, Tap<Socket>>;

/// See the module. Clones are the same.
#[derive(Clone)]
pub(crate) struct Driver(Arc<Shared>);

struct Shared {
    /// `None` once the connection has ended.
    engine: Mutex<Option<Engine>>,
    way: Way,
    /// Whether there is a way past the runtime.
    is_plain: bool,
    /// Until when the thread that drives waits past the runtime; `None` for one that does not.
    until: Mutex<Option<Instant>>,
    relay: Arc<Relay>,
    /// The relay as the engine knows it, whoever drives.
    waker: Waker,
    notices: Notices,
    target: String,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Driver").field("target", &self.0.target).finish_non_exhaustive()
    }
}

impl Driver {
    pub(crate) fn new(engine: Engine, way: Way, is_plain: bool, notices: Notices, target: String) -> Self {
        let relay = Arc::new(Relay::default());
        let (waker, until) = (Waker::from(Arc::clone(&relay)), Mutex::default());
        let engine = Mutex::new(Some(engine));
        Self(Arc::new(Shared { engine, way, is_plain, until, relay, waker, notices, target }))
    }

    fn engine(&self) -> MutexGuard<'_, Option<Engine>> {
        self.0.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the background, until the connection has ended.
    pub(crate) async fn run(&self) {
        poll_fn(|context| match self.0.relay.stand_by(context.waker()) {
            true => self.advance(Step::Registered),
            false => Poll::Pending,
        })
        .await;
    }

    /// Does what can be done at once.
    fn advance(&self, step: Step) -> Poll<()> {
        let mut guard = self.engine();
        let Some(engine) = &mut *guard else { return Poll::Ready(()) };
        let mut context = Context::from_waker(&self.0.waker);
        self.0.way.go(step);
        let ended = loop {
            match engine.poll_message(&mut context) {
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => self.0.notices.push(&notice),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    log::debug!("{}: the connection has ended: {}", self.0.target, in_words(&error));
                    break true;
                }
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        self.0.way.go(Step::Registered);
        if !ended {
            return Poll::Pending;
        }
        // Those who wait for answers hear of it by this.
        *guard = None;
        drop(guard);
        self.0.relay.rouse();
        Poll::Ready(())
    }

    /// There is nothing more to come, by the server's own word.
    pub(crate) fn end(&self) {
        *self.engine() = None;
        self.0.relay.rouse();
    }

    /// Waits for a statement, and drives meanwhile. It must be one that waits for nothing but this connection.
    pub(crate) async fn drive<T>(&self, statement: impl Future<Output = T>) -> T {
        let mut statement = pin!(statement);
        let mut lead = Lead::new(self);
        poll_fn(|context| lead.poll(context, statement.as_mut())).await
    }

    /// Has the client told to send something of which nobody waits for the answer, and sends it at once.
    pub(crate) fn send(&self, tell: impl FnOnce()) {
        let lead = Lead::new(self);
        self.0.relay.hold(Waker::noop());
        tell();
        self.0.relay.take_due();
        // What there is no room for goes when there is: the background is woken then.
        let _ = self.advance(Step::Registered);
        drop(lead);
    }

    /// Hears what has come meanwhile, without the runtime. Says whether that is possible.
    pub(crate) fn look(&self) -> bool {
        if self.0.is_plain {
            let lead = Lead::new(self);
            self.0.relay.hold(Waker::noop());
            let _ = self.advance(Step::Look);
            drop(lead);
        }
        self.0.is_plain
    }

    /// The way past the runtime, if there is one.
    pub(crate) fn line(&self) -> Option<Line> {
        self.0.is_plain.then(|| Line(self.clone()))
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it is to drive in the background's place.
struct Lead<'a> {
    driver: &'a Driver,
    has_asked: bool,
    /// Whoever drives was woken while that was done past the runtime, which may have been the runtime's only word: the background
    /// has to register anew.
    stirred: bool,
}

impl<'a> Lead<'a> {
    fn new(driver: &'a Driver) -> Self {
        Self { driver, has_asked: false, stirred: false }
    }

    fn poll<T>(&mut self, context: &Context<'_>, mut statement: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        // A statement gets on by what the engine does, and by nothing else: it needs nobody to wake it.
        let mut unwoken = Context::from_waker(Waker::noop());
        let relay = &self.driver.0.relay;
        let until = *self.driver.until();
        let at_once = if until.is_some() { Step::Write } else { Step::Registered };
        relay.hold(context.waker());
        if !std::mem::replace(&mut self.has_asked, true) {
            if let Poll::Ready(ended) = statement.as_mut().poll(&mut unwoken) {
                return Poll::Ready(ended);
            }
            relay.take_due();
        }
        let (mut step, mut has_waited) = (at_once, false);
        loop {
            let _ = self.driver.advance(step);
            if let Poll::Ready(ended) = statement.as_mut().poll(&mut unwoken) {
                return Poll::Ready(ended);
            }
            step = at_once;
            if relay.take_due() {
                self.stirred |= until.is_some();
                continue;
            }
            match until {
                Some(until) if !has_waited || Instant::now() < until => {
                    has_waited = true;
                    step = Step::Wait(until);
                }
                _ if relay.let_go() => relay.hold(context.waker()),
                _ => return Poll::Pending,
            }
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let relay = &self.driver.0.relay;
        let is_due = relay.take_due();
        relay.resign(is_due || self.stirred);
    }
}

/// Wakes whoever drives. The engine knows it as the only one who ever does.
#[derive(Default)]
struct Relay {
    /// Whoever drives is at it right now, and looks himself.
    held: AtomicBool,
    /// There is something for him to do.
    due: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    leader: Option<Waker>,
    background: Option<Waker>,
    /// The background had something to do and was not let.
    was_refused: bool,
}

impl Relay {
    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The background would drive; says whether it may.
    fn stand_by(&self, waker: &Waker) -> bool {
        let mut wakers = self.wakers();
        keep(&mut wakers.background, waker);
        let is_led = wakers.leader.is_some();
        wakers.was_refused |= is_led;
        !is_led
    }

    /// Somebody else drives.
    fn hold(&self, waker: &Waker) {
        self.held.store(true, Ordering::SeqCst);
        keep(&mut self.wakers().leader, waker);
    }

    fn take_due(&self) -> bool {
        self.due.swap(false, Ordering::SeqCst)
    }

    /// He does nothing until he is woken. Says whether he would have been already.
    fn let_go(&self) -> bool {
        self.held.store(false, Ordering::SeqCst);
        self.take_due()
    }

    /// He leaves the rest to the background, which has something to do if this is `due`.
    fn resign(&self, due: bool) {
        let mut wakers = self.wakers();
        self.held.store(false, Ordering::SeqCst);
        wakers.leader = None;
        let was_refused = std::mem::take(&mut wakers.was_refused);
        if let Some(background) = wakers.background.as_ref().filter(|_| due || was_refused) {
            background.wake_by_ref();
        }
    }

    /// The background has something to do, whoever drives.
    fn rouse(&self) {
        if let Some(background) = &self.wakers().background {
            background.wake_by_ref();
        }
    }
}

fn keep(place: &mut Option<Waker>, waker: &Waker) {
    if !place.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
        *place = Some(waker.clone());
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::SeqCst);
        if self.held.load(Ordering::SeqCst) {
            return;
        }
        let wakers = self.wakers();
        if let Some(waker) = wakers.leader.as_ref().or(wakers.background.as_ref()) {
            waker.wake_by_ref();
        }
    }
}

/// The way of a thread to the end of a statement, past the runtime.
#[derive(Clone, Debug)]
pub struct Line(Driver);

/// What became of a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited<T> {
    /// The end has come.
    Ended(T),
    /// The time has passed.
    Passed,
    /// It waits for something else than this connection.
    Elsewhere,
}

impl Line {
    /// Waits for this, which is to be what a lease of this connection does.
    pub fn wait_for<F: Future + ?Sized>(&self, limit: Duration, future: Pin<&mut F>) -> Waited<F::Output> {
        let until = Instant::now() + limit;
        *self.0.until() = Some(until);
        let polled = future.poll(&mut Context::from_waker(Waker::noop()));
        *self.0.until() = None;
        match polled {
            Poll::Ready(ended) => Waited::Ended(ended),
            Poll::Pending if Instant::now() >= until => Waited::Passed,
            Poll::Pending => Waited::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests;
