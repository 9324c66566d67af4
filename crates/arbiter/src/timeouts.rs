//! Workers that have stopped showing life: first they are told to abort, so that they can say
//! where they were; the next look kills them.

use std::io;

use ferricorn_unix::process::{self, Signal};

use crate::arbiter::Arbiter;

impl Arbiter {
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
