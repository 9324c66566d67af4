//! Threads of the server's own, beside those of an application.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow};

/// What such a thread gets for its stack; it does little.
const STACK: usize = 256 * 1024;

/// Starts a thread to which the kernel gives no signal: signals are for the threads that were there before, which wait for
/// them in their system calls.
pub fn spawn_undisturbed<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    // A thread begins with the mask of the one that starts it.
    let started = Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work);
    before.thread_set_mask()?;
    started
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
