//! A socket of the test's own that takes the datagrams of a server: what statsd and syslog would get.

use std::io;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::wait::eventually;

/// The longest datagram of the loopback.
const LONGEST: usize = 65536;

/// The socket itself.
#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

/// A bound socket, and every datagram that has come so far.
#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: Socket,
    arrived: Mutex<Vec<String>>,
}

impl Datagrams {
    /// Binds a free UDP port.
    pub(crate) fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has a free port");
        socket.set_nonblocking(true).expect("a socket can be asked not to block");
        Self { socket: Socket::Udp(socket), arrived: Mutex::default() }
    }

    /// Binds a socket in the file system.
    pub(crate) fn unix(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket can be made in a fresh directory");
        socket.set_nonblocking(true).expect("a socket can be asked not to block");
        Self { socket: Socket::Unix(socket), arrived: Mutex::default() }
    }

    /// Where it is, as `host:port` or as `unix://path`.
    pub(crate) fn address(&self) -> String {
        match &self.socket {
            Socket::Udp(socket) => socket.local_addr().expect("a bound socket has an address").to_string(),
            Socket::Unix(socket) => {
                let address = socket.local_addr().expect("a bound socket has an address");
                let path = address.as_pathname().map(PathBuf::from).unwrap_or_default();
                format!("unix://{}", path.display())
            }
        }
    }

    /// Every datagram so far, in the order of arrival.
    pub(crate) fn all(&self) -> Vec<String> {
        let mut arrived = self.arrived.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut room = [0; LONGEST];
        while let Some(count) = self.receive(&mut room) {
            arrived.push(String::from_utf8_lossy(&room[..count]).into_owned());
        }
        arrived.clone()
    }

    /// Waits for a datagram that contains `text`, and gives it.
    #[track_caller]
    pub(crate) fn wait(&self, text: &str) -> String {
        let find = || self.all().into_iter().find(|datagram| datagram.contains(text));
        eventually(&format!("a datagram with `{text}`"), find)
    }

    /// How many datagrams so far are exactly `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.all().iter().filter(|datagram| *datagram == text).count()
    }

    /// One more datagram, if there is one.
    fn receive(&self, room: &mut [u8]) -> Option<usize> {
        let received = match &self.socket {
            Socket::Udp(socket) => socket.recv(room),
            Socket::Unix(socket) => socket.recv(room),
        };
        match received {
            Ok(count) => Some(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}
