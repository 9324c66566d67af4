//! The worker's clock: shows life, and closes connections on which nothing has moved for too
//! long.
//!
//! It counts ticks, not time: while an application call keeps the worker from looking at its
//! connections none of them ages, so none is closed over a request that nobody has read yet.

use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ferricorn_settings::Settings;
use ferricorn_unix::descriptor;
use tokio::time::MissedTickBehavior;

use crate::hints::Route;
use crate::shared::{Open, Phase, Shared};

const TICK: Duration = Duration::from_millis(100);
/// Ticks in which each connection is looked at once, if there are many: to look at thousands takes a millisecond, for which
/// requests would wait. So a time limit of theirs is kept with a second's precision.
const ROUND: usize = 10;
/// So many are looked at with each tick in any case.
const FEW: usize = 256;
/// What a connection gets to send its next request once the worker drains: at least this, and
/// no more than this when the whole server stops.
const DRAIN_IDLE: Duration = Duration::from_secs(2);

/// Runs for the worker's life.
pub(crate) async fn run(shared: Rc<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The connection to look at next.
    let mut next = 0;
    loop {
        interval.tick().await;
        // The time of a call counts as silence: that is what `timeout` means for this worker. Not
        // so the time for which a call waits for its client: killing the worker would end all its
        // other connections too, and a client that has stalled is ended below.
        if !shared.is_held_by_call() {
            shared.slot.beat();
        }
        shared.tick.set(shared.tick.get() + 1);
        match shared.phase() {
            Phase::Draining { until } if Instant::now() >= until => shared.leave(),
            _ => {}
        }
        shared.tick_passed();
        next = close_idle(&shared, next);
    }
}

/// Who is ending.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drain {
    OfServer,
    OfWorker,
}

/// Looks at as many connections as are due, beginning with the one of this number. Says with which one to go on.
fn close_idle(shared: &Shared, from: u64) -> u64 {
    let tick = shared.tick.get();
    let draining = match shared.phase() {
        Phase::Draining { .. } if shared.server_ends() => Some(Drain::OfServer),
        Phase::Draining { .. } => Some(Drain::OfWorker),
        Phase::Serving | Phase::Leaving => None,
    };
    let connections = shared.open.borrow();
    let count = if draining.is_some() { usize::MAX } else { FEW.max(connections.len() / ROUND + 1) };
    let due = connections.range(from..).chain(connections.range(..from)).take(count.min(connections.len()));
    let mut last = from;
    for (number, open) in due {
        last = *number;
        open.activity.rest.look(tick);
        if draining.is_some() && open.activity.parting.is_due(tick, is_in_use(open)) {
            open.activity.parting.ask(tick);
        }
        // Who takes nothing of a response is not excused by sending something.
        if is_overdue(open, tick, &shared.settings, draining)
            && (open.activity.write_blocked.get() || !has_unread_bytes(open))
            && !open.activity.parting.ask(tick)
            && let Some(task) = &open.task
        {
            take_leave(open);
            task.abort();
        }
    }
    last.wrapping_add(1)
}

/// Whether there is a request, or one may be on its way: nobody connects without wanting anything.
fn is_in_use(open: &Open) -> bool {
    open.activity.busy.get() || !open.activity.used.get() || has_unread_bytes(open)
}

/// Without a word, the end of TLS could be anybody's doing.
fn take_leave(open: &Open) {
    if let Route::Tls(door) = &*open.activity.route.borrow()
        && !open.activity.busy.get()
        && let Err(error) = door.take_leave()
    {
        log::debug!("A client was not told that its connection ends: {error}");
    }
}

/// The time from one tick to another.
pub(crate) fn since(start: u64, tick: u64) -> Duration {
    TICK * u32::try_from(tick.saturating_sub(start)).unwrap_or(u32::MAX)
}

/// Whether a limit of the settings is reached; those that are zero never are.
pub(crate) fn is_over(time: Duration, limit: Duration) -> bool {
    !limit.is_zero() && time > limit
}

fn is_overdue(open: &Open, tick: u64, settings: &Settings, draining: Option<Drain>) -> bool {
    let activity = &open.activity;
    let quiet = since(activity.last_progress.get(), tick);
    if activity.write_blocked.get() || activity.receiving.get() {
        return is_over(quiet, settings.client_stall_timeout);
    }
    if activity.busy.get() {
        // While the application works nothing moves, and nothing need.
        return false;
    }
    if let Some(start) = activity.head_since.get() {
        return is_over(since(start, tick), settings.client_head_timeout);
    }
    let patience = match (draining, activity.used.get()) {
        (Some(Drain::OfServer), _) => DRAIN_IDLE,
        (Some(Drain::OfWorker), _) => settings.keepalive.max(DRAIN_IDLE),
        (None, true) => settings.keepalive,
        (None, false) => return is_over(quiet, settings.client_head_timeout),
    };
    quiet > patience
}

/// Bytes may have arrived that the connection's task has not yet been woken for.
fn has_unread_bytes(open: &Open) -> bool {
    descriptor::has_unread(open.connection.socket.as_fd())
}
