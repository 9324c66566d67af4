//! The seam between a worker and what it serves: requests that have fully arrived on one side,
//! an [`Application`] that answers them one at a time on the other, an [`Exchange`] between them.
//!
//! Nothing here knows tokio, hyper or Python: an application is not tied to their versions.
//!
//! - [`request`]: what arrived, and over which connection
//! - [`response`]: what an application answers
//! - [`target`]: what a request's target and version are, where the parser cannot hold them
//! - [`error_page`]: what a client sees when the server answers in the application's place

pub mod error_page;
pub mod request;
pub mod response;
pub mod target;

use std::path::PathBuf;
use std::rc::Rc;

pub use request::{Body, Connection, Endpoint, Peer, Proxied, Request};
pub use response::{Exchange, Gone, Head};

/// What a worker serves.
///
/// A worker calls it on one thread, and never starts a call before the last one has returned.
pub trait Application {
    /// Answers one request. It must bring the exchange to an end ([`Exchange::respond`],
    /// [`Exchange::finish`] or [`Exchange::abort`]) before it returns, and must not unwind.
    fn call(&mut self, request: Request, exchange: Rc<dyn Exchange>);

    /// Runs once when the worker is about to end, with no call in progress: the place for what
    /// the application wants done at exit.
    fn finish(&mut self);

    /// The files that the application was made from, for `--reload`. Asked again and again: more
    /// may have been loaded since.
    fn source_files(&mut self) -> Vec<PathBuf>;
}
