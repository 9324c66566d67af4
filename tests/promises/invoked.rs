//! Under which name the command runs, and what it says about itself.

use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use crate::harness::Launch;
use crate::harness::process;
use crate::harness::target::{executable, program};

/// A launch of the target's command by a link that is called `gunicorn`.
fn by_link(launch: Launch) -> Launch {
    let command = executable().canonicalize().expect("the command is installed");
    symlink(command, launch.workdir().join("gunicorn")).expect("a fresh directory has room for a link");
    launch.by("gunicorn")
}

/// A link named `gunicorn` serves, reads `gunicorn.conf.py` and GUNICORN_CMD_ARGS, and stops as ever.
#[test]
fn a_link_named_gunicorn_serves() {
    let launch = Launch::app("plain").conf("workers = 2\n").env("GUNICORN_CMD_ARGS", "--timeout 9");
    let server = by_link(launch).start();
    server.get("/").expect(200, "hello");
    server.wait_workers(2);
    server.signal(Signal::SIGHUP);
    server.wait_line("Hang up: Master");
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// A link named `gunicorn` calls itself so in usage and errors.
#[test]
fn a_link_named_gunicorn_calls_itself_so() {
    by_link(Launch::app("plain")).args("--nonsense").run().expect(2, &["usage: gunicorn ", "gunicorn: error: "]);
    let help = by_link(Launch::bare().no_bind()).args("--help").run();
    help.expect(0, &[]);
    assert!(help.stdout.contains("sage: gunicorn "), "{}", help.stdout);
    by_link(Launch::bare()).run().expect(1, &["Error: No application module specified."]);
}

/// A link named `gunicorn` tells the version of what it leads to.
#[test]
fn a_link_named_gunicorn_tells_its_version() {
    for flag in ["--version", "-v"] {
        let version = by_link(Launch::bare().no_bind()).args(flag).run();
        version.expect(0, &[]);
        assert!(version.stdout.contains(program()) && version.stdout.contains(" (version "), "{}", version.stdout);
    }
}

/// `python -m` runs the command, under its own name.
#[test]
fn the_package_can_be_run() {
    let server = Launch::python(&format!("-m {} --bind 127.0.0.1:0 plain", program())).start();
    server.get("/").expect(200, "hello");
    assert_eq!(process::title(server.pid()), format!("{}: master [plain]", program()));
    Launch::python(&format!("-m {} --nonsense", program())).run().expect(2, &["--nonsense"]);
}

/// The line about the worker names its class.
#[test]
fn the_log_names_the_worker_class() {
    for class in ["sync", "gthread"] {
        let server = Launch::app("plain").args("--worker-class").arg(class).start();
        assert_eq!(server.wait_line("Using worker: ").message, format!("Using worker: {class}"));
    }
}

/// A class of Gunicorn's that serves here can be given as an object.
#[test]
fn a_worker_class_may_be_an_object() {
    let conf = "from gunicorn.workers.sync import SyncWorker\nworker_class = SyncWorker\n";
    Launch::app("plain").conf(conf).start().get("/").expect(200, "hello");
}

/// gthread with one thread is fine, and the environ says that threads may be many.
#[test]
fn gthread_serves() {
    let app = "from plain import answer\ndef application(environ, start_response):
    return answer(start_response, '%s %s' % (environ['wsgi.multithread'], environ['wsgi.multiprocess']))
";
    let launch = |class: &str| Launch::app("asks").file("asks.py", app).args("--worker-class").arg(class).start();
    launch("gthread").get("/").expect(200, "True False");
    launch("sync").get("/").expect(200, "False False");
}
