//! Workers that are born at a moment when nobody wants them any more leave no trace.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::process::{children, send, title, wait_gone, working_in};
use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// Why this is only promised by us.
const NO_MOLD: &str = "Gunicorn has no mold that could be forking while its master decides otherwise";

/// `plain`, unless the configuration says that it is to hang while it is imported.
const HANGS_IF_TOLD: &str = "import os, time
while os.environ.get('HANGS'):
    time.sleep(0.01)
from plain import application
";
/// Holds a mold that is about to fork, if there is a file `hold`, until there is a file `go`.
const HELD_BEFORE: &str = "
def pre_fork(server, worker):
    import os, time
    if os.path.exists('hold'):
        open('held', 'w').close()
        while not os.path.exists('go'):
            time.sleep(0.01)
";
/// Holds a mold that has just forked, likewise.
const HELD_AFTER: &str = "
import os, time
def wait():
    if os.path.exists('hold'):
        open('held', 'w').close()
        while not os.path.exists('go'):
            time.sleep(0.01)
os.register_at_fork(after_in_parent=wait)
";

/// Master, mold and one worker, and nobody else.
#[track_caller]
fn assert_three_processes(server: &Server) {
    let count = || working_in(server.workdir().path()).len();
    server.wait_for("three processes", || (count() == 3).then_some(()));
    assert!(stays(Duration::from_millis(300), || count() == 3), "{} processes", count());
}

/// A reload is superseded while its mold is about to fork a worker, one that would hang for ever: it does not.
#[test]
fn a_worker_of_a_superseded_reload_ends() {
    only_ferricorn!(NO_MOLD);
    let server = Launch::app("hangs").file("hangs.py", HANGS_IF_TOLD).conf(HELD_BEFORE).start();
    server.wait_workers(1);
    server.write("hold", "");
    server.write("gunicorn.conf.py", &format!("{HELD_BEFORE}\nraw_env = ['HANGS=yes']\n"));
    server.signal(Signal::SIGHUP);
    server.wait_file("held");
    std::fs::remove_file(server.workdir().join("hold")).unwrap();
    server.write("gunicorn.conf.py", HELD_BEFORE);
    server.signal(Signal::SIGHUP);
    let heard = || (server.log().matches("Hang up: Master").count() == 2).then_some(());
    server.wait_for("the second reload", heard);
    server.write("go", "");
    server.wait_log("Reload: the new workers are good");
    assert_three_processes(&server);
    server.get("/").expect(200, "hello");
}

/// A mold is killed between forking a worker, one that would hang for ever, and telling the master of it: that worker does
/// not begin.
#[test]
fn a_worker_whose_mold_dies_at_its_birth_ends() {
    only_ferricorn!(NO_MOLD);
    let server = Launch::app("hangs").file("hangs.py", HANGS_IF_TOLD).conf(HELD_AFTER).start();
    server.wait_workers(1);
    server.write("hold", "");
    server.write("gunicorn.conf.py", &format!("{HELD_AFTER}\nraw_env = ['HANGS=yes']\n"));
    let old: Vec<_> = children(server.pid());
    server.signal(Signal::SIGHUP);
    server.wait_file("held");
    let is_new_mold = |pid: &nix::unistd::Pid| !old.contains(pid) && title(*pid).starts_with("ferricorn: mold");
    let mold = server.wait_for("the new mold", || children(server.pid()).into_iter().find(is_new_mold));
    send(mold, Signal::SIGKILL);
    wait_gone(mold);
    server.wait_log("Reload failed, the old workers go on serving: ");
    assert_three_processes(&server);
    server.get("/").expect(200, "hello");
}
