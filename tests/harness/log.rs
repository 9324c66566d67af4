//! The lines of an error log, taken apart: `[2026-11-24 00:07:49 +0000] [4711] [INFO] message`.

use nix::unistd::Pid;
use regex_lite::Regex;

/// One line in Gunicorn's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Who wrote it.
    pub(crate) pid: Pid,
    /// `INFO`, `ERROR` and so on.
    pub(crate) level: String,
    /// The rest.
    pub(crate) message: String,
}

/// The lines of `text` that have Gunicorn's format; others (tracebacks, prints of the application) are left out.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let format = r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[(\d+)\] \[([A-Z]+)\] (.*)$";
    let format = Regex::new(format).expect("the pattern is well formed");
    let parse = |line: &str| {
        let parts = format.captures(line)?;
        let pid = Pid::from_raw(parts[1].parse().ok()?);
        Some(Line { pid, level: parts[2].to_owned(), message: parts[3].to_owned() })
    };
    text.lines().filter_map(parse).collect()
}

/// The pids of all workers that `text` says were booted, in order.
pub(crate) fn booted(text: &str) -> Vec<Pid> {
    let pid = |line: &Line| line.message.strip_prefix("Booting worker with pid: ")?.trim().parse().ok();
    lines(text).iter().filter_map(pid).map(Pid::from_raw).collect()
}
