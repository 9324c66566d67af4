//! Words to the service manager (sd_notify(3)): a datagram to the socket in NOTIFY_SOCKET.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends these lines; nothing when no service manager listens. A failure is worth a log line and
/// nothing more.
pub(crate) fn notify(lines: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = address(name.as_bytes()).and_then(|address| {
        UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address)?;
        Ok(())
    });
    if let Err(error) = sent {
        log::warn!("Cannot notify the service manager at {name:?}: {error}");
    }
}

fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
    }
}
