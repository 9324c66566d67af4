//! What the server says about itself, and how its processes tell each other how they are.
//!
//! - [`log_file`]: a file (or standard stream) that can be reopened after a rotation
//! - [`error_log`]: the server's own log, in Gunicorn's line format
//! - [`access_log`]: one line per request, in a format of the operator's
//! - [`logs`]: opening what the settings name
//! - [`statsd`]: metrics for a statsd server
//! - [`timestamp`]: the two notations of time that logs use
//! - [`scoreboard`]: one slot of shared memory per worker
//! - [`events`]: the pipe on which workers report to the master

pub mod access_log;
pub mod database;
pub mod error_log;
pub mod events;
#[cfg(any(test, fuzzing))]
pub mod invariants;
pub mod log_file;
pub mod logs;
pub mod scoreboard;
pub mod statsd;
pub mod timestamp;
