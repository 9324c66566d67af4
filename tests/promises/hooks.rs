//! Server hooks: which are called, in which order, in which process, with what.

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::notes::{self, EVERY_HOOK, Note, names};
use crate::harness::process::send;
use crate::harness::{Launch, Server};

/// A server of `plain` with `workers` workers in which every hook writes down its calls, after all have booted.
#[track_caller]
fn noting(workers: usize) -> Server {
    let server = Launch::app("plain").args(&format!("--workers {workers}")).conf(EVERY_HOOK).start();
    server.wait_noted("post_worker_init", workers);
    server.wait_workers(workers);
    server
}

/// The calls among `notes` that were not made in one of `workers`.
fn of_the_master(notes: &[Note], workers: &[Pid]) -> Vec<Note> {
    notes.iter().filter(|note| !workers.contains(&note.process())).cloned().collect()
}

/// The calls that worker `pid` made.
fn of_worker(notes: &[Note], pid: Pid) -> Vec<Note> {
    notes.iter().filter(|note| note.process() == pid).cloned().collect()
}

/// At the start: nworkers_changed, on_starting, when_ready, then for each worker pre_fork, post_fork, post_worker_init.
#[test]
fn the_hooks_of_a_start_come_in_order() {
    let server = noting(2);
    let (notes, workers) = (server.notes(), server.workers());
    let master = of_the_master(&notes, &workers);
    assert_eq!(names(&master), ["nworkers_changed", "on_starting", "when_ready", "pre_fork", "pre_fork"]);
    assert_eq!((&master[0]["new"], &master[0]["old"]), (&2.into(), &serde_json::Value::Null));
    assert!(master[2].pids("workers").is_empty(), "a worker is known before the first fork");
    for pid in &workers {
        let own = of_worker(&notes, *pid);
        assert_eq!(names(&own), ["post_fork", "post_worker_init"]);
        let age = &own[0]["age"];
        let forked = notes.iter().position(|note| note.hook() == "pre_fork" && note["age"] == *age);
        let begun = notes.iter().position(|note| note.process() == *pid);
        assert!(forked.is_some() && forked < begun, "{notes:?}");
    }
    let ages: Vec<_> = master[3..].iter().map(|note| note["age"].clone()).collect();
    assert_eq!(ages, [1, 2]);
}

/// Whatever process runs a hook, `server.pid` is the master's; worker hooks run in the worker they are given.
#[test]
fn hooks_know_the_processes() {
    let server = noting(2);
    server.get("/").expect(200, "hello");
    server.wait_noted("post_request", 1);
    assert_eq!(server.stop(Signal::SIGINT), 0);
    let notes = notes::read(server.workdir());
    let workers: Vec<_> = notes.iter().filter(|n| n.hook() == "post_fork").map(Note::process).collect();
    for note in &notes {
        if !note["server"].is_null() {
            assert_eq!(note.pid("server"), server.pid(), "{note:?}");
        }
        let inside = ["post_fork", "post_worker_init", "pre_request", "post_request", "worker_int", "worker_exit"];
        match inside.contains(&note.hook()) {
            true => assert_eq!(note.pid("worker"), note.process(), "{note:?}"),
            false => assert!(!workers.contains(&note.process()), "{note:?}"),
        }
        if note.hook() == "pre_fork" {
            assert_eq!(note["worker"], "[booting]");
        }
    }
}

/// HUP: nworkers_changed and on_reload before the first new worker; the old ones say goodbye, and ages go on counting.
#[test]
fn hup_calls_on_reload_before_new_workers() {
    let server = noting(2);
    let old = server.workers();
    server.signal(Signal::SIGHUP);
    server.wait_noted("child_exit", 2);
    let new: Vec<_> = server.workers().into_iter().filter(|pid| !old.contains(pid)).collect();
    let notes = server.notes();
    let master = of_the_master(&notes, &[old.clone(), new].concat());
    let reload: Vec<_> = master[5..].iter().filter(|note| note.hook() != "child_exit").cloned().collect();
    assert_eq!(names(&reload), ["nworkers_changed", "on_reload", "pre_fork", "pre_fork"]);
    assert_eq!((&reload[0]["new"], &reload[0]["old"]), (&2.into(), &2.into()));
    assert_eq!((&reload[2]["age"], &reload[3]["age"]), (&3.into(), &4.into()));
    assert!(master.iter().all(|note| note["server"].is_null() || note.pid("server") == server.pid()));
    for pid in &old {
        assert_eq!(names(&of_worker(&notes, *pid)), ["post_fork", "post_worker_init", "worker_exit"]);
    }
    let gone: Vec<_> = server.noted("child_exit").iter().map(|note| note.pid("worker")).collect();
    assert!(old.iter().all(|pid| gone.contains(pid)), "{gone:?}");
}

/// TTIN and TTOU: nworkers_changed with the new and the old number, then what happens to the workers.
#[test]
fn ttin_and_ttou_change_the_number() {
    let server = noting(1);
    let first = server.workers()[0];
    server.signal(Signal::SIGTTIN);
    server.wait_noted("post_worker_init", 2);
    server.signal(Signal::SIGTTOU);
    let gone = server.wait_noted("child_exit", 1).remove(0);
    assert_eq!((gone.pid("worker"), &gone["age"]), (first, &1.into()));
    let changes: Vec<_> =
        server.noted("nworkers_changed").iter().map(|n| (n["new"].clone(), n["old"].clone())).collect();
    assert_eq!(changes[1..], [(2.into(), 1.into()), (1.into(), 2.into())]);
    assert_eq!(names(&of_worker(&server.notes(), first)), ["post_fork", "post_worker_init", "worker_exit"]);
}

/// A worker that is killed: child_exit with that worker, whom WORKERS no longer has, and then a pre_fork.
#[test]
fn a_killed_worker_is_a_child_exit() {
    let server = noting(2);
    let killed = server.workers()[0];
    send(killed, Signal::SIGKILL);
    let exit = server.wait_noted("child_exit", 1).remove(0);
    assert_eq!(exit.pid("worker"), killed);
    assert_eq!(exit.pids("workers").len(), 1);
    assert!(!exit.pids("workers").contains(&i64::from(killed.as_raw())));
    let forks = server.wait_noted("pre_fork", 3);
    assert_eq!(forks[2]["age"], 3);
    assert!(server.noted("worker_exit").is_empty(), "nobody can say goodbye after SIGKILL");
    assert_eq!(server.noted("nworkers_changed").len(), 1);
}

/// TERM: worker_exit in each worker, child_exit for each, on_exit last of all.
#[test]
fn a_stop_ends_with_on_exit() {
    let server = noting(2);
    let before = server.notes().len();
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let after = notes::read(server.workdir()).split_off(before);
    assert_eq!(after.last().map(Note::hook), Some("on_exit"));
    assert!(after.last().is_some_and(|note| note.pids("workers").is_empty()));
    let mut all = names(&after);
    all.sort_unstable();
    assert_eq!(all, ["child_exit", "child_exit", "on_exit", "worker_exit", "worker_exit"]);
    for exit in after.iter().filter(|note| note.hook() == "child_exit") {
        let place = |hook: &str| after.iter().position(|note| note.hook() == hook && note["worker"] == exit["worker"]);
        assert!(place("worker_exit") < place("child_exit"), "{after:?}");
    }
}

/// INT: worker_int in each worker before its worker_exit.
#[test]
fn a_quick_stop_calls_worker_int() {
    let server = noting(1);
    let worker = server.workers()[0];
    assert_eq!(server.stop(Signal::SIGINT), 0);
    let own = of_worker(&notes::read(server.workdir()), worker);
    assert_eq!(names(&own), ["post_fork", "post_worker_init", "worker_int", "worker_exit"]);
}

/// A worker that times out: worker_abort in it, then worker_exit, then child_exit.
#[test]
fn a_timeout_calls_worker_abort() {
    let server = Launch::app("slow").args("--timeout 1").conf(EVERY_HOOK).start();
    let worker = server.wait_noted("post_worker_init", 1)[0].process();
    server.connect().send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
    let exit = server.wait_noted("child_exit", 1).remove(0);
    assert_eq!(exit.pid("worker"), worker);
    let mut own = of_worker(&server.notes(), worker);
    own.retain(|note| note.hook() != "post_request");
    assert_eq!(names(&own), ["post_fork", "post_worker_init", "pre_request", "worker_abort", "worker_exit"]);
}

/// Hooks may be named as dotted strings, of a module beside the configuration file or on PYTHONPATH.
#[test]
fn hooks_can_be_named() {
    let hooks = "def when_ready(server):\n    server.log.info('named %s', server.pid)\n";
    let conf = "when_ready = 'conf_hooks.when_ready'\npost_fork = 'noting_hooks.post_fork'\n";
    let server = Launch::app("plain").file("conf_hooks.py", hooks).conf(conf).start();
    server.wait_line(&format!("named {}", server.pid()));
    server.wait_noted("post_fork", 1);
}

/// A worker that cannot boot says goodbye and is no child_exit; on_exit is called all the same.
#[test]
fn a_boot_failure_ends_with_on_exit() {
    let finished = Launch::app("no_such_module").conf(EVERY_HOOK).run();
    finished.expect(3, &["no_such_module"]);
    let notes = notes::read(&finished.workdir);
    let all = names(&notes);
    assert_eq!(all[..4], ["nworkers_changed", "on_starting", "when_ready", "pre_fork"]);
    assert_eq!(all.last(), Some(&"on_exit"));
    assert!(all.contains(&"worker_exit") && !all.contains(&"child_exit"), "{all:?}");
}
