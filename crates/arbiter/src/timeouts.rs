//! Workers that have stopped showing life, or do not come to life: first they are told to abort, so that they can say
//! where they were; the next look kills them.

use std::io;
use std::time::Duration;

use ferricorn_settings::Language;
use ferricorn_unix::process::{self, Signal};

use crate::arbiter::Arbiter;
use crate::generation::Generation;
use crate::workers::{Duty, Stage, Worker};

/// How long a worker whose call has taken too long may take to tell where it is.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Arbiter {
    /// A candidate that does not come to serve, and any worker that is not ready in time.
    pub(crate) fn look_for_late_boots(&mut self) -> io::Result<()> {
        let Some(current) = &self.current else { return self.abort_late_workers() };
        let patience = current.settings.as_ref().map_or(Duration::ZERO, |settings| settings.boot_timeout);
        let late = |candidate: &Generation| {
            let patience = candidate.settings.as_ref().map_or(patience, |settings| settings.boot_timeout);
            !patience.is_zero() && candidate.started.elapsed() > patience
        };
        if self.candidate.as_ref().is_some_and(|candidate| candidate.casting().is_none() && late(candidate)) {
            return self.candidate_failed(1, "its mold was not ready in time (boot_timeout)");
        }
        self.abort_late_workers()
    }

    fn abort_late_workers(&mut self) -> io::Result<()> {
        for worker in self.workers.list.iter_mut().filter(|worker| worker.stage == Stage::Booting) {
            if worker.duty == Duty::Retiring {
                press_unwanted_boot(worker)?;
                continue;
            }
            let generations = [&self.candidate, &self.current];
            let own = generations.into_iter().flatten().find(|generation| generation.id == worker.generation);
            let patience = own.and_then(|own| own.settings.as_ref()).map_or(Duration::ZERO, |own| own.boot_timeout);
            if patience.is_zero() || worker.born.elapsed() <= patience {
                continue;
            }
            if worker.aborted {
                process::kill(worker.process, Signal::Kill)?;
                continue;
            }
            log::error!("Worker (pid:{}) was not ready after {} s (boot_timeout)", worker.process, patience.as_secs());
            worker.aborted = true;
            process::kill(worker.process, Signal::Abort)?;
        }
        Ok(())
    }

    pub(crate) fn look_for_silent_workers(&mut self) -> io::Result<()> {
        for worker in &mut self.workers.list {
            // Each worker is judged by the settings it was started with.
            let generations = [&self.candidate, &self.current];
            let own = generations.into_iter().flatten().find(|generation| generation.id == worker.generation);
            let Some(settings) = own.or(self.current.as_ref()).and_then(|generation| generation.settings.as_ref())
            else {
                continue;
            };
            let silence = self.scoreboard.silence(worker.slot).unwrap_or_default();
            if settings.timeout.is_zero() || silence <= settings.timeout {
                continue;
            }
            if worker.aborted {
                process::kill(worker.process, Signal::Kill)?;
                continue;
            }
            // First it is to tell where it hangs, if it is a call that keeps it silent.
            let tells = settings.language == Language::Python && !settings.multithread;
            if tells && !self.scoreboard.has_told(worker.slot) && silence <= settings.timeout + LAST_WORDS {
                continue;
            }
            ferricorn_telemetry::critical!("WORKER TIMEOUT (pid:{})", worker.process);
            if let Some((request, elapsed)) = self.scoreboard.current_call(worker.slot) {
                log::error!("Worker (pid:{}) has been in {request} for {:.1} s", worker.process, elapsed.as_secs_f64());
            }
            worker.aborted = true;
            process::kill(worker.process, Signal::Abort)?;
        }
        Ok(())
    }
}

/// A worker that is not wanted any more and has not loaded its application yet was asked to leave afterwards. It has nothing to
/// finish, and one that hangs would keep its place, and a later reload from getting on.
fn press_unwanted_boot(worker: &mut Worker) -> io::Result<()> {
    let signal = if worker.aborted { Signal::Kill } else { Signal::Quit };
    if worker.aborted {
        log::warn!("Worker (pid:{}) goes on loading though it is not wanted any more: it is killed", worker.process);
    }
    worker.aborted = true;
    process::kill(worker.process, signal)?;
    Ok(())
}
