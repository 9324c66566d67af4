//! What the end of a child means.

use std::io;
use std::time::{Duration, Instant};

use ferricorn_unix::process::{self, Ending, ProcessId};

use crate::arbiter::Arbiter;
use crate::generation::GenerationId;
use crate::memory_events::Verdict;
use crate::workers::{Duty, Stage, Worker};

/// Exit status of a worker whose application could not be imported.
const BOOT_FAILED: i32 = 3;
/// Exit status of a worker whose application is missing in its module, or is none.
const APP_FAILED: i32 = 4;
/// A worker that ends on its own within this time after it was ready counts as one that cannot
/// live.
const INFANCY: Duration = Duration::from_secs(1);

impl Arbiter {
    /// Takes all children that have ended.
    pub(crate) fn reap(&mut self) -> io::Result<()> {
        while let Some((process, ending)) = process::reap()? {
            if self.leaving_molds.iter().any(|mold| mold.process == process) {
                self.leaving_mold_ended(process)?;
                continue;
            }
            if let Some(id) = self.generation_of_mold(process) {
                self.hear_last_words(id)?;
                if self.generation_of_mold(process).is_some() {
                    self.mold_is_gone(id, &describe(ending))?;
                }
                self.leaving_mold_ended(process)?;
                continue;
            }
            self.worker_ended(process, ending)?;
        }
        Ok(())
    }

    fn generation_of_mold(&self, process: ProcessId) -> Option<GenerationId> {
        let generations = [&self.candidate, &self.current];
        generations.into_iter().flatten().find(|generation| generation.is_mold(process)).map(|found| found.id)
    }

    pub(crate) fn worker_ended(&mut self, process: ProcessId, ending: Ending) -> io::Result<()> {
        if self.successor_ended(process) {
            return Ok(());
        }
        let Some(worker) = self.workers.remove(process) else {
            // An orphan of an application's own, or a worker that its mold has not yet told of.
            self.workers.note_unexplained(process, ending);
            return Ok(());
        };
        self.log_ending(&worker, ending);
        self.forget_database(worker.slot);
        self.scoreboard.forget_connections(worker.slot);
        self.tell_of_end(worker.member(), !self.ends_the_start(&worker, ending));
        if self.stopping.is_some() || worker.duty == Duty::Retiring {
            return Ok(());
        }
        if worker.stage == Stage::Booting {
            return self.boot_failed(&worker, ending);
        }
        let infant = matches!(worker.stage, Stage::Ready(since) if since.elapsed() < INFANCY);
        if infant {
            self.respawn.fail(Instant::now());
        }
        Ok(())
    }

    /// Says what happened as far as it is known: whose doing it was, and what the worker was at.
    fn log_ending(&mut self, worker: &Worker, ending: Ending) {
        let process = worker.process;
        match ending {
            Ending::Exited(0) => return log::debug!("Worker (pid:{process}) exited."),
            Ending::Signaled { name: "SIGTERM", .. } => {
                return log::info!("Worker (pid:{process}) was sent SIGTERM!");
            }
            Ending::Exited(status) => log::error!("Worker (pid:{process}) exited with code {status}."),
            Ending::Signaled { name: "SIGKILL", .. } if worker.aborted => {
                // By us, for its silence, which was logged then.
                return log::error!("Worker (pid:{process}) was sent SIGKILL!");
            }
            Ending::Signaled { name: "SIGKILL", .. } => {
                let words = match self.memory_events.verdict() {
                    Verdict::OutOfMemory => "The kernel has killed it: its control group is out of memory.",
                    Verdict::SomebodyElse => "Not by this server, and not by the kernel for want of memory.",
                    Verdict::Unknown => "Perhaps out of memory?",
                };
                log::error!("Worker (pid:{process}) was sent SIGKILL! {words}");
            }
            Ending::Signaled { name, .. } => log::warn!("Worker (pid:{process}) was sent {name}!"),
        }
        if let Some((request, elapsed)) = self.scoreboard.current_call(worker.slot) {
            log::error!("Worker (pid:{process}) had been in {request} for {:.1} s", elapsed.as_secs_f64());
        }
    }

    /// Whether no worker can live, and there is nothing to fall back to.
    fn ends_the_start(&self, worker: &Worker, ending: Ending) -> bool {
        self.current.is_none()
            && self.candidate.as_ref().is_some_and(|candidate| candidate.id == worker.generation)
            && worker.stage == Stage::Booting
            && matches!(ending, Ending::Exited(BOOT_FAILED | APP_FAILED))
    }

    fn boot_failed(&mut self, worker: &Worker, ending: Ending) -> io::Result<()> {
        let of_candidate = self.candidate.as_ref().is_some_and(|candidate| candidate.id == worker.generation);
        if of_candidate && self.current.is_some() {
            let words = format!("its first worker (pid:{}) {} before it was ready", worker.process, describe(ending));
            return self.candidate_failed(1, &words);
        }
        match ending {
            Ending::Exited(BOOT_FAILED) if of_candidate => self.halt(3, "Worker failed to boot."),
            Ending::Exited(APP_FAILED) if of_candidate => self.halt(4, "App failed to load."),
            _ => {
                let delay = self.respawn.fail(Instant::now());
                if !delay.is_zero() {
                    log::warn!("Workers end before they are ready; the next one starts in {delay:?}.");
                }
                Ok(())
            }
        }
    }
}

fn describe(ending: Ending) -> String {
    match ending {
        Ending::Exited(status) => format!("exited with code {status}"),
        Ending::Signaled { name, .. } => format!("was ended by {name}"),
    }
}
