//! What hooks wrote down: the JSON lines that the functions of `apps/noting_hooks.py` append to the file `notes`.

use std::ops::Index;

use nix::unistd::Pid;
use serde_json::Value;

use super::server::Server;
use super::workdir::Workdir;

/// A configuration file in which every hook writes down its calls.
pub(crate) const EVERY_HOOK: &str = "from noting_hooks import *\n";

/// One call of one hook.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    said: Value,
}

impl Note {
    /// The name of the hook.
    pub(crate) fn hook(&self) -> &str {
        self["hook"].as_str().expect("a note names its hook")
    }

    /// The process in which it ran.
    pub(crate) fn process(&self) -> Pid {
        self.pid("pid")
    }

    /// The pid that was noted as `name`.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> Pid {
        let number = self[name].as_i64().and_then(|number| i32::try_from(number).ok());
        Pid::from_raw(number.unwrap_or_else(|| panic!("`{name}` is no pid in {self:?}")))
    }

    /// The pids that were noted as `name`.
    pub(crate) fn pids(&self, name: &str) -> Vec<i64> {
        self[name].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
    }
}

impl Index<&str> for Note {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.said[name]
    }
}

/// Everything that has been written down in `workdir`, in order.
pub(crate) fn read(workdir: &Workdir) -> Vec<Note> {
    let text = workdir.read("notes");
    // A line that is still being written has no end yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse =
        |line: &str| Note { said: serde_json::from_str(line).unwrap_or_else(|_| panic!("a garbled note: {line}")) };
    whole.lines().map(parse).collect()
}

impl Server {
    /// What its hooks have written down so far.
    pub(crate) fn notes(&self) -> Vec<Note> {
        read(self.workdir())
    }

    /// The calls of `hook` so far.
    pub(crate) fn noted(&self, hook: &str) -> Vec<Note> {
        self.notes().into_iter().filter(|note| note.hook() == hook).collect()
    }

    /// Waits until `hook` has been called `count` times, and gives these calls.
    #[track_caller]
    pub(crate) fn wait_noted(&self, hook: &str, count: usize) -> Vec<Note> {
        let probe = || Some(self.noted(hook)).filter(|notes| notes.len() >= count);
        let found = self.wait_for(&format!("{count} calls of {hook}"), probe);
        assert_eq!(found.len(), count, "{found:?}");
        found
    }
}

/// The names of the hooks in `notes`, in order.
pub(crate) fn names(notes: &[Note]) -> Vec<&str> {
    notes.iter().map(Note::hook).collect()
}
