//! As process 1 of a container: nobody else sees to processes that have lost their parent.

use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::process::{children, dead_children, send};
use crate::harness::target::executable;
use crate::harness::{Launch, Server};

/// Starts the server as process 1 of a new pid namespace; `None` where that is not permitted.
fn as_process_one() -> Option<(Server, Pid)> {
    let isolate = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let permitted = Command::new("unshare").args(isolate).arg("true").output().is_ok_and(|done| done.status.success());
    if !permitted {
        println!("skipped: no new pid namespace is permitted here");
        return None;
    }
    let command = format!("{} {} --bind 127.0.0.1:0 --workers 2 fatal", isolate.join(" "), executable().display());
    let server = Launch::bare().no_bind().by("/usr/bin/unshare").args(&command).start();
    let master = children(server.pid())[0];
    Some((server, master))
}

/// As process 1 the server reaps processes that are not its own, and TERM ends it with 0.
#[test]
fn process_one_reaps_orphans() {
    let Some((server, master)) = as_process_one() else { return };
    server.get("/").expect(200, "hello");
    let usual = server.wait_for("all processes", || {
        let now = children(master).len();
        (now >= 2).then_some(now)
    });
    let orphan = server.get("/orphan?end");
    assert_eq!(orphan.status(), 200);
    server.wait_for("an adopted orphan", || (children(master).len() > usual).then_some(()));
    server.write("end", "");
    server.wait_for("its end", || (children(master).len() == usual && dead_children(master).is_empty()).then_some(()));
    server.get("/").expect(200, "hello");
    send(master, Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.wait_nothing_running();
}
