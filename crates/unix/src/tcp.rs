//! What the kernel knows of a TCP socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::libc;

/// The length of what every Linux knows of `struct tcp_info`: eight bytes and 24 numbers.
const WORDS: usize = 2 + 24;
/// `tcpi_unacked`, which in a listening socket counts what is not accepted.
const UNACKED: usize = 2 + 4;
/// `tcpi_last_data_recv`, in milliseconds.
const LAST_DATA_RECEIVED: usize = 2 + 11;

/// What is asked for here.
pub(crate) struct Information {
    /// In a listening socket: how many connections are not accepted yet.
    pub(crate) unacknowledged: u32,
    last_data_received: Duration,
}

/// How long ago the last byte came, or the connection was made, if none has come; `None` for a Unix socket.
pub fn silence(connection: impl AsFd) -> io::Result<Option<Duration>> {
    Ok(information(connection)?.map(|information| information.last_data_received))
}

/// `None` for a Unix socket, of which the kernel tells nothing.
pub(crate) fn information(socket: impl AsFd) -> io::Result<Option<Information>> {
    let mut words = [0_u32; WORDS];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel writes at most `length` bytes, which is what
    // the array has, and any bytes are valid numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        let last_data_received = Duration::from_millis(words[LAST_DATA_RECEIVED].into());
        return Ok(Some(Information { unacknowledged: words[UNACKED], last_data_received }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT) => Ok(None),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    #[test]
    fn the_kernel_tells_how_long_nothing_has_come() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        thread::sleep(Duration::from_millis(30));
        assert!(silence(&server).unwrap().is_some_and(|silence| silence >= Duration::from_millis(20)));
        assert_eq!(silence(UnixStream::pair().unwrap().0).unwrap(), None);
    }
}
