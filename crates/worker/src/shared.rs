//! The state that the tasks of one worker share. One thread: cells, no locks. What that thread shares with threads of
//! the application's is in [`crate::desk`].

mod activity;
mod admission;
mod calls;
mod reading;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use ferricorn_application::Request;
use ferricorn_settings::Settings;
use ferricorn_telemetry::access_log::AccessLog;
use ferricorn_telemetry::events::Reporter;
use ferricorn_telemetry::scoreboard::SlotWriter;
use ferricorn_telemetry::statsd::Statsd;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::clock;
use http::HeaderValue;
use tokio::sync::{Notify, oneshot};

use crate::answer::Answer;
use crate::body::Room;
use crate::crew::Crew;
use crate::handover::Handover;
use crate::late::{self, QueueTimeouts};
use crate::lookout::Posts;
use crate::pace::Pace;
use crate::policy::Policy;
use crate::requests::Requests;
use crate::roster::Roster;
use crate::rules::Rules;
use crate::tls::Tls;

pub(crate) use self::activity::{Activity, Open};
pub(crate) use self::admission::TAKEOVER;
use self::admission::Waiting;
pub(crate) use self::calls::{Answered, ask_for_successor};

/// How long finished responses may wait for the next turn to I/O while requests are queued.
const TURN_DUE: Duration = Duration::from_micros(200);

/// How often `--reload` looks at source files, and what is told once a second is told.
const TICKS_OF_A_SECOND: u64 = 10;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Accepting and answering.
    Serving,
    /// Finishing what it has; every response closes its connection. Ends then at the latest.
    Draining { until: Instant },
    /// Leaving without waiting for anybody.
    Leaving,
}

/// A request that has fully arrived and waits for its call.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) activity: Rc<Activity>,
    /// Takes the answer to the connection; closed when the client is gone.
    pub(crate) reply: oneshot::Sender<Answer>,
    /// When the head had arrived; only where access log or metrics want to know.
    pub(crate) arrived: Option<Instant>,
    /// Since when it waits, by the monotonic clock: all of it had arrived.
    pub(crate) since: Duration,
}

impl Job {
    pub(crate) fn new(
        shared: &Shared,
        request: Request,
        activity: &Rc<Activity>,
        reply: oneshot::Sender<Answer>,
        arrived: Option<Instant>,
    ) -> Self {
        let since = late::since(&shared.settings, &request.connection);
        Self { request, activity: Rc::clone(activity), reply, arrived, since }
    }
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) policy: Policy,
    pub(crate) rules: Rc<Rules>,
    /// Where request bodies wait.
    pub(crate) room: Room,
    /// What all responses say of the server, if anything.
    pub(crate) server_header: Option<HeaderValue>,
    pub(crate) settings: Settings,
    pub(crate) slot: Arc<SlotWriter>,
    pub(crate) reporter: Reporter,
    pub(crate) access_log: Option<RefCell<AccessLog>>,
    pub(crate) statsd: Option<Statsd>,
    pub(crate) tls: Option<Tls>,
    /// Threads of the application's; without them the main thread makes the calls.
    pub(crate) crew: Option<Crew>,
    /// Where each thread that makes calls says in which one it is; the main thread's is the first.
    pub(crate) posts: Arc<Posts>,
    pub(crate) pace: Pace,
    /// Where connections can be handed over to other workers.
    pub(crate) handover: Option<Handover>,
    /// A native application's service and what it is at, once it is made.
    pub(crate) requests: OnceCell<Requests>,
    queue: RefCell<VecDeque<Job>>,
    /// Answers on their way to their connections. They are delivered from within the runtime: to
    /// wake a task from outside costs a system call each time.
    outbox: RefCell<Vec<(oneshot::Sender<Answer>, Answer)>>,
    /// Wakes the pump: a job was queued, the phase changed, or a connection ended.
    changed: Notify,
    phase: Cell<Phase>,
    /// The master has ended without having told its workers to leave.
    pub(crate) master_is_gone: Cell<bool>,
    in_call: Cell<bool>,
    /// The call in progress waits for its client, and I/O goes on meanwhile.
    pub(crate) waits_for_client: Cell<bool>,
    /// One per listener; empty once all have ended.
    acceptors: RefCell<HashMap<usize, Waiting>>,
    /// Somebody who wants to look again with the next tick.
    tick_waker: RefCell<Option<Waker>>,
    /// By their numbers, which rise.
    pub(crate) open: RefCell<BTreeMap<u64, Open>>,
    last_turn: Cell<Duration>,
    /// The monotonic clock as last read: after every turn and every call.
    now: Cell<Duration>,
    /// Counts the sweeper's rounds: time in which the worker was able to see its connections.
    pub(crate) tick: Cell<u64>,
    served: Cell<u64>,
    /// `served` at the last tick.
    served_before: Cell<u64>,
    /// How many requests this worker serves before it asks for a successor.
    share: Option<u64>,
    /// A signal has come that the application wants to see.
    pub(crate) signalled: Cell<bool>,
    /// It is time to look whether source files have changed; only with `--reload`.
    pub(crate) look_at_sources: Cell<bool>,
    pub(crate) queue_timeouts: QueueTimeouts,
    /// Whether the last call went on for a while after its response was complete.
    pub(crate) lingering_calls: Cell<bool>,
}

impl Shared {
    pub(crate) fn new(
        settings: Settings,
        slot: SlotWriter,
        reporter: Reporter,
        access_log: Option<AccessLog>,
        tls: Option<Tls>,
        queue: Channel,
    ) -> Rc<Self> {
        let posts = Posts::new(settings.threads.max(1), !settings.request_timeout.is_zero());
        let jitter = fastrand::u64(0..=settings.max_requests_jitter);
        let share = (settings.max_requests > 0).then(|| settings.max_requests + jitter);
        let slot = Arc::new(slot);
        let roster = || Roster::new(queue, Arc::clone(&slot), settings.workers, settings.worker_connections);
        Rc::new(Self {
            policy: Policy::new(&settings),
            rules: Rc::new(Rules::new(&settings)),
            room: Room::new(&settings),
            server_header: settings.server_header.as_deref().and_then(|text| HeaderValue::from_str(text).ok()),
            statsd: open_statsd(&settings),
            tls,
            handover: Handover::makes_sense(&settings).then(|| Handover::new(roster(), Arc::clone(&posts))),
            posts,
            pace: Pace::default(),
            crew: settings.multithread.then(|| Crew::new(settings.threads.max(1), settings.queue_timeout)),
            requests: OnceCell::new(),
            settings,
            slot,
            reporter,
            access_log: access_log.map(RefCell::new),
            queue: RefCell::default(),
            outbox: RefCell::default(),
            changed: Notify::new(),
            phase: Cell::new(Phase::Serving),
            master_is_gone: Cell::new(false),
            in_call: Cell::new(false),
            waits_for_client: Cell::new(false),
            acceptors: RefCell::default(),
            tick_waker: RefCell::default(),
            open: RefCell::default(),
            last_turn: Cell::new(clock::monotonic()),
            now: Cell::new(clock::monotonic()),
            tick: Cell::new(1),
            served: Cell::new(0),
            served_before: Cell::new(0),
            share,
            signalled: Cell::new(false),
            look_at_sources: Cell::new(false),
            queue_timeouts: QueueTimeouts::default(),
            lingering_calls: Cell::new(false),
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether anybody wants to know how long requests take.
    pub(crate) fn measures_requests(&self) -> bool {
        self.access_log.is_some() || self.statsd.is_some()
    }

    /// Whether the access log asks for response headers.
    pub(crate) fn logs_response_headers(&self) -> bool {
        self.access_log.as_ref().is_some_and(|log| log.borrow().format().wants_response_headers())
    }

    /// Stops accepting, and leaves when nothing is left to do or `until` has come.
    pub(crate) fn drain(&self, grace: Duration) {
        if self.phase.get() == Phase::Serving {
            self.phase.set(Phase::Draining { until: Instant::now() + grace });
            self.show_clients();
            if let Some(handover) = &self.handover {
                handover.close();
            }
            self.changed.notify_one();
            self.wake_acceptors(|_| true);
        }
    }

    /// Leaves after at most the call in progress.
    pub(crate) fn leave(&self) {
        self.phase.set(Phase::Leaving);
        self.show_clients();
        self.changed.notify_one();
        self.wake_acceptors(|_| true);
    }

    /// Whether there will be no worker after this one.
    pub(crate) fn server_ends(&self) -> bool {
        self.slot.server_is_stopping() || self.master_is_gone.get()
    }

    /// Whether responses must close their connections.
    pub(crate) fn closes_connections(&self) -> bool {
        self.phase.get() != Phase::Serving || self.settings.keepalive.is_zero() || self.sends_clients_away()
    }

    /// Where the next request of a client may have to wait for a long call, and its connection cannot be handed over, a new one
    /// finds a worker that is idle.
    fn sends_clients_away(&self) -> bool {
        self.handover.is_none() && self.crew.is_none() && self.settings.workers > 1 && self.pace.is_slow()
    }

    pub(crate) fn push(&self, job: Job) {
        match &self.crew {
            Some(crew) => crew.hand_over(self, job),
            None => {
                self.queue.borrow_mut().push_back(job);
                self.changed.notify_one();
            }
        }
    }

    /// Whether a request that waits since then has waited too long, by the clock as last read.
    pub(crate) fn is_late(&self, since: Duration) -> bool {
        let patience = self.settings.queue_timeout;
        !patience.is_zero() && self.now.get().saturating_sub(since) > patience
    }

    pub(crate) fn pop(&self) -> Option<Job> {
        self.queue.borrow_mut().pop_front()
    }

    /// Keeps an answer for the next turn.
    pub(crate) fn post(&self, reply: oneshot::Sender<Answer>, answer: Answer) {
        self.outbox.borrow_mut().push((reply, answer));
    }

    /// Hands all answers to their connections. To be called from within the runtime.
    pub(crate) fn deliver(&self) {
        for (reply, answer) in self.outbox.borrow_mut().drain(..) {
            // A closed channel means that the client is gone: the response has nowhere to go.
            let _ = reply.send(answer);
        }
    }

    /// How many requests wait for their call.
    pub(crate) fn waiting(&self) -> usize {
        match &self.crew {
            Some(crew) => crew.waiting(),
            None => self.queue.borrow().len(),
        }
    }

    /// How many wait for their call, or to be read before it.
    pub(crate) fn line_length(&self) -> usize {
        self.waiting() + self.handover.as_ref().map_or(0, Handover::line_length)
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.borrow().is_empty()
    }

    /// Something has changed for the pump.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until something may have changed for the pump.
    pub(crate) async fn change(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn connection_ended(&self, number: u64) {
        self.open.borrow_mut().remove(&number);
        self.show_clients();
        if let Some(handover) = &self.handover {
            handover.strike(number);
        }
        self.wake_held_back();
        self.changed.notify_one();
    }

    /// Takes back a request that no thread has taken: nobody waits for its answer any more.
    pub(crate) fn withdraw(&self, activity: &Rc<Activity>) {
        if let Some(crew) = &self.crew {
            crew.withdraw(self, activity);
        }
    }

    /// A signal has come that the application wants to see.
    pub(crate) fn note_signal(&self) {
        self.signalled.set(true);
        self.changed.notify_one();
    }

    pub(crate) fn read_clock(&self) {
        self.now.set(clock::monotonic());
    }

    /// Whether finished responses have waited long enough, by the clock as last read.
    pub(crate) fn turn_is_due(&self) -> bool {
        self.now.get().saturating_sub(self.last_turn.get()) >= TURN_DUE
    }

    /// A turn to I/O begins: what was logged since the last one goes out first.
    pub(crate) fn note_turn(&self) {
        if let Some(access_log) = &self.access_log
            && let Err(error) = access_log.borrow_mut().flush()
        {
            log::error!("Cannot write the access log: {error}");
        }
    }

    pub(crate) fn turn_ended(&self) {
        if self.handover.is_some() {
            self.slot.show_line(self.line_length());
        }
        self.read_clock();
        self.last_turn.set(self.now.get());
    }

    /// A response body has been taken or given up.
    pub(crate) fn response_ended(&self) {
        if self.phase.get() != Phase::Serving {
            self.changed.notify_one();
        }
    }

    /// Wakes this one with the sweeper's next tick.
    pub(crate) fn wake_with_tick(&self, waker: &Waker) {
        *self.tick_waker.borrow_mut() = Some(waker.clone());
    }

    pub(crate) fn tick_passed(&self) {
        self.forget_passed();
        self.allow_as_many_as_ended();
        let second_passed = self.tick.get().is_multiple_of(TICKS_OF_A_SECOND);
        if self.settings.reload && second_passed {
            self.look_at_sources.set(true);
            self.changed.notify_one();
        }
        if let Some(crew) = &self.crew {
            self.read_clock();
            crew.attend_late(self);
        }
        if second_passed {
            self.queue_timeouts.tell(self);
        }
        if let Some(waker) = self.tick_waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A worker serves without metrics rather than not at all.
fn open_statsd(settings: &Settings) -> Option<Statsd> {
    Statsd::open(settings).inspect_err(|error| log::warn!("{error}")).ok().flatten()
}
