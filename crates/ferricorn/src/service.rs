//! A tower service, as a worker calls it.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use ferricorn_application::service::{self as seam, Failure, Incoming, LocalFuture, Origin, Outgoing};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tower_service::Service;

use crate::request::{Body, Client};

/// See the module.
pub(crate) struct Adapter<S> {
    service: S,
    begin_shutdown: watch::Sender<bool>,
    program: PathBuf,
}

impl<S> Adapter<S> {
    pub(crate) fn new(service: S, begin_shutdown: watch::Sender<bool>, program: PathBuf) -> Self {
        Self { service, begin_shutdown, program }
    }
}

impl<S, B> seam::Service for Adapter<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<Failure>,
    B: http_body::Body + 'static,
    B::Error: Into<Failure>,
{
    fn answer(&self, request: Request<Incoming>, origin: Origin) -> LocalFuture<Result<Response<Outgoing>, Failure>> {
        let mut service = self.service.clone();
        // Here, and not in the future, which would need room for both forms of it.
        let mut request = request.map(Body);
        request.extensions_mut().insert(Client(origin));
        Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            let response = service.call(request).await.map_err(Into::into)?;
            Ok(response.map(|body| Box::pin(InBytes { body }) as Outgoing))
        })
    }

    fn leave(&self) {
        self.begin_shutdown.send_replace(true);
    }

    fn source_files(&self) -> Vec<PathBuf> {
        vec![self.program.clone()]
    }
}

pin_project! {
    /// A body of any buffers and errors as one of bytes.
    struct InBytes<B> {
        #[pin]
        body: B,
    }
}

impl<B: http_body::Body> http_body::Body for InBytes<B>
where
    B::Error: Into<Failure>,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let frame = ready!(self.project().body.poll_frame(context));
        let in_bytes = |mut buffer: B::Data| buffer.copy_to_bytes(buffer.remaining());
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(in_bytes)).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
