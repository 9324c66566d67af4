//! The mold's life: it reports its settings, takes its provisions, loads what is shared, then
//! forks a worker per order until the master closes the socket.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferricorn_settings::Settings;
use ferricorn_telemetry::error_log;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::process::{self, Fork, ProcessId, exit_now};

use crate::protocol::{self, Incoming, Order, PROTOCOL, ProtocolError, Report};

/// Runs a fork with whatever the host language needs done before and after it (locks, at-fork
/// hooks), in all processes that come out of it.
pub trait ForkGuard {
    /// Calls `fork` once and returns what it returned.
    fn guarded(&mut self, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork>;
}

/// The descriptors that the master hands to each mold, and the mold to its workers.
#[derive(Debug)]
pub struct Provisions {
    /// The scoreboard's memory.
    pub scoreboard: OwnedFd,
    /// Write end of the pipe on which workers report.
    pub events: OwnedFd,
    /// Read end of a pipe whose write end only the master holds: its end is the master's end.
    pub life: OwnedFd,
    /// The listening sockets, in the order of the bind setting.
    pub listeners: Vec<OwnedFd>,
}

/// What a new worker is to be.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Its scoreboard slot.
    pub slot: u32,
    /// How many workers there were before it.
    pub age: u64,
    /// What came for the worker before it had handlers of its own; look at it then.
    pub early: EarlySignals,
}

/// Set by signals until a worker has installed handlers of its own.
#[derive(Clone, Debug, Default)]
pub struct EarlySignals {
    /// SIGTERM came.
    pub terminate: Arc<AtomicBool>,
    /// SIGUSR1 came.
    pub reopen_logs: Arc<AtomicBool>,
}

/// How [`Mold::take_orders`] ends.
#[derive(Debug)]
pub enum Outcome {
    /// The master closed the socket: leave.
    Leave,
    /// This process is a new worker, a child of the master's.
    Worker(Assignment, Provisions),
}

/// The mold's end of the socket.
#[derive(Debug)]
pub struct Mold {
    /// Dropped in a worker, so that the master sees the mold's end when the mold ends.
    channel: Channel,
    /// The threads found at the last fork; the warning is given once for each finding.
    known_threads: Vec<String>,
    early: EarlySignals,
}

impl Mold {
    /// Says hello to the master over the socket that it left open under this number.
    pub fn connect(socket: i32, version: &str) -> Result<Self, ProtocolError> {
        let early = ignore_group_signals()?;
        let mold = Self { channel: Channel::inherited(socket)?, known_threads: Vec::new(), early };
        mold.report(&Report::Hello { protocol: PROTOCOL, version: version.to_owned() })?;
        Ok(mold)
    }

    /// Sends a report.
    pub fn report(&self, report: &Report) -> Result<(), ProtocolError> {
        protocol::send(&self.channel, report, &[])
    }

    /// Reports the settings and waits for the word to go on; `None`: leave quietly.
    pub fn propose(&self, settings: Settings) -> Result<Option<Settings>, ProtocolError> {
        self.report(&Report::Configured { settings: Box::new(settings) })?;
        match protocol::receive(&self.channel)? {
            Incoming::Message(Order::Proceed { settings }, _) => Ok(Some(*settings)),
            _ => Ok(None),
        }
    }

    /// Reports that everything shared is loaded, and waits for what workers need; `None`: leave
    /// quietly.
    pub fn await_provisions(&self) -> Result<Option<Provisions>, ProtocolError> {
        self.report(&Report::Ready)?;
        let Incoming::Message(Order::Provide, descriptors) = protocol::receive(&self.channel)? else {
            return Ok(None);
        };
        let mut descriptors = descriptors.into_iter();
        let (Some(scoreboard), Some(events), Some(life)) = (descriptors.next(), descriptors.next(), descriptors.next())
        else {
            return Err(io::Error::other("descriptors are missing").into());
        };
        Ok(Some(Provisions { scoreboard, events, life, listeners: descriptors.collect() }))
    }

    /// Forks a worker per order. Returns in the mold when its time is over, and in each new
    /// worker at once.
    pub fn take_orders(mut self, provisions: Provisions, guard: &mut dyn ForkGuard) -> Result<Outcome, ProtocolError> {
        loop {
            match protocol::receive(&self.channel)? {
                Incoming::Message(Order::Spawn { slot, age }, _) => match self.spawn(guard) {
                    Ok(Some(worker)) => self.report(&Report::Forked { slot, worker: worker.as_raw() })?,
                    Ok(None) => {
                        let early = self.early;
                        return Ok(Outcome::Worker(Assignment { slot, age, early }, provisions));
                    }
                    Err(error) => self.report(&Report::ForkFailed { slot, reason: error.to_string() })?,
                },
                Incoming::Message(Order::ReopenLogs, _) => error_log::reopen(),
                Incoming::Message(Order::Proceed { .. } | Order::Provide, _) | Incoming::Nothing => {}
                Incoming::Closed => return Ok(Outcome::Leave),
            }
        }
    }

    /// Forks twice: the process in between ends at once, and its orphan, the worker, becomes a
    /// child of the master, who adopts orphans. `None` in the worker.
    fn spawn(&mut self, guard: &mut dyn ForkGuard) -> io::Result<Option<ProcessId>> {
        self.warn_of_threads()?;
        self.early.terminate.store(false, Ordering::Relaxed);
        self.early.reopen_logs.store(false, Ordering::Relaxed);
        let (mut read, mut write) = io::pipe()?;
        let forked = guard.guarded(&mut || match process::fork(true)? {
            Fork::Parent(between) => Ok(Fork::Parent(between)),
            Fork::Child => match process::fork(true) {
                Ok(Fork::Parent(worker)) => {
                    let sent = write.write_all(&worker.as_raw().to_ne_bytes());
                    exit_now(if sent.is_ok() { 0 } else { 1 })
                }
                Ok(Fork::Child) => Ok(Fork::Child),
                Err(_) => exit_now(1),
            },
        })?;
        let Fork::Parent(between) = forked else { return Ok(None) };
        drop(write);
        let mut raw = [0; 4];
        let told = read.read_exact(&mut raw);
        process::wait(between)?;
        told.map_err(|_| io::Error::other("the second fork failed: too many processes or too little memory"))?;
        ProcessId::from_raw(i32::from_ne_bytes(raw)).map(Some).ok_or_else(|| io::Error::other("no process number"))
    }

    /// Only the forking thread lives on in a worker; what the others were doing stays undone, and
    /// locks that they hold stay locked.
    fn warn_of_threads(&mut self) -> io::Result<()> {
        let mut threads = process::threads()?;
        threads.remove(0);
        if !threads.is_empty() && threads != self.known_threads {
            log::warn!(
                "The preloaded application has started {} thread(s) ({}): they do not exist in workers. \
                 Start them after the fork, or do without --preload.",
                threads.len(),
                threads.join(", "),
            );
        }
        self.known_threads = threads;
        Ok(())
    }
}

/// What stops a whole process group or control group is for the master to act on; it closes the
/// socket when the mold's time is over. A handler that does nothing, unlike SIG_IGN, is not
/// inherited by programs that the application starts. SIGINT and SIGQUIT are left alone: the
/// mold has a process group of its own, and in workers the application's language handles them.
fn ignore_group_signals() -> io::Result<EarlySignals> {
    use signal_hook::consts::{SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    let early = EarlySignals::default();
    signal_hook::flag::register(SIGTERM, Arc::clone(&early.terminate))?;
    signal_hook::flag::register(SIGUSR1, Arc::clone(&early.reopen_logs))?;
    for signal in [SIGHUP, SIGUSR2, SIGWINCH] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(early)
}
