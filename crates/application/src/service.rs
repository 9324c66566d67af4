//! The seam for applications that answer many requests at once, by themselves: native ones. Bodies are streams here, in both
//! directions, and whatever waits does so as a future on the worker's one thread.

use std::error::Error;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use crate::{Application, Connection};

/// Why something went wrong on the application's side.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A future of the worker's thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The body of a request, as it arrives.
pub type Incoming = Pin<Box<dyn Body<Data = Bytes, Error = Failure> + Send>>;

/// The body of a response, as it is made.
pub type Outgoing = Pin<Box<dyn Body<Data = Bytes, Error = Failure>>>;

/// What a native application's worker serves.
pub trait Service {
    /// Answers one request. To drop the future is to give up the request. It may unwind: the worker lives on.
    fn answer(
        &self,
        request: http::Request<Incoming>,
        origin: Origin,
    ) -> LocalFuture<Result<http::Response<Outgoing>, Failure>>;

    /// The worker has begun to leave: it serves what it has, and ends. Called once.
    fn leave(&self);

    /// The files that it was made from, for `--reload`.
    fn source_files(&self) -> Vec<PathBuf>;
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The connection it came over.
    pub connection: Arc<Connection>,
    /// Whether the client speaks TLS: to us, or by a trusted proxy's word.
    pub https: bool,
}

/// What a worker knows when its service is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The worker's slot: of those that serve at the same time no two have the same.
    pub slot: u32,
}

/// Makes a service within the worker's runtime. It may unwind.
pub type Maker<E> = Box<dyn FnOnce(Place) -> LocalFuture<Result<Rc<dyn Service>, E>>>;

/// What has been loaded, to be served.
pub enum Loaded<E> {
    /// It is called, with whole requests.
    Application(Box<dyn Application>),
    /// It answers by itself; it is made yet.
    Service(Maker<E>),
}
