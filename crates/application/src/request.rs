//! A request that has fully arrived, and the connection it came over.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::request::Parts;

use crate::target;

/// A request with its whole body.
#[derive(Debug)]
pub struct Request {
    /// Method, target, version and headers, as parsed and checked by the worker.
    pub head: Parts,
    /// The decoded body (transfer codings removed).
    pub body: Body,
    /// Whether the client speaks TLS: to us, or by a trusted proxy's word.
    pub https: bool,
    /// Where it came from; shared by all requests of the connection.
    pub connection: Arc<Connection>,
}

/// A request body, wherever it was kept while it arrived.
#[derive(Debug)]
pub enum Body {
    /// In memory; empty when the request had none.
    Memory(Bytes),
    /// In an unlinked temporary file, positioned at its beginning.
    File {
        /// The file; its space is freed on drop.
        file: File,
        /// Its length in bytes.
        length: u64,
    },
}

impl Body {
    /// The length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket: the listener's path, or an empty one for a client.
    Unix(PathBuf),
}

/// What the proxy in front has said about a connection, in the PROXY protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// `TCP4` or `TCP6`; `LOCAL` and `UNSPEC` come without addresses.
    pub protocol: &'static str,
    /// The client's address and port, and those at which the proxy has met it.
    pub ends: Option<(Endpoint, Endpoint)>,
}

/// An address, as the proxy has put it, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// The connection that a request came over.
pub struct Connection {
    /// The client's end.
    pub remote: Peer,
    /// The listener's address: the configured one, not the one the client happened to dial.
    pub local: Peer,
    /// What the proxy has said of it; set before its first request, if at all.
    pub proxied: OnceLock<Proxied>,
    /// The socket. As long as this is held its descriptor is not reused, though the connection
    /// itself may have ended.
    pub socket: Box<dyn AsFd + Send + Sync>,
    /// What was agreed on in a TLS handshake; empty without TLS.
    pub tls: OnceLock<TlsFacts>,
}

/// What a TLS handshake came to, in OpenSSL's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version: `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite.
    pub cipher: &'static str,
    /// How many secret bits it has.
    pub bits: u16,
    /// The protocol that was chosen, where there was a choice.
    pub alpn: Option<String>,
    /// The client's own certificate, in DER.
    pub peer_certificate: Option<Vec<u8>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("remote", &self.remote).field("local", &self.local).finish()
    }
}

impl Connection {
    /// The client's address in words, without its port; empty for a Unix socket.
    pub fn remote_address(&self) -> String {
        match &self.remote {
            Peer::Tcp(address) => address.ip().to_string(),
            Peer::Unix(_) => String::new(),
        }
    }
}

impl Request {
    /// The target as the client sent it.
    pub fn raw_target(&self) -> String {
        target::raw(&self.head).into_owned()
    }
}
