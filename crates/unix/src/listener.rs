//! Listening sockets, TCP and Unix, as a server that never loses a connection needs them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::stat::{Mode, umask};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

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

    /// From here on nobody new gets a connection, in whichever process the socket is open; what the kernel has accepted
    /// already waits on. Who asks on TCP hears nothing and asks again, first after a second: then the socket is closed, and
    /// the answer is that nobody listens, or another socket has its place. Closing at once would reset whoever came between the
    /// last look at the queue and the close. For a Unix socket, whose name can be taken away, there is nothing to do.
    pub fn close_queue(&self) -> io::Result<()> {
        const FLAGS: u32 = 13;
        const SYN: u32 = 2;
        let load_flags = SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, FLAGS);
        let is_request = SockFilter::new((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16, 0, 1, SYN);
        let verdict = |length| SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, length);
        match self.address {
            Address::Tcp(_) => self.socket.attach_filter(&[load_flags, is_request, verdict(0), verdict(u32::MAX)]),
            Address::Unix(_) => Ok(()),
        }
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

/// How many connections wait at a TCP socket that nobody has accepted yet; `None` for a Unix
/// socket, whose queue the kernel does not tell.
pub fn backlog(listener: impl AsFd) -> io::Result<Option<u32>> {
    /// The length of what every Linux knows of `struct tcp_info`: eight bytes and 24 numbers.
    const WORDS: usize = 2 + 24;
    /// `tcpi_unacked`, which in a listening socket counts what is not accepted.
    const UNACKED: usize = 2 + 4;
    let mut information = [0_u32; WORDS];
    let mut length = size_of_val(&information) as libc::socklen_t;
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel writes at most
    // `length` bytes, which is what the array has, and any bytes are valid numbers.
    let result = unsafe {
        libc::getsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            information.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        return Ok(Some(information[UNACKED]));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT) => Ok(None),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
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
    fn a_closed_queue_keeps_what_is_in_it_and_takes_nobody_new() {
        use std::net::TcpStream;
        use std::time::Duration;

        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16, false).unwrap();
        let Address::Tcp(address) = listener.address().clone() else { panic!("not TCP") };
        let waiting = TcpStream::connect(address).unwrap();
        listener.close_queue().unwrap();
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let listener = listener.into_tcp();
        assert_eq!(listener.accept().unwrap().1, waiting.local_addr().unwrap());
        drop(listener);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
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

    #[test]
    fn the_backlog_counts_what_nobody_has_accepted() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16, false).unwrap();
        assert_eq!(backlog(&listener).unwrap(), Some(0));
        let Address::Tcp(address) = listener.address().clone() else { panic!("not TCP") };
        let clients = [(); 3].map(|()| std::net::TcpStream::connect(address).unwrap());
        assert_eq!(backlog(&listener).unwrap(), Some(3));
        let listener = listener.into_tcp();
        listener.accept().unwrap();
        assert_eq!(backlog(&listener).unwrap(), Some(2));
        drop(clients);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(backlog(Listener::unix(&folder.path().join("s"), 16, 0).unwrap()).unwrap(), None);
        assert!(backlog(File::open("/dev/null").unwrap()).is_err());
    }
}
