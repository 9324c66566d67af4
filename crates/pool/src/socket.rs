//! The way to the server: TCP or a Unix socket, with TLS or without.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::options::{Host, Options, SslMode};
use crate::tls;
use crate::way::Stream;

/// SSLRequest: its length, and a number that is no version of the protocol's.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// See the module.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A hold on a socket that somebody else uses.
#[derive(Debug)]
pub(crate) struct Hold(socket2::Socket);

impl Hold {
    /// Ends the connection, from any thread.
    pub(crate) fn cut(&self) {
        if let Err(error) = self.0.shutdown(Shutdown::Both) {
            log::debug!("A connection to the database had ended before it was cut: {error}");
        }
    }
}

/// Why there is no way to a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWay {
    /// It is not to be had, or not as it must be.
    #[error("{}", explain(.0))]
    Io(#[from] io::Error),
    /// The two could not agree on TLS.
    #[error("{0}")]
    Tls(String),
}

/// The kernel's words, without Rust's.
fn explain(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

impl Socket {
    /// Connects to one place, with as much TLS.
    pub(crate) async fn open(options: &Options, host: &Host, sslmode: SslMode) -> Result<Self, NoWay> {
        let Host { name, address, port } = host;
        if name.starts_with('/') {
            let path = PathBuf::from(format!("{name}/.s.PGSQL.{port}"));
            return Ok(Self::Unix(UnixStream::connect(path).await?));
        }
        let mut stream = TcpStream::connect((address.as_ref().unwrap_or(name).as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        watch(&stream, options)?;
        if sslmode == SslMode::Disable {
            return Ok(Self::Tcp(stream));
        }
        // Before anybody is asked: files that cannot be used are not the server's fault.
        let configuration = tls::configure(options).map_err(io::Error::other)?;
        stream.write_all(&SSL_REQUEST).await?;
        match stream.read_u8().await? {
            b'S' => Ok(Self::Tls(Box::new(tls::shake_hands(options, configuration, name, stream).await?))),
            b'N' if sslmode == SslMode::Prefer => Ok(Self::Tcp(stream)),
            b'N' => Err(io::Error::other("server does not support SSL, but SSL was required"))?,
            other => {
                Err(io::Error::other(format!("received invalid response to SSL negotiation: {:?}", other as char)))?
            }
        }
    }

    /// A second hold on it, by which it can be cut.
    pub(crate) fn hold(&self) -> io::Result<Hold> {
        let descriptor = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.get_ref().0.as_fd(),
        };
        descriptor.try_clone_to_owned().map(|descriptor| Hold(descriptor.into()))
    }

    /// Whether there is TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// What the server has shown of itself.
    pub(crate) fn server_certificate(&self) -> Option<&[u8]> {
        let Self::Tls(stream) = self else { return None };
        stream.get_ref().1.peer_certificates()?.first().map(AsRef::as_ref)
    }
}

/// Has the kernel find out when the other side is gone, during a silence as well as when it takes nothing.
fn watch(stream: &TcpStream, options: &Options) -> io::Result<()> {
    let keepalive = options.keepalive;
    if keepalive.idle.is_zero() {
        return Ok(());
    }
    let socket = SockRef::from(stream);
    let watch =
        TcpKeepalive::new().with_time(keepalive.idle).with_interval(keepalive.interval).with_retries(keepalive.count);
    socket.set_tcp_keepalive(&watch)?;
    socket.set_tcp_user_timeout(Some(keepalive.idle + keepalive.interval * keepalive.count))
}

impl Stream for Socket {
    fn plain(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Tcp(stream) => Some(stream.as_fd()),
            Self::Unix(stream) => Some(stream.as_fd()),
            Self::Tls(_) => None,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    /// A statement that is on its way to a dead host waits for no longer than an idle connection does.
    #[test]
    fn a_host_that_takes_nothing_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check());
    }

    async fn check() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = [("keepalives_idle", "7"), ("keepalives_interval", "3"), ("keepalives_count", "2")];
        let said = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = Options::resolve(|_| None, &BTreeMap::new(), &said).unwrap();
        let host = Host { name: "db.invalid".to_owned(), address: Some("127.0.0.1".to_owned()), port };
        let Socket::Tcp(stream) = Socket::open(&options, &host, SslMode::Disable).await.unwrap() else { panic!() };
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(13)));
        assert!(socket.keepalive().unwrap());
    }
}
