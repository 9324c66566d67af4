//! Addresses: TCP, IPv6, unix sockets, several at once.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::harness::connection::Address;
use crate::harness::{Connection, Launch, Server};

/// The permission bits of the server's file `name`.
fn mode(server: &Server, name: &str) -> u32 {
    fs::metadata(server.workdir().join(name)).expect("the file is there").permissions().mode() & 0o777
}

/// A unix socket is open to all by default, serves, and is removed at the stop.
#[test]
fn a_unix_socket_comes_and_goes() {
    let server = Launch::app("plain").bind("unix:socket").start();
    server.get("/").expect(200, "hello");
    assert!(fs::metadata(server.workdir().join("socket")).unwrap().file_type().is_socket());
    assert_eq!(mode(&server, "socket"), 0o777);
    server.wait_log("Listening at: unix:socket (");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(!server.workdir().has("socket"));
}

/// `--umask` shapes the mode of a unix socket.
#[test]
fn the_umask_shapes_the_socket() {
    for (umask, wanted) in [("007", 0o770), ("0o77", 0o700)] {
        let server = Launch::app("plain").bind("unix:socket").args("--umask").arg(umask).start();
        assert_eq!(mode(&server, "socket"), wanted, "under {umask}");
    }
}

/// A stale socket file is replaced.
#[test]
fn a_stale_socket_is_replaced() {
    let launch = Launch::app("plain").bind("unix:socket");
    drop(UnixListener::bind(launch.workdir().join("socket")).unwrap());
    assert!(launch.workdir().has("socket"));
    launch.start().get("/").expect(200, "hello");
}

/// A unix socket may be written as a URL with an absolute path.
#[test]
fn a_unix_socket_can_be_a_url() {
    let launch = Launch::app("plain");
    let path = launch.workdir().join("absolute");
    let server = launch.bind(&format!("unix://{}", path.display())).start_unready();
    server.wait_log("Listening at: unix:");
    Connection::open(&Address::Unix(path)).unwrap().get("/").expect(200, "hello");
}

/// Several addresses are served at once, and the log names them in one line.
#[test]
fn several_addresses_are_served() {
    let server = Launch::app("plain").also_bind("127.0.0.1:0").also_bind("unix:socket").start();
    let addresses = server.addresses();
    assert_eq!(addresses.len(), 3);
    for address in addresses {
        Connection::open(&address).unwrap().get("/").expect(200, "hello");
    }
}

/// A TCP address may be a URL or a name, and is bound on IPv4.
#[test]
fn tcp_addresses_have_several_forms() {
    for bind in ["tcp://127.0.0.1:0", "localhost:0"] {
        let server = Launch::app("plain").bind(bind).start();
        server.wait_log("Listening at: http://127.0.0.1:");
        server.get("/").expect(200, "hello");
    }
}

/// IPv6 addresses are written in brackets.
#[test]
fn ipv6_is_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 on this machine");
        return;
    }
    let server = Launch::app("plain").bind("[::1]:0").start();
    server.wait_log("Listening at: http://[::1]:");
    server.get("/").expect(200, "hello");
}

/// A port can be bound again at once after a stop, whatever connections it had.
#[test]
fn a_port_is_free_after_the_stop() {
    let server = Launch::app("plain").start();
    server.get("/").expect(200, "hello");
    let port = server.address().port();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let again = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).start();
    again.get("/").expect(200, "hello");
    assert!(!again.log().contains("Connection in use"));
}

/// With `--reuse-port` two servers listen at one port; when one stops the other serves on.
#[test]
fn a_port_can_be_shared_by_two_servers() {
    // Gunicorn's log does not tell the port that such a server was given.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let start = || Launch::app("plain").args("--reuse-port").bind(&address.to_string()).start();
    let (server, other) = (start(), start());
    let serving = || {
        let mut connection = Connection::open(&Address::Tcp(address)).ok()?;
        Some(connection.get("/pid").text())
    };
    let workers = [server.wait_workers(1)[0], other.wait_workers(1)[0]].map(|pid| pid.to_string());
    for worker in &workers {
        server.wait_for("an answer of either server", || (serving().as_ref() == Some(worker)).then_some(()));
    }
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert_eq!(serving().as_ref(), Some(&workers[1]));
}
