//! The seam between a worker and what it serves: requests that have fully arrived on one side,
//! an [`Application`] that answers them on the other, an [`Exchange`] between them.
//!
//! Nothing here knows tokio, hyper or Python: an application is not tied to their versions.
//!
//! - [`request`]: what arrived, and over which connection
//! - [`response`]: what an application answers
//! - [`target`]: what a request's target and version are, where the parser cannot hold them
//! - [`calls`]: what a thread of the application's works through
//! - [`certificates`]: which certificate a client is shown
//! - [`supervision`]: what can be done about a call from outside
//! - [`error_page`]: what a client sees when the server answers in the application's place
//! - [`service`]: the same seam for applications that answer many requests at once, without whole bodies

pub mod calls;
pub mod certificates;
pub mod error_page;
pub mod request;
pub mod response;
pub mod service;
pub mod supervision;
pub mod target;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

pub use calls::Calls;
pub use certificates::{CertificateChoice, CertificateChooser, CertificateFiles};
pub use request::{Body, Connection, Endpoint, Peer, Proxied, Request, TlsFacts};
pub use response::{Driven, Exchange, Gone, Head};
pub use service::{Loaded, Service};
pub use supervision::{GoesOn, Supervision};

/// What a worker serves.
///
/// A worker either calls it on its main thread, and never starts a call before the last one has
/// returned, or has it start threads that work through [`Calls`], and calls it no other way.
pub trait Application {
    /// Answers one request. It must bring the exchange to an end ([`Exchange::respond`],
    /// [`Exchange::finish`] or [`Exchange::abort`]) before it returns, and must not unwind.
    fn call(&mut self, request: Request, exchange: Rc<dyn Exchange>);

    /// What another thread can do about calls. Asked for before there are any threads. With `ends_calls` calls are to be
    /// made in such a way that they can be ended: one that was answers with 504, if its response has not begun.
    fn supervise(&mut self, ends_calls: bool) -> io::Result<Arc<dyn Supervision>>;

    /// Starts a thread that works through these calls, one at a time, until there are no more.
    fn start_thread(&mut self, name: &str, calls: Box<dyn Calls>) -> io::Result<()>;

    /// A descriptor from which there is something to read when a signal has come that the
    /// application wants to see; then [`attend_signals`](Self::attend_signals) is to be called.
    fn watch_signals(&mut self) -> io::Result<OwnedFd>;

    /// Lets the application see the signals that have come, on the main thread. Says whether the
    /// worker may go on.
    fn attend_signals(&mut self) -> bool;

    /// Runs once when the worker is about to end: the place for what the application wants done
    /// at exit. Threads that have been told that there are no more calls may still be in one, if
    /// the worker could not wait for them.
    fn finish(&mut self);

    /// The files that the application was made from, for `--reload`. Asked again and again: more
    /// may have been loaded since.
    fn source_files(&mut self) -> Vec<PathBuf>;
}
