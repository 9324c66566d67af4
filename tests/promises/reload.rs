//! HUP: new code and new configuration under the same master pid and the same sockets; a broken one changes nothing.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::process::{alive, wait_gone};
use crate::harness::wait::{eventually, stays};
use crate::harness::{Launch, Server};

/// Why a failed reload is only promised by us.
const DIES: &str = "a failed reload ends Gunicorn or leaves it without workers";

/// An application that answers with `version` and notes each import in `imports`.
fn version(version: &str) -> String {
    format!("from specs import make\nopen('imports', 'a').write('{version}.')\napplication = make('{version}')\n")
}

/// A server of `versioned`, at version `old`.
fn old_version(args: &str) -> Server {
    let launch = Launch::app("versioned").file("versioned.py", &version("old")).args(args);
    let server = launch.start();
    server.get("/").expect(200, "('old',) []");
    // A worker that still imports would get to see what the test is about to write.
    let importers = if args.contains("--preload") { 1 } else { server.wait_workers(2).len() };
    server.wait_for("all imports", || {
        let imports = server.workdir().read("imports");
        (imports.matches("old.").count() >= importers).then_some(())
    });
    server
}

/// Waits until the answer is that of version `new`.
#[track_caller]
fn wait_new(server: &Server) {
    server.wait_for("the new version", || (server.get("/").text() == "('new',) []").then_some(()));
}

/// Sends HUP, and panics unless the reload fails (the log says `word`) and the old workers go on serving.
#[track_caller]
fn assert_survives(server: &Server, word: &str) {
    let old = server.wait_workers(2);
    let imports = server.workdir().read("imports");
    server.signal(Signal::SIGHUP);
    server.wait_for("a sign of the failed reload", || {
        let tried = server.workdir().read("imports") != imports;
        (tried || server.log().contains(word)).then_some(())
    });
    server.wait_log(word);
    let survives = || server.ended().is_none() && old.iter().all(|pid| alive(*pid));
    assert!(stays(Duration::from_millis(700), survives), "the old generation did not survive");
    server.get("/").expect(200, "('old',) []");
}

/// HUP replaces every worker, keeps master and port, and runs the code that is on disk now.
#[test]
fn hup_runs_the_new_code() {
    let server = old_version("--workers 2");
    let (old, address) = (server.wait_workers(2), server.address());
    server.write("versioned.py", &version("new"));
    server.signal(Signal::SIGHUP);
    old.into_iter().for_each(wait_gone);
    server.get("/").expect(200, "('new',) []");
    server.wait_workers(2);
    assert!(server.ended().is_none());
    assert_eq!(server.address(), address);
    assert_eq!(server.wait_line("Hang up: Master").level, "INFO");
    server.wait_log("Handling signal: hup");
}

/// HUP runs the new code with `--preload` too.
#[test]
fn hup_runs_the_new_code_with_preload() {
    only_ferricorn!("Gunicorn keeps the preloaded code until it is restarted");
    let server = old_version("--workers 2 --preload");
    let old = server.wait_workers(2);
    server.write("versioned.py", &version("new"));
    server.signal(Signal::SIGHUP);
    old.into_iter().for_each(wait_gone);
    server.get("/").expect(200, "('new',) []");
    assert_eq!(server.workdir().read("imports"), "old.new.", "preloaded once for each generation");
}

/// HUP reads the configuration file again: the number of workers, the environment.
#[test]
fn hup_reads_the_configuration_again() {
    let server = Launch::app("plain").conf("workers = 1\nraw_env = ['COLOUR=red']\n").start();
    let old = server.wait_workers(1)[0];
    server.get("/env?COLOUR").expect(200, "red");
    server.write("gunicorn.conf.py", "workers = 3\nraw_env = ['COLOUR=blue']\n");
    server.signal(Signal::SIGHUP);
    wait_gone(old);
    server.wait_workers(3);
    server.get("/env?COLOUR").expect(200, "blue");
}

/// HUP forgets what TTIN added.
#[test]
fn hup_resets_the_number_of_workers() {
    let server = Launch::app("plain").start();
    let first = server.wait_workers(1)[0];
    server.signal(Signal::SIGTTIN);
    let old = server.wait_workers(2);
    server.signal(Signal::SIGHUP);
    wait_gone(first);
    old.into_iter().for_each(wait_gone);
    server.wait_workers(1);
}

/// A request in flight is finished by its old worker while the new ones serve already.
#[test]
fn hup_lets_requests_finish() {
    let server = Launch::app("plain").args("--workers 2").start();
    let old = server.wait_workers(2);
    let mut connection = server.hold("open");
    server.signal(Signal::SIGHUP);
    server.wait_for("an answer by a new worker", || (!old.contains(&server.serving_pid())).then_some(()));
    server.write("open", "");
    connection.response().expect(200, "passed");
    old.into_iter().for_each(wait_gone);
}

/// A syntax error in the configuration file is logged, and the old workers go on; so does a repaired reload.
#[test]
fn a_broken_configuration_changes_nothing() {
    only_ferricorn!(DIES);
    let server = old_version("--workers 2");
    server.write("gunicorn.conf.py", "workers = (\n");
    assert_survives(&server, "SyntaxError");
    server.write("gunicorn.conf.py", "workers = 2\n");
    server.write("versioned.py", &version("new"));
    server.signal(Signal::SIGHUP);
    wait_new(&server);
}

/// A bad value in the configuration file is logged, and the old workers go on.
#[test]
fn a_bad_value_changes_nothing() {
    only_ferricorn!(DIES);
    let server = old_version("--workers 2");
    server.write("gunicorn.conf.py", "workers = 'many'\n");
    assert_survives(&server, "many");
}

/// Code that cannot be imported is logged with its traceback, and the old workers go on; a repaired reload works.
#[test]
fn broken_code_changes_nothing() {
    only_ferricorn!(DIES);
    let server = old_version("--workers 2");
    server.write("versioned.py", "raise LookupError('broken on purpose')\n");
    assert_survives(&server, "LookupError: broken on purpose");
    server.write("versioned.py", "application = None\n");
    assert_survives(&server, "Failed to find application object");
    server.write("versioned.py", &version("new"));
    server.signal(Signal::SIGHUP);
    wait_new(&server);
}

/// The same with `--preload`.
#[test]
fn broken_preloaded_code_changes_nothing() {
    only_ferricorn!(DIES);
    let server = old_version("--workers 2 --preload");
    server.write("versioned.py", "raise LookupError('broken on purpose')\n");
    assert_survives(&server, "LookupError: broken on purpose");
    server.write("versioned.py", &version("new"));
    server.signal(Signal::SIGHUP);
    wait_new(&server);
}

/// Code that ends its process at import, by `sys.exit` or `os._exit`, changes nothing either.
#[test]
fn code_that_exits_changes_nothing() {
    only_ferricorn!(DIES);
    for (args, death) in [
        ("--workers 2", "import sys; sys.exit(1)"),
        ("--workers 2", "import os; os._exit(3)"),
        ("--workers 2", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("--workers 2 --preload", "import os; os._exit(0)"),
    ] {
        let server = old_version(args);
        server.write("versioned.py", &format!("open('imports', 'a').write('dead.')\n{death}\n"));
        assert_survives(&server, "Hang up: Master");
        eventually("the import that died", || server.workdir().read("imports").contains("dead.").then_some(()));
        assert!(stays(Duration::from_millis(700), || server.get("/").text() == "('old',) []"));
        assert_eq!(server.workers().len(), 2, "{death}");
    }
}

/// A new generation whose workers do not get ready in `boot_timeout` is given up: the log says where they hang, and the old
/// workers go on. So with `--preload`, where the mold hangs.
#[test]
fn a_hanging_import_fails_the_reload() {
    only_ferricorn!("Gunicorn replaces its workers by ones that hang");
    for (args, word) in
        [("", "was not ready after 5 s (boot_timeout)"), ("--preload", "not ready in time (boot_timeout)")]
    {
        let server = old_version(&format!("--workers 2 --boot-timeout 5 {args}"));
        server.write("versioned.py", "import time\nwhile True:\n    time.sleep(0.01)\n");
        assert_survives(&server, word);
        server.wait_log("Reload failed, the old workers go on serving:");
        if args.is_empty() {
            server.wait_log("Worker was told to abort while it loaded the application, which was here:");
            server.wait_log("versioned.py\", line 3");
        }
        server.write("versioned.py", &version("new"));
        server.signal(Signal::SIGHUP);
        wait_new(&server);
    }
}

/// `reload_surge` workers at a time are replaced, and there are never more than so many above the number asked for.
#[test]
fn a_reload_keeps_to_its_surge() {
    only_ferricorn!("Gunicorn starts all new workers at once");
    let server = Launch::app("plain").args("--workers 4 --reload-surge 2").start();
    let old = server.wait_workers(4);
    server.signal(Signal::SIGHUP);
    let most = server.wait_for("all new workers", || {
        let now = server.workers().len();
        assert!(now <= 6, "{now} workers at once");
        old.iter().all(|pid| !alive(*pid)).then_some(now)
    });
    assert!(most <= 6);
    server.wait_workers(4);
}
