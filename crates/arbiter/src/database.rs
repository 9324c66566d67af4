//! What the log says of the workers' database pools, where that is asked for (`ENABLE_PERFORMANCE_MONITORING`): one line now
//! and then for all workers together, those that have left included.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use ferricorn_telemetry::database::Counts;
use ferricorn_telemetry::scoreboard::{Scoreboard, Slot};
use ferricorn_telemetry::statsd::Statsd;
use ferricorn_unix::durations::Durations;

use crate::arbiter::Arbiter;

/// How often a line is written, if there was something to write about.
const EVERY: Duration = Duration::from_secs(60);

/// The time between two lines.
#[derive(Debug)]
pub(crate) struct DatabaseWatch {
    began: Instant,
    /// What each worker had done when it was looked at last.
    seen: HashMap<Slot, Counts>,
    span: Span,
}

/// What happened in it.
#[derive(Debug, Default)]
struct Span {
    counts: Counts,
    open: u64,
    idle: u64,
    most_open: u64,
    most_waiting: u64,
}

impl Default for DatabaseWatch {
    fn default() -> Self {
        Self { began: Instant::now(), seen: HashMap::new(), span: Span::default() }
    }
}

impl DatabaseWatch {
    /// Adds what a worker has done since it was looked at.
    fn look_at(&mut self, board: &Scoreboard, slot: Slot) {
        let database = board.database(slot);
        if database.is_watched() {
            let counts = database.counts();
            let before = self.seen.insert(slot, counts).unwrap_or_default();
            self.span.counts = self.span.counts.and(&counts.since(&before));
        }
    }

    /// A worker has ended, and its slot still has what it has done: not for long, and not to be counted again.
    fn forget(&mut self, board: &Scoreboard, slot: Slot) {
        self.look_at(board, slot);
        self.seen.remove(&slot);
    }

    /// Looks at all workers: what they have done, and what their pools are like.
    fn look(&mut self, board: &Scoreboard) {
        let (mut open, mut lent, mut most_open) = (0, 0, 0);
        for slot in board.used() {
            self.look_at(board, slot);
            let database = board.database(slot);
            if database.is_watched() {
                let (most, waiting) = database.take_most();
                open += database.open();
                lent += database.gauges().lent;
                most_open += most;
                self.span.most_waiting = self.span.most_waiting.max(waiting);
            }
        }
        let idle = open.saturating_sub(lent);
        self.span = Span { open, idle, most_open: self.span.most_open.max(most_open), ..self.span };
    }

    /// Says what there is to say, and begins anew.
    fn tell(&mut self, statsd: Option<&Statsd>) {
        let span = std::mem::take(&mut self.span);
        let began = std::mem::replace(&mut self.began, Instant::now());
        if span.counts.is_empty() {
            return;
        }
        log::info!("Database, last {:.0} s: {span}", began.elapsed().as_secs_f64());
        if let Some(statsd) = statsd {
            statsd.database(&span.counts, span.open, span.idle);
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, open, idle, most_open, most_waiting } = self;
        let Counts { statements, failures, timeouts, acquire, query } = counts;
        write!(formatter, "queries {statements}, errors {failures}, pool timeouts {timeouts}")?;
        write!(formatter, "; query times {}; acquire times {}", Quantiles(query), Quantiles(acquire))?;
        write!(formatter, "; connections {open} open, {idle} idle, at most {most_open}")?;
        write!(formatter, "; waiting in one worker at most {most_waiting}")
    }
}

/// The usual three, in milliseconds.
struct Quantiles<'a>(&'a Durations);

impl fmt::Display for Quantiles<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.0.usual_quantiles().map(|(name, time)| match time {
            Some(time) => format!("{name} {:.2} ms", time.as_secs_f64() * 1000.0),
            None => format!("{name} -"),
        });
        formatter.write_str(&texts.join(", "))
    }
}

impl Arbiter {
    /// At each look at the workers.
    pub(crate) fn watch_database(&mut self) {
        self.database_watch.look(&self.scoreboard);
        if self.database_watch.began.elapsed() >= EVERY {
            self.database_watch.tell(self.statsd.as_ref());
        }
    }

    /// A worker has ended.
    pub(crate) fn forget_database(&mut self, slot: Slot) {
        self.database_watch.forget(&self.scoreboard, slot);
    }

    /// The server ends, and all workers have.
    pub(crate) fn end_database_watch(&mut self) {
        self.database_watch.tell(self.statsd.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_come_and_go_and_each_statement_counts_once() {
        let board = Scoreboard::create(3).unwrap();
        let mut watch = DatabaseWatch::default();
        for slot in [Slot(0), Slot(2)] {
            board.clear(slot);
            board.database(slot).opens();
            board.database(slot).ran(Duration::from_millis(1), false);
        }
        board.database(Slot(0)).watch();
        watch.look(&board);
        assert_eq!(watch.span.counts.statements, 1, "the other is not watched");
        board.database(Slot(2)).watch();
        board.database(Slot(0)).ran(Duration::from_millis(1), true);
        watch.look(&board);
        watch.look(&board);
        assert_eq!((watch.span.counts.statements, watch.span.counts.failures), (3, 1));
        // One ends, and another begins in its slot.
        board.database(Slot(0)).ran(Duration::from_millis(1), false);
        watch.forget(&board, Slot(0));
        board.forget_connections(Slot(0));
        watch.look(&board);
        assert_eq!(watch.span.counts.statements, 4);
        board.clear(Slot(0));
        board.database(Slot(0)).watch();
        board.database(Slot(0)).ran(Duration::from_millis(1), false);
        watch.look(&board);
        assert_eq!(watch.span.counts.statements, 5);
        assert_eq!((watch.span.open, watch.span.most_open), (1, 2));
        watch.tell(None);
        watch.look(&board);
        assert!(watch.span.counts.is_empty(), "said once");
    }

    #[test]
    fn a_line() {
        let board = Scoreboard::create(1).unwrap();
        let mut watch = DatabaseWatch::default();
        board.clear(Slot(0));
        let database = board.database(Slot(0));
        database.watch();
        database.opens();
        database.ran(Duration::from_micros(20), false);
        database.timed_out();
        watch.look(&board);
        assert_eq!(
            watch.span.to_string(),
            "queries 1, errors 0, pool timeouts 1; query times p50 0.03 ms, p95 0.03 ms, p99 0.03 ms; acquire times p50 -, p95 -, p99 -; \
             connections 1 open, 1 idle, at most 1; waiting in one worker at most 0"
        );
    }
}
