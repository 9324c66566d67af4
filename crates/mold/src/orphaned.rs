//! A mold whose master has ended without a word, killed most likely: it sees to it that the next master can have the
//! addresses, also if every worker is in a call and looks at nothing else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use ferricorn_telemetry::scoreboard::Scoreboard;
use ferricorn_unix::{accept_queue, poll};

use crate::casting::Provisions;

/// How long what waits in a queue may wait for an idle worker, before whoever is left is given up for the next master's sake.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How often the queues are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The descriptors of a process that ends are closed one after the other: the last one at the latest so much later.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Ends the sockets that nobody else has, when what waits at them is taken. If the master lives after all, there is nothing
/// to do.
pub(crate) fn free_addresses(provisions: Provisions) -> io::Result<()> {
    let Provisions { scoreboard, life, listeners, ours, .. } = provisions;
    let has_ended = poll::readable(&[life.as_fd()], Some(LAST_BREATH))?.contains(&true);
    if !has_ended || Scoreboard::map(scoreboard)?.shares_sockets() {
        return Ok(());
    }
    let ending: Vec<OwnedFd> =
        listeners.into_iter().zip(ours).filter_map(|(socket, ours)| ours.then_some(socket)).collect();
    ending.iter().try_for_each(accept_queue::close)?;
    thread::sleep(accept_queue::HANDSHAKES);
    let last_call = Instant::now() + LAST_CALL;
    while Instant::now() < last_call && anybody_waits(&ending)? {
        thread::sleep(LOOK);
    }
    ending.iter().try_for_each(accept_queue::end)
}

fn anybody_waits(sockets: &[OwnedFd]) -> io::Result<bool> {
    for socket in sockets {
        if accept_queue::length(socket)?.is_some_and(|length| length > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}
