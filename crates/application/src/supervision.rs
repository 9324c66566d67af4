//! What can be done about a call by a thread that is not in it.

use std::sync::Arc;

/// Says whether the call that is meant still goes on. To be asked when the call can neither end nor begin.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// See [`Application::supervise`](crate::Application::supervise). The threads that make calls have numbers, from 0, in the
/// order in which they were started; the main thread is 0 where it makes the calls.
pub trait Supervision: Send + Sync {
    /// Writes these words to the error log, and where all threads of the application are, the one of this number first;
    /// or why that cannot be told, or that the call has ended meanwhile. Waits for no more than a moment.
    fn report(&self, words: &str, number: usize, goes_on: &GoesOn);

    /// Has an exception raised in the thread of this number, so that its call ends, if it is in the call that is meant.
    /// Waits until that is done, for no more than a moment, and not for the end of the call.
    fn end_call(&self, number: usize, goes_on: &GoesOn);
}
