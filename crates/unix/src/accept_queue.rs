//! The queue of a listening socket: how long it is, and how it comes to its end without losing anybody. All processes that have
//! the socket open see the same queue, and whoever ends it ends it for all of them.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::libc;
use socket2::{Domain, SockFilter, SockRef};

use crate::tcp;

/// Clients whose connection is just being made when a queue is closed get into it in this time.
pub const HANDSHAKES: Duration = Duration::from_millis(100);

/// How many connections wait at a TCP socket that nobody has accepted yet; `None` for a Unix
/// socket, whose queue the kernel does not tell.
pub fn length(listener: impl AsFd) -> io::Result<Option<u32>> {
    Ok(tcp::information(listener)?.map(|information| information.unacknowledged))
}

/// From here on nobody new gets into the queue; what waits in it stays, to be taken by whoever looks. Who asks for a
/// connection on TCP hears nothing and asks again, first after a second: by then the socket has ended, and the answer is
/// that nobody listens, or another socket has its place. To end it at once would reset whoever came between the last look at
/// the queue and the end. At a Unix socket clients are refused at once.
pub fn close(listener: impl AsFd) -> io::Result<()> {
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    let load_flags = SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, FLAGS);
    let is_request = SockFilter::new((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16, 0, 1, SYN);
    let verdict = |length| SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, length);
    let descriptor: BorrowedFd<'_> = listener.as_fd();
    let socket = SockRef::from(&descriptor);
    // On a Unix socket it filters nothing, and is still the sign for others.
    socket.attach_filter(&[load_flags, is_request, verdict(0), verdict(u32::MAX)])?;
    if socket.domain()? == Domain::UNIX { socket.shutdown(Shutdown::Read) } else { Ok(()) }
}

/// Whether [`close`] was called, in whichever process: then the queue is to be emptied, and the socket to be ended.
pub fn is_closed(listener: impl AsFd) -> io::Result<bool> {
    /// Asks for the filter of a socket; the same number as to attach one.
    const SO_GET_FILTER: libc::c_int = libc::SO_ATTACH_FILTER;
    // Without room for the filter the kernel only tells how many instructions it has.
    let mut instructions: libc::socklen_t = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel writes one length to where it may, and
    // nothing to the null pointer, since there is said to be no room.
    let result = unsafe {
        libc::getsockopt(
            listener.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_GET_FILTER,
            std::ptr::null_mut(),
            &raw mut instructions,
        )
    };
    if result == 0 { Ok(instructions > 0) } else { Err(io::Error::last_os_error()) }
}

/// Ends a TCP socket for every process that has it open: whoever waits in its queue is reset, new clients are refused, and
/// the address is free for others. A Unix socket is left alone: when its queue is closed, nothing more can happen there.
pub fn end(listener: impl AsFd) -> io::Result<()> {
    let descriptor: BorrowedFd<'_> = listener.as_fd();
    let socket = SockRef::from(&descriptor);
    if socket.domain()? == Domain::UNIX {
        return Ok(());
    }
    match socket.shutdown(Shutdown::Both) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::listener::{Address, Listener};

    fn tcp() -> (Listener, SocketAddr) {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16, false).unwrap();
        let Address::Tcp(address) = listener.address().clone() else { panic!("not TCP") };
        (listener, address)
    }

    #[test]
    fn its_length_counts_what_nobody_has_accepted() {
        let (listener, address) = tcp();
        assert_eq!(length(&listener).unwrap(), Some(0));
        let clients = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        assert_eq!(length(&listener).unwrap(), Some(3));
        let listener = listener.into_tcp();
        listener.accept().unwrap();
        assert_eq!(length(&listener).unwrap(), Some(2));
        drop(clients);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(length(Listener::unix(&folder.path().join("s"), 16, 0).unwrap()).unwrap(), None);
        assert!(length(File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_closed_queue_keeps_what_is_in_it_and_takes_nobody_new() {
        let (listener, address) = tcp();
        let waiting = TcpStream::connect(address).unwrap();
        assert!(!is_closed(&listener).unwrap());
        close(&listener).unwrap();
        close(&listener).unwrap();
        assert!(is_closed(&listener).unwrap());
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let listener = listener.into_tcp();
        assert_eq!(listener.accept().unwrap().1, waiting.local_addr().unwrap());
        drop(listener);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_ended_socket_has_ended_for_all_and_frees_its_address() {
        let (listener, address) = tcp();
        let copy = listener.as_fd().try_clone_to_owned().unwrap();
        let accepted = {
            let client = TcpStream::connect(address).unwrap();
            (listener.into_tcp().accept().unwrap(), client)
        };
        end(&copy).unwrap();
        end(&copy).unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let next = Listener::tcp(address, 16, false).unwrap().into_tcp();
        TcpStream::connect(address).unwrap();
        next.accept().unwrap();
        let ended = std::net::TcpListener::from(copy).accept().unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::InvalidInput);
        drop(accepted);
    }

    #[test]
    fn the_queue_of_a_unix_socket_can_be_closed_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = Listener::unix(&path, 16, 0).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        close(&listener).unwrap();
        close(&listener).unwrap();
        end(&listener).unwrap();
        assert!(is_closed(&listener).unwrap());
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let (mut served, _) = listener.into_unix().accept().unwrap();
        assert!(!is_closed(&served).unwrap());
        io::Write::write_all(&mut client, &[0xff; 64]).unwrap();
        let mut room = [0; 64];
        io::Read::read_exact(&mut served, &mut room).unwrap();
        assert_eq!(room, [0xff; 64]);
    }
}
