//! USR2: the program on disk takes over from the one that runs, in Gunicorn's protocol. The old master starts the new one as
//! its child, with the listening sockets and two variables: GUNICORN_PID, the old master, and GUNICORN_FD, the sockets' numbers.
//! Both serve until the operator ends one of them: the old one, and the new one is promoted; or the new one, and nothing has
//! happened.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::rc::Rc;

use ferricorn_mold::MOLD_VARIABLE;
use ferricorn_mold::Order;
use ferricorn_mold::protocol::Hook;
use ferricorn_unix::process::ProcessId;
use ferricorn_unix::{descriptor, environment};

use crate::arbiter::Arbiter;
use crate::notify;
use crate::sockets::Bound;

/// The old master's process.
const PARENT_VARIABLE: &str = "GUNICORN_PID";
/// The numbers of its sockets, separated by commas.
const SOCKETS_VARIABLE: &str = "GUNICORN_FD";
/// What they were bound for, in the same order, separated by line ends; empty for one from a service manager. Gunicorn does
/// not set it.
const BINDS_VARIABLE: &str = "FERRICORN_BINDS";

/// What a new master has from the old one.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    /// The old master, as long as it lives.
    pub(crate) parent: Option<ProcessId>,
    /// Its sockets, until the settings say which of them are wanted.
    pub(crate) sockets: Vec<Rc<Bound>>,
}

impl Inheritance {
    /// From the environment, where this process was started for an upgrade. The variables are removed: nobody whom we
    /// start shall take them for its own.
    pub(crate) fn claim() -> io::Result<Self> {
        let number = |text: &str| text.trim().parse::<i32>().ok();
        let parent = env::var(PARENT_VARIABLE).ok().as_deref().and_then(number).and_then(ProcessId::from_raw);
        let numbers = env::var(SOCKETS_VARIABLE).unwrap_or_default();
        let binds = env::var(BINDS_VARIABLE).unwrap_or_default();
        for name in [PARENT_VARIABLE, SOCKETS_VARIABLE, BINDS_VARIABLE] {
            environment::set(OsStr::new(name), None)?;
        }
        if parent != Some(ProcessId::parent()) {
            return Ok(Self::default());
        }
        let mut binds = binds.split('\n');
        let sockets: io::Result<Vec<Rc<Bound>>> = numbers
            .split(',')
            .filter_map(number)
            .map(|number| Ok(Rc::new(Bound::inherited(number, binds.next().and_then(|bind| bind.parse().ok()))?)))
            .collect();
        Ok(Self { parent, sockets: sockets? })
    }
}

impl Arbiter {
    /// SIGUSR2.
    pub(crate) fn upgrade(&mut self) -> io::Result<()> {
        if self.successor.is_some() {
            log::warn!("USR2 signal ignored. Child exists.");
            return Ok(());
        }
        if self.inheritance.parent.is_some() {
            log::warn!("USR2 signal ignored. Parent exists.");
            return Ok(());
        }
        if self.current.is_none() {
            self.upgrade_after_start = true;
            return Ok(());
        }
        match self.current.as_ref().and_then(|current| current.casting()) {
            Some(_) => {
                self.upgrade_after_hook = self.in_force().map(|generation| generation.id);
                self.tell_hooks(&Order::Call(Hook::PreExec))
            }
            None => self.start_successor(),
        }
    }

    /// Starts the new master. A failure changes nothing.
    pub(crate) fn start_successor(&mut self) -> io::Result<()> {
        self.upgrade_after_hook = None;
        if self.successor.is_some() {
            // USR2 came again while the hook was called for the first one.
            return Ok(());
        }
        // Before there is a new one: this one may be killed at any moment, and its workers must know.
        self.scoreboard.share_sockets(true);
        match self.spawn_successor() {
            Ok(successor) => {
                log::info!("The new master is process {successor}; end this one with TERM, or the new one to go back");
                self.successor = Some(successor);
            }
            Err(error) => {
                self.scoreboard.share_sockets(false);
                log::error!("Cannot start a new master: {error}");
            }
        }
        Ok(())
    }

    fn spawn_successor(&self) -> io::Result<ProcessId> {
        let sockets = self.current.as_ref().map_or(&[][..], |current| &current.listeners);
        let numbers: Vec<String> = sockets.iter().map(|bound| bound.as_fd().as_raw_fd().to_string()).collect();
        let binds: Vec<String> =
            sockets.iter().map(|bound| bound.bind.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
        let command = &self.launch.mold_command;
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no command"))?;
        for bound in sockets {
            descriptor::set_inheritable(bound.as_fd(), true)?;
        }
        let child = Command::new(program)
            .args(arguments)
            .current_dir(&self.launch.start_directory)
            .env_remove(MOLD_VARIABLE)
            .env(PARENT_VARIABLE, ProcessId::current().to_string())
            .env(SOCKETS_VARIABLE, numbers.join(","))
            .env(BINDS_VARIABLE, binds.join("\n"))
            .spawn();
        for bound in sockets {
            descriptor::set_inheritable(bound.as_fd(), false)?;
        }
        let process = i32::try_from(child?.id()).ok().and_then(ProcessId::from_raw);
        process.ok_or_else(|| io::Error::other("the new master has no process number"))
    }

    /// A child that is no worker has ended; says whether it was the new master.
    pub(crate) fn successor_ended(&mut self, process: ProcessId) -> bool {
        let was_successor = self.successor == Some(process);
        if was_successor {
            log::warn!("The new master (pid:{process}) has ended; this one goes on");
            self.successor = None;
            self.scoreboard.share_sockets(false);
        }
        was_successor
    }

    /// Whether another master serves from the same sockets.
    pub(crate) fn shares_sockets(&self) -> bool {
        self.successor.is_some() || self.inheritance.parent.is_some()
    }

    /// The service manager is to follow the new master when this one ends for it.
    pub(crate) fn hand_over_to_successor(&self) -> bool {
        match self.successor {
            Some(successor) => {
                notify::notify(&format!("MAINPID={successor}\n"));
                true
            }
            None => false,
        }
    }

    /// Looks, once a second, whether the old master is gone.
    pub(crate) fn look_for_promotion(&mut self) -> io::Result<()> {
        if self.inheritance.parent.is_none_or(|parent| parent == ProcessId::parent()) {
            return Ok(());
        }
        self.inheritance.parent = None;
        self.scoreboard.share_sockets(false);
        log::info!("Master has been promoted.");
        let Some(settings) = self.settings() else { return Ok(()) };
        self.retitle(&settings);
        if let Err(error) = self.place_pidfile(settings.pidfile.as_ref()) {
            log::error!("The pid file stays as it was: {error}");
        }
        if self.current.is_some() {
            notify::ready(&format!("{} is serving", self.launch.program));
        }
        Ok(())
    }
}
