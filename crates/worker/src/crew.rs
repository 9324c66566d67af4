//! The application's threads, as the main thread sees them. It hands requests over, and passes on
//! what the threads say of them; it makes no call itself and waits for none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ferricorn_application::{Application, Connection, Head, Request, target};
use ferricorn_unix::clock;
use http::request::Parts;
use http::{HeaderMap, Method};
use tokio::sync::oneshot;

use crate::answer::{Answer, Content, End};
use crate::desk::{Desk, Letter, Outcome, Parcel, Waiting};
use crate::hints::Hints;
use crate::late::{self, Unanswered};
use crate::lookout::Posts;
use crate::pace::LONG_CALL;
use crate::pump::Next;
use crate::shared::{Activity, Answered, Job, Phase, Shared};
use crate::shown::{Oldest, Shown};
use crate::stream::Stream;
use crate::thread::ThreadCalls;

/// In ticks: what a call gets to answer its client itself once its thread has been told to end it, before that is done in its place.
const ANSWER_PATIENCE: u32 = 5;

/// How soon a request would get a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// One is idle, or will be in a moment.
    Good,
    /// All are in calls, and all of these but the last may go on for long.
    Doubtful,
    /// All are in long calls.
    Bad,
}

/// See the module.
pub(crate) struct Crew {
    desk: Arc<Desk>,
    /// How many threads there are.
    size: usize,
    /// Calls that wait for a thread or are with one, the oldest first.
    calls: RefCell<BTreeMap<u64, Call>>,
    next_number: Cell<u64>,
    shown: Shown,
    /// Kept for its room.
    letters: RefCell<Vec<Letter>>,
}

/// What stays with the main thread of a request that it has handed over.
struct Call {
    /// Takes the answer to the connection; gone once it has.
    reply: Option<oneshot::Sender<Answer>>,
    hints: Hints,
    connection: Arc<Connection>,
    method: Method,
    path: Box<str>,
    /// When it was handed over.
    began: Duration,
    /// When its head had arrived, where somebody wants to know.
    arrived: Option<Instant>,
    /// The head, for the access log.
    head: Option<Parts>,
    stream: Option<Arc<Stream>>,
    /// Its client has been told that it takes too long, and that is written down.
    timed_out: bool,
}

impl Crew {
    /// `patience`: how long a request may wait for a thread; zero for ever.
    pub(crate) fn new(size: usize, patience: Duration) -> Self {
        Self {
            desk: Arc::new(Desk::new(patience)),
            size,
            calls: RefCell::default(),
            next_number: Cell::new(0),
            shown: Shown::default(),
            letters: RefCell::default(),
        }
    }

    /// Has the application start its threads.
    pub(crate) fn begin(&self, shared: &Shared, application: &mut dyn Application) -> io::Result<()> {
        for post in 0..self.size {
            let (desk, posts) = (Arc::clone(&self.desk), Arc::clone(&shared.posts));
            let calls = ThreadCalls::new(desk, posts, post, shared.logs_response_headers());
            application.start_thread(&format!("ferricorn-thread-{}", post + 1), Box::new(calls))?;
        }
        Ok(())
    }

    /// Whether a request would find a thread.
    pub(crate) fn has_idle_thread(&self) -> bool {
        self.calls.borrow().len() < self.size
    }

    fn idle_threads(&self) -> usize {
        self.size.saturating_sub(self.calls.borrow().len())
    }

    /// See [`Prospect`]. Calls are mostly short, so of several that are no long ones yet one will soon be over.
    pub(crate) fn prospect(&self, posts: &Posts) -> Prospect {
        if self.has_idle_thread() {
            return Prospect::Good;
        }
        let long = posts.as_long_as(LONG_CALL);
        match self.size - long.min(self.size) {
            0 => Prospect::Bad,
            1 if long > 0 => Prospect::Doubtful,
            _ => Prospect::Good,
        }
    }

    /// A call has ended: there may be a thread for somebody.
    fn invite(&self, shared: &Shared) {
        let idle = self.idle_threads();
        if idle > 0 {
            shared.resume_reading(idle);
            shared.wake_held_back();
        }
    }

    /// Gives a request to whichever thread takes it.
    pub(crate) fn hand_over(&self, shared: &Shared, job: Job) {
        let number = self.next_number.replace(self.next_number.get() + 1);
        let Job { request, activity, reply, arrived, since } = job;
        let Request { head, connection, .. } = &request;
        let call = Call {
            reply: Some(reply),
            hints: Hints::new(&request, activity),
            connection: Arc::clone(connection),
            method: head.method.clone(),
            path: target::path(head).into(),
            began: since,
            arrived,
            head: shared.access_log.is_some().then(|| head.clone()),
            stream: None,
            timed_out: false,
        };
        self.calls.borrow_mut().insert(number, call);
        shared.slot.count_call();
        self.show_oldest(shared);
        self.desk.queue(Waiting { number, request, since });
    }

    /// Takes back what no thread has taken: the connection, or the stream, has ended.
    pub(crate) fn withdraw(&self, shared: &Shared, activity: &Rc<Activity>) {
        let is_meant = |(_, call): &(&u64, &Call)| call.hints.is_for(activity);
        let number = self.calls.borrow().iter().find(is_meant).map(|(number, _)| *number);
        if let Some(number) = number
            && self.desk.withdraw(number)
        {
            self.calls.borrow_mut().remove(&number);
            self.show_oldest(shared);
        }
    }

    /// Answers those that have waited too long for a thread, and those whose call was ended and has not come back. To be called
    /// with each tick.
    pub(crate) fn attend_late(&self, shared: &Shared) {
        let now = clock::monotonic();
        for number in self.desk.take_late(now) {
            self.refuse(shared, number);
        }
        if !shared.settings.request_timeout.is_zero() {
            for number in shared.posts.of_crew(ANSWER_PATIENCE) {
                self.time_out(shared, number);
            }
        }
    }

    /// The thread may be stuck; its client is told without it.
    fn time_out(&self, shared: &Shared, number: u64) {
        let mut calls = self.calls.borrow_mut();
        let Some(call) = calls.get_mut(&number) else { return };
        if let Some(stream) = call.stream.take() {
            stream.give_up();
            stream.end(End::BrokenOff);
        }
        if let Some(reply) = call.reply.take() {
            call.timed_out = true;
            let request = Unanswered { head: call.head.as_ref(), connection: &call.connection, arrived: call.arrived };
            // A closed channel means that the client is gone.
            let _ = reply.send(late::time_out(shared, &request));
        }
    }

    /// How many wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.desk.waiting()
    }

    fn refuse(&self, shared: &Shared, number: u64) {
        let Some(call) = self.calls.borrow_mut().remove(&number) else { return };
        let request = Unanswered { head: call.head.as_ref(), connection: &call.connection, arrived: call.arrived };
        let answer = late::refuse(shared, &request);
        if let Some(reply) = call.reply {
            // A closed channel means that the client is gone.
            let _ = reply.send(answer);
        }
        self.show_oldest(shared);
        self.invite(shared);
    }

    /// I/O, and what the threads have to say, until there is something for the main thread to do.
    pub(crate) async fn next(&self, shared: &Shared) -> Next {
        loop {
            self.read_letters(shared);
            shared.note_turn();
            let nothing_left = self.calls.borrow().is_empty() && shared.open.borrow().is_empty();
            match shared.phase() {
                Phase::Leaving => return Next::Leave,
                Phase::Draining { .. } if nothing_left && !shared.has_acceptors() => return Next::Leave,
                _ if shared.signalled.take() => return Next::Attend,
                _ if shared.look_at_sources.take() => return Next::Look,
                _ => self.news(shared).await,
            }
        }
    }

    /// Waits for letters, or a change that the pump would wait for too.
    async fn news(&self, shared: &Shared) {
        let mut change = pin!(shared.change());
        poll_fn(|context| match self.desk.poll_mail(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => change.as_mut().poll(context),
        })
        .await;
    }

    /// To be called from within the runtime: to wake a connection's task from outside costs a
    /// system call each time.
    fn read_letters(&self, shared: &Shared) {
        let mut letters = self.letters.take();
        self.desk.fetch(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Hints(number, headers) => self.send_hints(number, &headers),
                Letter::Answer(number, head, parcel) => self.answer(number, head, parcel),
                Letter::Done(number, outcome) => self.end(shared, number, &outcome),
                Letter::Late(number) => self.refuse(shared, number),
                Letter::Lost(number) => self.lose(shared, number),
            }
        }
        *self.letters.borrow_mut() = letters;
    }

    fn send_hints(&self, number: u64, headers: &HeaderMap) {
        let calls = self.calls.borrow();
        if let Some(Err(error)) = calls.get(&number).map(|call| call.hints.send(headers)) {
            log::debug!("Early hints did not reach their client: {error}");
        }
    }

    fn answer(&self, number: u64, head: Head, parcel: Parcel) {
        let mut calls = self.calls.borrow_mut();
        let Some(call) = calls.get_mut(&number) else { return };
        if let Parcel::Stream(stream) = &parcel {
            call.stream = Some(Arc::clone(stream));
        }
        let Some(reply) = call.reply.take() else { return };
        if let Err(refused) = reply.send(Answer { head, content: parcel.into() })
            && let Content::Stream(stream) = refused.content
        {
            // The client is gone: the response has nowhere to go.
            stream.give_up();
        }
    }

    fn end(&self, shared: &Shared, number: u64, outcome: &Outcome) {
        let Some(call) = self.calls.borrow_mut().remove(&number) else { return };
        if !call.timed_out {
            shared.write_down(&Answered {
                logged: call.head.as_ref().map(|head| (head, &*call.connection)),
                status: outcome.status.as_u16(),
                response_headers: &outcome.headers,
                sent: outcome.sent,
                elapsed: call.arrived.map(|arrived| outcome.ended - arrived).unwrap_or_default(),
                annotations: &outcome.annotations,
            });
        }
        if let Some(statsd) = shared.statsd.as_ref().filter(|_| outcome.late) {
            statsd.request_timeout();
        }
        self.show_oldest(shared);
        shared.count_served();
        self.invite(shared);
    }

    fn lose(&self, shared: &Shared, number: Option<u64>) {
        log::error!("A thread of the application's has ended, and with it its call: the worker is replaced");
        if let Some(number) = number {
            self.calls.borrow_mut().remove(&number);
        }
        shared.drain(shared.settings.graceful_timeout);
    }

    fn show_oldest(&self, shared: &Shared) {
        let calls = self.calls.borrow();
        let oldest = calls.first_key_value().map(|(number, call)| Oldest {
            number: *number,
            began: call.began,
            method: call.method.as_str(),
            path: &call.path,
        });
        self.shown.update(&shared.slot, oldest);
    }

    /// Tells the threads that there is nothing more for them, and those in a call that nobody
    /// takes what they send.
    pub(crate) fn dismiss(&self, shared: &Shared) {
        self.read_letters(shared);
        self.desk.close();
        for stream in self.calls.borrow().values().filter_map(|call| call.stream.as_ref()) {
            stream.give_up();
            stream.end(End::BrokenOff);
        }
    }
}
