//! What hooks can see and do: the attributes of `server` and `worker`, and what a hook changes.

use nix::sys::signal::Signal;

use crate::harness::strict::{Load, Mode};
use crate::harness::{Launch, Server};

/// Starts `plain` with `hooks` after `from noting_hooks import note` in its configuration file.
#[track_caller]
fn with(hooks: &str) -> Server {
    let server = Launch::app("plain").conf(&format!("import os\nfrom noting_hooks import note\n{hooks}")).start();
    server.wait_for("a worker", || (!server.workers().is_empty()).then_some(()));
    server
}

/// `server` has its configuration, its address, its numbers, and a log whose lines are in the error log.
#[test]
fn hooks_can_use_the_server() {
    let server = with(
        "timeout = 17
def when_ready(server):
    server.log.warning('ready with %s', 'arguments')
    note('when_ready', workers=server.cfg.workers, number=server.num_workers, pid_of_server=server.pid,
         timeout=server.timeout, name=server.proc_name, address=server.address, workers_now=len(server.WORKERS))
",
    );
    let note = server.wait_noted("when_ready", 1).remove(0);
    assert_eq!(note.pid("pid_of_server"), server.pid());
    assert_eq!((&note["workers"], &note["number"], &note["workers_now"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!((&note["timeout"], &note["name"]), (&17.into(), &"plain".into()));
    assert_eq!(note["address"], serde_json::json!([["127.0.0.1", 0]]));
    assert_eq!(server.wait_line("ready with arguments").level, "WARNING");
}

/// The log of a hook has every level of `logging`, with tracebacks.
#[test]
fn the_log_of_a_hook_has_every_level() {
    let server = with(
        "loglevel = 'debug'
def post_fork(server, worker):
    for level in ('debug', 'info', 'warning', 'error', 'critical'):
        getattr(worker.log, level)('said at %s', level)
    server.log.log(20, 'said by %s', 'log')
    try:
        raise LookupError('on purpose')
    except LookupError:
        server.log.exception('said with a traceback')
",
    );
    for level in ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] {
        assert_eq!(server.wait_line(&format!("said at {}", level.to_lowercase())).level, level);
    }
    assert_eq!(server.wait_line("said by log").level, "INFO");
    assert_eq!(server.wait_line("said with a traceback").level, "ERROR");
    server.wait_log("LookupError: on purpose");
}

/// A worker that was just forked has its pid, age and parent, and has loaded nothing.
#[test]
fn post_fork_comes_before_the_application() {
    let app = "from noting_hooks import note\nnote('import')\nfrom plain import application\n";
    let conf = "from noting_hooks import note
def post_fork(server, worker):
    note('post_fork', own=worker.pid, ppid=worker.ppid, age=worker.age, booted=worker.booted, alive=worker.alive,
         loaded=hasattr(worker, 'wsgi'), shown=str(worker), workers=worker.cfg.workers)
def post_worker_init(worker):
    note('post_worker_init', callable=callable(worker.wsgi), alive=worker.alive, aborted=worker.aborted, nr=worker.nr,
         half=worker.timeout)
";
    let server = Launch::app("told").file("told.py", app).args("--timeout 20").conf(conf).start();
    let ready = server.wait_noted("post_worker_init", 1).remove(0);
    assert_eq!(crate::harness::notes::names(&server.notes()), ["post_fork", "import", "post_worker_init"]);
    let forked = server.wait_noted("post_fork", 1).remove(0);
    assert_eq!((forked.pid("own"), forked.pid("ppid")), (forked.process(), server.pid()));
    assert_eq!(forked["shown"], format!("<Worker {}>", forked.process()));
    let facts = ["age", "booted", "alive", "loaded", "workers"].map(|name| forked[name].clone());
    assert_eq!(serde_json::json!(facts), serde_json::json!([1, false, true, false, 1]));
    let facts = ["callable", "alive", "aborted", "nr", "half"].map(|name| ready[name].clone());
    assert_eq!(serde_json::json!(facts), serde_json::json!([true, true, false, 0, 10.0]));
}

/// `server.WORKERS` maps pids to workers whose age and pid later hooks can read.
#[test]
fn the_workers_can_be_looked_up() {
    let server = with(
        "workers = 2
def child_exit(server, worker):
    note('child_exit', gone=worker.age, left=[[pid, w.pid, w.age] for pid, w in server.WORKERS.items()])
",
    );
    let workers = server.wait_workers(2);
    crate::harness::process::send(workers[0], Signal::SIGKILL);
    let note = server.wait_noted("child_exit", 1).remove(0);
    let ages = [1, 2].map(i64::from);
    let left = note["left"].as_array().and_then(|left| left.first()).expect("one worker is left").clone();
    assert_eq!(left[0], left[1]);
    assert_eq!(left[0], workers[1].as_raw());
    let (gone, kept) = (note["gone"].as_i64().unwrap_or_default(), left[2].as_i64().unwrap_or_default());
    assert!(gone != kept && ages.contains(&gone) && ages.contains(&kept), "{note:?}");
}

/// What post_fork puts into the environment or into modules is there for the application.
#[test]
fn post_fork_can_prepare_the_worker() {
    let server = with("def post_fork(server, worker):\n    os.environ['INDEX'] = str(worker.age)\n");
    server.get("/env?INDEX").expect(200, "1");
}

/// A hook that sets `worker.alive` to False sends the worker away after its request, and no request is lost.
#[test]
fn a_hook_can_recycle_its_worker() {
    let server = with("def post_request(worker, req, environ, resp):\n    worker.alive = worker.nr < 20\n");
    let first = server.serving_pid();
    let load = Load::start(&server.address(), &[Mode::Close, Mode::Close]);
    server.wait_for("a third worker", || {
        (crate::harness::log::booted(&server.log()).len() >= 3 && load.right() >= 100).then_some(())
    });
    let tally = load.finish();
    assert!(tally.anomalies.is_empty(), "{tally:?}");
    server.wait_log(&format!("Worker exiting (pid: {first})"));
}

/// `cfg` has every setting by name, those that are not set with their defaults.
#[test]
fn the_configuration_can_be_read() {
    let server = with("accesslog = 'access.log'
proc_name = 'shop'
def post_worker_init(worker):
    cfg = worker.cfg
    note('cfg', name=cfg.proc_name, log=cfg.accesslog, threads=cfg.threads, keepalive=cfg.keepalive, pid_file=cfg.pidfile,
         kind=cfg.worker_class_str, ssl=bool(cfg.is_ssl), address=len(cfg.address), all=len(cfg.settings) >= 120,
         value=cfg.settings['graceful_timeout'].get(), uid=cfg.uid == os.geteuid(), env=cfg.env)
");
    let note = server.wait_noted("cfg", 1).remove(0);
    let names =
        ["name", "log", "threads", "keepalive", "pid_file", "kind", "ssl", "address", "all", "value", "uid", "env"];
    let facts = names.map(|name| note[name].clone());
    let wanted = serde_json::json!(["shop", "access.log", 1, 2, null, "sync", false, 1, true, 30, true, {}]);
    assert_eq!(serde_json::json!(facts), wanted);
}
