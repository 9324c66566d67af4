//! Takes connections, and only while the worker is idle.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use ferricorn_application::{Connection, Peer};
use ferricorn_unix::accept_queue;
use ferricorn_unix::listener::Address;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::connection::{self, Origin};
use crate::last_call;
use crate::seat::Entrance;
use crate::shared::{Phase, Shared};
use crate::socket::Raw;

/// The rest after an accept that failed for want of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket on the worker's runtime.
pub(crate) struct Acceptor {
    socket: Socket,
    /// Which one of them it is.
    number: usize,
    pub(crate) local: Peer,
    /// It ends with this server: nobody else has it.
    pub(crate) is_ours: bool,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

pub(crate) enum Accepted {
    Tcp(TcpStream, Peer),
    Unix(UnixStream),
}

impl Acceptor {
    /// Must be called within the runtime.
    pub(crate) fn register(number: usize, entrance: Entrance) -> io::Result<Self> {
        let Entrance { listener, is_ours } = entrance;
        let (socket, local) = match listener.address().clone() {
            Address::Tcp(address) => (Socket::Tcp(TcpListener::from_std(listener.into_tcp())?), Peer::Tcp(address)),
            Address::Unix(path) => (Socket::Unix(UnixListener::from_std(listener.into_unix())?), Peer::Unix(path)),
        };
        Ok(Self { socket, number, local, is_ours })
    }

    /// Whether more connections than that wait to be accepted. Of a Unix socket the kernel does not tell it.
    pub(crate) fn has_more_than(&self, count: usize) -> bool {
        let length = accept_queue::length(self).unwrap_or_else(|error| {
            log::debug!("How many connections wait to be accepted cannot be told: {error}");
            None
        });
        length.is_some_and(|length| length as usize > count)
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Tcp(listener) => {
                listener.poll_accept(context).map_ok(|(stream, address)| Accepted::Tcp(stream, Peer::Tcp(address)))
            }
            Socket::Unix(listener) => listener.poll_accept(context).map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl AsFd for Acceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Accepts until the worker drains, and then what is nobody else's to accept.
pub(crate) async fn run(shared: Rc<Shared>, acceptor: Acceptor) {
    let (number, acceptor) = (acceptor.number, Rc::new(acceptor));
    shared.acceptor_begins(number, Some(Rc::clone(&acceptor)));
    while let Some(accepted) = poll_fn(|context| poll_next(&shared, number, &acceptor, context)).await
        && take(&shared, &acceptor, accepted).await.is_continue()
    {
        if !shared.may_take_more(number) {
            // Its request may be here already; whether this worker is still idle shows then.
            tokio::task::yield_now().await;
        }
    }
    if let Err(error) = last_call::run(&shared, &acceptor).await {
        log::error!("What waits in the queue of a socket may be lost: {error}");
    }
    shared.acceptor_ends(number);
}

/// What comes of an accept. It is over when the socket has been ended, by another process or this one.
pub(crate) async fn take(shared: &Rc<Shared>, acceptor: &Acceptor, accepted: io::Result<Accepted>) -> ControlFlow<()> {
    match accepted {
        Ok(accepted) => {
            if let Err(error) = welcome(shared, accepted, acceptor) {
                log::debug!("A connection ended while it was accepted: {error}");
            }
        }
        Err(error) if is_of_the_client(&error) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return ControlFlow::Break(()),
        Err(error) => {
            log::error!("Cannot accept connections: {error}");
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
        }
    }
    ControlFlow::Continue(())
}

fn poll_next(
    shared: &Shared,
    number: usize,
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<Option<io::Result<Accepted>>> {
    match shared.phase() {
        Phase::Serving => shared.poll_taken(number, context, |context| acceptor.poll_accept(context)).map(Some),
        Phase::Draining { .. } | Phase::Leaving => Poll::Ready(None),
    }
}

fn welcome(shared: &Rc<Shared>, accepted: Accepted, acceptor: &Acceptor) -> io::Result<()> {
    let (raw, remote) = match accepted {
        Accepted::Tcp(stream, remote) => {
            // Inherited from the listener where we bound it; a socket passed to us may lack it.
            stream.set_nodelay(true)?;
            (Raw::Tcp(stream), remote)
        }
        Accepted::Unix(stream) => (Raw::Unix(stream), Peer::Unix(PathBuf::new())),
    };
    let (socket, local) = (connection::keep_open(&raw)?, acceptor.local.clone());
    let connection = Connection { remote, local, socket, proxied: OnceLock::new(), tls: OnceLock::new() };
    connection::serve(shared, raw, connection, Origin { listener: acceptor.number, passed_on: false, since: None });
    Ok(())
}

/// Errors that say something about the connection, not about the listener.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
