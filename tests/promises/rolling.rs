//! How one generation follows another, step by step: who starts when, who leaves when, and what becomes of connections.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use strict_client::anomaly::Kind;

use crate::harness::connection::{Address, Connection};
use crate::harness::http::Fault;
use crate::harness::ports::{at_port, free_port};
use crate::harness::process::{alive, wait_gone};
use crate::harness::strict::{Load, Mode};
use crate::harness::wait::stays;
use crate::harness::{Launch, Server};

/// Why this order is only promised by us.
const AT_ONCE: &str = "Gunicorn starts all new workers at once, and replaces one that is gone afterwards";
const CLOSES: &str = "Gunicorn's sync worker keeps no connection";

/// A server of `stepwise`, whose later workers need permission to come to be.
fn stepwise(args: &str, workers: usize) -> (Server, Vec<Pid>) {
    let server = Launch::app("stepwise").args(args).start();
    let old = server.wait_workers(workers);
    // Each has passed the gate when it has answered or shown that it waits for requests.
    server.wait_for("all answers", || {
        let seen = (0..50).map(|_| server.serving_pid()).collect::<Vec<_>>();
        old.iter().all(|pid| seen.contains(pid)).then_some(())
    });
    server.write("gate", "");
    (server, old)
}

/// The workers that wait for permission.
fn importing(server: &Server) -> Vec<Pid> {
    let names = fs::read_dir(server.workdir().path()).expect("the directory is there").flatten();
    let pids = names.filter_map(|name| name.file_name().to_str()?.strip_prefix("importing-")?.parse().ok());
    let waits = |pid: &Pid| alive(*pid) && !server.workdir().has(&format!("allowed-{pid}"));
    pids.map(Pid::from_raw).filter(waits).collect()
}

/// Waits until a worker waits for permission, and makes sure that no other does.
#[track_caller]
fn wait_only_one(server: &Server) -> Pid {
    server.wait_for("a worker that imports", || (!importing(server).is_empty()).then_some(()));
    assert!(stays(Duration::from_millis(300), || importing(server).len() == 1), "{:?}", importing(server));
    importing(server)[0]
}

fn allow(server: &Server, pid: Pid) {
    server.write(&format!("allowed-{pid}"), "");
}

fn count_alive(pids: &[Pid]) -> usize {
    pids.iter().filter(|pid| alive(**pid)).count()
}

/// One new worker after another gets ready, and for each of them one old one goes, not before.
#[track_caller]
fn assert_one_by_one(server: &Server, old: &[Pid]) {
    for gone in 0..old.len() {
        let new = wait_only_one(server);
        assert_eq!(count_alive(old), old.len() - gone, "before {new} is ready");
        server.get("/").expect(200, "hello");
        allow(server, new);
        server.wait_for("the end of an old worker", || (count_alive(old) == old.len() - gone - 1).then_some(()));
    }
    server.wait_workers(old.len());
    assert_eq!(importing(server), []);
}

/// A reload begins with one new worker; when it is ready the others follow one by one, and old ones leave as new ones get ready.
#[test]
fn a_reload_goes_worker_by_worker() {
    only_ferricorn!(AT_ONCE);
    let (server, old) = stepwise("--workers 3", 3);
    server.signal(Signal::SIGHUP);
    assert_one_by_one(&server, &old);
}

/// Workers that have served their `--max-requests` go on serving until their successor is ready, and are replaced one at a
/// time, though all ask for it at once.
#[test]
fn recycling_goes_worker_by_worker() {
    only_ferricorn!(AT_ONCE);
    // The answers that show who is there count as well.
    let (server, old) = stepwise("--workers 3 --max-requests 400", 3);
    let asked = || server.lines().iter().filter(|line| line.message.starts_with("Autorestarting")).count();
    server.wait_for("the wish of each worker", || {
        (0..100).for_each(|_| _ = server.serving_pid());
        (asked() == 3).then_some(())
    });
    assert_one_by_one(&server, &old);
}

/// An idle connection of a worker that is to leave is good for one more request, whose answer closes it.
#[test]
fn an_idle_connection_is_good_for_one_more_request() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").args("--keep-alive 30").start();
    let mut kept = server.connect();
    let old = kept.get("/pid").text();
    server.signal(Signal::SIGHUP);
    server.wait_for("an answer by a new worker", || (server.serving_pid().to_string() != old).then_some(()));
    // Until the old worker has heard that it is to leave it answers as ever.
    server.wait_for("the last answer", || kept.get("/pid").expect(200, &old).head.closes().then_some(()));
    assert_eq!(kept.drain(), b"");
    wait_gone(Pid::from_raw(old.parse().unwrap()));
}

/// An idle connection that has no further request is closed when its time is over, as ever; then its worker leaves.
#[test]
fn an_idle_connection_keeps_its_time() {
    only_ferricorn!(CLOSES);
    let server = Launch::app("plain").args("--keep-alive 3").start();
    let mut kept = server.connect();
    let old = kept.get("/pid").text();
    let idle = Instant::now();
    server.signal(Signal::SIGHUP);
    assert_eq!(kept.drain(), b"");
    assert!(idle.elapsed() > Duration::from_millis(2800), "closed after {:?}", idle.elapsed());
    wait_gone(Pid::from_raw(old.parse().unwrap()));
}

/// A second HUP supersedes a reload that goes on, though that hangs in its import.
#[test]
fn a_second_hup_supersedes_the_first() {
    only_ferricorn!(AT_ONCE);
    for args in ["--workers 2", "--workers 2 --preload"] {
        let app = |text: &str| format!("from specs import make\n{text}\napplication = make('any')\n");
        let first = app("import os\nopen(f'read-{os.getpid()}', 'w').close()");
        let server = Launch::app("changing").file("changing.py", &first).args(args).start();
        let old = server.wait_workers(2);
        // What a worker has not read yet it would read as it is written below. With --preload the mold has read it for all.
        for worker in old.iter().filter(|_| !args.contains("preload")) {
            server.wait_file(&format!("read-{worker}"));
        }
        let hangs = "import time\nopen('hanging', 'w').close()\nwhile True:\n    time.sleep(0.01)";
        server.write("changing.py", &app(hangs));
        server.signal(Signal::SIGHUP);
        server.wait_file("hanging");
        server.write("changing.py", &app("").replace("any", "newest"));
        server.signal(Signal::SIGHUP);
        server.wait_for("the newest code", || (server.get("/").text() == "('newest',) []").then_some(()));
        old.into_iter().for_each(wait_gone);
        server.wait_workers(2);
        server.signal(Signal::SIGHUP);
        server.wait_for("a third reload", || {
            (server.log().matches("the new workers are good").count() == 2).then_some(())
        });
    }
}

/// Another bind setting moves the server to another address with the next HUP.
#[test]
fn hup_moves_to_another_address() {
    let (first, second) = (free_port(), free_port());
    let conf = |port: u16| format!("bind = '127.0.0.1:{port}'\n");
    let server = Launch::app("plain").no_bind().conf(&conf(first)).start();
    server.get("/").expect(200, "hello");
    server.write("gunicorn.conf.py", &conf(second));
    server.signal(Signal::SIGHUP);
    let connection = server.wait_for("the new address", || Connection::open(&at_port(second)).ok());
    { connection }.get("/").expect(200, "hello");
    let refused = || matches!(Connection::open(&at_port(first)), Err(Fault::Refused)).then_some(());
    server.wait_for("the end of the old address", refused);
}

/// A new address is open before the old one is closed, and an address that stays is never closed.
#[test]
fn new_addresses_open_before_old_ones_close() {
    only_ferricorn!("Gunicorn closes the old ones first");
    let (first, second) = (free_port(), free_port());
    let conf = |port: u16| format!("workers = 1\nbind = ['127.0.0.1:{port}', 'unix:socket']\n");
    let server = Launch::app("stepwise").no_bind().conf(&conf(first)).start();
    let socket = Address::Unix(server.workdir().join("socket"));
    let old = server.serving_pid();
    let inode =
        || fs::metadata(server.workdir().join("socket")).map(|data| std::os::unix::fs::MetadataExt::ino(&data)).ok();
    let before = inode();
    server.write("gate", "");
    server.write("gunicorn.conf.py", &conf(second));
    server.signal(Signal::SIGHUP);
    let new = wait_only_one(&server);
    let mut early = Connection::open(&at_port(second)).unwrap();
    early.send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n");
    for address in [&at_port(first), &socket] {
        Connection::open(address).unwrap().get("/pid").expect(200, &old.to_string());
    }
    allow(&server, new);
    early.response().expect(200, &new.to_string());
    wait_gone(old);
    // The mold that is let go has the socket open for a moment longer.
    let refused = || (Connection::open(&at_port(first)).err() == Some(Fault::Refused)).then_some(());
    server.wait_for("the end of the old address", refused);
    Connection::open(&socket).unwrap().get("/pid").expect(200, &new.to_string());
    assert_eq!(inode(), before);
}

/// What waits at an address that a reload gives up is served before the address is closed.
#[test]
fn what_waits_at_an_address_that_is_given_up_is_served() {
    only_ferricorn!("Gunicorn resets what waits in the queue of a socket that it closes");
    for first in [format!("127.0.0.1:{}", free_port()), "unix:socket".to_owned()] {
        let (conf, second) = (|bind: &str| format!("workers = 1\nbind = '{bind}'\n"), free_port());
        let server = Launch::app("plain").no_bind().conf(&conf(&first)).start();
        let mut held = server.hold("open");
        let address = server.address();
        let mut queued: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for (number, connection) in queued.iter_mut().enumerate() {
            connection.send(format!("GET /token?{number} HTTP/1.1\r\nHost: x\r\n\r\n"));
        }
        server.write("gunicorn.conf.py", &conf(&format!("127.0.0.1:{second}")));
        server.signal(Signal::SIGHUP);
        server.wait_log("Reload: the new workers are good");
        server.write("open", "");
        held.response().expect(200, "passed");
        for (number, connection) in queued.iter_mut().enumerate() {
            connection.response().expect(200, &format!("token={number}"));
        }
        server.wait_for("the end of the old address", || Connection::open(&address).is_err().then_some(()));
        Connection::open(&at_port(second)).unwrap().get("/").expect(200, "hello");
    }
}

/// A move to another address and back under load: as long as somebody listens there every request is answered.
#[test]
fn moving_breaks_off_nothing() {
    only_ferricorn!("Gunicorn resets what waits in the queue of a socket that it closes");
    let (first, second) = (free_port(), free_port());
    let conf = |port: u16| format!("workers = 2\nbind = '127.0.0.1:{port}'\n");
    let server = Launch::app("plain").no_bind().conf(&conf(first)).start();
    let load = Load::start(&at_port(first), &[Mode::KeepAlive, Mode::Close, Mode::Close, Mode::Trickle]);
    server.wait_progress(&load, 200);
    for port in [second, first, second] {
        let old = server.workers();
        server.write("gunicorn.conf.py", &conf(port));
        server.signal(Signal::SIGHUP);
        server.wait_for("the end of the old workers", || (count_alive(&old) == 0).then_some(()));
        Connection::open(&at_port(port)).unwrap().get("/").expect(200, "hello");
    }
    let tally = load.finish();
    let broken: Vec<_> = tally.anomalies.iter().filter(|anomaly| anomaly.kind != Kind::Refused).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// An address that cannot be had makes the reload fail; the old one is served on.
#[test]
fn an_address_that_is_taken_changes_nothing() {
    only_ferricorn!("a failed reload ends Gunicorn");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = free_port();
    let conf = |port: u16| format!("bind = '127.0.0.1:{port}'\n");
    let server = Launch::app("plain").no_bind().conf(&conf(first)).start();
    let worker = server.serving_pid();
    server.write("gunicorn.conf.py", &conf(taken.local_addr().unwrap().port()));
    server.signal(Signal::SIGHUP);
    server.wait_log("Connection in use: ");
    server.wait_log("Reload failed, the old workers go on serving: ");
    assert_eq!(server.serving_pid(), worker);
}

/// Logs that are renamed while a reload evaluates its configuration do not end it.
#[test]
fn usr1_does_not_end_a_reload() {
    only_ferricorn!("Gunicorn's master evaluates the file itself and sees to the signal afterwards");
    let server = Launch::app("plain").conf("workers = 1\n").error_log("error.log").start();
    let old = server.serving_pid();
    let waits =
        "import os, time\nopen('configuring', 'w').close()\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n";
    server.write("gunicorn.conf.py", waits);
    server.signal(Signal::SIGHUP);
    server.wait_file("configuring");
    fs::rename(server.workdir().join("error.log"), server.workdir().join("error.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    server.wait_file("error.log");
    server.write("go", "");
    server.wait_log("Reload: the new workers are good");
    wait_gone(old);
}
