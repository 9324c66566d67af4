//! Which server this run is about. Never decides what a promise is, only whom it is put to.

use std::env;
use std::path::PathBuf;

/// The version of Gunicorn whose behaviour both targets show.
pub(crate) const GUNICORN_VERSION: &str = "27.0.1";

/// The server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Ours.
    Ferricorn,
    /// The original.
    Gunicorn,
}

impl Target {
    /// The name of its executable.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Ferricorn => "ferricorn",
            Self::Gunicorn => "gunicorn",
        }
    }
}

/// The target chosen by `CONFORMANCE_TARGET`.
pub(crate) fn target() -> Target {
    match env::var("CONFORMANCE_TARGET").as_deref() {
        Err(_) | Ok("" | "ferricorn") => Target::Ferricorn,
        Ok("gunicorn") => Target::Gunicorn,
        Ok(other) => panic!("CONFORMANCE_TARGET is `{other}`, not `ferricorn` or `gunicorn`"),
    }
}

/// Whether a promise that `keeper` alone keeps must be skipped in this run.
pub(crate) fn skips(keeper: Target, reason: &str) -> bool {
    let skip = target() != keeper && env::var("CONFORMANCE_GAPS").as_deref() != Ok("run");
    if skip {
        println!("skipped, only for {keeper:?}: {reason}");
    }
    skip
}

/// The program's name as it stands in usages, log lines and process titles.
pub(crate) fn program() -> &'static str {
    target().program()
}

/// The executable that is started.
pub(crate) fn executable() -> PathBuf {
    binaries().join(program())
}

/// The directory of the executables; a relative one is meant from the root of the repository.
pub(crate) fn binaries() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(env::var_os("CONFORMANCE_BIN").unwrap_or_else(|| ".venv/bin".into()))
}

/// The directory of the applications that the servers run.
pub(crate) fn apps() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps")
}

/// Marks a promise that Gunicorn does not keep: against Gunicorn the test says why and returns.
macro_rules! only_ferricorn {
    ($reason:expr) => {
        if $crate::harness::target::skips($crate::harness::target::Target::Ferricorn, $reason) {
            return;
        }
    };
}

/// Marks a promise that Ferricorn is to keep and does not keep yet: the issue, and why.
// There are times when nothing is missing.
#[allow(unused_macros)]
macro_rules! not_yet {
    ($reason:expr) => {
        if $crate::harness::target::skips($crate::harness::target::Target::Gunicorn, $reason) {
            return;
        }
    };
}

/// Marks what Gunicorn does and Ferricorn deliberately does otherwise.
macro_rules! only_gunicorn {
    ($reason:expr) => {
        if $crate::harness::target::skips($crate::harness::target::Target::Gunicorn, $reason) {
            return;
        }
    };
}
