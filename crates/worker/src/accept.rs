//! Takes connections, and only while the worker is idle.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use ferricorn_application::{Connection, Peer};
use ferricorn_unix::listener::{Address, Listener};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::connection;
use crate::shared::{Phase, Shared};
use crate::socket::Raw;

/// The rest after an accept that failed for want of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A listener on the worker's runtime.
pub(crate) enum Acceptor {
    Tcp(TcpListener, Peer),
    Unix(UnixListener, Peer),
}

enum Accepted {
    Tcp(TcpStream, Peer),
    Unix(UnixStream),
}

impl Acceptor {
    /// Must be called within the runtime.
    pub(crate) fn register(listener: Listener) -> io::Result<Self> {
        match listener.address().clone() {
            Address::Tcp(address) => Ok(Self::Tcp(TcpListener::from_std(listener.into_tcp())?, Peer::Tcp(address))),
            Address::Unix(path) => Ok(Self::Unix(UnixListener::from_std(listener.into_unix())?, Peer::Unix(path))),
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener, _) => {
                listener.poll_accept(context).map_ok(|(stream, address)| Accepted::Tcp(stream, Peer::Tcp(address)))
            }
            Self::Unix(listener, _) => listener.poll_accept(context).map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    fn local(&self) -> &Peer {
        match self {
            Self::Tcp(_, local) | Self::Unix(_, local) => local,
        }
    }
}

/// Accepts until the worker drains. When the whole server stops, what the kernel has accepted on
/// our behalf is taken first: nobody else will.
pub(crate) async fn run(shared: Rc<Shared>, number: usize, acceptor: Acceptor) {
    shared.acceptor_begins(number);
    loop {
        match poll_fn(|context| poll_next(&shared, number, &acceptor, context)).await {
            Some(Ok(accepted)) => {
                if let Err(error) = welcome(&shared, accepted, acceptor.local()) {
                    log::debug!("A connection ended while it was accepted: {error}");
                }
                // Its request may be here already; whether this worker is still idle shows then.
                tokio::task::yield_now().await;
            }
            Some(Err(error)) if is_of_the_client(&error) => {}
            Some(Err(error)) => {
                log::error!("Cannot accept connections: {error}");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            None => return shared.acceptor_ends(number),
        }
    }
}

fn poll_next(
    shared: &Shared,
    number: usize,
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<Option<io::Result<Accepted>>> {
    match shared.phase() {
        Phase::Serving if shared.may_accept(number, context.waker()) => {
            let accepted = acceptor.poll_accept(context);
            if accepted.is_pending() {
                shared.nothing_waits(number);
            }
            accepted.map(Some)
        }
        Phase::Serving => Poll::Pending,
        Phase::Draining { .. } if shared.slot.server_is_stopping() => match acceptor.poll_accept(context) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        },
        Phase::Draining { .. } | Phase::Leaving => Poll::Ready(None),
    }
}

fn welcome(shared: &Rc<Shared>, accepted: Accepted, local: &Peer) -> io::Result<()> {
    let local = local.clone();
    let (raw, connection) = match accepted {
        Accepted::Tcp(stream, remote) => {
            // Inherited from the listener where we bound it; a socket passed to us may lack it.
            stream.set_nodelay(true)?;
            let socket = connection::keep_open(&stream)?;
            (Raw::Tcp(stream), Connection { remote, local, socket, proxied: OnceLock::new(), tls: OnceLock::new() })
        }
        Accepted::Unix(stream) => {
            let socket = connection::keep_open(&stream)?;
            let remote = Peer::Unix(PathBuf::new());
            (Raw::Unix(stream), Connection { remote, local, socket, proxied: OnceLock::new(), tls: OnceLock::new() })
        }
    };
    connection::serve(shared, raw, connection);
    Ok(())
}

/// Errors that say something about the connection, not about the listener.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
