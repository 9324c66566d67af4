//! Whether this worker takes connections, and who is told when that changes.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Phase, Shared};
use crate::accept::Acceptor;
use crate::crew::Prospect;
use crate::handover::Handover;
use crate::pace::LONG_CALL;

/// The number of the acceptor that takes what other workers pass on; listeners have those from zero.
pub(crate) const TAKEOVER: usize = usize::MAX;
/// So many more connections than another worker a worker may have and still take what comes.
const AHEAD: usize = 8;
/// Not so if that one is in a call that has gone on for so long: it may not come soon.
const COMES_SOON: Duration = Duration::from_millis(10);
/// So many new connections at most are taken between two calls where all of them have to wait.
const NEWCOMERS: usize = 32;

/// An acceptor's task, between two polls.
#[derive(Default)]
pub(super) struct Waiting {
    waker: Option<Waker>,
    /// The listening socket; `None` for what other workers pass on.
    listener: Option<Rc<Acceptor>>,
    /// It waits for the worker to be idle, not for a connection.
    held_back: bool,
    /// Connections that it may take all the same.
    allowance: u64,
}

impl Waiting {
    /// It may take so many, at least, though the worker is not idle, and looks at once.
    fn let_in(&mut self, count: u64) {
        self.allowance = self.allowance.max(count);
        self.wake();
    }

    /// It looks again.
    fn wake(&self) {
        self.waker.iter().for_each(Waker::wake_by_ref);
    }
}

impl Shared {
    /// An acceptor exists from now on.
    pub(crate) fn acceptor_begins(&self, number: usize, listener: Option<Rc<Acceptor>>) {
        self.acceptors.borrow_mut().insert(number, Waiting { listener, ..Waiting::default() });
        self.show_clients();
    }

    /// It has taken its last connection.
    pub(crate) fn acceptor_ends(&self, number: usize) {
        self.acceptors.borrow_mut().remove(&number);
        self.changed.notify_one();
    }

    /// Lets other workers see how many connections this one has.
    pub(crate) fn show_clients(&self) {
        let takes = self.phase.get() == Phase::Serving;
        self.slot.show_clients(takes.then(|| self.open.borrow().len()));
    }

    pub(crate) fn has_acceptors(&self) -> bool {
        !self.acceptors.borrow().is_empty()
    }

    /// Connections are taken only while no call runs and none waits, or a thread is idle: what this worker cannot
    /// serve now stays in the kernel's queue for a worker that can. Nor is it for the first that wakes to take all of a crowd
    /// that comes at once; but whoever was passed on has a request and waits, and is for the first that is idle. Where there is no
    /// such worker clients that came first are not to be served alone for ever, and some are taken all the same, but not into a long
    /// call, for which they might have to wait: those who are let in between two calls ([`let_newcomers_in`](Self::let_newcomers_in),
    /// [`lets_passed_in`](Self::lets_passed_in)), and of what still waits when the sweeper ticks as many as calls have ended since its
    /// last tick. The waker hears of a change.
    fn may_accept(&self, number: usize, waker: &Waker) -> bool {
        let has_room = self.open.borrow().len() < self.settings.worker_connections;
        let mut may = self.is_idle() && has_room && (number == TAKEOVER || !self.is_ahead());
        if let Some(waiting) = self.acceptors.borrow_mut().get_mut(&number) {
            if !may && has_room && waiting.allowance > 0 && !self.is_held() {
                waiting.allowance -= 1;
                may = true;
            }
            waiting.held_back = !may;
            if !waiting.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                waiting.waker = Some(waker.clone());
            }
        }
        may
    }

    fn is_idle(&self) -> bool {
        match &self.crew {
            Some(crew) => crew.has_idle_thread(),
            None => !self.in_call.get() && !self.has_work(),
        }
    }

    /// Whether whatever came now would wait for a long call.
    fn is_held(&self) -> bool {
        match &self.crew {
            Some(crew) => crew.prospect(&self.posts) == Prospect::Bad,
            None => self.posts.as_long_as(LONG_CALL) > 0,
        }
    }

    /// Whether another worker should take what comes.
    pub(super) fn is_ahead(&self) -> bool {
        self.most_to_take() == 0
    }

    /// So many connections may be taken until another worker should.
    fn most_to_take(&self) -> usize {
        let most = self.slot.fewest_clients(COMES_SOON).map_or(usize::MAX, |fewest| fewest + AHEAD + 1);
        most.saturating_sub(self.open.borrow().len())
    }

    /// What there is to take, as soon as it may be taken.
    pub(crate) fn poll_taken<T>(
        &self,
        number: usize,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !self.may_accept(number, context.waker()) {
            return Poll::Pending;
        }
        let taken = take(context);
        if taken.is_pending() {
            self.nothing_waits(number);
        }
        taken
    }

    /// The same for what is left when the worker drains. There may be nobody else to take it, and so it is taken though the worker
    /// is full, but not before it could be served.
    pub(crate) fn poll_left<T>(&self, number: usize, context: &Context<'_>, take: impl FnOnce() -> T) -> Poll<T> {
        let held_back = self.crew.as_ref().is_some_and(|crew| !crew.has_idle_thread());
        if let Some(waiting) = self.acceptors.borrow_mut().get_mut(&number) {
            (waiting.held_back, waiting.allowance) = (held_back, 0);
            waiting.waker = Some(context.waker().clone());
        }
        if held_back { Poll::Pending } else { Poll::Ready(take()) }
    }

    /// After each turn of those who wait here, lets one connection in that was passed on, unless another worker has fewer: a worker where
    /// somebody waits is never idle, and so are all, if there is more to do than they can. Says whether there may be one. To be called
    /// from within the runtime, while no call is in progress and none waits.
    pub(crate) fn lets_passed_in(&self) -> bool {
        let had_turn = self.handover.as_ref().is_some_and(Handover::had_turn);
        let mut acceptors = self.acceptors.borrow_mut();
        let takeover = acceptors.get_mut(&TAKEOVER).filter(|waiting| had_turn && waiting.held_back);
        let Some(waiting) = takeover.filter(|_| !self.is_ahead()) else { return false };
        waiting.let_in(1);
        true
    }

    /// Lets new connections in where others wait already, if none would be served sooner elsewhere: fewer wait at no other worker, or
    /// more connections wait to be accepted than there are workers to do it. Else those who came before would have their turns again
    /// and again until the next tick. Not where connections cannot be handed over, should a long call come. To be called from within the
    /// runtime, while no call is in progress.
    pub(crate) fn let_newcomers_in(&self) {
        let here = self.line_length();
        if here == 0 || self.handover.is_none() && self.settings.workers > 1 {
            return;
        }
        let mut acceptors = self.acceptors.borrow_mut();
        let held_back = acceptors.iter_mut().filter(|(number, waiting)| **number != TAKEOVER && waiting.held_back);
        for (_, waiting) in held_back {
            let is_crowd =
                || waiting.listener.as_ref().is_some_and(|listener| listener.has_more_than(self.settings.workers));
            if !self.slot.another_has_line_below(here) || is_crowd() {
                waiting.let_in(self.most_to_take().min(NEWCOMERS) as u64);
            }
        }
    }

    /// Whether an acceptor may take another connection whether the worker is idle or not.
    pub(crate) fn may_take_more(&self, number: usize) -> bool {
        self.acceptors.borrow().get(&number).is_some_and(|waiting| waiting.allowance > 0)
    }

    /// The acceptor that was let look has found nothing: the next to come is for an idle worker.
    fn nothing_waits(&self, number: usize) {
        if let Some(waiting) = self.acceptors.borrow_mut().get_mut(&number) {
            waiting.allowance = 0;
        }
    }

    /// Lets those who are held back take what the worker can serve until the next tick.
    pub(super) fn allow_as_many_as_ended(&self) {
        let mut ended = self.served.get() - self.served_before.replace(self.served.get());
        if self.is_idle() {
            // Those who should have taken what came have not.
            ended = ended.max(AHEAD as u64);
        }
        if self.is_ahead() {
            ended = ended.min(AHEAD as u64);
        }
        let mut acceptors = self.acceptors.borrow_mut();
        for waiting in acceptors.values_mut() {
            waiting.allowance = if waiting.held_back { ended } else { 0 };
        }
        drop(acceptors);
        if ended > 0 {
            self.wake_held_back();
        }
    }

    /// Lets those look again who waited for the worker to be idle.
    pub(crate) fn wake_held_back(&self) {
        self.wake_acceptors(|waiting| waiting.held_back);
    }

    pub(super) fn wake_acceptors(&self, which: impl Fn(&Waiting) -> bool) {
        self.acceptors.borrow().values().filter(|waiting| which(waiting)).for_each(Waiting::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::rc::Rc;
    use std::sync::Arc;

    use ferricorn_settings::{Context, Layer, Origin, Value, resolve};
    use ferricorn_telemetry::events::Reporter;
    use ferricorn_telemetry::scoreboard::SlotWriter;
    use ferricorn_unix::channel::Channel;

    use super::super::{Activity, Open};
    use super::*;
    use crate::roster::tests::seats;
    use crate::standing::tests::standing;

    const LISTENER: usize = 0;

    /// A sync worker that has `clients`, with its acceptors.
    fn worker(slot: SlotWriter, clients: usize) -> Rc<Shared> {
        let layer = Layer::new(Origin::CommandLine, vec![("workers".to_owned(), Value::Int(2))]);
        let settings = resolve(&[layer], Some("app"), &Context::from_environment()).unwrap().settings;
        let reporter = Reporter::new(File::open("/dev/null").unwrap().into());
        let shared = Shared::new(settings, slot, reporter, None, None, Channel::pair().unwrap().0);
        for number in 0..clients as u64 {
            let open = Open { activity: Rc::new(Activity::default()), connection: standing().connection, task: None };
            shared.open.borrow_mut().insert(number, open);
        }
        [LISTENER, TAKEOVER].into_iter().for_each(|number| shared.acceptor_begins(number, None));
        shared
    }

    #[test]
    fn a_crowd_is_divided_and_who_was_passed_on_waits_for_nobody() {
        let [first, second] = seats();
        let shared = worker(first, AHEAD + 1);
        let may_accept = |number| shared.may_accept(number, Waker::noop());
        assert!(may_accept(LISTENER), "nobody else is there");
        second.show_clients(Some(0));
        assert!(!may_accept(LISTENER), "the other one has fewer");
        assert!(may_accept(TAKEOVER), "a request that is here is for the first that is idle");
        shared.in_call.set(true);
        assert!(!may_accept(TAKEOVER));
    }

    #[test]
    fn one_who_was_passed_on_is_let_in_after_each_turn_here() {
        let [first, _] = seats();
        let shared = worker(first, 1);
        let may_take = || shared.may_accept(TAKEOVER, Waker::noop());
        let handover = shared.handover.as_ref().unwrap();
        for _ in 0..2 {
            handover.withhold(&Arc::new(standing()), Duration::ZERO, Waker::noop());
        }
        assert!(!may_take(), "others wait");
        assert!(!shared.lets_passed_in(), "nobody has had his turn");
        assert!(shared.call_next_in_line());
        assert!(shared.lets_passed_in() && may_take());
        assert!(!shared.lets_passed_in() && !may_take(), "one is in");
        assert!(shared.call_next_in_line() && shared.lets_passed_in() && may_take());
        shared.nothing_waits(TAKEOVER);
        handover.withhold(&Arc::new(standing()), Duration::ZERO, Waker::noop());
        assert!(shared.call_next_in_line() && !shared.lets_passed_in(), "there was none when it was looked");
    }

    #[test]
    fn newcomers_are_let_in_where_all_have_to_wait_and_none_waits_less() {
        let [first, second] = seats();
        let shared = worker(first, 1);
        let may_accept = |number| {
            shared.let_newcomers_in();
            shared.may_accept(number, Waker::noop())
        };
        let handover = shared.handover.as_ref().unwrap();
        let wait = || handover.withhold(&Arc::new(standing()), Duration::ZERO, Waker::noop());
        second.show_clients(Some(1));
        second.show_line(1);
        wait();
        assert!(!may_accept(LISTENER), "it is held back from now on");
        let let_in = (0..).take_while(|_| shared.may_accept(LISTENER, Waker::noop()));
        shared.let_newcomers_in();
        assert_eq!(let_in.count(), AHEAD + 1, "no more than leave the other one its share");
        assert!(!shared.may_accept(TAKEOVER, Waker::noop()), "those have turns of their own");
        wait();
        assert!(!may_accept(LISTENER), "fewer wait at the other one");
        second.show_line(2);
        assert!(may_accept(LISTENER));
    }
}
