//! Whether the next request on a connection is to be read: one that is read waits for a call of this worker, while one that is not can
//! be handed over to another.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::Shared;
use crate::crew::{Crew, Prospect};
use crate::handover::Handover;
use crate::standing::Standing;

/// How often those who wait for a thread are looked after.
const LOOK: Duration = Duration::from_millis(1);

impl Shared {
    /// Whether a connection that could be handed over may be read from now. If not, its task is woken when it may, if ever.
    pub(crate) fn may_read(self: &Rc<Self>, standing: &Arc<Standing>, waker: &Waker) -> bool {
        let Some(handover) = &self.handover else { return true };
        let withholds = match &self.crew {
            Some(crew) => self.withholds_from_crew(crew, handover, standing, waker),
            None if self.gives_away(handover, standing) => true,
            None => handover.withholds(standing, self.must_be_cautious(), self.now.get(), waker),
        };
        !withholds && handover.claim(standing)
    }

    /// Where others wait already, and another worker has fewer connections, it gets this one: connections that are kept would else stay
    /// for ever where most of them are, and a worker that came later would have none. Says whether it is gone.
    fn gives_away(&self, handover: &Handover, standing: &Arc<Standing>) -> bool {
        let gives = standing.is_offered()
            && standing.waits_since().is_none()
            && self.has_work()
            && handover.may_be_given()
            && self.is_ahead()
            && handover.pass_on(standing);
        if gives {
            self.forget_passed();
        }
        gives
    }

    /// There is a call that may be a long one.
    fn must_be_cautious(&self) -> bool {
        self.pace.expects_long(self.now.get()) && (self.in_call.get() || self.has_queued())
    }

    /// The main thread makes no calls, so it can look after the connections itself.
    fn withholds_from_crew(
        self: &Rc<Self>,
        crew: &Crew,
        handover: &Handover,
        standing: &Arc<Standing>,
        waker: &Waker,
    ) -> bool {
        if !standing.is_offered() {
            return false;
        }
        let prospect = crew.prospect(&self.posts);
        if prospect == Prospect::Good {
            return false;
        }
        if prospect == Prospect::Bad && handover.pass_on(standing) {
            self.forget_passed();
            return true;
        }
        handover.withhold(standing, self.now.get(), waker);
        if handover.needs_attendant() {
            tokio::task::spawn_local(attend_withheld(Rc::clone(self)));
        }
        true
    }

    /// Ends the tasks of connections that others have, which leaves them open there. To be called from within the runtime.
    pub(crate) fn forget_passed(&self) {
        let Some(handover) = &self.handover else { return };
        for number in handover.take_passed() {
            if let Some(task) = self.open.borrow().get(&number).and_then(|open| open.task.as_ref()) {
                task.abort();
            }
        }
    }

    /// Whether anybody waits to be read from.
    pub(crate) fn has_line(&self) -> bool {
        self.handover.as_ref().is_some_and(Handover::has_line)
    }

    /// A request waits for its call, or to be read.
    pub(crate) fn has_work(&self) -> bool {
        self.has_queued() || self.has_line()
    }

    /// Lets one of those be read from that have to wait; says whether there was one. To be called from within the runtime, while no
    /// call is in progress and none waits.
    pub(crate) fn call_next_in_line(&self) -> bool {
        self.handover.as_ref().is_some_and(Handover::call_next)
    }

    /// A thread has become idle: lets as many as there are idle ones look again. To be called from within the runtime.
    pub(crate) fn resume_reading(&self, idle: usize) {
        if let Some(handover) = &self.handover {
            handover.resume(idle);
        }
    }
}

/// Sees to it that whoever waits for a thread looks again when it is clear that none will come.
async fn attend_withheld(shared: Rc<Shared>) {
    let (Some(handover), Some(crew)) = (&shared.handover, &shared.crew) else { return };
    while handover.is_attended() {
        tokio::time::sleep(LOOK).await;
        match crew.prospect(&shared.posts) {
            Prospect::Good => handover.resume(usize::MAX),
            Prospect::Doubtful => {}
            // One after the other, as they are taken.
            Prospect::Bad => handover.resume(1),
        }
    }
}
