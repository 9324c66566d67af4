//! A generation: a mold, the settings it reported, and the sockets its workers listen on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ferricorn_mold::MOLD_VARIABLE;
use ferricorn_mold::protocol::{self, Incoming, Member, Order, ProtocolError, Report};
use ferricorn_settings::Settings;
use ferricorn_telemetry::scoreboard::Slot;
use ferricorn_unix::channel::Channel;
use ferricorn_unix::descriptor;
use ferricorn_unix::process::{self, ProcessId, Signal};

use crate::sockets::Bound;

/// How long a mold that is not wanted any more may take to leave before it is killed.
const LEAVING_GRACE: Duration = Duration::from_secs(5);

/// A mold that has not read for this long is busy with something else.
const BUSY: Duration = Duration::from_secs(1);

/// The running number of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GenerationId(pub(crate) u64);

/// How far a mold has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Evaluating its configuration.
    Configuring,
    /// Loading what its workers share.
    Loading,
    /// At a first start: everything is loaded, and its `on_starting` hook runs.
    Starting,
    /// Taking orders.
    Casting,
}

/// The mold's process, seen from the master. Dropping it closes the socket, and so does the master's own end.
#[derive(Debug)]
pub(crate) struct MoldProcess {
    channel: Channel,
    /// Orders that the mold has not had room for: one that is busy with a hook must not make the master wait.
    unsent: RefCell<VecDeque<Vec<u8>>>,
    /// Since when the mold has had something to read whenever that was looked at: since then it is busy.
    unread_since: Cell<Option<Instant>>,
    pub(crate) process: ProcessId,
    pub(crate) stage: Stage,
}

impl MoldProcess {
    /// Starts a new interpreter (or the program's own file again) in its mold role. It gets a
    /// process group of its own: what a terminal sends to the foreground group is for the master.
    pub(crate) fn start(command: &[OsString], directory: &Path) -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        descriptor::set_inheritable(theirs.as_fd(), true)?;
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("no mold command"))?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .env(MOLD_VARIABLE, theirs.as_fd().as_raw_fd().to_string())
            .process_group(0)
            .spawn()?;
        let process = i32::try_from(child.id()).ok().and_then(ProcessId::from_raw);
        let process = process.ok_or_else(|| io::Error::other("the mold has no process number"))?;
        Ok(Self {
            channel: ours,
            unsent: RefCell::default(),
            unread_since: Cell::new(None),
            process,
            stage: Stage::Configuring,
        })
    }

    /// Sends an order, now or when the mold has read what came before it.
    pub(crate) fn order(&self, order: &Order) -> Result<(), ProtocolError> {
        self.unsent.borrow_mut().push_back(protocol::encode(order)?);
        self.send_waiting()
    }

    /// Sends what there is room for. To a mold that has left nothing can be sent, but its last words are still to be
    /// heard: they say more about it than this failure.
    pub(crate) fn send_waiting(&self) -> Result<(), ProtocolError> {
        let mut unsent = self.unsent.borrow_mut();
        while let Some(message) = unsent.front() {
            match self.channel.try_send(message, &[]) {
                Ok(true) => {
                    unsent.pop_front();
                }
                Ok(false) => break,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => unsent.clear(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether the mold does something that takes its time: a hook, most likely. To be asked again and again.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy_for() > BUSY
    }

    /// For how long it has been seen not to read.
    pub(crate) fn busy_for(&self) -> Duration {
        if !self.channel.has_unread().unwrap_or(false) {
            self.unread_since.set(None);
            return Duration::ZERO;
        }
        let since = self.unread_since.get().unwrap_or_else(Instant::now);
        self.unread_since.set(Some(since));
        since.elapsed()
    }

    pub(crate) fn spawn_worker(&self, slot: Slot, age: u64) -> Result<(), ProtocolError> {
        self.order(&Order::Spawn { slot: slot.0, age })
    }

    /// Hands over what workers need. The mold waits for this and for nothing else, so it may be waited for.
    pub(crate) fn provide(
        &self,
        roster: Vec<Member>,
        ours: Vec<bool>,
        with: &[BorrowedFd<'_>],
    ) -> Result<(), ProtocolError> {
        for message in self.unsent.borrow_mut().drain(..) {
            self.channel.send(&message, &[])?;
        }
        protocol::send(&self.channel, &Order::Provide { roster, ours }, with)
    }

    pub(crate) fn next_report(&self) -> Result<Incoming<Report>, ProtocolError> {
        protocol::try_receive(&self.channel)
    }

    /// Tells the mold to leave. What it was told before and has not done yet it may still do, and say so.
    pub(crate) fn dismiss(self) -> LeavingMold {
        if let Err(error) = self.channel.finish() {
            log::debug!("Mold {} has closed its socket already: {error}", self.process);
        }
        LeavingMold { process: self.process, kill_at: Instant::now() + LEAVING_GRACE, channel: Some(self.channel) }
    }
}

impl AsFd for MoldProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// A mold that was told to leave and has not yet been reaped.
#[derive(Debug)]
pub(crate) struct LeavingMold {
    pub(crate) process: ProcessId,
    pub(crate) kill_at: Instant,
    /// Until it has said its last word: it may have been forking a worker.
    channel: Option<Channel>,
}

impl LeavingMold {
    /// What it has said since it was told to leave.
    pub(crate) fn last_words(&mut self) -> Vec<Report> {
        let mut words = Vec::new();
        while let Some(channel) = &self.channel {
            match protocol::try_receive(channel) {
                Ok(Incoming::Message(report, _)) => words.push(report),
                Ok(Incoming::Nothing) => break,
                Ok(Incoming::Closed) | Err(_) => self.channel = None,
            }
        }
        words
    }

    /// Whether nothing more will be heard of it.
    pub(crate) fn is_silent(&self) -> bool {
        self.channel.is_none()
    }

    pub(crate) fn as_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }

    /// Ends a mold that does not leave: one stuck in an import, for example.
    pub(crate) fn press(&mut self, now: Instant) -> io::Result<()> {
        if now >= self.kill_at {
            self.kill_at = now + LEAVING_GRACE;
            process::kill(self.process, Signal::Kill)?;
        }
        Ok(())
    }
}

/// A mold and all that belongs to it.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: GenerationId,
    pub(crate) started: Instant,
    /// `None` while a mold that died has not yet been replaced.
    pub(crate) mold: Option<MoldProcess>,
    /// `None` until the first mold has reported them; a later mold must adopt them.
    pub(crate) settings: Option<Rc<Settings>>,
    /// Shared with other generations that listen on the same addresses.
    pub(crate) listeners: Vec<Rc<Bound>>,
    /// How many workers a hook of this generation has asked for, in place of what its settings say.
    pub(crate) wanted: Option<usize>,
}

impl Generation {
    pub(crate) fn start(id: GenerationId, command: &[OsString], directory: &Path) -> io::Result<Self> {
        Ok(Self {
            id,
            started: Instant::now(),
            mold: Some(MoldProcess::start(command, directory)?),
            settings: None,
            listeners: Vec::new(),
            wanted: None,
        })
    }

    /// The mold, if it takes orders.
    pub(crate) fn casting(&self) -> Option<&MoldProcess> {
        self.mold.as_ref().filter(|mold| mold.stage == Stage::Casting)
    }

    pub(crate) fn is_mold(&self, process: ProcessId) -> bool {
        self.mold.as_ref().is_some_and(|mold| mold.process == process)
    }
}
