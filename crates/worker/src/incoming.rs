//! The body of a request to a native application, as it arrives. The client is held to its pace only while somebody waits
//! for it, and to `limit_request_body` where the guard does not do that already.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use ferricorn_application::service::Failure;
use h2::RecvStream;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};

/// A body on its way.
pub(crate) struct Arriving<B> {
    body: B,
    /// How long somebody may wait for the client; zero for ever.
    stall_timeout: Duration,
    /// Runs while somebody waits.
    patience: Option<Pin<Box<Sleep>>>,
    /// The bytes that may still come.
    left: u64,
    /// To be told if more come, where somebody has asked.
    excess: Option<Excess>,
}

/// Whether a body has become longer than it may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Excess(Arc<AtomicBool>);

impl Excess {
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B> Arriving<B> {
    /// `limit`: the most bytes that it may have.
    pub(crate) fn new(body: B, stall_timeout: Duration, limit: u64) -> Self {
        Self { body, stall_timeout, patience: None, left: limit, excess: None }
    }

    pub(crate) fn excess(&mut self) -> Excess {
        self.excess.get_or_insert_default().clone()
    }

    /// Counts a piece; the error is that there are more than there may be.
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let length = frame.data_ref().map_or(0, |piece| piece.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => {
                if let Some(excess) = &self.excess {
                    excess.0.store(true, Ordering::Relaxed);
                }
                Err("the body is longer than limit_request_body".into())
            }
        }
    }

    /// Ready when the client has been waited for long enough. Who waits outside the runtime waits for ever.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.patience.is_none() && !self.stall_timeout.is_zero() && Handle::try_current().is_ok() {
            self.patience = Some(Box::pin(sleep(self.stall_timeout)));
        }
        self.patience.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
    }
}

impl<B: Body<Data = Bytes, Error: Into<Failure>> + Unpin> Body for Arriving<B> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.patience = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into).and_then(|frame| self.count(frame))))
            }
            Poll::Pending => {
                ready!(self.poll_patience(context));
                let words = format!("the client has sent nothing for {} second(s)", self.stall_timeout.as_secs());
                Poll::Ready(Some(Err(words.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an HTTP/2 stream. There is room for more as it is taken, so that a client that is ahead waits.
pub(crate) struct Received(pub(crate) RecvStream);

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        match ready!(self.0.poll_data(context)) {
            Some(Ok(piece)) => {
                let released = self.0.flow_control().release_capacity(piece.len());
                Poll::Ready(Some(released.map(|()| Frame::data(piece))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let trailers: Option<HeaderMap> = ready!(self.0.poll_trailers(context))?;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
