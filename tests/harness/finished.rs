//! A server that ended by itself: a usage error, a check, a boot failure.

use super::workdir::Workdir;
use super::{log, process};

/// What is left of a command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit status; -1 when a signal ended it.
    pub(crate) code: i32,
    /// All it wrote to standard output.
    pub(crate) stdout: String,
    /// All it wrote to standard error, which is where the error log goes by default.
    pub(crate) stderr: String,
    /// Its directory.
    pub(crate) workdir: Workdir,
}

impl Finished {
    /// Panics unless it ended with `code`, said all of `words` on standard error, and left no process behind.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "exit status; stderr:\n{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in stderr:\n{}", self.stderr);
        }
        self.left_nothing_running()
    }

    /// Panics if a process of it still runs.
    #[track_caller]
    pub(crate) fn left_nothing_running(&self) -> &Self {
        let left = process::working_in(self.workdir.path());
        let titles: Vec<_> = left.iter().map(|pid| process::title(*pid)).collect();
        assert!(left.is_empty(), "still running: {titles:?}; stderr:\n{}", self.stderr);
        self
    }

    /// How many log lines have exactly this message.
    pub(crate) fn count(&self, message: &str) -> usize {
        log::lines(&self.stderr).iter().filter(|line| line.message == message).count()
    }
}
