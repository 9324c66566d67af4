//! Who exists: the workers, and those that have been ordered and not yet been heard of.

use std::collections::HashMap;
use std::time::Instant;

use ferricorn_mold::protocol::Member;
use ferricorn_telemetry::events::Event;
use ferricorn_telemetry::scoreboard::Slot;
use ferricorn_unix::process::{Ending, ProcessId};

use crate::generation::GenerationId;

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Loading its application.
    Booting,
    /// Accepting since then.
    Ready(Instant),
}

/// What a worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Serve.
    Serving,
    /// Serve until a successor is ready: it has asked for one.
    AwaitingSuccessor,
    /// Finish and leave: it has been told so.
    Retiring,
}

/// One worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) process: ProcessId,
    pub(crate) slot: Slot,
    pub(crate) generation: GenerationId,
    pub(crate) age: u64,
    pub(crate) stage: Stage,
    /// When its mold told of its birth.
    pub(crate) born: Instant,
    pub(crate) duty: Duty,
    /// It was told to abort for its silence; the next look kills it.
    pub(crate) aborted: bool,
}

impl Worker {
    /// As molds know it.
    pub(crate) fn member(&self) -> Member {
        Member { process: self.process.as_raw(), age: self.age }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready(_))
    }
}

/// A worker that a mold was told to fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ordered {
    pub(crate) slot: Slot,
    pub(crate) generation: GenerationId,
    /// The mold that was told.
    pub(crate) mold: ProcessId,
    pub(crate) age: u64,
    /// How often logs had been reopened by then: a worker that runs before its mold tells of it
    /// misses the signal.
    pub(crate) log_reopenings: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    pub(crate) list: Vec<Worker>,
    pub(crate) ordered: Vec<Ordered>,
    /// Children that ended before any mold told of them, kept while orders are open: one of them
    /// may be a worker whose end was faster than the word of its birth.
    unexplained: HashMap<ProcessId, Ending>,
    /// Likewise what such workers have reported.
    pub(crate) unexplained_reports: Vec<Event>,
    /// Workers there have been, over the server's life.
    born: u64,
}

impl Workers {
    /// How many processes there are or are about to be.
    pub(crate) fn alive(&self) -> usize {
        self.list.len() + self.ordered.len()
    }

    pub(crate) fn next_age(&mut self) -> u64 {
        self.born += 1;
        self.born
    }

    /// The lowest slot that nobody has.
    pub(crate) fn free_slot(&self, capacity: u32) -> Option<Slot> {
        let taken = |slot| {
            self.list.iter().any(|worker| worker.slot == slot) || self.ordered.iter().any(|order| order.slot == slot)
        };
        (0..capacity).map(Slot).find(|slot| !taken(*slot))
    }

    pub(crate) fn find(&mut self, process: ProcessId) -> Option<&mut Worker> {
        self.list.iter_mut().find(|worker| worker.process == process)
    }

    /// The order that is open for this slot.
    pub(crate) fn order_for(&self, slot: Slot) -> Option<Ordered> {
        self.ordered.iter().find(|order| order.slot == slot).copied()
    }

    /// A mold has forked what was ordered for this slot. Returns the ending of a worker that is
    /// gone already.
    pub(crate) fn forked(&mut self, slot: Slot, process: ProcessId) -> Option<(ProcessId, Ending)> {
        let index = self.ordered.iter().position(|order| order.slot == slot)?;
        let Ordered { slot, generation, age, .. } = self.ordered.remove(index);
        let (stage, duty) = (Stage::Booting, Duty::Serving);
        let born = Instant::now();
        self.list.push(Worker { process, slot, generation, age, stage, born, duty, aborted: false });
        let ending = self.unexplained.remove(&process);
        if self.ordered.is_empty() {
            self.unexplained.clear();
        }
        ending.map(|ending| (process, ending))
    }

    /// Takes back the order for this slot.
    pub(crate) fn cancel(&mut self, slot: Slot) {
        self.ordered.retain(|order| order.slot != slot);
        self.forget_unexplained();
    }

    /// Takes back all orders to a mold that is gone.
    pub(crate) fn cancel_orders_to(&mut self, mold: ProcessId) {
        self.ordered.retain(|order| order.mold != mold);
        self.forget_unexplained();
    }

    /// A child that nobody knows has ended.
    pub(crate) fn note_unexplained(&mut self, process: ProcessId, ending: Ending) {
        if !self.ordered.is_empty() {
            self.unexplained.insert(process, ending);
        }
    }

    fn forget_unexplained(&mut self) {
        if self.ordered.is_empty() {
            self.unexplained.clear();
        }
    }

    pub(crate) fn remove(&mut self, process: ProcessId) -> Option<Worker> {
        let index = self.list.iter().position(|worker| worker.process == process)?;
        Some(self.list.remove(index))
    }

    /// Those of one generation that serve, and have no successor to wait for.
    pub(crate) fn fresh(&self, generation: GenerationId) -> impl Iterator<Item = &Worker> {
        self.list.iter().filter(move |worker| worker.generation == generation && worker.duty == Duty::Serving)
    }

    pub(crate) fn ordered_of(&self, generation: GenerationId) -> usize {
        self.ordered.iter().filter(|order| order.generation == generation).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(workers: &mut Workers) -> Slot {
        let slot = workers.free_slot(8).unwrap();
        let age = workers.next_age();
        workers.ordered.push(Ordered {
            slot,
            generation: GenerationId(1),
            mold: ProcessId::current(),
            age,
            log_reopenings: 0,
        });
        slot
    }

    #[test]
    fn slots_are_reused_lowest_first() {
        let mut workers = Workers::default();
        let (first, second) = (order(&mut workers), order(&mut workers));
        assert_eq!((first, second), (Slot(0), Slot(1)));
        workers.cancel(first);
        assert_eq!(order(&mut workers), Slot(0));
        assert_eq!(workers.free_slot(2), None);
    }

    #[test]
    fn a_worker_may_end_before_its_birth_is_told() {
        let mut workers = Workers::default();
        let slot = order(&mut workers);
        let process = ProcessId::from_raw(4711).unwrap();
        workers.note_unexplained(process, Ending::Exited(3));
        assert_eq!(workers.forked(slot, process), Some((process, Ending::Exited(3))));
        assert_eq!(workers.alive(), 1);
    }
}
