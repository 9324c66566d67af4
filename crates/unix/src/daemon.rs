//! Leaving the terminal: the classic double fork.

use std::io;

use nix::sys::stat::{Mode, umask};

use crate::process::{Fork, exit_now, fork};

/// Puts this process into the background: returns in a grandchild that leads no session and
/// cannot get a terminal again, while the caller's own process exits with status 0. The standard
/// streams become /dev/null; with `keep_output`, standard output and error stay where they are.
pub fn daemonize(keep_output: bool) -> io::Result<()> {
    if let Fork::Parent(_) = fork(false)? {
        exit_now(0);
    }
    nix::unistd::setsid()?;
    if let Fork::Parent(_) = fork(false)? {
        exit_now(0);
    }
    umask(Mode::from_bits_truncate(0o022));
    crate::descriptor::silence_standard_streams(!keep_output)
}
