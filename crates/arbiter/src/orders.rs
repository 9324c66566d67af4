//! What the master tells molds besides forking: which hooks to call, which workers there are. The mold whose hooks are in
//! force is the serving generation's, or that of a first start.

use std::io;

use ferricorn_mold::Order;
use ferricorn_mold::protocol::{Hook, Member};

use crate::arbiter::Arbiter;
use crate::generation::GenerationId;

impl Arbiter {
    /// From now on so many workers are wanted.
    pub(crate) fn want(&mut self, workers: usize) -> io::Result<()> {
        let old = std::mem::replace(&mut self.target, workers);
        self.measure_workers()?;
        self.tell_hooks(&Order::Call(Hook::WorkersChanged { new: workers, old: Some(old) }))
    }

    /// A hook has set `server.num_workers`; `nworkers_changed` knows.
    pub(crate) fn hook_wants(&mut self, id: GenerationId, workers: usize) -> io::Result<()> {
        let serves = self.in_force().is_some_and(|serving| serving.id == id);
        if serves {
            self.target = workers;
            self.measure_workers()?;
        }
        if let Some(generation) = self.generation(id) {
            generation.wanted = Some(workers);
        }
        Ok(())
    }

    /// Sends an order to the mold whose hooks are in force: the serving generation's, else that of a first start.
    pub(crate) fn tell_hooks(&mut self, order: &Order) -> io::Result<()> {
        let Some((id, mold)) = self.in_force().and_then(|generation| Some((generation.id, generation.casting()?)))
        else {
            return Ok(());
        };
        match mold.order(order) {
            Ok(()) => Ok(()),
            Err(error) => self.mold_is_gone(id, &error.to_string()),
        }
    }

    /// Tells every mold but this one's of a worker.
    pub(crate) fn tell_of_birth(&self, by: GenerationId, worker: Member) {
        for generation in [&self.candidate, &self.current].into_iter().flatten().filter(|other| other.id != by) {
            if let Some(Err(error)) = generation.casting().map(|mold| mold.order(&Order::Born(worker))) {
                log::debug!("A mold was not told of a worker: {error}");
            }
        }
    }

    /// Tells every mold of a worker's end; the hooks of one may be called for it.
    pub(crate) fn tell_of_end(&self, worker: Member, call_hook: bool) {
        let hooks = self.in_force().map(|generation| generation.id);
        for generation in [&self.candidate, &self.current].into_iter().flatten() {
            let order = Order::Ended { worker, call_hook: call_hook && Some(generation.id) == hooks };
            if let Some(Err(error)) = generation.casting().map(|mold| mold.order(&order)) {
                log::debug!("A mold was not told of a worker's end: {error}");
            }
        }
    }

    /// What molds had no room for when it was ordered.
    pub(crate) fn send_waiting_orders(&mut self) -> io::Result<()> {
        let generations = [&self.candidate, &self.current].into_iter().flatten();
        let failed: Vec<_> = generations
            .filter_map(|generation| Some((generation.id, generation.mold.as_ref()?.send_waiting().err()?)))
            .collect();
        failed.into_iter().try_for_each(|(id, error)| self.mold_is_gone(id, &error.to_string()))
    }
}
