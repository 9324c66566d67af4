//! Hooks that raise, block, or are none: what ends the start, what ends a worker, and what the server outlives.

use nix::sys::signal::Signal;

use crate::harness::http::Fault;
use crate::harness::process::send;
use crate::harness::{Launch, Server};

/// The text of a hook that raises.
fn raising(hook: &str) -> String {
    format!("def {hook}:\n    raise LookupError('raised on purpose')\n")
}

/// Starts `plain` with a hook that raises.
#[track_caller]
fn with(hook: &str) -> Server {
    Launch::app("plain").conf(&raising(hook)).start()
}

/// A master hook that raises before the first worker ends the start: exit 1, with the traceback.
#[test]
fn a_hook_that_raises_ends_the_start() {
    for hook in ["nworkers_changed(server, new, old)", "on_starting(server)", "when_ready(server)"] {
        let finished = Launch::app("plain").conf(&raising(hook)).run();
        finished.expect(1, &["Traceback (most recent call last):", "gunicorn.conf.py", "raised on purpose"]);
        assert_eq!(finished.stderr.matches("Booting worker").count(), 0, "{}", finished.stderr);
    }
}

/// pre_fork that raises for the first worker ends the start, with the traceback.
#[test]
fn pre_fork_that_raises_ends_the_start() {
    let finished = Launch::app("plain").conf(&raising("pre_fork(server, worker)")).run();
    assert_ne!(finished.code, 0);
    finished.expect(finished.code, &["Traceback (most recent call last):", "LookupError: raised on purpose"]);
}

/// A worker hook that raises before the worker serves is a boot failure: exit 3, with the traceback.
#[test]
fn a_hook_that_raises_in_the_worker_is_a_boot_failure() {
    for hook in ["post_fork(server, worker)", "post_worker_init(worker)"] {
        let finished = Launch::app("plain").conf(&raising(hook)).run();
        let words = ["Exception in worker process", "LookupError: raised on purpose", "Worker failed to boot."];
        finished.expect(3, &words);
    }
}

/// pre_request that raises is a 500 for that request; the worker goes on.
#[test]
fn pre_request_that_raises_is_a_500() {
    let server = with("pre_request(worker, req)");
    let worker = server.wait_workers(1);
    assert_eq!(server.get("/?first").status(), 500);
    assert_eq!(server.get("/?second").status(), 500);
    server.wait_log("Error handling request GET /?second");
    server.wait_log("LookupError: raised on purpose");
    assert_eq!(server.wait_workers(1), worker);
}

/// post_request that raises is a traceback in the log; the client has its answer, and the worker goes on.
#[test]
fn post_request_that_raises_is_logged() {
    let server = with("post_request(worker, req, environ, resp)");
    server.get("/").expect(200, "hello");
    assert_eq!(server.wait_line("Exception in post_request hook").level, "ERROR");
    server.wait_log("LookupError: raised on purpose");
    server.get("/").expect(200, "hello");
    server.wait_workers(1);
}

/// worker_exit that raises is a traceback in the log, and the worker leaves all the same.
#[test]
fn worker_exit_that_raises_is_logged() {
    let server = with("worker_exit(server, worker)");
    let worker = server.serving_pid();
    send(worker, Signal::SIGTERM);
    server.wait_log("LookupError: raised on purpose");
    assert_ne!(server.serving_pid(), worker);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// on_exit that raises leaves its traceback, and nothing running.
#[test]
fn on_exit_that_raises_is_shown() {
    let server = with("on_exit(server)");
    server.get("/").expect(200, "hello");
    server.stop(Signal::SIGTERM);
    assert!(server.log().contains("LookupError: raised on purpose"), "{}", server.log());
    server.wait_nothing_running();
}

/// child_exit that raises is logged, and the server goes on, with a new worker.
#[test]
fn child_exit_that_raises_is_survived() {
    only_ferricorn!("Gunicorn ends: Unhandled exception in main loop");
    let server = with("child_exit(server, worker)");
    let worker = server.serving_pid();
    send(worker, Signal::SIGKILL);
    server.wait_log("LookupError: raised on purpose");
    assert_ne!(server.serving_pid(), worker);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// on_reload that raises is a reload that failed: the old workers go on serving, and the next reload may do.
#[test]
fn on_reload_that_raises_changes_nothing() {
    only_ferricorn!("Gunicorn ends with status 255 and leaves its workers alone");
    let server = with("on_reload(server)");
    let worker = server.serving_pid();
    server.signal(Signal::SIGHUP);
    server.wait_log("LookupError: raised on purpose");
    assert_eq!(server.serving_pid(), worker);
    server.write("gunicorn.conf.py", "def on_reload(server):\n    server.log.info('reloaded')\n");
    server.signal(Signal::SIGHUP);
    server.wait_line("reloaded");
    server.wait_for("a new worker", || (server.serving_pid() != worker).then_some(()));
}

/// A master hook that blocks for ever keeps the server from nothing: it serves, replaces, reloads and stops.
#[test]
fn a_blocking_hook_stops_nothing() {
    only_ferricorn!("Gunicorn's master waits for its hook");
    let conf = "import threading\nfrom noting_hooks import note\ndef child_exit(server, worker):
    note('blocked')
    threading.Event().wait()
";
    let server = Launch::app("plain").conf(conf).start();
    let first = server.serving_pid();
    send(first, Signal::SIGKILL);
    server.wait_noted("blocked", 1);
    let second = server.serving_pid();
    assert_ne!(second, first);
    server.write("gunicorn.conf.py", "workers = 2\n");
    server.signal(Signal::SIGHUP);
    server.wait_for("two new workers", || {
        let workers = server.workers();
        (workers.len() == 2 && !workers.contains(&second)).then_some(())
    });
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
}

/// A hook with the wrong number of arguments is exit 1 and a sentence that names it; optional arguments count.
#[test]
fn the_number_of_arguments_is_checked() {
    for (hook, wanted) in [
        ("when_ready()", "1"),
        ("on_exit(server, worker)", "1"),
        ("when_ready(*arguments)", "1"),
        ("post_fork(server)", "2"),
        ("post_fork(server, worker, more=None)", "2"),
        ("child_exit(worker)", "2"),
        ("nworkers_changed(server, new)", "3"),
        ("post_request(worker)", "4"),
        ("post_request(worker, req, environ, resp, more)", "4"),
        ("pre_request(req)", "2"),
    ] {
        let finished = Launch::app("plain").conf(&format!("def {hook}: pass\n")).run();
        let name = hook.split('(').next().unwrap_or_default();
        finished.expect(1, &["Error: ", name, wanted]);
        assert!(!finished.stderr.contains("Starting "), "{}", finished.stderr);
    }
}

/// Whatever can be called with the right arguments is a hook: partials, methods, objects, functions with options by name.
#[test]
fn anything_callable_is_a_hook() {
    for hook in [
        "import functools\ndef ready(word, server): server.log.info('called')\nwhen_ready = functools.partial(ready, 1)\n",
        "class Ready:\n    def ready(self, server): server.log.info('called')\nwhen_ready = Ready().ready\n",
        "class Ready:\n    def __call__(self, server): server.log.info('called')\nwhen_ready = Ready()\n",
        "def when_ready(server, *, more=None): server.log.info('called')\n",
        "when_ready = lambda server: server.log.info('called')\n",
    ] {
        Launch::app("plain").conf(hook).start().wait_line("called");
    }
}

/// A hook that is no function, or a dotted name that leads nowhere, is exit 1 and names hook and value.
#[test]
fn what_is_no_hook_is_refused() {
    for (value, words) in [
        ("3", vec!["3"]),
        ("None", vec!["None"]),
        ("'no_such_module.hook'", vec!["no_such_module"]),
        ("'noting_hooks.nothing'", vec!["nothing", "noting_hooks"]),
        ("'noting_hooks'", vec!["'noting_hooks'"]),
        ("'noting_hooks.json'", vec![]),
    ] {
        let finished = Launch::app("plain").conf(&format!("when_ready = {value}\n")).run();
        finished.expect(1, &["Error: ", "when_ready"]).expect(1, &words);
    }
}

/// Hooks of the original that never come to pass here are checked all the same.
#[test]
fn hooks_without_effect_are_checked() {
    let refused = Launch::app("plain").conf("def pre_exec(): pass\n").run();
    refused.expect(1, &["pre_exec"]);
    let server =
        Launch::app("plain").conf("def pre_exec(server): pass\ndef ssl_context(conf, make): return make()\n").start();
    server.get("/").expect(200, "hello");
}

/// A worker hook that ends its process does not end the server.
#[test]
fn a_hook_that_ends_its_worker_is_survived() {
    let conf = "import os\ndef pre_request(worker, req):\n    if req.path == '/exit': os._exit(9)\n";
    let server = Launch::app("plain").conf(conf).start();
    let worker = server.serving_pid();
    let mut connection = server.connect();
    connection.send("GET /exit HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = connection.try_response_to("GET");
    assert!(matches!(answer, Err(Fault::Closed | Fault::Reset)), "{answer:?}");
    server.wait_log(&format!("Worker (pid:{worker}) exited with code 9."));
    assert_ne!(server.serving_pid(), worker);
}

/// sys.exit in a hook of the start is the server's exit status.
#[test]
fn a_hook_may_refuse_the_start() {
    let hook = "import sys\ndef on_starting(server):\n    sys.exit(5)\n";
    Launch::app("plain").conf(hook).run().expect(5, &[]);
}
