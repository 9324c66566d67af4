//! Handing connections over to other workers, as the main thread sees it: which may go, which have gone, and which it had
//! better not read from while it is in a long call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use ferricorn_settings::{Language, Settings};
use ferricorn_unix::channel::Channel;
use ferricorn_unix::clock;

use crate::lookout::{Duty, MAIN_THREAD, Posts};
use crate::pace::LONG_CALL;
use crate::roster::{Patrol, Roster};
use crate::standing::Standing;

/// See the module.
pub(crate) struct Handover {
    roster: Arc<Roster>,
    posts: Arc<Posts>,
    /// Readers that wait for the end of a call, the first to come first.
    withheld: RefCell<VecDeque<Waker>>,
    /// There is a task that looks after them.
    attended: Cell<bool>,
}

impl Handover {
    /// Whether there is anybody to hand over to, and anything: a native application answers many at once, and the state of TLS
    /// cannot leave its process.
    pub(crate) fn makes_sense(settings: &Settings) -> bool {
        let few_at_a_time = settings.language == Language::Python;
        few_at_a_time && settings.workers > 1 && settings.tls.is_none() && !settings.keepalive.is_zero()
    }

    pub(crate) fn new(queue: Channel, settings: &Settings, posts: Arc<Posts>) -> Self {
        let roster = Arc::new(Roster::new(queue, settings.worker_connections));
        Self { roster, posts, withheld: RefCell::default(), attended: Cell::new(false) }
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
    /// read in a long call that pumps, nor, with `cautious`, in one that may become long.
    pub(crate) fn withholds(&self, standing: &Standing, cautious: bool, waker: &Waker) -> bool {
        let is_long = |began| clock::monotonic().saturating_sub(began) >= LONG_CALL;
        let withholds = standing.is_offered() && (cautious || self.posts.call(MAIN_THREAD).is_some_and(is_long));
        if withholds {
            self.withhold(waker);
        }
        withholds
    }

    /// This reader is to wait.
    pub(crate) fn withhold(&self, waker: &Waker) {
        self.withheld.borrow_mut().push_back(waker.clone());
    }

    /// Whether whoever asks is to look after those who wait, because nobody does.
    pub(crate) fn needs_attendant(&self) -> bool {
        !self.attended.replace(true)
    }

    /// Whether there is still somebody to look after; if not, nobody does from now on.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.set(!self.withheld.borrow().is_empty());
        self.attended.get()
    }

    /// Lets so many of those who wait look again. To be called from within the runtime.
    pub(crate) fn resume(&self, count: usize) {
        let mut withheld = self.withheld.borrow_mut();
        let count = count.min(withheld.len());
        withheld.drain(..count).for_each(Waker::wake);
    }

    /// Passes a connection on, from the main thread, if it has a request. Says whether it did.
    pub(crate) fn pass_on(&self, standing: &Standing) -> bool {
        self.roster.pass_on(standing).unwrap_or_else(|error| {
            log::debug!("A connection was not passed on to another worker: {error}");
            false
        })
    }
}
