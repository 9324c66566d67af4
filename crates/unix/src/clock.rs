//! A clock that all processes of the machine read alike.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC: the time since some fixed moment before this process; comparable between
/// processes, unlike `Instant`. It stands still while the machine is suspended.
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).expect("CLOCK_MONOTONIC exists on Linux")
}
