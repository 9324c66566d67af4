//! What is, compared with what is wanted. The one place that orders and retires workers: reload,
//! recycling, crashes, TTIN and TTOU only change one side of the comparison.

use std::io;
use std::time::{Duration, Instant};

use ferricorn_telemetry::events::{Event, Kind};
use ferricorn_telemetry::scoreboard::Slot;
use ferricorn_unix::process::{self, ProcessId, Signal};

use crate::arbiter::Arbiter;
use crate::generation::{Generation, GenerationId, MoldProcess};
use crate::workers::{Duty, Ordered, Stage, Worker};

/// How long a hook may keep a mold busy while workers are needed.
const HOOK_PATIENCE: Duration = Duration::from_secs(10);
/// Workers look at their sources once a second, each in its own time: later reports than this are of another change.
const SETTLED: Duration = Duration::from_millis(1200);

impl Arbiter {
    /// Puts right what can be put right now; the loop comes back after every event.
    pub(crate) fn reconcile(&mut self) -> io::Result<()> {
        self.give_up_hanging_mold()?;
        self.restart_mold();
        self.order_workers()?;
        self.retire_workers()
    }

    /// A mold in which a hook hangs makes no workers. While none are needed it may take its time.
    fn give_up_hanging_mold(&mut self) -> io::Result<()> {
        let Some(Generation { id, mold: Some(mold), .. }) = &self.current else { return Ok(()) };
        let (id, process, busy_for) = (*id, mold.process, mold.busy_for());
        if busy_for < HOOK_PATIENCE || self.workers.ordered_of(id) == 0 {
            return Ok(());
        }
        process::kill(process, Signal::Kill)?;
        self.mold_is_gone(
            id,
            &format!("it was killed: a hook has kept it busy for {} s, and workers are needed", busy_for.as_secs()),
        )
    }

    /// A generation whose mold died gets another, so that it can get workers again.
    fn restart_mold(&mut self) {
        let now = Instant::now();
        let Some(current) = self.current.as_mut().filter(|current| current.mold.is_none()) else { return };
        if !self.mold_restart.allows(now) {
            return;
        }
        match MoldProcess::start(&self.launch.mold_command, &self.launch.start_directory) {
            Ok(mold) => current.mold = Some(mold),
            Err(error) => {
                let delay = self.mold_restart.fail(now);
                log::error!("Cannot start a new mold: {error}. Trying again in {delay:?}.");
            }
        }
    }

    fn order_workers(&mut self) -> io::Result<()> {
        // How many there may be above the wanted number, while some are being replaced.
        let surge = self.settings().map_or(1, |settings| settings.reload_surge);
        while self.workers.alive() < self.target + surge && self.respawn.allows(Instant::now()) {
            let Some(id) = self.generation_in_need() else { break };
            self.order_worker(id)?;
        }
        Ok(())
    }

    /// Which generation is to get the next worker: a candidate its first one (at a first start
    /// all of them: there is nothing to fall back to), else the current one what it lacks.
    fn generation_in_need(&self) -> Option<GenerationId> {
        let first_start = self.current.is_none();
        let candidate = self.candidate.as_ref().map(|candidate| (candidate, if first_start { self.target } else { 1 }));
        let current = self.current.as_ref().map(|current| (current, self.target));
        let in_need = [candidate, current].into_iter().flatten().find(|(generation, wanted)| {
            let has = self.workers.fresh(generation.id).count() + self.workers.ordered_of(generation.id);
            generation.casting().is_some() && has < *wanted
        });
        in_need.map(|(generation, _)| generation.id)
    }

    fn order_worker(&mut self, id: GenerationId) -> io::Result<()> {
        let Some(slot) = self.workers.free_slot(self.scoreboard.capacity()) else {
            log::error!("There is no room for more than {} workers.", self.scoreboard.capacity());
            self.target = self.workers.alive();
            return Ok(());
        };
        self.scoreboard.clear(slot);
        let age = self.workers.next_age();
        let log_reopenings = self.log_reopenings;
        let Some(mold) = self.generation(id).and_then(|generation| generation.casting()) else { return Ok(()) };
        let (told, mold) = (mold.spawn_worker(slot, age), mold.process);
        self.workers.ordered.push(Ordered { slot, generation: id, mold, age, log_reopenings });
        told.or_else(|error| self.mold_is_gone(id, &error.to_string()))
    }

    fn retire_workers(&mut self) -> io::Result<()> {
        let Some(current) = self.current.as_ref().map(|current| current.id) else { return Ok(()) };
        // Who is to be replaced may go when those that replace them are ready.
        let ready = self.workers.fresh(current).filter(|worker| worker.is_ready()).count();
        let candidate = self.candidate.as_ref().map(|candidate| candidate.id);
        let mut outdated: Vec<&Worker> = self
            .workers
            .list
            .iter()
            .filter(|worker| worker.duty != Duty::Retiring && Some(worker.generation) != candidate)
            .filter(|worker| worker.generation != current || worker.duty == Duty::AwaitingSuccessor)
            .collect();
        let surplus = (ready + outdated.len()).saturating_sub(self.target);
        // Those that still load serve nobody.
        outdated.sort_by_key(|worker| (worker.is_ready(), worker.age));
        let mut leaving: Vec<ProcessId> = outdated.iter().take(surplus).map(|worker| worker.process).collect();
        // Fewer are wanted than there are: the oldest go.
        let mut fresh: Vec<&Worker> = self.workers.fresh(current).collect();
        fresh.sort_by_key(|worker| worker.age);
        let too_many = fresh.len().saturating_sub(self.target);
        leaving.extend(fresh.iter().take(too_many).map(|worker| worker.process));
        for process in &leaving {
            if let Some(worker) = self.workers.find(*process) {
                worker.duty = Duty::Retiring;
            }
        }
        self.close_given_up();
        leaving.into_iter().try_for_each(|process| process::kill(process, Signal::Terminate).map(drop))
    }

    pub(crate) fn worker_is_forked(&mut self, slot: u32, worker: i32) -> io::Result<()> {
        let Some(process) = ProcessId::from_raw(worker) else { return Ok(()) };
        let missed_reopening =
            self.workers.order_for(Slot(slot)).is_some_and(|order| order.log_reopenings < self.log_reopenings);
        let ended = self.workers.forked(Slot(slot), process);
        if let Some(worker) = self.workers.find(process) {
            let (generation, member) = (worker.generation, worker.member());
            self.tell_of_birth(generation, member);
        }
        if missed_reopening && ended.is_none() {
            process::kill(process, Signal::ReopenLogs)?;
        }
        if let Some(stopping) = &self.stopping {
            process::kill(process, stopping.signal())?;
        }
        if let Some((process, ending)) = ended {
            return self.worker_ended(process, ending);
        }
        for event in std::mem::take(&mut self.workers.unexplained_reports) {
            self.hear_worker(event)?;
        }
        Ok(())
    }

    pub(crate) fn fork_failed(&mut self, slot: u32, reason: &str) -> io::Result<()> {
        self.workers.cancel(Slot(slot));
        let delay = self.respawn.fail(Instant::now());
        log::error!("Cannot fork a worker: {reason}. Trying again in {delay:?}.");
        Ok(())
    }

    /// Only workers with the newest code know whether that is the newest: what the others see has been seen to. A change
    /// that comes while a candidate loads may have come too late for it, so there is another one after it.
    fn source_changed(&mut self, seen_by: GenerationId) -> io::Result<()> {
        let current = self.current.as_ref().map(|current| current.id);
        match &self.candidate {
            None if current == Some(seen_by) => self.start_candidate(),
            Some(candidate) if candidate.started.elapsed() > SETTLED => {
                self.reload_afterwards = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn hear_worker(&mut self, event: Event) -> io::Result<()> {
        let Some(worker) = self.workers.find(event.worker) else {
            if !self.workers.ordered.is_empty() {
                // The mold's word of its birth is still on its way.
                self.workers.unexplained_reports.push(event);
            } else if event.kind == Kind::Ready {
                // Ordered by a generation that was dismissed before it could tell.
                process::kill(event.worker, Signal::Terminate)?;
            }
            return Ok(());
        };
        match event.kind {
            Kind::Ready => {
                worker.stage = Stage::Ready(Instant::now());
                let generation = worker.generation;
                if self.candidate.as_ref().is_some_and(|candidate| candidate.id == generation) {
                    return self.promote();
                }
            }
            Kind::Replace if worker.duty == Duty::Serving => worker.duty = Duty::AwaitingSuccessor,
            Kind::Replace => {}
            // Each worker sees the change; one reload is enough for all of them.
            Kind::SourceChanged => {
                let generation = worker.generation;
                return self.source_changed(generation);
            }
        }
        Ok(())
    }
}
