//! Handing connections over to other workers, as the main thread sees it: which may go, which have gone, and which it had
//! better not read from while it is in a long call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use ferricorn_settings::{Language, Settings};

use crate::lookout::{Duty, Posts};
use crate::pace::LONG_CALL;
use crate::roster::{Patrol, Roster};
use crate::standing::Standing;

/// One in so many of those who come while others wait may be given to a worker that has fewer connections.
const GIVEN_OF: u32 = 8;

/// See the module.
pub(crate) struct Handover {
    roster: Arc<Roster>,
    posts: Arc<Posts>,
    /// Those who have to wait before they are read from, in the order in which they came, here or to another worker.
    line: RefCell<VecDeque<InLine>>,
    /// Who is let read next, where calls are the main thread's.
    turn: RefCell<Option<Arc<Standing>>>,
    /// Somebody has had his since that was asked last.
    had_turn: Cell<bool>,
    /// How many have come while others waited.
    came: Cell<u32>,
    /// There is a task that looks after them, where they are not.
    attended: Cell<bool>,
}

/// Who waits, and since when by the monotonic clock.
struct InLine {
    standing: Arc<Standing>,
    waker: Waker,
    since: Duration,
}

impl Handover {
    /// Whether there is anybody to hand over to, and anything: a native application answers many at once, and the state of TLS
    /// cannot leave its process.
    pub(crate) fn makes_sense(settings: &Settings) -> bool {
        let few_at_a_time = settings.language == Language::Python;
        few_at_a_time && settings.workers > 1 && settings.tls.is_none() && !settings.keepalive.is_zero()
    }

    pub(crate) fn new(roster: Roster, posts: Arc<Posts>) -> Self {
        Self {
            roster: Arc::new(roster),
            posts,
            line: RefCell::default(),
            turn: RefCell::default(),
            had_turn: Cell::new(false),
            came: Cell::new(0),
            attended: Cell::new(false),
        }
    }

    /// What the lookout is to do, where calls are the main thread's.
    pub(crate) fn duty(&self) -> io::Result<Box<dyn Duty>> {
        Ok(Box::new(Patrol::new(Arc::clone(&self.roster), Arc::clone(&self.posts))?))
    }

    /// A connection that may go from now on, whenever it is offered.
    pub(crate) fn enter(&self, standing: Arc<Standing>) {
        self.roster.enter(standing);
    }

    /// It has ended.
    pub(crate) fn strike(&self, number: u64) {
        self.roster.strike(number);
    }

    /// The worker drains: what it has it keeps, because it may be the last to take anything.
    pub(crate) fn close(&self) {
        self.roster.close();
    }

    /// Connections that are not this worker's any more.
    pub(crate) fn take_passed(&self) -> Vec<u64> {
        self.roster.take_passed()
    }

    /// Whether the main thread may read. Whoever is not allowed to will never be.
    pub(crate) fn claim(&self, standing: &Standing) -> bool {
        self.roster.claim(standing)
    }

    /// A request that is read waits for the calls that come before it; one that is not read can still go elsewhere. So none is
    /// read in a long call that pumps, nor, with `cautious`, in one that may become long, nor before those that wait already.
    pub(crate) fn withholds(&self, standing: &Arc<Standing>, cautious: bool, now: Duration, waker: &Waker) -> bool {
        if self.takes_turn(standing) {
            return false;
        }
        // The main thread is the only one that makes calls.
        let must_wait = || cautious || self.has_line() || self.posts.as_long_as(LONG_CALL) > 0;
        let withholds = standing.is_offered() && must_wait();
        if withholds {
            self.withhold(standing, now, waker);
        }
        withholds
    }

    /// This reader is to wait. Who has waited elsewhere, at another worker or in the queue of a listening socket, comes before those
    /// who have come since.
    pub(crate) fn withhold(&self, standing: &Arc<Standing>, now: Duration, waker: &Waker) {
        let since = standing.wait(now);
        let mut line = self.line.borrow_mut();
        let place = line.partition_point(|other| other.since <= since);
        line.insert(place, InLine { standing: Arc::clone(standing), waker: waker.clone(), since });
    }

    /// Whether anybody waits to be read from.
    pub(crate) fn has_line(&self) -> bool {
        !self.line.borrow().is_empty() || self.turn.borrow().is_some()
    }

    /// How many do.
    pub(crate) fn line_length(&self) -> usize {
        self.line.borrow().len()
    }

    /// No call is in progress, and none waits: who has waited longest is let read. Says whether there was anybody. To be called
    /// from within the runtime.
    pub(crate) fn call_next(&self) -> bool {
        let (standing, waker) = self.line.borrow_mut().pop_front().map(|next| (next.standing, next.waker)).unzip();
        // Whoever had the turn before and has not used it is gone.
        self.turn.replace(standing);
        let has_turn = waker.map(Waker::wake).is_some();
        if has_turn {
            self.had_turn.set(true);
        }
        has_turn
    }

    /// Whether somebody who waited here has had his turn since this was asked last.
    pub(crate) fn had_turn(&self) -> bool {
        self.had_turn.take()
    }

    /// Somebody has come while others wait. Whether he may be given away: not while others who were are not taken.
    pub(crate) fn may_be_given(&self) -> bool {
        self.came.set(self.came.get().wrapping_add(1));
        self.came.get().is_multiple_of(GIVEN_OF) && !self.roster.has_passed_on()
    }

    /// Whether it is this one's turn, which is used by that.
    fn takes_turn(&self, standing: &Arc<Standing>) -> bool {
        self.turn.borrow_mut().take_if(|next| Arc::ptr_eq(next, standing)).is_some()
    }

    /// Whether whoever asks is to look after those who wait, because nobody does.
    pub(crate) fn needs_attendant(&self) -> bool {
        !self.attended.replace(true)
    }

    /// Whether there is still somebody to look after; if not, nobody does from now on.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.set(!self.line.borrow().is_empty());
        self.attended.get()
    }

    /// Lets so many of those who wait look again. To be called from within the runtime.
    pub(crate) fn resume(&self, count: usize) {
        let mut line = self.line.borrow_mut();
        let count = count.min(line.len());
        line.drain(..count).for_each(|next| next.waker.wake());
    }

    /// Passes a connection on, from the main thread, if it has a request. Says whether it did.
    pub(crate) fn pass_on(&self, standing: &Standing) -> bool {
        self.roster.pass_on(standing).unwrap_or_else(|error| {
            log::debug!("A connection was not passed on to another worker: {error}");
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use ferricorn_unix::channel::Channel;

    use super::*;
    use crate::roster::tests::roster;
    use crate::standing::tests::standing;

    #[test]
    fn few_are_given_away_and_none_while_others_are_not_taken() {
        let (give, take) = Channel::pair().unwrap();
        assert!(give.try_send(b"one", &[]).unwrap());
        let handover = Handover::new(roster(give), Posts::new(1, false));
        let given_of = |came: u32| (0..came).filter(|_| handover.may_be_given()).count();
        assert_eq!(given_of(5 * GIVEN_OF), 0);
        take.receive().unwrap();
        assert_eq!(given_of(5 * GIVEN_OF), 5);
    }

    #[test]
    fn who_has_waited_elsewhere_keeps_his_place() {
        let handover = Handover::new(roster(Channel::pair().unwrap().0), Posts::new(1, false));
        let waits = |number: u64, since: Option<u64>| {
            let Standing { connection, .. } = standing();
            let standing = Arc::new(Standing::new(number, connection, 0, since.map(Duration::from_secs)));
            handover.withhold(&standing, Duration::from_secs(10 + number), Waker::noop());
        };
        [(0, None), (1, None), (2, Some(5)), (3, Some(11)), (4, None), (5, Some(4))]
            .into_iter()
            .for_each(|(number, since)| waits(number, since));
        let turns = std::iter::from_fn(|| handover.call_next().then(|| handover.turn.take().unwrap().number));
        assert_eq!(turns.collect::<Vec<_>>(), [5, 2, 0, 1, 3, 4]);
    }
}
