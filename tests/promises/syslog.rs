//! syslog: which lines go there, and in which form.

use nix::sys::signal::Signal;

use crate::harness::target::program;
use crate::harness::{Datagrams, Launch};

/// `launch` with `--log-syslog` to `sink`.
fn to(sink: &Datagrams, launch: Launch) -> Launch {
    let address = sink.address();
    let address = if address.contains("://") { address } else { format!("udp://{address}") };
    launch.args("--log-syslog --log-syslog-to").arg(&address)
}

/// Every line of the server's goes to syslog as `gunicorn.<name>.error: [pid] message`, and to the error log as well.
#[test]
fn the_servers_lines_go_to_syslog() {
    let sink = Datagrams::udp();
    let server = to(&sink, Launch::app("plain")).start();
    let worker = server.wait_workers(1)[0];
    let booting = format!("<14>gunicorn.plain.error: [{worker}] Booting worker with pid: {worker}");
    assert_eq!(sink.wait("Booting").trim_end_matches('\0'), booting);
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    for message in ["Starting ", "Listening at: ", "Handling signal: term", "Shutting down: Master"] {
        let start = format!("<14>gunicorn.plain.error: [{}] {message}", server.pid());
        assert!(sink.wait(message).starts_with(&start), "{:?}", sink.all());
        assert!(server.lines().iter().any(|line| line.message.starts_with(message)), "{}", server.log());
    }
}

/// Access lines go there as well, under a name of their own, though there is no access log.
#[test]
fn access_lines_go_to_syslog() {
    let sink = Datagrams::udp();
    let server = to(&sink, Launch::app("plain")).start();
    server.get("/token?a").expect(200, "token=a");
    let line = sink.wait("GET /token?a");
    let start = format!("<14>gunicorn.plain.access: [{}] 127.0.0.1 - - [", server.wait_workers(1)[0]);
    assert!(line.starts_with(&start), "{line}");
    assert!(line.contains("\"GET /token?a HTTP/1.1\" 200 7"), "{line}");
}

/// `--disable-redirect-access-to-syslog` keeps access lines out.
#[test]
fn access_lines_can_be_kept_out() {
    let sink = Datagrams::udp();
    let launch = Launch::app("plain").args("--disable-redirect-access-to-syslog --access-logfile access.log");
    let server = to(&sink, launch).start();
    server.get("/token?a").expect(200, "token=a");
    server.wait_for("the access line", || server.workdir().read("access.log").contains("/token?a").then_some(()));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    sink.wait("Shutting down");
    assert!(sink.all().iter().all(|datagram| !datagram.contains("/token")), "{:?}", sink.all());
}

/// The prefix, else the process name, stands in the middle of the name; the facility is in the number.
#[test]
fn prefix_and_facility_can_be_chosen() {
    let named = Datagrams::udp();
    let _server = to(&named, Launch::app("plain").args("--name autoshop")).start();
    assert!(named.wait("Listening").starts_with("<14>gunicorn.autoshop.error: ["));
    let prefixed = Datagrams::udp();
    let launch = Launch::app("plain").args("--name autoshop --log-syslog-prefix shop --log-syslog-facility local3");
    let _server = to(&prefixed, launch).start();
    assert!(prefixed.wait("Listening").starts_with("<158>gunicorn.shop.error: ["));
}

/// An error is one datagram at its own level, with the traceback inside.
#[test]
fn a_traceback_is_one_datagram() {
    let sink = Datagrams::udp();
    let server = to(&sink, Launch::app("plain")).start();
    assert_eq!(server.get("/error").status(), 500);
    let datagram = sink.wait("Error handling request GET /error");
    assert!(datagram.starts_with("<11>gunicorn.plain.error: ["), "{datagram}");
    assert!(datagram.contains("\nTraceback (most recent call last):\n"), "{datagram}");
    assert!(datagram.contains("LookupError: the application failed on purpose"), "{datagram}");
}

/// A unix datagram socket will do, named as such or not.
#[test]
fn a_unix_socket_will_do() {
    for kind in ["", "#dgram"] {
        let launch = Launch::app("plain");
        let sink = Datagrams::unix(&launch.workdir().join("syslog.socket"));
        let server = launch.args("--log-syslog --log-syslog-to").arg(&format!("{}{kind}", sink.address())).start();
        let start = sink.wait(&format!("Starting {}", program()));
        assert!(start.starts_with(&format!("<14>gunicorn.plain.error: [{}] ", server.pid())), "{start}");
    }
}

/// An unknown facility or an address that is none is exit 1.
#[test]
fn bad_values_are_refused() {
    let launch = |args: &str| Launch::app("plain").args("--log-syslog").args(args);
    launch("--log-syslog-facility nonsense").run().expect(1, &["Error: ", "facility"]);
    launch("--log-syslog-to nonsense").run().expect(1, &["Error: ", "syslog"]);
}

/// A syslog that is not there does not keep the server from serving.
#[test]
fn an_absent_syslog_is_survived() {
    let server = Launch::app("plain").args("--log-syslog --log-syslog-to unix:///no/such/socket").start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}
