//! The database pool's part in a server: what is said of it in the configuration, and the workers' common board, which is
//! the scoreboard.

use std::env;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fmt, io};

use ferricorn_pool::options::SETTINGS;
use ferricorn_pool::server::{self, Board, Part};
use ferricorn_pool::{Options, Status};
use ferricorn_settings::Settings;
use ferricorn_telemetry::database::{Database, Gauges};
use ferricorn_telemetry::scoreboard::{Scoreboard, Slot};
use ferricorn_unix::clock;

/// How long a worker's want of a connection is worth another's while.
const WANTED: Duration = Duration::from_millis(200);

/// Looks at what the configuration says of the pool. The error is one sentence.
pub(crate) fn check(settings: &Settings) -> Result<(), String> {
    let is_known = |name: &&String| !SETTINGS.iter().any(|setting| setting.name == name.as_str());
    match settings.db.keys().find(is_known) {
        Some(name) => Err(format!("db: the pool has no setting `{name}`; docs/database.md lists them")),
        None => Ok(()),
    }
}

/// Keeps it for the workers, and says how many connections there may be if a database is named at all.
pub(crate) fn prepare(settings: &Settings) {
    server::keep_file(settings.db.clone());
    let is_named =
        !settings.db.is_empty() || ["DATABASE_URL", "POSTGRES_HOST"].iter().any(|name| env::var_os(name).is_some());
    if !is_named {
        return;
    }
    match Options::resolve(|name| env::var(name).ok(), &settings.db, &[]) {
        // The server serves what needs no database; each use of it says this again.
        Err(problem) => log::warn!("Database: {problem}"),
        Ok(options) => log::info!("Database: {}", most(settings, options.pool_max)),
    }
}

fn most(settings: &Settings, pool_max: usize) -> String {
    match settings.db_connections {
        0 => {
            let sum = settings.workers * pool_max;
            format!("up to {sum} connections, {} workers x {pool_max} (DB_POOL_MAX)", settings.workers)
        }
        limit => format!("up to {limit} connections (db_connections)"),
    }
}

/// A worker takes its part.
pub(crate) fn join(settings: &Settings, scoreboard: OwnedFd, slot: Slot) -> io::Result<()> {
    let limit = (settings.db_connections > 0).then_some(settings.db_connections);
    let board = Box::new(SlotBoard {
        scoreboard: Scoreboard::map(scoreboard)?,
        slot,
        limit,
        workers: settings.workers as u64,
        yielded: AtomicU64::new(0),
    });
    server::join(Part { board, limit, workers: settings.workers as u64 });
    Ok(())
}

struct SlotBoard {
    scoreboard: Scoreboard,
    slot: Slot,
    limit: Option<u64>,
    workers: u64,
    /// When it last gave a connection up for another worker, in milliseconds of the monotonic clock.
    yielded: AtomicU64,
}

impl SlotBoard {
    fn own(&self) -> Database<'_> {
        self.scoreboard.database(self.slot)
    }

    /// How many of so many connections are this worker's in any case. With fewer connections than workers that is none.
    fn share(&self, limit: u64) -> u64 {
        limit / self.workers.max(1)
    }
}

impl fmt::Debug for SlotBoard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SlotBoard").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Board for SlotBoard {
    /// Counted first and looked at then: of two at once, one at least sees both.
    fn admit(&self) -> bool {
        let own = self.own();
        let Some(limit) = self.limit else {
            own.opens();
            return true;
        };
        let has_enough = own.open() >= self.share(limit).max(1);
        if !has_enough || !self.scoreboard.connection_is_needed(WANTED) {
            own.opens();
            if self.scoreboard.connections() <= limit {
                return true;
            }
            own.closes();
        }
        self.scoreboard.want_connection(!has_enough);
        false
    }

    fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.scoreboard.connections() < limit)
    }

    fn leave(&self) {
        self.own().closes();
    }

    fn is_wanted(&self) -> bool {
        self.limit.is_some() && self.scoreboard.connection_is_wanted(WANTED)
    }

    /// One at a time: a connection counts until the database is rid of it.
    fn must_yield(&self) -> bool {
        let has_more = self.limit.is_some_and(|limit| self.own().open() > self.share(limit));
        if !has_more || !self.scoreboard.connection_is_needed(WANTED) {
            return false;
        }
        let now = clock::monotonic().as_millis() as u64;
        let before = self.yielded.load(Ordering::Relaxed);
        Duration::from_millis(now.saturating_sub(before)) >= WANTED
            && self.yielded.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn show(&self, status: Status) {
        let [size, lent, waiting] = [status.size, status.lent, status.waiting].map(|number| number as u64);
        self.own().show(Gauges { size, lent, waiting });
    }

    fn watch(&self) {
        self.own().watch();
    }

    fn waits(&self, number: u64) {
        self.own().waits(number);
    }

    fn timed_out(&self) {
        self.own().timed_out();
    }

    fn acquired(&self, waited: Duration) {
        self.own().acquired(waited);
    }

    fn ran(&self, took: Duration, failed: bool) {
        self.own().ran(took, failed);
    }

    fn looks_first(&self) -> bool {
        self.scoreboard.see_database()
    }
}
