//! The state of the master, and its loop: take what has happened, handle it, put things right,
//! wait for more.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferricorn_mold::Order;
use ferricorn_mold::protocol::{Hook, Incoming, Report};
use ferricorn_settings::Settings;
use ferricorn_telemetry::error_log;
use ferricorn_telemetry::events::Reports;
use ferricorn_telemetry::scoreboard::Scoreboard;
use ferricorn_telemetry::statsd::Statsd;
use ferricorn_unix::process::{self, ProcessId};
use ferricorn_unix::title::Title;
use ferricorn_unix::{descriptor, poll};

use crate::backoff::Backoff;
use crate::database::DatabaseWatch;
use crate::forward::Forward;
use crate::generation::{Generation, GenerationId, LeavingMold};
use crate::given_up::GivenUp;
use crate::memory_events::MemoryEvents;
use crate::notify::Watchdog;
use crate::pidfile::PidFile;
use crate::signals::{Event, Signals};
use crate::sockets::{self, Bound};
use crate::stop::Stopping;
use crate::upgrade::Inheritance;
use crate::workers::Workers;

/// The longest the loop sleeps: it looks for silent workers this often.
const TICK: Duration = Duration::from_secs(1);
/// Workers that there can ever be at once, those of two generations counted together.
const SLOTS: u32 = 1024;

/// At the end of a new master's title and pid file, as long as the old one lives.
const UPGRADE_MARK: &str = ".2";

/// How the program was started.
#[derive(Debug)]
pub struct Launch {
    /// What the program calls itself: `ferricorn`.
    pub program: String,
    /// Its version.
    pub version: &'static str,
    /// The command that starts a mold.
    pub mold_command: Vec<OsString>,
    /// Where the program was started, and where each mold starts: that a path is relative to it means the same in a reload.
    pub start_directory: PathBuf,
    /// For the process title; `None` where it cannot be set.
    pub title: Option<Title>,
}

/// Everything the master knows.
pub(crate) struct Arbiter {
    pub(crate) launch: Launch,
    signals: Signals,
    /// What it logs, where a mold is to write it.
    pub(crate) forward: Arc<Forward>,
    /// Where metrics go, if the settings say so and no logger of the application's sends them.
    pub(crate) statsd: Option<Statsd>,
    pub(crate) scoreboard: Scoreboard,
    pub(crate) memory_events: MemoryEvents,
    pub(crate) database_watch: DatabaseWatch,
    reports: Reports,
    /// The write end of the workers' pipe; handed to molds.
    pub(crate) events_for_workers: OwnedFd,
    /// The read end of the life pipe; handed to molds.
    pub(crate) life_for_workers: OwnedFd,
    /// Nothing is ever written here. It closes when this process ends, however it ends.
    _life: OwnedFd,
    /// What the master before this one has left, if it was started by USR2.
    pub(crate) inheritance: Inheritance,
    watchdog: Watchdog,
    /// The new master that USR2 has started.
    pub(crate) successor: Option<ProcessId>,
    /// Sockets from the service manager, instead of bound ones.
    pub(crate) passed_sockets: Vec<Rc<Bound>>,
    /// The generation that is to serve; `None` until the first worker ever is ready.
    pub(crate) current: Option<Generation>,
    /// The generation that is to follow it, until its first worker is ready.
    pub(crate) candidate: Option<Generation>,
    pub(crate) leaving_molds: Vec<LeavingMold>,
    /// Addresses that no generation has any more, and workers still serve.
    pub(crate) given_up: Vec<GivenUp>,
    pub(crate) generations: u64,
    /// Another reload is due as soon as a generation is promoted: one was asked for before the first was ready, or
    /// sources changed while a candidate loaded.
    pub(crate) reload_afterwards: bool,
    /// A new master was asked for before the first generation was ready.
    pub(crate) upgrade_after_start: bool,
    /// A new master is started as soon as the hook `pre_exec` has returned, which this generation's mold calls.
    pub(crate) upgrade_after_hook: Option<GenerationId>,
    pub(crate) workers: Workers,
    /// How many workers are wanted; TTIN and TTOU change it until the next reload.
    pub(crate) target: usize,
    /// How often USR1 has come.
    pub(crate) log_reopenings: u64,
    pub(crate) respawn: Backoff,
    pub(crate) mold_restart: Backoff,
    pub(crate) pidfile: Option<PidFile>,
    pub(crate) daemonized: bool,
    pub(crate) stopping: Option<Stopping>,
    /// Set once the end is decided; the loop ends as soon as nobody is left.
    pub(crate) exit: Option<u8>,
    /// Why the server ends, when it is no operator's will.
    pub(crate) halted: Option<&'static str>,
    /// Nobody is left but the mold that was told to call `on_exit`.
    pub(crate) has_said_farewell: bool,
    last_look: Instant,
}

/// Runs the master to its end and returns the exit status of the server.
pub fn run(launch: Launch) -> u8 {
    let program = launch.program.clone();
    match Arbiter::new(launch).and_then(Arbiter::run) {
        Ok(status) => status,
        Err(error) => {
            // An unforeseen failure of the master itself: workers notice its end and leave.
            eprintln!("\n{program}: the master failed: {error}");
            255
        }
    }
}

impl Arbiter {
    fn new(launch: Launch) -> io::Result<Self> {
        let mut inheritance = Inheritance::claim()?;
        let mut passed_sockets: Vec<Rc<Bound>> = sockets::from_service_manager()?.into_iter().map(Rc::new).collect();
        // What the server has left there before its restart is no order of the operator's.
        inheritance.sockets.extend(passed_sockets.extract_if(.., |bound| bound.bind.is_some()));
        if inheritance.sockets.iter().any(|bound| bound.bind.is_some()) {
            // Those without a bind setting came from the service manager to the master before.
            passed_sockets.extend(inheritance.sockets.extract_if(.., |bound| bound.bind.is_none()));
        }
        let (events_read, events_write) = descriptor::pipe()?;
        // A worker that cannot write its report must wait, not fail.
        descriptor::set_nonblocking(events_write.as_fd(), false)?;
        let (life_read, life_write) = descriptor::pipe()?;
        process::adopt_orphans()?;
        let watchdog = Watchdog::from_environment(inheritance.parent.is_some());
        let forward = Arc::new(Forward::default());
        error_log::accompany(Some(Arc::clone(&forward) as Arc<dyn error_log::Companion>));
        let scoreboard = Scoreboard::create(SLOTS)?;
        scoreboard.share_sockets(inheritance.parent.is_some());
        Ok(Self {
            launch,
            forward,
            statsd: None,
            signals: Signals::install()?,
            scoreboard,
            memory_events: MemoryEvents::of_this_process(),
            database_watch: DatabaseWatch::default(),
            reports: Reports::new(events_read),
            events_for_workers: events_write,
            life_for_workers: life_read,
            _life: life_write,
            inheritance,
            successor: None,
            watchdog,
            passed_sockets,
            current: None,
            candidate: None,
            leaving_molds: Vec::new(),
            given_up: Vec::new(),
            generations: 0,
            reload_afterwards: false,
            upgrade_after_start: false,
            upgrade_after_hook: None,
            workers: Workers::default(),
            target: 0,
            log_reopenings: 0,
            respawn: Backoff::default(),
            mold_restart: Backoff::default(),
            pidfile: None,
            daemonized: false,
            stopping: None,
            exit: None,
            halted: None,
            has_said_farewell: false,
            last_look: Instant::now(),
        })
    }

    fn run(mut self) -> io::Result<u8> {
        self.start_candidate()?;
        loop {
            self.watchdog.bark();
            self.forward_lines();
            self.send_waiting_orders()?;
            self.wait()?;
            for event in self.signals.take() {
                self.handle(event)?;
            }
            // Workers first: one that was ready before its mold died has made its generation good.
            self.hear_workers()?;
            self.hear_molds()?;
            self.hear_leaving_molds()?;
            self.reap()?;
            if let Some(status) = self.finished() {
                self.forward_lines();
                return Ok(status);
            }
            if self.stopping.is_some() {
                self.press_stop()?;
            } else {
                if self.last_look.elapsed() >= TICK {
                    self.last_look = Instant::now();
                    self.look_for_silent_workers()?;
                    self.look_for_late_boots()?;
                    self.look_for_promotion()?;
                    self.replace_what_is_due();
                    self.measure_backlog()?;
                    self.watch_database();
                }
                self.press_leaving_molds()?;
                // Before the workers that they announce.
                self.forward_lines();
                self.reconcile()?;
            }
        }
    }

    /// Sleeps until something happens or something is due.
    fn wait(&self) -> io::Result<()> {
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![self.signals.as_fd(), self.reports.as_fd()];
        descriptors.extend(self.molds().map(|mold| mold.as_fd()));
        descriptors.extend(self.leaving_molds.iter().filter_map(LeavingMold::as_descriptor));
        let now = Instant::now();
        let stop = self.stopping.as_ref().map(|stopping| stopping.deadline);
        let deadlines = [self.respawn.until, self.mold_restart.until, stop, self.watchdog.due()];
        let next = deadlines.into_iter().flatten().filter(|due| *due > now).map(|due| due - now).min();
        poll::readable(&descriptors, Some(next.unwrap_or(TICK).min(TICK)))?;
        Ok(())
    }

    fn handle(&mut self, event: Event) -> io::Result<()> {
        if event != Event::ChildEnded && self.settings().is_some() {
            log::info!("Handling signal: {}", event.name());
        }
        match event {
            Event::ChildEnded => Ok(()),
            // Who asks twice is in a hurry.
            Event::StopGracefully => self.stop(self.stopping.is_some()),
            Event::StopQuickly(_) => self.stop(true),
            _ if self.stopping.is_some() => Ok(()),
            Event::Reload => self.reload(),
            Event::MoreWorkers => self.want(self.target + 1),
            Event::FewerWorkers if self.target > 1 => self.want(self.target - 1),
            Event::FewerWorkers => Ok(()),
            Event::ReopenLogs => self.reopen_logs(),
            Event::Upgrade => self.upgrade(),
            Event::Winch if self.daemonized => self.want(0),
            Event::Winch => {
                log::debug!("SIGWINCH ignored: not a daemon.");
                Ok(())
            }
        }
    }

    fn hear_molds(&mut self) -> io::Result<()> {
        loop {
            let mut heard = Vec::new();
            for generation in [&self.candidate, &self.current].into_iter().flatten() {
                if let Some(mold) = &generation.mold {
                    heard.push((generation.id, mold.next_report()));
                }
            }
            let mut quiet = true;
            for (id, incoming) in heard {
                match incoming {
                    Ok(Incoming::Nothing) => continue,
                    Ok(Incoming::Message(report, _)) => self.hear_mold(id, report)?,
                    Ok(Incoming::Closed) => self.mold_is_gone(id, "it closed its socket")?,
                    Err(error) => self.mold_is_gone(id, &error.to_string())?,
                }
                quiet = false;
            }
            if quiet {
                return Ok(());
            }
        }
    }

    /// What a mold that has ended said before it did: it may say why.
    pub(crate) fn hear_last_words(&mut self, id: GenerationId) -> io::Result<()> {
        loop {
            let mold = self.generation(id).and_then(|generation| generation.mold.as_ref());
            let Some(Ok(Incoming::Message(report, _))) = mold.map(|mold| mold.next_report()) else { return Ok(()) };
            self.hear_mold(id, report)?;
        }
    }

    fn hear_mold(&mut self, id: GenerationId, report: Report) -> io::Result<()> {
        let matters_at_the_end =
            matches!(report, Report::Forked { .. } | Report::ForkFailed { .. } | Report::Called(Hook::OnExit));
        if self.stopping.is_some() && !matters_at_the_end {
            // Whatever it is ready for, it is too late.
            return Ok(());
        }
        match report {
            Report::Hello { protocol, version } => self.mold_says_hello(id, protocol, &version),
            Report::Configured { settings } => self.mold_is_configured(id, *settings),
            Report::Ready => self.mold_is_ready(id),
            Report::Called(Hook::OnStarting) => self.listen(id),
            Report::Called(Hook::OnExit) => self.mold_has_said_farewell(id),
            Report::Called(Hook::PreExec) => self.start_successor(),
            Report::Called(_) => Ok(()),
            Report::Wanted { workers } => self.hook_wants(id, workers),
            Report::Leaving { status, message } => self.mold_is_leaving(id, status, &message),
            Report::Forked { slot, worker } => self.worker_is_forked(slot, worker),
            Report::ForkFailed { slot, reason } => self.fork_failed(slot, &reason),
        }
    }

    fn hear_workers(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        if self.workers.ordered.is_empty() {
            // No mold will explain these any more.
            events.append(&mut self.workers.unexplained_reports);
        }
        events.extend(self.reports.take()?);
        for event in events {
            self.hear_worker(event)?;
        }
        Ok(())
    }

    /// The settings in force; `None` before the first mold has reported any.
    pub(crate) fn settings(&self) -> Option<Rc<Settings>> {
        self.in_force()?.settings.clone()
    }

    /// The generation whose settings and hooks count: the one that serves, else that of a first start.
    pub(crate) fn in_force(&self) -> Option<&Generation> {
        self.current.as_ref().or(self.candidate.as_ref())
    }

    /// The generation of this number, if it is still of interest.
    pub(crate) fn generation(&mut self, id: GenerationId) -> Option<&mut Generation> {
        [&mut self.candidate, &mut self.current].into_iter().flatten().find(|generation| generation.id == id)
    }

    fn molds(&self) -> impl Iterator<Item = &crate::generation::MoldProcess> {
        [&self.candidate, &self.current].into_iter().flatten().filter_map(|generation| generation.mold.as_ref())
    }

    pub(crate) fn retitle(&self, settings: &Settings) {
        if let Some(title) = &self.launch.title {
            let mark = if self.inheritance.parent.is_some() { UPGRADE_MARK } else { "" };
            title.set(&format!("{}: master [{}{mark}]", self.launch.program, settings.proc_name));
        }
    }

    /// Writes the pid file of these settings, and removes one that other settings named.
    pub(crate) fn place_pidfile(&mut self, wanted: Option<&PathBuf>) -> Result<(), crate::pidfile::PidFileError> {
        // The directory that the name is relative to may be another after the next reload.
        let wanted = wanted.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        // The file itself is the old master's until that is gone.
        let wanted = wanted.map(|path| match self.inheritance.parent {
            Some(_) => PathBuf::from(format!("{}{UPGRADE_MARK}", path.display())),
            None => path,
        });
        if self.pidfile.as_ref().map(PidFile::path) != wanted.as_deref() {
            let placed = wanted.as_deref().map(PidFile::write).transpose()?;
            self.pidfile = placed;
        }
        Ok(())
    }

    fn reopen_logs(&mut self) -> io::Result<()> {
        self.log_reopenings += 1;
        ferricorn_telemetry::error_log::reopen();
        for mold in self.molds() {
            if let Err(error) = mold.order(&Order::ReopenLogs) {
                log::error!("Mold {} was not told to reopen its log: {error}", mold.process);
            }
        }
        self.signal_workers(process::Signal::ReopenLogs)
    }

    pub(crate) fn signal_workers(&self, signal: process::Signal) -> io::Result<()> {
        for worker in &self.workers.list {
            process::kill(worker.process, signal)?;
        }
        Ok(())
    }

    /// The descriptors that a mold of this generation needs, as [`ferricorn_mold::Provisions`].
    pub(crate) fn provisions<'a>(&'a self, listeners: &'a [Rc<Bound>]) -> Vec<BorrowedFd<'a>> {
        let mut all = vec![self.scoreboard.as_fd(), self.events_for_workers.as_fd(), self.life_for_workers.as_fd()];
        all.extend(listeners.iter().map(|bound| bound.as_fd()));
        all
    }

    /// The calling process's number, as log lines give it.
    pub(crate) fn pid() -> ProcessId {
        ProcessId::current()
    }
}
