//! The temporary directory of one server: its current directory, its logs, its files.
//! When the test fails the directory stays and the logs are printed; no process that works in it outlives it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::wait::within;
use super::{guardian, process};

/// How much of each log is printed when a test fails.
const TAIL: usize = 6000;

/// A fresh directory, removed on Drop together with every process that still works in it.
#[derive(Debug)]
pub(crate) struct Workdir {
    /// `None` only while the directory is being dropped.
    dir: Option<TempDir>,
}

impl Workdir {
    /// A fresh directory that other users may enter, since workers may run as `nobody`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("conformance-").tempdir().expect("a temporary directory can be made");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("our own directory can be opened up");
        fs::create_dir(dir.path().join("home")).expect("a fresh directory has room for a home");
        guardian::watch(dir.path());
        Self { dir: Some(dir) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().expect("the directory lives as long as its owner").path()
    }

    /// The path of `name` inside.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes `text` into the file `name`, and makes the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
        // Renamed into place, so that a server which reads it now sees the old text or the new, never a part.
        let fresh = path.with_extension("being-written");
        fs::write(&fresh, text).expect("a file can be written");
        fs::rename(&fresh, &path).expect("a file can be put in its place");
    }

    /// Puts the native application into the file `shop`, as another program: one that holds the word `image`. This process
    /// never writes to it: a child that is forked meanwhile would keep it from being started.
    pub(crate) fn install(&self, image: &str) {
        let script = r#"cp "$1" fresh && printf '\n%s' "$2" >> fresh && mv fresh shop"#;
        let mut shell = Command::new("sh");
        shell.args(["-ec", script, "sh", env!("CARGO_BIN_EXE_native"), image]).current_dir(self.path());
        assert!(shell.status().expect("a shell can be started").success(), "the program cannot be installed");
    }

    /// The text of `name`, empty as long as there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.join(name)).unwrap_or_default()).into_owned()
    }

    /// Whether there is a file `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.join(name)).is_ok()
    }

    /// Kills whatever still works in this directory, one pid at a time.
    fn clear(&self) {
        within(Duration::from_secs(5), || {
            let left = process::working_in(self.path());
            left.iter().for_each(|pid| process::send(*pid, Signal::SIGKILL));
            left.is_empty().then_some(())
        });
    }

    /// Prints what the server said, for the reader of a red test.
    fn report(&self) {
        eprintln!("---- kept: {}", self.path().display());
        let mut names: Vec<_> = fs::read_dir(self.path()).into_iter().flatten().flatten().map(|e| e.path()).collect();
        names.sort();
        let logs = names.iter().filter(|path| path.is_file() && path.extension().is_none_or(|e| e == "log"));
        for path in logs {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
            let start = text.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
            eprintln!("---- {}:\n{}", path.display(), &text[start..]);
        }
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        self.clear();
        guardian::release(self.path());
        if thread::panicking() {
            self.report();
            if let Some(dir) = self.dir.take() {
                let _ = dir.keep();
            }
        }
    }
}
