//! Bad input gets a clear line and the contract's exit code; nothing runs on, nothing of ours is left behind.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::harness::Launch;

/// An address in use is tried five times, once a second, and then exit 1.
#[test]
fn an_address_in_use_is_tried_five_times() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let finished = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).run();
    finished.expect(1, &["Can't connect to ('127.0.0.1', "]);
    assert_eq!(finished.count(&format!("Connection in use: ('127.0.0.1', {port})")), 5, "{}", finished.stderr);
    assert!(!finished.stderr.contains("Listening at"));
}

/// An address that becomes free while it is tried is taken.
#[test]
fn an_address_that_becomes_free_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = Launch::app("plain").bind(&format!("127.0.0.1:{port}")).start_unready();
    server.wait_log("Connection in use: ");
    drop(taken);
    server.wait_listening();
    server.get("/").expect(200, "hello");
}

/// After a start that failed for its address the pid file is gone.
#[test]
fn a_failed_bind_leaves_no_pid_file() {
    only_ferricorn!("Gunicorn leaves it behind");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let launch = Launch::app("plain").bind(&taken.local_addr().unwrap().to_string());
    let finished = launch.args("--pid server.pid").run();
    finished.expect(1, &["Connection in use: "]);
    assert!(!finished.workdir.has("server.pid"));
}

/// A log file that cannot be written is exit 1 and named.
#[test]
fn an_unwritable_log_is_named() {
    for flag in ["--error-logfile", "--access-logfile"] {
        let finished = Launch::app("plain").args(flag).arg("missing/some.log").run();
        finished.expect(1, &["'missing/some.log' isn't writable"]);
    }
}

/// A pid file that names a living process is exit 1, and the file is left as it was.
#[test]
fn a_live_pid_file_is_respected() {
    let launch = Launch::app("plain").args("--pid server.pid");
    let own = format!("{}\n", std::process::id());
    launch.workdir().write("server.pid", &own);
    let finished = launch.run();
    finished.expect(1, &[&format!("Already running on PID {}", std::process::id()), "server.pid"]);
    assert_eq!(finished.workdir.read("server.pid"), own);
}

/// A pid file of a dead process, or with no pid in it, is overwritten.
#[test]
fn a_stale_pid_file_is_overwritten() {
    // No pid reaches this far: the kernel's limit is 2^22.
    for stale in ["99999999\n", "nonsense\n", ""] {
        let server = Launch::app("plain").file("server.pid", stale).args("--pid server.pid").start();
        assert_eq!(server.workdir().read("server.pid"), format!("{}\n", server.pid()));
        // A worker of Gunicorn's that is being born misses the TERM.
        server.get("/").expect(200, "hello");
        assert_eq!(server.stop(Signal::SIGTERM), 0);
        assert!(!server.workdir().has("server.pid"));
    }
}

/// A pid file in a directory that is missing is exit 1.
#[test]
fn a_pid_file_needs_its_directory() {
    Launch::app("plain").args("--pid missing/server.pid").run().expect(1, &["Error: ", "missing"]);
}

/// A user or group that is unknown is exit 1 and named.
#[test]
fn an_unknown_user_is_named() {
    Launch::app("plain").args("--user nobody-at-all").run().expect(1, &["No such user: 'nobody-at-all'"]);
    Launch::app("plain").args("--group nobody-at-all").run().expect(1, &["No such group: 'nobody-at-all'"]);
}

/// A directory that cannot be entered is exit 1 and named.
#[test]
fn a_bad_directory_is_named() {
    Launch::app("plain").args("--chdir no-such-dir").run().expect(1, &["chdir", "no-such-dir"]);
}

/// A file in the place of a unix socket is not removed: exit 1.
#[test]
fn a_file_is_not_replaced_by_a_socket() {
    let finished = Launch::app("plain").file("socket", "precious\n").bind("unix:socket").run();
    finished.expect(1, &["socket"]);
    assert_eq!(fs::read_to_string(finished.workdir.join("socket")).unwrap(), "precious\n");
}

/// An access log format that makes no sense is exit 1, before anything is bound.
#[test]
fn a_bad_access_log_format_is_named() {
    only_ferricorn!("Gunicorn starts, and logs an error for each request");
    let finished = Launch::app("plain").args("--access-logfile - --access-logformat").arg("%(h)s %x").run();
    finished.expect(1, &["access_log_format", "position 6"]);
}
