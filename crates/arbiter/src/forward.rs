//! The master's log lines on their way to the logger of the application's language, where the settings ask for one: the
//! master runs no code of the user's, so a mold writes them. Where there is no mold, or one that is busy, the file gets them
//! as usual.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ferricorn_mold::Order;
use ferricorn_telemetry::error_log::{self, Companion, Level};

use crate::arbiter::Arbiter;
use crate::generation::{MoldProcess, Stage};

/// Longer lines than this many bytes go to the file: a message between processes has its bounds.
const LONGEST_LINE: usize = 8 * 1024;

/// Lines that have not been passed on. The loop does that before it sleeps.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    active: AtomicBool,
    lines: Mutex<VecDeque<(Level, String)>>,
}

impl Forward {
    /// Whether lines are to be passed on from here on.
    pub(crate) fn activate(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    fn drain(&self) -> VecDeque<(Level, String)> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Companion for Forward {
    fn take(&self, level: Level, message: &str) -> bool {
        let takes = self.active.load(Ordering::Relaxed) && message.len() <= LONGEST_LINE;
        if takes {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back((level, message.to_owned()));
        }
        takes
    }

    fn reopen(&self) {}
}

impl Arbiter {
    /// Passes on what has been logged since the last time.
    pub(crate) fn forward_lines(&self) {
        let lines = self.forward.drain();
        let mold = self.mold_that_logs();
        for (level, message) in lines {
            let order = Order::Log { level, message };
            let passed_on = mold.is_some_and(|mold| mold.order(&order).is_ok());
            // If standard error or the disk is gone there is nobody left to tell.
            if let (false, Order::Log { level, message }) = (passed_on, order) {
                let _ = error_log::write(level, &message);
            }
        }
    }

    /// One that has its logger: the serving generation's, else that of a first start.
    fn mold_that_logs(&self) -> Option<&MoldProcess> {
        let generations = [&self.current, &self.candidate];
        let mut molds = generations.into_iter().flatten().filter_map(|generation| generation.mold.as_ref());
        molds.find(|mold| matches!(mold.stage, Stage::Starting | Stage::Casting) && !mold.is_busy())
    }
}
