//! Processes as the kernel shows them in `/proc`: who lives, whose child it is, what it calls itself.
//! Signals go to one pid at a time, never to a name or a group.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::wait::eventually;

/// Sends `signal` to `pid`; a process that is gone already is no error.
pub(crate) fn send(pid: Pid, signal: Signal) {
    match signal::kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("cannot send {signal} to {pid}: {error}"),
    }
}

/// Whether `pid` runs. A zombie does not run.
pub(crate) fn alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z')
}

/// Whether a signal has stopped `pid`, so that it waits to be continued.
pub(crate) fn stopped(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'T')
}

/// Waits until `pid` is gone.
#[track_caller]
pub(crate) fn wait_gone(pid: Pid) {
    eventually(&format!("the end of process {pid}"), || (!alive(pid)).then_some(()));
}

/// The parent of `pid`, if it lives.
pub(crate) fn parent(pid: Pid) -> Option<Pid> {
    stat(pid).map(|stat| stat.parent)
}

/// The command line that `pid` shows in `ps`, its arguments joined by spaces.
pub(crate) fn title(pid: Pid) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    text.trim_end().to_owned()
}

/// The user id that `pid` runs as.
pub(crate) fn user(pid: Pid) -> Option<u32> {
    status_number(pid, "Uid:").and_then(|user| u32::try_from(user).ok())
}

/// The first number in the line of this name.
fn status_number(pid: Pid, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The children of `pid` that run, by pid.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let mut children: Vec<Pid> = all().filter(|child| parent(*child) == Some(pid) && alive(*child)).collect();
    children.sort();
    children
}

/// The children of `pid` that have ended and that it has not waited for.
pub(crate) fn dead_children(pid: Pid) -> Vec<Pid> {
    all().filter(|child| stat(*child).is_some_and(|stat| stat.parent == pid && stat.state == 'Z')).collect()
}

/// What the open descriptors of `pid` are, sorted: paths as they are, sockets, pipes and the like without their numbers.
pub(crate) fn descriptors(pid: Pid) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let kind = |link: PathBuf| {
        let text = link.to_string_lossy().into_owned();
        text.split_once(":[").map_or(text.clone(), |(kind, _)| kind.to_owned())
    };
    let mut kinds: Vec<String> = links.filter_map(|link| fs::read_link(link.path()).ok()).map(kind).collect();
    kinds.sort();
    kinds
}

/// How much memory `pid` has for itself alone, in KiB: what it would leak.
pub(crate) fn own_memory(pid: Pid) -> Option<u64> {
    status_number(pid, "RssAnon:")
}

/// The most memory that `pid` has had so far, in KiB.
pub(crate) fn peak_memory(pid: Pid) -> Option<u64> {
    status_number(pid, "VmHWM:")
}

/// Every running process whose current directory is `dir` or below: all that a server started in `dir` has left behind,
/// daemons and orphans included.
pub(crate) fn working_in(dir: &Path) -> Vec<Pid> {
    all().filter(|pid| current_dir(*pid).is_some_and(|cwd| cwd.starts_with(dir)) && alive(*pid)).collect()
}

/// What the kernel says about one process.
struct Stat {
    /// `R`, `S`, `Z` and so on.
    state: char,
    /// The pid of the parent.
    parent: Pid,
}

/// The state and parent of `pid`, `None` when there is no such process.
fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything: what follows the last one is regular.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = Pid::from_raw(fields.next()?.parse().ok()?);
    Some(Stat { state, parent })
}

/// Every pid of the machine.
fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

/// The current directory of `pid`, if it may be seen.
fn current_dir(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}
