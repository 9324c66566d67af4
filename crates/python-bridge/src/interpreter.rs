//! The one file of this crate with `unsafe`: forking under Python's eyes, and waiting without the
//! GIL.

use std::io;

use ferricorn_unix::process::Fork;
use pyo3::ffi;
use pyo3::prelude::*;

/// Forks as `os.fork()` does: at-fork hooks run, locks are in order on both sides, and the child
/// has an interpreter that works. The process that `fork` may make in between calls no Python.
pub(crate) fn guarded_fork(_py: Python<'_>, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork> {
    // SAFETY: attached (`_py` is the proof), as the three functions require, and each BeforeFork is
    // followed by exactly one AfterFork of the side we find ourselves on.
    unsafe { ffi::PyOS_BeforeFork() };
    let forked = fork();
    match forked {
        // SAFETY: as above; this is the child.
        Ok(Fork::Child) => unsafe { ffi::PyOS_AfterFork_Child() },
        // SAFETY: as above; this is the parent, or no fork took place.
        Ok(Fork::Parent(_)) | Err(_) => unsafe { ffi::PyOS_AfterFork_Parent() },
    }
    forked
}

/// Runs `wait` without the GIL, so that other Python threads run meanwhile.
pub(crate) fn detached<T>(py: Python<'_>, wait: impl FnOnce() -> T) -> T {
    let wait = SameThread(wait);
    let SameThread(result) = py.detach(move || {
        let whole = wait;
        SameThread((whole.0)())
    });
    result
}

/// What never leaves its thread.
struct SameThread<T>(T);

// SAFETY: `Python::detach` calls its closure on the calling thread and hands the result back on
// it; `Send` stands in for "uses no Python object", which our callers keep: what they pass talks
// to the worker, not to Python.
unsafe impl<T> Send for SameThread<T> {}
