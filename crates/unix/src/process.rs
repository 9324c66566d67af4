//! Processes: forking, waiting, killing, and leaving without clean-up.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal as nix_signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A process number of the kernel's; never 0 and never negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(i32);

impl ProcessId {
    /// The calling process. That is asked often, so the kernel is asked once in each process.
    pub fn current() -> Self {
        match OWN.load(Ordering::Relaxed) {
            0 => learn_own(),
            known => Self(known),
        }
    }

    /// The parent of the calling process at this moment.
    pub fn parent() -> Self {
        Self(nix::unistd::getppid().as_raw())
    }

    /// Takes a number that came over a pipe or from a file; `None` if no process can have it.
    pub fn from_raw(raw: i32) -> Option<Self> {
        (raw > 0).then_some(Self(raw))
    }

    /// The number itself, for messages and log lines.
    pub fn as_raw(self) -> i32 {
        self.0
    }

    /// Whether a process of this number exists, whoever owns it.
    pub fn exists(self) -> bool {
        matches!(nix_signal::kill(Pid::from_raw(self.0), None), Ok(()) | Err(Errno::EPERM))
    }
}

/// This process's number, 0 as long as it is not known.
static OWN: AtomicI32 = AtomicI32::new(0);

#[cold]
fn learn_own() -> ProcessId {
    static IS_FORGOTTEN_BY_FORKS: AtomicBool = AtomicBool::new(false);
    extern "C" fn forget() {
        OWN.store(0, Ordering::Relaxed);
    }
    // Said twice, by two threads at once, it is done twice: no harm, where a lock could be inherited in a fork.
    if !IS_FORGOTTEN_BY_FORKS.load(Ordering::Relaxed) {
        // SAFETY: the handler stores to an atomic, which a child may do, whatever other threads did at the fork.
        let refused = unsafe { nix::libc::pthread_atfork(None, None, Some(forget)) };
        if refused != 0 {
            return ProcessId(nix::unistd::getpid().as_raw());
        }
        IS_FORGOTTEN_BY_FORKS.store(true, Ordering::Relaxed);
    }
    let own = nix::unistd::getpid().as_raw();
    OWN.store(own, Ordering::Relaxed);
    ProcessId(own)
}

impl fmt::Display for ProcessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for ProcessId {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        text.trim()
            .parse()
            .ok()
            .and_then(Self::from_raw)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a process number"))
    }
}

/// The signals that the master and the workers of a prefork server exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGABRT: a worker's time is up; say what you were doing and leave.
    Abort,
    /// SIGKILL: end at once.
    Kill,
    /// SIGQUIT: leave now, dropping work in progress.
    Quit,
    /// SIGTERM: finish what you have and leave.
    Terminate,
    /// SIGUSR1: reopen log files.
    ReopenLogs,
}

impl Signal {
    /// As manuals have it.
    pub fn name(self) -> &'static str {
        self.as_nix().as_str()
    }

    fn as_nix(self) -> nix_signal::Signal {
        match self {
            Self::Abort => nix_signal::Signal::SIGABRT,
            Self::Kill => nix_signal::Signal::SIGKILL,
            Self::Quit => nix_signal::Signal::SIGQUIT,
            Self::Terminate => nix_signal::Signal::SIGTERM,
            Self::ReopenLogs => nix_signal::Signal::SIGUSR1,
        }
    }
}

/// Sends a signal. A process that is gone already is not an error: `Ok(false)`.
pub fn kill(process: ProcessId, signal: Signal) -> io::Result<bool> {
    match nix_signal::kill(Pid::from_raw(process.0), signal.as_nix()) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        number: i32,
        /// Its name, such as `SIGKILL`.
        name: &'static str,
    },
}

/// Takes one ended child, if there is one, without waiting.
pub fn reap() -> io::Result<Option<(ProcessId, Ending)>> {
    reap_matching(None, Some(WaitPidFlag::WNOHANG))
}

/// Waits until this child has ended.
pub fn wait(child: ProcessId) -> io::Result<Ending> {
    loop {
        if let Some((_, ending)) = reap_matching(Some(Pid::from_raw(child.0)), None)? {
            return Ok(ending);
        }
    }
}

fn reap_matching(which: Option<Pid>, flags: Option<WaitPidFlag>) -> io::Result<Option<(ProcessId, Ending)>> {
    loop {
        return match waitpid(which, flags) {
            Ok(WaitStatus::Exited(pid, status)) => Ok(Some((ProcessId(pid.as_raw()), Ending::Exited(status)))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                Ok(Some((ProcessId(pid.as_raw()), Ending::Signaled { number: signal as i32, name: signal.as_str() })))
            }
            Ok(_) | Err(Errno::ECHILD) => Ok(None),
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(errno.into()),
        };
    }
}

/// Which side of a fork the caller is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The process that called; the child's number.
    Parent(ProcessId),
    /// The new process.
    Child,
}

/// Forks. Refused with an error when this process has more than one thread, unless
/// `threads_are_known_harmless`: only the calling thread lives on in the child, and a lock that
/// another held stays locked for ever.
///
/// The child shares the parent's open files, its standard output buffers included: it must end
/// with [`exit_now`] and never return into its parent's callers.
pub fn fork(threads_are_known_harmless: bool) -> io::Result<Fork> {
    if !threads_are_known_harmless && threads()?.len() > 1 {
        return Err(io::Error::other("fork refused: this process has more than one thread"));
    }
    // SAFETY: with one thread the child is a full copy that may call anything. With more, the
    // caller has answered for the others by its argument.
    match unsafe { nix::unistd::fork() } {
        Ok(nix::unistd::ForkResult::Parent { child }) => Ok(Fork::Parent(ProcessId(child.as_raw()))),
        Ok(nix::unistd::ForkResult::Child) => Ok(Fork::Child),
        Err(errno) => Err(errno.into()),
    }
}

/// Ends the process at once: no destructors, no atexit handlers, no flushing.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes any status, touches no memory of ours and does not return.
    unsafe { nix::libc::_exit(status) }
}

/// The names of the threads of this process, the calling one included.
pub fn threads() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may end between the listing and the look at its name.
        if let Ok(name) = fs::read_to_string(task?.path().join("comm")) {
            names.push(name.trim_end().to_owned());
        }
    }
    Ok(names)
}

/// Makes orphaned descendants of this process its own children, as pid 1 does for all others.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_numbers_are_positive() {
        assert_eq!(ProcessId::from_raw(0), None);
        assert_eq!(ProcessId::from_raw(-5), None);
        assert!("12x".parse::<ProcessId>().is_err());
        assert_eq!(" 12\n".parse::<ProcessId>().unwrap().as_raw(), 12);
    }

    #[test]
    fn this_process_exists_and_has_threads() {
        assert!(ProcessId::current().exists());
        assert!(!threads().unwrap().is_empty());
    }

    #[test]
    fn fork_is_refused_with_threads() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || held.recv());
        let error = fork(false).unwrap_err();
        assert!(error.to_string().contains("more than one thread"), "{error}");
        drop(hold);
        assert!(other.join().unwrap().is_err());
    }
}
