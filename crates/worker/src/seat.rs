//! What a worker is given when it is born.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ferricorn_telemetry::access_log::AccessLog;
use ferricorn_telemetry::events::Reporter;
use ferricorn_telemetry::scoreboard::SlotWriter;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::listener::Listener;

use crate::tls::Tls;

/// A listening socket.
#[derive(Debug)]
pub struct Entrance {
    /// The socket itself.
    pub listener: Listener,
    /// Whether it ends with this server: nobody else has it.
    pub is_ours: bool,
}

/// A worker's place in the server.
#[derive(Debug)]
pub struct Seat {
    /// Its slot of the scoreboard.
    pub slot: SlotWriter,
    /// Its way to tell the master something.
    pub reporter: Reporter,
    /// Ends when the master ends.
    pub life: OwnedFd,
    /// What to accept from.
    pub entrances: Vec<Entrance>,
    /// The ends of a queue that it shares with others like it: where to put connections, and where to take them.
    pub queue: (Channel, Channel),
    /// The access log, opened while there were still privileges to do so.
    pub access_log: Option<AccessLog>,
    /// TLS, made while there were still the privileges to read its key.
    pub tls: Option<Tls>,
    /// Whether a SIGTERM came before the worker could handle it.
    pub terminated_early: Arc<AtomicBool>,
    /// Likewise whether a SIGUSR1 came: the log files may have been renamed since they were opened.
    pub reopened_early: Arc<AtomicBool>,
}
