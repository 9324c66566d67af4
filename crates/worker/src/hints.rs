//! Early hints (RFC 8297): a 103 response before the real one. Hyper lets a service send but one
//! response, so these go past it, at a moment when hyper has nothing to write: the request has
//! arrived whole, and what was written before has left.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;

use ferricorn_application::{Connection, Request};
use http::{HeaderMap, Version};
use socket2::SockRef;

use crate::http2::Replies;
use crate::secured::SideDoor;
use crate::shared::Activity;

/// How hints get past hyper.
#[derive(Debug, Default)]
pub(crate) enum Route {
    /// To the socket.
    #[default]
    Socket,
    /// Through TLS.
    Tls(SideDoor),
    /// As a frame of the request's stream.
    Http2(Replies),
}

/// What has become of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// They have gone where they go.
    Done,
    /// They go with the next turn to I/O.
    Queued,
}

/// Where hints of one request go.
pub(crate) struct Hints {
    connection: Arc<Connection>,
    activity: Rc<Activity>,
    understood: bool,
}

impl Hints {
    pub(crate) fn new(request: &Request, activity: Rc<Activity>) -> Self {
        let understood = request.head.version >= Version::HTTP_11;
        Self { connection: Arc::clone(&request.connection), activity, understood }
    }

    /// Whether this is the activity of the request that they belong to.
    pub(crate) fn is_for(&self, activity: &Rc<Activity>) -> bool {
        Rc::ptr_eq(&self.activity, activity)
    }

    /// Sends them, unless the client is still busy with an earlier response: then hints could
    /// only come late, and they are no more than hints.
    pub(crate) fn send(&self, headers: &HeaderMap) -> io::Result<Progress> {
        if !self.understood || self.activity.write_blocked.get() {
            return Ok(Progress::Done);
        }
        match &*self.activity.route.borrow() {
            Route::Socket => self.send_to_socket(&text(headers))?,
            Route::Tls(door) => door.send(&text(headers))?,
            Route::Http2(replies) => {
                replies.send_hints(headers)?;
                return Ok(Progress::Queued);
            }
        }
        Ok(Progress::Done)
    }

    fn send_to_socket(&self, text: &[u8]) -> io::Result<()> {
        let descriptor = self.connection.socket.as_fd();
        let socket = SockRef::from(&descriptor);
        let sent = socket.send(text)?;
        if sent < text.len() {
            // Half a hint would be read as the beginning of the response.
            socket.shutdown(std::net::Shutdown::Both)?;
            return Err(io::Error::other("the connection has no room for them, and was closed"));
        }
        Ok(())
    }
}

fn text(headers: &HeaderMap) -> Vec<u8> {
    let mut text = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}
