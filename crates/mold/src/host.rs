//! What a mold asks of the language its applications are written in: forking under that language's eyes, calling server
//! hooks, logging with its logger.

use std::io;

use ferricorn_telemetry::error_log::Level;
use ferricorn_unix::process::{Fork, ProcessId};

use crate::protocol::{Hook, Member, Metric};

/// A hook that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFailure {
    /// Where and why.
    pub traceback: String,
    /// It has asked for the end of the process with this status.
    pub exit: Option<u8>,
}

/// The host language, in a mold. Whatever an application's author wrote may fail or take its time here; the master only
/// waits where a start or a reload depends on it.
pub trait Host {
    /// Runs a fork with whatever the language needs done before and after it (locks, at-fork hooks), in all processes
    /// that come out of it. Calls `fork` once and returns what it returned.
    fn guarded(&mut self, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork>;

    /// Calls a server hook.
    fn call(&mut self, hook: Hook) -> Result<(), HookFailure>;

    /// A worker of this age is about to be forked: `pre_fork`.
    fn before_fork(&mut self, age: u64) -> Result<(), HookFailure>;

    /// That worker has been forked.
    fn forked(&mut self, worker: ProcessId);

    /// The server stops: the listening sockets are closed in this process.
    fn listeners_closed(&mut self);

    /// There is a worker that another mold has forked.
    fn born(&mut self, worker: Member);

    /// A worker has ended; `call_hook`: tell `child_exit`.
    fn ended(&mut self, worker: Member, call_hook: bool) -> Result<(), HookFailure>;

    /// Writes a line of the master's.
    fn log(&mut self, level: Level, message: &str);

    /// Gives a metric of the master's to the logger.
    fn measure(&mut self, metric: Metric);

    /// How many workers a hook has asked for since the last question, if any has.
    fn take_wanted(&mut self) -> Option<usize>;
}
