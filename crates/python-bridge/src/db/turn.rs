//! Whose turn it is to use a connection: one thread's at a time. Others wait for theirs; the one that has it may not ask again:
//! it would wait for itself. It comes to that where Python code runs in the midst of a statement: a signal's handler, the file
//! of a copy.

use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::prelude::*;

use crate::db::errors::raise;
use crate::interpreter::detached;

thread_local! {
    /// Its address tells living threads apart.
    static MARK: u8 = const { 0 };
}

/// What one thread at a time may use.
pub(crate) struct Turns<T> {
    value: Mutex<T>,
    /// The mark of the thread that has it, 0 for none.
    holder: AtomicUsize,
}

/// The use of it, until dropped.
pub(crate) struct Turn<'a, T> {
    value: MutexGuard<'a, T>,
    holder: &'a AtomicUsize,
}

impl<T> Turns<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), holder: AtomicUsize::new(0) }
    }

    /// Waits for this thread's turn, without the GIL.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<Turn<'_, T>> {
        if let Some(turn) = self.now() {
            return Ok(turn);
        }
        if self.holder.load(Ordering::Relaxed) == this_thread() {
            let words = "the connection is in use by this very thread: the handler of a signal, or the file of a copy, cannot \
                         use the connection whose statement it interrupts";
            return Err(raise(py, "InterfaceError", words));
        }
        Ok(self.take(detached(py, || self.value.lock().unwrap_or_else(PoisonError::into_inner))))
    }

    /// The turn, if it is nobody's.
    pub(crate) fn now(&self) -> Option<Turn<'_, T>> {
        match self.value.try_lock() {
            Ok(value) => Some(self.take(value)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.take(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn take<'a>(&'a self, value: MutexGuard<'a, T>) -> Turn<'a, T> {
        self.holder.store(this_thread(), Ordering::Relaxed);
        Turn { value, holder: &self.holder }
    }

    /// What it is, for who has it all.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

fn this_thread() -> usize {
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        // The lock is let go of after this.
        self.holder.store(0, Ordering::Relaxed);
    }
}
