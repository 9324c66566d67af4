//! The way to the server: TCP or a Unix socket, with TLS or without.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::options::{Options, SslMode};
use crate::tls;

/// SSLRequest: its length, and a number that is no version of the protocol's.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// See the module.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Connects to one place, with the TLS that the options ask for.
    pub(crate) async fn open(options: &Options, host: &str, port: u16) -> io::Result<Self> {
        if host.starts_with('/') {
            let path = PathBuf::from(format!("{host}/.s.PGSQL.{port}"));
            return UnixStream::connect(path).await.map(Self::Unix);
        }
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        watch(&stream, options)?;
        if options.sslmode == SslMode::Disable {
            return Ok(Self::Tcp(stream));
        }
        stream.write_all(&SSL_REQUEST).await?;
        match stream.read_u8().await? {
            b'S' => Ok(Self::Tls(Box::new(tls::shake_hands(options, host, stream).await?))),
            _ if options.sslmode == SslMode::Prefer => Ok(Self::Tcp(stream)),
            _ => Err(io::Error::other("server does not support SSL, but SSL was required")),
        }
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
