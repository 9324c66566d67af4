//! Ports of the loopback, for servers whose address has to be known before they start.

use std::net::TcpListener;

use super::connection::Address;

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    free.local_addr().expect("a bound socket has an address").port()
}

/// The address of a port of the loopback.
pub(crate) fn at_port(port: u16) -> Address {
    Address::Tcp(([127, 0, 0, 1], port).into())
}
