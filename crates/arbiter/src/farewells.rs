//! Molds that were told to leave. They are heard until they have said their last word: one that was just forking has a worker
//! that nobody wants any more, and that must not be forgotten for it.

use std::io;
use std::time::Instant;

use ferricorn_mold::Report;
use ferricorn_telemetry::scoreboard::Slot;
use ferricorn_unix::process::{self, ProcessId, Signal};

use crate::arbiter::Arbiter;
use crate::workers::Duty;

impl Arbiter {
    /// Takes what they have said. Orders to one that will say no more are void.
    pub(crate) fn hear_leaving_molds(&mut self) -> io::Result<()> {
        let words: Vec<Report> = self.leaving_molds.iter_mut().flat_map(|mold| mold.last_words()).collect();
        for report in words {
            match report {
                Report::Forked { slot, worker } => {
                    self.worker_is_forked(slot, worker)?;
                    self.retire_unwanted(worker)?;
                }
                Report::ForkFailed { slot, .. } => self.workers.cancel(Slot(slot)),
                // Too late for anything else.
                _ => {}
            }
        }
        for mold in self.leaving_molds.iter().filter(|mold| mold.is_silent()) {
            self.workers.cancel_orders_to(mold.process);
        }
        Ok(())
    }

    /// A worker of a generation that is of no interest any more. One whose mold has merely died is as good as any.
    fn retire_unwanted(&mut self, worker: i32) -> io::Result<()> {
        let Some(process) = ProcessId::from_raw(worker) else { return Ok(()) };
        let Some(generation) = self.workers.find(process).map(|worker| worker.generation) else { return Ok(()) };
        if self.generation(generation).is_none()
            && let Some(worker) = self.workers.find(process)
        {
            worker.duty = Duty::Retiring;
            process::kill(process, Signal::Terminate)?;
        }
        Ok(())
    }

    /// Such a mold has ended, and everything that it has said is here.
    pub(crate) fn leaving_mold_ended(&mut self, mold: ProcessId) -> io::Result<()> {
        self.hear_leaving_molds()?;
        self.leaving_molds.retain(|leaving| leaving.process != mold);
        self.workers.cancel_orders_to(mold);
        Ok(())
    }

    /// Presses them while the server goes on.
    pub(crate) fn press_leaving_molds(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.leaving_molds.iter_mut().try_for_each(|mold| mold.press(now))
    }
}
