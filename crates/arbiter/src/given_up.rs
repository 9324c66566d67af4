//! Addresses that a reload has given up. They are served until the last worker that listens there has been told to leave,
//! and what waits then is taken by that worker.

use std::rc::Rc;

use ferricorn_settings::Bind;

use crate::arbiter::Arbiter;
use crate::generation::{Generation, GenerationId};
use crate::notify;
use crate::sockets::Bound;
use crate::workers::Duty;

/// Such an address.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) bound: Rc<Bound>,
    /// The last generation that had it. Workers of earlier ones may listen there, too.
    last: GenerationId,
}

impl Arbiter {
    /// What this generation had and its successor has not; and what that has taken back stays.
    pub(crate) fn give_up_addresses(&mut self, old: &Generation) {
        self.given_up.retain(|given_up| Rc::strong_count(&given_up.bound) == 1);
        for gone in old.listeners.iter().filter(|bound| Rc::strong_count(bound) == 1) {
            gone.name_in_store().iter().for_each(|name| notify::forget(name));
            self.given_up.push(GivenUp { bound: Rc::clone(gone), last: old.id });
        }
    }

    /// The socket of an address that was given up and that a new configuration asks for again.
    pub(crate) fn wanted_again(&self, bind: &Bind) -> Option<Rc<Bound>> {
        let bound =
            self.given_up.iter().map(|given_up| &given_up.bound).find(|bound| bound.bind.as_ref() == Some(bind))?;
        bound.name_in_store().iter().for_each(|name| notify::store(name, &**bound));
        Some(Rc::clone(bound))
    }

    /// To be called when workers are marked as retiring and have not yet been told: the last one at an address is to find
    /// that nobody comes into the queue any more which it is to empty.
    pub(crate) fn close_given_up(&mut self) {
        let shared = self.shares_sockets();
        let workers = &self.workers.list;
        self.given_up.retain(|GivenUp { bound, last }| {
            let is_served = workers.iter().any(|worker| worker.generation <= *last && worker.duty != Duty::Retiring);
            if is_served || Rc::strong_count(bound) > 1 {
                return true;
            }
            bound.share(shared);
            bound.close_for_good();
            false
        });
    }
}
