//! Daemons, pid files and privileges.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid, User};

use crate::harness::connection::{Address, Connection};
use crate::harness::process::{alive, parent, send, user, wait_gone};
use crate::harness::{Launch, eventually};

/// The pid file holds the master's pid and a newline, is readable by all, and goes with the master.
#[test]
fn the_pid_file_holds_the_pid() {
    let server = Launch::app("plain").args("--pid server.pid").start();
    assert_eq!(server.workdir().read("server.pid"), format!("{}\n", server.pid()));
    let mode = fs::metadata(server.workdir().join("server.pid")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(!server.workdir().has("server.pid"));
}

/// A pid file that another server has taken over meanwhile is left alone at the stop.
#[test]
fn anothers_pid_file_is_left_alone() {
    let server = Launch::app("plain").args("--pid server.pid").start();
    server.write("server.pid", "1\n");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert_eq!(server.workdir().read("server.pid"), "1\n");
}

/// `--daemon` returns at once with 0; the server runs on, detached, and stops on TERM as ever.
#[test]
fn a_daemon_detaches() {
    let launch = Launch::app("plain").bind("unix:socket").args("--daemon --pid server.pid").error_log("error.log");
    let launched = launch.run();
    assert_eq!((launched.code, launched.stdout.as_str(), launched.stderr.as_str()), (0, "", ""));
    let dir = &launched.workdir;
    let socket = Address::Unix(dir.join("socket"));
    let mut connection = eventually("a listening daemon", || Connection::open(&socket).ok());
    connection.get("/").expect(200, "hello");
    let pid = Pid::from_raw(dir.read("server.pid").trim().parse().unwrap());
    assert!(alive(pid) && parent(pid) != Some(Pid::this()));
    let stdin = fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
    assert_eq!(stdin.to_str(), Some("/dev/null"));
    send(pid, Signal::SIGTERM);
    wait_gone(pid);
    assert!(dir.read("error.log").contains("Shutting down: Master"));
    assert!(!dir.has("server.pid") && !dir.has("socket"));
}

/// An application that tells the user and group it was imported and is called as.
const WHO: &str = "
import os
from plain import answer
imported = '%d:%d' % (os.geteuid(), os.getegid())
def application(environ, start_response):
    return answer(start_response, '%s %d:%d' % (imported, os.geteuid(), os.getegid()))
";

/// `--user` and `--group` are taken on by the workers before the import; the master stays who it is.
#[test]
fn workers_drop_privileges_before_the_import() {
    let Some(nobody) = User::from_name("nobody").unwrap().filter(|_| Uid::effective().is_root()) else {
        println!("skipped: only root can drop privileges, and there must be a nobody");
        return;
    };
    for (name, gid) in [("nobody".to_owned(), nobody.gid), (nobody.uid.to_string(), nobody.gid)] {
        let plain = fs::read_to_string(crate::harness::target::apps().join("plain.py")).unwrap();
        // In the server's own directory, since nobody may not be let into the repository.
        let launch = Launch::app("who").file("who.py", WHO).file("plain.py", &plain).args("--user").arg(&name);
        let server = launch.args("--group").arg(&gid.to_string()).start();
        server.get("/").expect(200, &format!("{0}:{1} {0}:{1}", nobody.uid, gid));
        assert_eq!(user(server.pid()), Some(0));
        assert_eq!(user(server.wait_workers(1)[0]), Some(nobody.uid.as_raw()));
    }
}

/// WINCH takes the workers of a daemon away, which goes on listening; TTIN and HUP bring them back.
#[test]
fn winch_takes_the_workers_of_a_daemon() {
    let launch = Launch::app("plain").bind("unix:socket").args("--daemon --pid server.pid").error_log("error.log");
    let launched = launch.run();
    let dir = &launched.workdir;
    let socket = Address::Unix(dir.join("socket"));
    let serving = |socket: &Address| Connection::open(socket).ok().map(|mut connection| connection.get("/pid").text());
    let worker = eventually("a listening daemon", || serving(&socket));
    let (pid, worker) = (dir.read("server.pid").trim().parse().unwrap(), worker.parse().unwrap());
    let (pid, worker) = (Pid::from_raw(pid), Pid::from_raw(worker));
    send(pid, Signal::SIGWINCH);
    wait_gone(worker);
    let mut waiting = Connection::open(&socket).unwrap();
    waiting.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    send(pid, Signal::SIGTTIN);
    waiting.response().expect(200, "hello");
    send(pid, Signal::SIGTERM);
    wait_gone(pid);
}
