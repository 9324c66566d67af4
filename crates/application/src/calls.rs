//! What a thread of the application's works through.

use std::rc::Rc;

use crate::{Exchange, Request};

/// The calls that one thread makes. All threads of a worker take from the same queue, and a
/// request is a thread's only once that thread has taken it.
///
/// A thread waits, answers for as long as there is something to answer, and waits again:
///
/// ```
/// # use std::rc::Rc;
/// # use ferricorn_application::{Calls, Exchange, Request};
/// # fn work(mut calls: Box<dyn Calls>, mut answer: impl FnMut(Request, Rc<dyn Exchange>)) {
/// while calls.wait() {
///     while calls.take(&mut answer) {}
/// }
/// # }
/// ```
///
/// To drop it before [`wait`](Self::wait) has said that there is nothing more is to lose a thread:
/// the worker is replaced.
pub trait Calls: Send {
    /// Waits until there is something to take; false when there will be nothing any more. This is
    /// the place to let go of what other threads need: calls that they can make meanwhile, they
    /// make.
    fn wait(&mut self) -> bool;

    /// Takes a request, if there is one, and has it answered. `answer` is held to what
    /// [`Application::call`](crate::Application::call) is.
    fn take(&mut self, answer: &mut dyn FnMut(Request, Rc<dyn Exchange>)) -> bool;
}
