//! What a factory may return: a service, or one that is yet to be made, or none for a reason.

use std::future::ready;
use std::path::PathBuf;
use std::rc::Rc;

use ferricorn_application::service::{self as seam, LocalFuture};
use http::{Request, Response};
use tokio::sync::watch;
use tower_service::Service;

use crate::BoxError;
use crate::request::Body;
use crate::service::Adapter;

/// What a factory returns: a `tower` service of [`Request<Body>`], a `Result` of one, or a future of either.
///
/// The service is [`Clone`], as each request gets a clone of its own. `Kind` is one of [`factory_kinds`], and the compiler
/// finds out which.
#[diagnostic::on_unimplemented(
    message = "the factory does not return a service",
    label = "it returns `{Self}`",
    note = "return a `tower` service of `http::Request<ferricorn::Body>` that is `Clone + 'static`, a `Result` of one, or a \
            future of either"
)]
pub trait IntoService<Kind> {
    #[doc(hidden)]
    fn into_service(self) -> LocalFuture<Result<Made, BoxError>>;
}

/// The kinds of what a factory may return.
pub mod factory_kinds {
    /// A service.
    #[derive(Debug)]
    pub enum Service {}
    /// A `Result` of a service.
    #[derive(Debug)]
    pub enum Fallible {}
    /// A future of a service.
    #[derive(Debug)]
    pub enum Future {}
    /// A future of a `Result` of a service.
    #[derive(Debug)]
    pub enum FallibleFuture {}
}

/// A service of some type.
#[doc(hidden)]
pub struct Made(Box<dyn FnOnce(watch::Sender<bool>, PathBuf) -> Rc<dyn seam::Service>>);

impl std::fmt::Debug for Made {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Made")
    }
}

impl Made {
    fn of<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Box::new(|begin_shutdown, program| Rc::new(Adapter::new(service, begin_shutdown, program))))
    }

    /// As the worker calls it. `program`: the file that it was made from.
    pub(crate) fn finish(self, begin_shutdown: watch::Sender<bool>, program: PathBuf) -> Rc<dyn seam::Service> {
        (self.0)(begin_shutdown, program)
    }
}

impl<S, B> IntoService<factory_kinds::Service> for S
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    fn into_service(self) -> LocalFuture<Result<Made, BoxError>> {
        Box::pin(ready(Ok(Made::of(self))))
    }
}

impl<S, B, E> IntoService<factory_kinds::Fallible> for Result<S, E>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    fn into_service(self) -> LocalFuture<Result<Made, BoxError>> {
        Box::pin(ready(self.map(Made::of).map_err(Into::into)))
    }
}

impl<F, S, B> IntoService<factory_kinds::Future> for F
where
    F: Future<Output = S> + 'static,
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    fn into_service(self) -> LocalFuture<Result<Made, BoxError>> {
        Box::pin(async move { Ok(Made::of(self.await)) })
    }
}

impl<F, S, B, E> IntoService<factory_kinds::FallibleFuture> for F
where
    F: Future<Output = Result<S, E>> + 'static,
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    fn into_service(self) -> LocalFuture<Result<Made, BoxError>> {
        Box::pin(async move { self.await.map(Made::of).map_err(Into::into) })
    }
}
