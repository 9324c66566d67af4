//! Threads: of the server's own, which no signal disturbs, and signals to one thread of this process.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::{getpid, gettid};

/// Starts a thread to which the kernel gives no signal: signals are for the threads that were there before, which wait for
/// them in their system calls.
pub fn spawn_undisturbed<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    // A thread begins with the mask of the one that starts it.
    let started = Builder::new().name(name.to_owned()).spawn(work);
    before.thread_set_mask()?;
    started
}

/// The kernel's number of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadNumber(i32);

impl ThreadNumber {
    /// Of the calling thread.
    pub fn current() -> Self {
        Self(gettid().as_raw())
    }
}

/// Signals of a process to its own threads: real-time signals, at the end that the C library and applications leave alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// Look up from what you wait for.
    Interrupt,
    /// Say where you are.
    Tell,
}

impl Nudge {
    /// The signal's number, for whoever installs its handler.
    pub fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGRTMAX() - 1,
            Self::Tell => libc::SIGRTMAX() - 2,
        }
    }
}

/// Sends such a signal to a thread of this process. Without a handler it would end the process.
pub fn nudge(thread: ThreadNumber, nudge: Nudge) -> io::Result<()> {
    // SAFETY: the system call takes three numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, getpid().as_raw(), thread.0, nudge.number()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn no_signal_reaches_such_a_thread_and_the_others_are_as_before() {
        let before = SigSet::thread_get_mask().unwrap();
        let inside = spawn_undisturbed("undisturbed", || SigSet::thread_get_mask().unwrap()).unwrap();
        assert!(inside.join().unwrap().contains(Signal::SIGTERM));
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
        assert!(!before.contains(Signal::SIGTERM));
    }
}
