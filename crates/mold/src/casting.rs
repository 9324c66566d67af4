//! The mold's life: it reports its settings, loads what is shared, takes its provisions, then does what the master orders,
//! one thing after the other, until the master closes the socket.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferricorn_settings::Settings;
use ferricorn_telemetry::error_log;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::process;

use crate::birth::{self, Birth};
use crate::host::{HookFailure, Host};
use crate::orphaned;
use crate::protocol::{self, Hook, Incoming, Occasion, Order, PROTOCOL, ProtocolError, Report};

/// The exit status of a server whose first `pre_fork` fails, as Gunicorn's.
const PRE_FORK_FAILED: u8 = 255;

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
    /// Of each of them, whether it ends with this server: nobody else has it.
    pub ours: Vec<bool>,
    /// A queue that the workers of one mold share. What is sent into the first end comes out of the second, to whoever takes
    /// it; it keeps what it has, whoever dies.
    pub queue: (Channel, Channel),
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
    /// The next worker is the first one, and what goes wrong before it is forked ends the start or the reload.
    on_trial: bool,
}

/// Whether to take the next order.
#[derive(PartialEq, Eq)]
enum Step {
    GoOn,
    Leave,
}

impl Mold {
    /// Says hello to the master over the socket that it left open under this number.
    pub fn connect(socket: i32, version: &str) -> Result<Self, ProtocolError> {
        let early = ignore_group_signals()?;
        let mold = Self { channel: Channel::inherited(socket)?, known_threads: Vec::new(), early, on_trial: true };
        mold.report(&Report::Hello { protocol: PROTOCOL, version: version.to_owned() })?;
        Ok(mold)
    }

    /// Sends a report.
    pub fn report(&self, report: &Report) -> Result<(), ProtocolError> {
        protocol::send(&self.channel, report, &[])
    }

    /// Reports the settings and waits for the word to go on; `None`: leave quietly.
    pub fn propose(&mut self, settings: Settings) -> Result<Option<(Settings, Occasion)>, ProtocolError> {
        self.report(&Report::Configured { settings: Box::new(settings) })?;
        loop {
            match protocol::receive(&self.channel)? {
                Incoming::Message(Order::Proceed { settings, occasion }, _) => {
                    self.on_trial = occasion != Occasion::Replacement;
                    return Ok(Some((*settings, occasion)));
                }
                // Log files may be renamed at any time.
                Incoming::Message(Order::ReopenLogs, _) => error_log::reopen(),
                Incoming::Message(..) | Incoming::Nothing => {}
                Incoming::Closed => return Ok(None),
            }
        }
    }

    /// Reports that everything shared is loaded, and does as told until what workers need has come; `None`: leave
    /// quietly.
    pub fn await_provisions(&mut self, host: &mut dyn Host) -> Result<Option<Provisions>, ProtocolError> {
        self.report(&Report::Ready)?;
        match self.next_order(host)? {
            Some((Order::Provide { roster, ours }, descriptors)) => {
                roster.into_iter().for_each(|worker| host.born(worker));
                provisions(descriptors, ours).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Forks a worker per order, and does whatever else it is told. Returns in the mold when its time is over, and in
    /// each new worker at once.
    pub fn take_orders(mut self, mut provisions: Provisions, host: &mut dyn Host) -> Result<Outcome, ProtocolError> {
        match self.cast(&mut provisions, host) {
            Ok(Some((slot, age))) => {
                let early = self.early;
                Ok(Outcome::Worker(Assignment { slot, age, early }, provisions))
            }
            ended => {
                if self.channel.has_hung_up()? {
                    orphaned::free_addresses(provisions)?;
                }
                ended.map(|_| Outcome::Leave)
            }
        }
    }

    /// Until the mold's time is over (`None`), or, in a new worker, with what that is to be.
    fn cast(&mut self, provisions: &mut Provisions, host: &mut dyn Host) -> Result<Option<(u32, u64)>, ProtocolError> {
        while let Some((order, _)) = self.next_order(host)? {
            if matches!(order, Order::CloseListeners) {
                provisions.listeners.clear();
                host.listeners_closed();
            }
            let Order::Spawn { slot, age } = order else { continue };
            if self.prepare_fork(age, host)? == Step::Leave {
                break;
            }
            self.warn_of_threads()?;
            self.early.terminate.store(false, Ordering::Relaxed);
            self.early.reopen_logs.store(false, Ordering::Relaxed);
            match birth::fork(host) {
                Ok(Birth::InMold(newborn)) => {
                    host.forked(newborn.process);
                    self.report(&Report::Forked { slot, worker: newborn.process.as_raw() })?;
                    newborn.begin()?;
                }
                Ok(Birth::InWorker) => return Ok(Some((slot, age))),
                Err(error) => self.report(&Report::ForkFailed { slot, reason: error.to_string() })?,
            }
        }
        Ok(None)
    }

    /// Does as told until the order is one that the mold's own course waits for; `None`: leave.
    fn next_order(&self, host: &mut dyn Host) -> Result<Option<(Order, Vec<OwnedFd>)>, ProtocolError> {
        loop {
            match protocol::receive(&self.channel)? {
                Incoming::Message(
                    order @ (Order::Provide { .. } | Order::Spawn { .. } | Order::CloseListeners),
                    descriptors,
                ) => return Ok(Some((order, descriptors))),
                Incoming::Message(order, _) => {
                    if self.obey(order, host)? == Step::Leave {
                        return Ok(None);
                    }
                }
                Incoming::Nothing => {}
                Incoming::Closed => return Ok(None),
            }
        }
    }

    /// Orders that can come at any time.
    fn obey(&self, order: Order, host: &mut dyn Host) -> Result<Step, ProtocolError> {
        match order {
            Order::Call(hook) => return self.call(hook, host),
            Order::Born(worker) => host.born(worker),
            Order::Ended { worker, call_hook } => {
                log_failure("child_exit", host.ended(worker, call_hook));
                self.pass_on_wish(host)?;
            }
            Order::Log { level, message } => host.log(level, &message),
            Order::Measure(metric) => host.measure(metric),
            Order::ReopenLogs => error_log::reopen(),
            // Each of these has its own time, and this is not it.
            Order::Proceed { .. } | Order::Provide { .. } | Order::Spawn { .. } | Order::CloseListeners => {}
        }
        Ok(Step::GoOn)
    }

    /// Hooks that Gunicorn ends for at its start, or in a reload, end this generation; others are only told of.
    fn call(&self, hook: Hook, host: &mut dyn Host) -> Result<Step, ProtocolError> {
        let outcome = host.call(hook);
        match hook {
            Hook::OnStarting | Hook::WhenReady | Hook::OnReload => {
                if let Err(failure) = outcome {
                    self.report(&leaving(failure, 1))?;
                    return Ok(Step::Leave);
                }
            }
            Hook::WorkersChanged { .. } => log_failure("nworkers_changed", outcome),
            Hook::PreExec => log_failure("pre_exec", outcome),
            Hook::OnExit => log_failure("on_exit", outcome),
        }
        self.pass_on_wish(host)?;
        self.report(&Report::Called(hook))?;
        Ok(Step::GoOn)
    }

    fn prepare_fork(&mut self, age: u64, host: &mut dyn Host) -> Result<Step, ProtocolError> {
        let on_trial = std::mem::replace(&mut self.on_trial, false);
        match host.before_fork(age) {
            Err(failure) if on_trial => {
                self.report(&leaving(failure, PRE_FORK_FAILED))?;
                return Ok(Step::Leave);
            }
            outcome => log_failure("pre_fork", outcome),
        }
        self.pass_on_wish(host)?;
        Ok(Step::GoOn)
    }

    /// Only the forking thread lives on in a worker; what the others were doing stays undone, and
    /// locks that they hold stay locked.
    fn warn_of_threads(&mut self) -> io::Result<()> {
        let mut threads = process::threads()?;
        threads.remove(0);
        if !threads.is_empty() && threads != self.known_threads {
            log::warn!(
                "The preloaded application, or a hook, has started {} thread(s) ({}): they do not exist in workers. \
                 Start what workers need after the fork.",
                threads.len(),
                threads.join(", "),
            );
        }
        self.known_threads = threads;
        Ok(())
    }

    /// Tells the master what a hook has asked for.
    fn pass_on_wish(&self, host: &mut dyn Host) -> Result<(), ProtocolError> {
        match host.take_wanted() {
            Some(workers) => self.report(&Report::Wanted { workers }),
            None => Ok(()),
        }
    }
}

fn provisions(descriptors: Vec<OwnedFd>, ours: Vec<bool>) -> Result<Provisions, ProtocolError> {
    let mut descriptors = descriptors.into_iter();
    let (Some(scoreboard), Some(events), Some(life)) = (descriptors.next(), descriptors.next(), descriptors.next())
    else {
        return Err(io::Error::other("descriptors are missing").into());
    };
    Ok(Provisions { scoreboard, events, life, listeners: descriptors.collect(), ours, queue: Channel::pair()? })
}

/// The end of a generation that a hook has not let begin. One that asked for the end has said why itself.
fn leaving(failure: HookFailure, status: u8) -> Report {
    match failure.exit {
        Some(status) => Report::Leaving { status, message: String::new() },
        None => Report::Leaving { status, message: format!("{}\n", failure.traceback) },
    }
}

/// The server goes on whatever a hook does.
fn log_failure(hook: &str, outcome: Result<(), HookFailure>) {
    if let Err(failure) = outcome {
        log::error!("Exception in {hook} hook\n{}", failure.traceback.trim_end());
    }
}

/// What stops a whole process group or control group is for the master to act on; it closes the
/// socket when the mold's time is over. A handler that does nothing, unlike SIG_IGN, is not
/// inherited by programs that the application starts. SIGINT and SIGQUIT are left alone: the
/// mold has a process group of its own, and in workers the application's language handles them.
fn ignore_group_signals() -> io::Result<EarlySignals> {
    use signal_hook::consts::{SIGHUP, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH};
    let early = EarlySignals::default();
    signal_hook::flag::register(SIGTERM, Arc::clone(&early.terminate))?;
    signal_hook::flag::register(SIGUSR1, Arc::clone(&early.reopen_logs))?;
    for signal in [SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2, SIGWINCH] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(early)
}
