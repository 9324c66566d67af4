//! Workers that have had their time: by age, or by the memory they hold. They are replaced as those that ask for it
//! themselves (`max_requests`): the successor first.

use std::fs;
use std::time::Duration;

use ferricorn_settings::Settings;
use ferricorn_unix::process::ProcessId;

use crate::arbiter::Arbiter;
use crate::workers::{Duty, Stage, Worker};

/// A worker is judged by its memory only after this time: one that is too large from the beginning must not be replaced
/// without end at full speed.
const GROWN_UP: Duration = Duration::from_secs(5);

impl Arbiter {
    /// Looks at every worker that serves, once a second.
    pub(crate) fn replace_what_is_due(&mut self) {
        let Some(current) = &self.current else { return };
        let Some(settings) = &current.settings else { return };
        for worker in &mut self.workers.list {
            if worker.generation != current.id || worker.duty != Duty::Serving {
                continue;
            }
            if let Some(reason) = reason_to_replace(worker, settings) {
                log::info!("Worker (pid:{}) is to be replaced: {reason}", worker.process);
                worker.duty = Duty::AwaitingSuccessor;
            }
        }
    }
}

fn reason_to_replace(worker: &Worker, settings: &Settings) -> Option<String> {
    let Stage::Ready(since) = worker.stage else { return None };
    let age = since.elapsed();
    if !settings.max_worker_lifetime.is_zero() && age >= lifetime(worker.age, settings.max_worker_lifetime) {
        return Some(format!("it has served for {} s (max_worker_lifetime)", age.as_secs()));
    }
    if settings.max_worker_memory == 0 || age < GROWN_UP {
        return None;
    }
    let memory = resident_memory(worker.process)?;
    (memory >= settings.max_worker_memory).then(|| format!("it holds {} MiB (max_worker_memory)", memory >> 20))
}

/// Up to a tenth longer than asked for, differently for workers that were born together.
fn lifetime(number: u64, least: Duration) -> Duration {
    let share = u32::try_from(number % 10).unwrap_or(0);
    least + least / 100 * share
}

/// `None` for a process that is gone.
fn resident_memory(process: ProcessId) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_differ_by_up_to_a_tenth() {
        let hour = Duration::from_secs(3600);
        let lifetimes: Vec<u64> = (1..=10).map(|number| lifetime(number, hour).as_secs()).collect();
        assert_eq!((lifetimes[0], lifetimes[8], lifetimes[9]), (3636, 3924, 3600));
    }

    #[test]
    fn memory_is_read_of_living_processes() {
        assert!(resident_memory(ProcessId::current()).is_some_and(|memory| memory > 1 << 16));
        assert_eq!(resident_memory(ProcessId::from_raw(i32::MAX).unwrap()), None);
    }
}
