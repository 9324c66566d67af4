//! What a service gets: the body of a request, and the client's end of it.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ferricorn_application::service::{Incoming, Origin};
use ferricorn_application::{Peer, TlsFacts};
use http_body::{Frame, SizeHint};

use crate::BoxError;

/// The body of a request, as it arrives: nothing is read of it but what is asked for, so that a client that is ahead of
/// the service waits. It fails when the client breaks off, or sends nothing for `client_stall_timeout` while it is waited for.
pub struct Body(pub(crate) Incoming);

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Body")
    }
}

/// Where a request comes from: an extension of each request.
///
/// ```
/// use axum::Extension;
///
/// async fn greet(Extension(client): Extension<ferricorn::Client>) -> String {
///     client.address().map_or("a socket".to_owned(), |address| address.to_string())
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::get(greet));
/// ```
#[derive(Clone, Debug)]
pub struct Client(pub(crate) Origin);

impl Client {
    /// The address and port that the connection comes from: the client's, or those of the proxy in front of us. `None` on
    /// a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0.connection.remote {
            Peer::Tcp(address) => Some(*address),
            Peer::Unix(_) => None,
        }
    }

    /// Whether the client speaks TLS: to us, or, by the word of a proxy in `forwarded_allow_ips`, to the proxy.
    pub fn is_https(&self) -> bool {
        self.0.https
    }

    /// The certificate, in DER, by which the client has shown who it is, where `cert_reqs` asks for one.
    pub fn certificate(&self) -> Option<&[u8]> {
        let facts: &TlsFacts = self.0.connection.tls.get()?;
        facts.peer_certificate.as_deref()
    }
}
