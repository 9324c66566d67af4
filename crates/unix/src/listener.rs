//! Listening sockets, TCP and Unix, as a server that never loses a connection needs them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Where a socket listens, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IPv4 or IPv6 address and port.
    Tcp(SocketAddr),
    /// A path in the file system; empty for a socket without a name.
    Unix(PathBuf),
}

/// A socket that listens. Closed on drop; a Unix socket's file stays until it is removed by name.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
}

impl Listener {
    /// Listens on TCP: SO_REUSEADDR so that a restart need not wait, TCP_NODELAY for what is
    /// accepted from it, non-blocking, close-on-exec. With `reuse_port` (SO_REUSEPORT) others of
    /// the same user's that say so too may listen at the same address.
    pub fn tcp(address: SocketAddr, backlog: u32, reuse_port: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SockAddr::from(address))?;
        Self::listening(socket, backlog)
    }

    /// Listens on a path. A socket file that is there already is replaced; anything else there is
    /// an error. The file's mode is 0777 less `mask`. A path that begins with NUL is an abstract
    /// name, which has no file.
    pub fn unix(path: &Path, backlog: u32, mask: u32) -> io::Result<Self> {
        let is_abstract = path.as_os_str().as_bytes().starts_with(b"\0");
        match fs::symlink_metadata(path) {
            _ if is_abstract => {}
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is not a socket is there")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let before = umask(Mode::from_bits_truncate(mask));
        let bound = socket.bind(&SockAddr::unix(path)?);
        umask(before);
        bound?;
        Self::listening(socket, backlog)
    }

    fn listening(socket: Socket, backlog: u32) -> io::Result<Self> {
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Self::from_descriptor(OwnedFd::from(socket))
    }

    /// Takes a socket that listens already: from the service manager, or from another process.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let address = match local.as_socket() {
            Some(address) => Address::Tcp(address),
            None => Address::Unix(local.as_pathname().map(Path::to_path_buf).unwrap_or_default()),
        };
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The standard library's face of a TCP listener.
    pub fn into_tcp(self) -> std::net::TcpListener {
        self.socket.into()
    }

    /// The standard library's face of a Unix listener.
    pub fn into_unix(self) -> UnixListener {
        UnixListener::from(OwnedFd::from(self.socket))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tcp_listens_on_a_port_of_its_own() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16, false).unwrap();
        let Address::Tcp(address) = listener.address().clone() else { panic!("not TCP") };
        std::net::TcpStream::connect(address).unwrap();
        let error = Listener::tcp(address, 16, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_is_shared_by_those_who_agree_to_it() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16, true).unwrap();
        let Address::Tcp(address) = listener.address().clone() else { panic!("not TCP") };
        assert_eq!(Listener::tcp(address, 16, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(Listener::tcp(address, 16, true).unwrap().address(), listener.address());
    }

    #[test]
    fn unix_replaces_a_stale_socket_but_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(Listener::unix(&path, 16, 0).unwrap());
        let again = Listener::unix(&path, 16, 0o077).unwrap();
        assert_eq!(again.address(), &Address::Unix(path.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let file = folder.path().join("f");
        fs::write(&file, "kept").unwrap();
        assert_eq!(Listener::unix(&file, 16, 0).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    }
}
