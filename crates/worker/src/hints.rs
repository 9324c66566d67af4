//! Early hints (RFC 8297): a 103 response before the real one. Hyper lets a service send but one
//! response, so these go to the socket directly, at a moment when hyper has nothing to write: the
//! request has arrived whole, and what was written before has left.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;

use ferricorn_application::{Connection, Request};
use http::{HeaderMap, Version};
use socket2::SockRef;

use crate::shared::Activity;

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

    /// Sends them, unless the client is still busy with an earlier response: then hints could
    /// only come late, and they are no more than hints.
    pub(crate) fn send(&self, headers: &HeaderMap) -> io::Result<()> {
        if !self.understood || self.activity.write_blocked.get() {
            return Ok(());
        }
        let mut text = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
        for (name, value) in headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        let descriptor = self.connection.socket.as_fd();
        let socket = SockRef::from(&descriptor);
        let sent = socket.send(&text)?;
        if sent < text.len() {
            // Half a hint would be read as the beginning of the response.
            socket.shutdown(std::net::Shutdown::Both)?;
            return Err(io::Error::other("the connection has no room for them, and was closed"));
        }
        Ok(())
    }
}
