//! What a test program leaves that is killed before it could clean up: servers and directories. A guardian sees to them, a
//! process of its own that notices the program's end, however that comes: a pipe closes. It is this same program, told by a
//! variable to play that role.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process;
use super::wait::{eventually, within};

/// Says that this process is a guardian.
const ROLE: &str = "CONFORMANCE_GUARDIAN";
/// The test that becomes one.
const TEST: &str = "harness::guardian::a_killed_program_leaves_nothing";
/// How long killed processes may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The words for a directory that is to be watched, and for one that is not any more.
const WATCH: char = '+';
const RELEASE: char = '-';

/// If this program is killed, whoever works in this directory is killed too, and the directory removed.
pub(crate) fn watch(path: &Path) {
    tell(WATCH, path);
}

/// That has been seen to, or is not wanted.
pub(crate) fn release(path: &Path) {
    tell(RELEASE, path);
}

fn tell(word: char, path: &Path) {
    static GUARDIAN: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let start = || Mutex::new(start().stdin.expect("the guardian has a pipe"));
    let mut pipe = GUARDIAN.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(pipe, "{word}{}", path.display()).expect("the guardian listens");
}

/// In a process group of its own, and with nothing that would keep whoever reads this program's output waiting.
fn start() -> Child {
    let program = env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--exact", TEST, "--nocapture"]).env(ROLE, "yes").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("this program can be started once more")
}

/// Takes words until there are no more, then clears what is still watched.
fn guard(words: impl BufRead) {
    let mut watched = BTreeSet::new();
    for line in words.lines().map_while(Result::ok) {
        match line.strip_prefix(WATCH) {
            Some(path) => watched.insert(PathBuf::from(path)),
            None => watched.remove(Path::new(line.trim_start_matches(RELEASE))),
        };
    }
    let is_empty = || {
        let left: Vec<_> = watched.iter().flat_map(|path| process::working_in(path)).collect();
        left.iter().for_each(|pid| process::send(*pid, Signal::SIGKILL));
        left.is_empty().then_some(())
    };
    within(PATIENCE, is_empty);
    for path in watched {
        // Files of a control group cannot be removed, and need not be.
        if fs::remove_dir(&path).is_err()
            && let Err(error) = fs::remove_dir_all(&path)
        {
            eprintln!("cannot remove {}: {error}", path.display());
        }
    }
}

/// When a test program is killed its servers end and its directories go; what it has released stays.
#[test]
fn a_killed_program_leaves_nothing() {
    if env::var_os(ROLE).is_some() {
        return guard(io::stdin().lock());
    }
    let make = || tempfile::Builder::new().prefix("conformance-").tempdir().expect("a directory can be made");
    let (left, released) = (make().keep(), make());
    let mut server = Command::new("sleep").arg("1000").current_dir(&left).spawn().expect("sleep can be started");
    let mut guardian = start();
    let mut pipe = guardian.stdin.take().expect("the guardian has a pipe");
    writeln!(pipe, "+{}\n+{}\n-{}", left.display(), released.path().display(), released.path().display()).unwrap();
    drop(pipe);
    let ended = eventually("the end of what was left", || server.try_wait().expect("our own child can be waited for"));
    assert!(!ended.success());
    eventually("the end of the directory", || (!left.exists()).then_some(()));
    assert!(released.path().exists());
    guardian.wait().expect("our own child can be waited for");
}
