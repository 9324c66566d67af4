//! The one file of this crate with `unsafe`: forking under Python's eyes, waiting without the GIL, exceptions for other threads,
//! and what belongs to one thread in objects that Python passes to all.

use std::ffi::c_long;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::thread::{self, ThreadId};

use ferricorn_unix::process::Fork;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

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

/// Has an exception of this class raised in a thread of Python's as soon as it runs Python code; nothing if there is no such
/// thread.
pub(crate) fn set_async_exception(_py: Python<'_>, thread: u64, class: &Bound<'_, PyType>) {
    // SAFETY: attached (`_py` is the proof); the class is alive, and Python takes a reference of its own.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread as c_long, class.as_ptr()) };
}

/// Takes such an exception back if it has not been raised yet.
pub(crate) fn clear_async_exception(_py: Python<'_>, thread: u64) {
    // SAFETY: attached (`_py` is the proof); no class at all is what takes it back.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread as c_long, ptr::null_mut()) };
}

/// What never leaves its thread.
struct SameThread<T>(T);

// SAFETY: `Python::detach` calls its closure on the calling thread and hands the result back on
// it; `Send` stands in for "uses no Python object", which our callers keep: what they pass talks
// to the worker, not to Python.
unsafe impl<T> Send for SameThread<T> {}

/// What one thread owns inside a Python object, which Python may use, and drop, on any other.
pub(crate) struct OfThread<T> {
    owner: ThreadId,
    value: ManuallyDrop<T>,
}

// SAFETY: the value is reached, and dropped, on the thread that made it, and nowhere else.
unsafe impl<T> Send for OfThread<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OfThread<T> {}

impl<T> OfThread<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { owner: thread::current().id(), value: ManuallyDrop::new(value) }
    }

    /// `None` on every other thread.
    pub(crate) fn get(&self) -> Option<&T> {
        (thread::current().id() == self.owner).then(|| &*self.value)
    }
}

impl<T> Drop for OfThread<T> {
    /// On another thread the value is leaked: owners empty it when they are done.
    fn drop(&mut self) {
        if thread::current().id() == self.owner {
            // SAFETY: never used again, this being the drop; and on the owner's thread.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
