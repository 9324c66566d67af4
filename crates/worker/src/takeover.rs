//! Takes connections that another worker hands over, and, like new ones, only while this worker is idle.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use ferricorn_application::{Connection, Peer};
use ferricorn_unix::channel::Channel;
use socket2::{Domain, SockRef};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixDatagram, UnixStream};

use crate::arrival::{self, Arrival};
use crate::connection::{self, Origin};
use crate::shared::{Phase, Shared, TAKEOVER};
use crate::socket::Raw;

/// The queue that all workers share, where connections come out of it.
pub(crate) struct Takeover {
    queue: Channel,
    /// The same socket, as the runtime knows it.
    readiness: UnixDatagram,
    /// Those of the listeners, by their numbers.
    addresses: Vec<Peer>,
}

impl Takeover {
    /// Must be called within the runtime.
    pub(crate) fn new(queue: Channel, addresses: Vec<Peer>) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixDatagram::from(queue.as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        Ok(Self { queue, readiness: UnixDatagram::from_std(socket)?, addresses })
    }

    /// Takes what comes until the worker drains, and then what is there: this worker itself may have put it there, and there
    /// may be nobody else to take it.
    pub(crate) async fn run(self, shared: Rc<Shared>) {
        shared.acceptor_begins(TAKEOVER, None);
        while let Some(taken) = poll_fn(|context| self.poll_next(&shared, context)).await {
            if let Err(error) = taken.and_then(|arrival| self.welcome(&shared, arrival)) {
                log::debug!("A connection ended while it was handed over: {error}");
            }
            // Its request is here already; that this worker is not idle shows then.
            tokio::task::yield_now().await;
        }
        shared.acceptor_ends(TAKEOVER);
    }

    fn poll_next(&self, shared: &Shared, context: &mut Context<'_>) -> Poll<Option<io::Result<Arrival>>> {
        match shared.phase() {
            Phase::Serving => shared.poll_taken(TAKEOVER, context, |context| self.poll_take(context)).map(Some),
            // The queue itself is asked: what the runtime knows of it may be older than what has been put there.
            Phase::Draining { .. } => shared.poll_left(TAKEOVER, context, || self.take().transpose()),
            Phase::Leaving => Poll::Ready(None),
        }
    }

    fn poll_take(&self, context: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        let take = || self.take()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
        loop {
            ready!(self.readiness.poll_recv_ready(context))?;
            match self.readiness.try_io(Interest::READABLE, take) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                taken => return Poll::Ready(taken),
            }
        }
    }

    fn take(&self) -> io::Result<Option<Arrival>> {
        arrival::understand(self.queue.try_receive()?)
    }

    fn welcome(&self, shared: &Rc<Shared>, arrival: Arrival) -> io::Result<()> {
        let Arrival { descriptor, listener, since, proxied } = arrival;
        let unknown = || io::Error::other("it came from a listener that is unknown here");
        let local = self.addresses.get(listener).cloned().ok_or_else(unknown)?;
        let (raw, remote) = adopt(descriptor)?;
        let socket = connection::keep_open(&raw)?;
        let proxied = proxied.map_or_else(OnceLock::new, OnceLock::from);
        let connection = Connection { remote, local, socket, proxied, tls: OnceLock::new() };
        connection::serve(shared, raw, connection, Origin { listener, passed_on: true, since });
        Ok(())
    }
}

/// Who is at its other end a socket knows itself.
fn adopt(descriptor: OwnedFd) -> io::Result<(Raw, Peer)> {
    if SockRef::from(&descriptor.as_fd()).domain()? == Domain::UNIX {
        let stream = UnixStream::from_std(descriptor.into())?;
        return Ok((Raw::Unix(stream), Peer::Unix(PathBuf::new())));
    }
    let stream = TcpStream::from_std(descriptor.into())?;
    let remote = stream.peer_addr()?;
    Ok((Raw::Tcp(stream), Peer::Tcp(remote)))
}
