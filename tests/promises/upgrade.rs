//! USR2: a new program takes over from the running one, or does not, and nobody notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::process::{alive, children, send, title, wait_gone};
use crate::harness::strict::{Load, Mode};
use crate::harness::{Launch, Server, target};

const ARGS: &str = "--workers 2 --pid server.pid";

/// Sends USR2 and waits until the new master serves, too; gives its pid.
#[track_caller]
fn upgraded(server: &Server, workers: usize) -> Pid {
    server.signal(Signal::SIGUSR2);
    let pid = server.wait_for("the new pid file", || server.workdir().read("server.pid.2").trim().parse().ok());
    server.wait_workers(workers);
    server.wait_for("the workers of both", || server.log().contains(&format!("({pid})")).then_some(()));
    Pid::from_raw(pid)
}

/// Waits until the old master has taken note of the new one's end.
#[track_caller]
fn wait_reaped(server: &Server, new: Pid) {
    let is_reaped = || (!std::path::Path::new(&format!("/proc/{new}")).exists()).then_some(());
    server.wait_for("the new master's end", is_reaped);
}

/// USR2 starts a second master on the same socket; when the first one is told to stop the second is promoted: it has the pid
/// file, and serves on.
#[test]
fn the_new_master_takes_over() {
    let server = Launch::app("plain").args(ARGS).start();
    let address = server.address();
    let old = server.wait_workers(2);
    let new = upgraded(&server, 4);
    assert_eq!(server.workdir().read("server.pid"), format!("{}\n", server.pid()));
    assert!(title(new).ends_with("master [plain.2]"), "{}", title(new));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    old.into_iter().for_each(wait_gone);
    let promoted = || (server.workdir().read("server.pid") == format!("{new}\n")).then_some(());
    crate::harness::eventually("the promotion", promoted);
    assert!(server.log().contains("Master has been promoted."), "{}", server.log());
    crate::harness::eventually("the new title", || title(new).ends_with("master [plain]").then_some(()));
    assert!(!server.workdir().has("server.pid.2"));
    crate::harness::connection::Connection::open(&address).unwrap().get("/").expect(200, "hello");
    send(new, Signal::SIGTERM);
    wait_gone(new);
    assert!(!server.workdir().has("server.pid"));
}

/// An upgrade is called off by stopping the new master: the old one goes on, and can try again.
#[test]
fn an_upgrade_can_be_called_off() {
    let server = Launch::app("plain").args(ARGS).start();
    let new = upgraded(&server, 4);
    server.signal(Signal::SIGUSR2);
    server.wait_log("USR2 signal ignored. Child exists.");
    send(new, Signal::SIGUSR2);
    server.wait_log("USR2 signal ignored. Parent exists.");
    send(new, Signal::SIGTERM);
    wait_reaped(&server, new);
    server.wait_workers(2);
    server.get("/").expect(200, "hello");
    let again = upgraded(&server, 4);
    assert_ne!(again, new);
}

/// A unix socket stays where it is while two masters serve from it, and goes with the last one.
#[test]
fn the_unix_socket_stays() {
    let server = Launch::app("plain").bind("unix:socket").args(ARGS).start();
    let new = upgraded(&server, 4);
    send(new, Signal::SIGTERM);
    wait_reaped(&server, new);
    server.get("/").expect(200, "hello");
    let new = upgraded(&server, 4);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let open = || crate::harness::connection::Connection::open(&server.address()).ok();
    crate::harness::eventually("an answer", open).get("/").expect(200, "hello");
    if target::target() == target::Target::Gunicorn {
        // Until it has noticed, the file is not its own.
        crate::harness::eventually("the promotion", || {
            server.log().contains("Master has been promoted.").then_some(())
        });
    }
    send(new, Signal::SIGTERM);
    wait_gone(new);
    assert!(!server.workdir().has("socket"));
}

/// An old master that is killed takes nothing from the new one: the sockets are that one's, too.
#[test]
fn a_killed_old_master_leaves_the_new_one_its_sockets() {
    let server = Launch::app("plain").args(ARGS).start();
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::KeepAlive, Mode::Close, Mode::Close]);
    let old = server.wait_workers(2);
    let new = upgraded(&server, 4);
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    old.into_iter().for_each(wait_gone);
    let before = load.right();
    crate::harness::eventually("answers of the new one", || (load.right() > before + 200).then_some(()));
    let tally = load.finish();
    assert!(tally.anomalies.is_empty(), "{tally:?}");
    send(new, Signal::SIGTERM);
    wait_gone(new);
}

/// The hook `pre_exec` is called before the new master is started.
#[test]
fn pre_exec_is_called() {
    let conf = "from noting_hooks import note\ndef pre_exec(server):\n    note('pre_exec', master=server.pid)\n";
    let server = Launch::app("plain").conf(conf).args(ARGS).start();
    upgraded(&server, 4);
    assert_eq!(server.wait_noted("pre_exec", 1).remove(0).pid("master"), server.pid());
}

/// An upgrade is not forgotten because the mold ends while it calls the hook.
#[test]
fn an_upgrade_goes_on_without_its_hook() {
    only_ferricorn!("Gunicorn has no mold");
    let conf =
        "from noting_hooks import note\nimport time\ndef pre_exec(server):\n    note('pre_exec')\n    time.sleep(60)\n";
    let server = Launch::app("plain").conf(conf).args(ARGS).start();
    server.wait_workers(2);
    let mut molds = children(server.pid());
    molds.retain(|pid| title(*pid).starts_with("ferricorn: mold"));
    server.signal(Signal::SIGUSR2);
    server.wait_noted("pre_exec", 1);
    molds.into_iter().for_each(|mold| send(mold, Signal::SIGKILL));
    server.wait_for("the new pid file", || server.workdir().has("server.pid.2").then_some(()));
}

/// A new program that does not start changes nothing.
#[test]
fn a_broken_upgrade_changes_nothing() {
    only_ferricorn!("Gunicorn says nothing of it");
    let server = Launch::app("plain").conf("workers = 2\n").args(ARGS).start();
    let workers = server.wait_workers(2);
    server.write("gunicorn.conf.py", "workers = (\n");
    server.signal(Signal::SIGUSR2);
    server.wait_log("has ended; this one goes on");
    assert!(workers.into_iter().all(alive));
    server.get("/").expect(200, "hello");
}

/// The folder of the target's Python package.
fn package() -> PathBuf {
    let program = target::program();
    let finds = format!("import {program}, os; print(os.path.dirname({program}.__file__))");
    let found = Command::new(target::binaries().join("python")).args(["-c", &finds]).output().expect("Python runs");
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim())
}

/// What is installed anew, in place of what runs, is what the new master runs; and no request is lost.
#[test]
fn the_new_master_runs_what_is_installed_now() {
    let launch = Launch::app("plain").args(ARGS);
    let (current, installed) = (launch.workdir().join("current"), package());
    for release in ["one", "two"] {
        let folder = launch.workdir().join(release);
        fs::create_dir(&folder).unwrap();
        let copied = Command::new("cp").args(["-rL".as_ref(), installed.as_os_str(), folder.as_os_str()]).status();
        assert!(copied.unwrap().success());
        launch.workdir().write(&format!("{release}/release.py"), &format!("NAME = '{release}'\n"));
    }
    symlink("one", &current).unwrap();
    let path = format!("{}:{}", current.display(), target::apps().display());
    let conf = "import release\nopen('released', 'a').write(release.NAME + ' ')\n";
    let server = launch.conf(conf).env("PYTHONPATH", &path).start();
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::Close]);
    let old = server.wait_workers(2);
    fs::remove_file(&current).unwrap();
    symlink("two", &current).unwrap();
    let new = upgraded(&server, 4);
    let runs = |pid: Pid, release: &str| {
        let files = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        files.contains(&format!("/{release}/{}/", target::program()))
    };
    if target::target() == target::Target::Ferricorn {
        assert!(runs(server.pid(), "one") && runs(new, "two"), "the program itself is another one");
    }
    assert!(server.workdir().read("released").ends_with("two "));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    old.into_iter().for_each(wait_gone);
    let tally = load.finish();
    if target::target() == target::Target::Ferricorn {
        assert!(tally.anomalies.is_empty(), "{tally:?}");
    }
    send(new, Signal::SIGTERM);
    wait_gone(new);
}

/// No request is lost on the way from one master to the other, with the strict client at work.
#[test]
fn an_upgrade_loses_no_request() {
    only_ferricorn!("Gunicorn resets what waits in the queue of the socket");
    let server = Launch::app("plain").args(ARGS).start();
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::KeepAlive, Mode::Close, Mode::Close]);
    let old = server.wait_workers(2);
    upgraded(&server, 4);
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    old.into_iter().for_each(wait_gone);
    let before = load.right();
    crate::harness::eventually("answers of the new one", || (load.right() > before + 200).then_some(()));
    let tally = load.finish();
    assert!(tally.anomalies.is_empty(), "{tally:?}");
}
