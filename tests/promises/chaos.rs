//! Everything at once: deploys good and broken, resizing, kills, recycling, log rotation, upgrades that are called off, slow
//! clients, in an order that nobody has thought of. Whatever is lost is what a killed worker had in hand, and afterwards
//! everything is as it was.
//!
//! - `CHAOS_SECONDS`: how long (default: 60);
//! - `CHAOS_SEED`: the number that makes the order, to repeat one that has failed; the test prints it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use strict_client::anomaly::{Anomaly, Kind, counts};

use crate::harness::connection::Address;
use crate::harness::process::{alive, children, descriptors, own_memory, send, title, wait_gone, working_in};
use crate::harness::strict::{Load, Mode};
use crate::harness::{Connection, Launch, Server};

const SECONDS: u64 = 60;
/// What the configuration asks for.
const WORKERS: usize = 3;
/// Clients on each of the two addresses.
const CLIENTS: [Mode; 5] = [Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close, Mode::Trickle];
/// Connections that say nothing.
const SILENT: usize = 4;
/// Answers among which there is one of each worker that serves, most likely.
const ASKED: usize = 40;
/// What the master may have more at the end than at the start, in KiB: an allocator does not give everything back.
const GROWTH: u64 = 512;

/// `plain`, and says who answers.
const GOOD_CODE: &str = "
import os
from plain import application as plain

def application(environ, start_response):
    def start(status, headers):
        return start_response(status, [*headers, ('X-Worker', str(os.getpid()))])
    return plain(environ, start)
";
const BROKEN_CODE: [&str; 5] = [
    "raise LookupError('broken on purpose')\n",
    "application = None\n",
    "import sys; sys.exit(1)\n",
    "import os; os._exit(3)\n",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n",
];
const GOOD_CONF: &str = "workers = 3\n";
const BROKEN_CONF: [&str; 3] = ["workers = (\n", "workers = 'many'\n", "import os; os._exit(1)\n"];

/// What happens to the server, one after the other, without waiting for an earlier one to be over.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Deploy,
    DeployTwice,
    BreakCode(&'static str),
    BreakConf(&'static str),
    Grow,
    Shrink,
    KillWorker,
    KillMold,
    RotateLogs,
    UpgradeAndBack,
}

impl Deed {
    fn any(random: &mut Rng) -> Self {
        match random.u8(..14) {
            0..=2 => Self::Deploy,
            3 => Self::DeployTwice,
            4..=5 => Self::BreakCode(BROKEN_CODE[random.usize(..BROKEN_CODE.len())]),
            6 => Self::BreakConf(BROKEN_CONF[random.usize(..BROKEN_CONF.len())]),
            7 => Self::Grow,
            8 => Self::Shrink,
            9..=10 => Self::KillWorker,
            11 => Self::KillMold,
            12 => Self::RotateLogs,
            _ => Self::UpgradeAndBack,
        }
    }
}

/// A worker that we have killed, and when.
#[derive(Debug)]
struct Kill {
    worker: Pid,
    sent: Instant,
    gone: Instant,
}

/// The server in its storm.
struct Storm {
    server: Server,
    address: Address,
    random: Rng,
    loads: Vec<Load>,
    silent: Vec<Connection>,
    kills: Vec<Kill>,
    rotations: usize,
}

impl Storm {
    fn begin(server: Server, seed: u64) -> Self {
        // The log that tells it will be another one.
        let address = server.address();
        let addresses = [address.clone(), Address::Unix(server.workdir().join("socket"))];
        let loads = addresses.iter().map(|address| Load::start(address, &CLIENTS)).collect();
        let random = Rng::with_seed(seed);
        Self { server, address, random, loads, silent: Vec::new(), kills: Vec::new(), rotations: 0 }
    }

    /// Until so many further answers were right, on both addresses: the server serves, whatever is going on.
    fn wait_progress(&mut self) {
        let more = self.random.usize(1..150);
        for load in &self.loads {
            self.server.wait_progress(load, more);
        }
    }

    fn of_role(&self, role: &str) -> Vec<Pid> {
        of_role(&self.server, role)
    }

    /// How often the error logs have a text, those that were rotated included.
    fn said(&self, text: &str) -> usize {
        let logs = (1..=self.rotations).map(|number| self.server.workdir().read(&format!("error.log.{number}")));
        logs.chain([self.server.log()]).map(|log| log.matches(text).count()).sum()
    }

    fn wait_said(&self, text: &str, more_than: usize) {
        self.server.wait_for(text, || (self.said(text) > more_than).then_some(()));
    }

    fn undergo(&mut self, deed: Deed) {
        println!("{deed:?}");
        match deed {
            Deed::Deploy => self.server.signal(Signal::SIGHUP),
            Deed::DeployTwice => {
                let heard = self.said("Hang up: Master");
                self.server.signal(Signal::SIGHUP);
                self.wait_said("Hang up: Master", heard);
                self.server.signal(Signal::SIGHUP);
            }
            Deed::BreakCode(code) => self.deploy_broken("shaken.py", code, GOOD_CODE),
            Deed::BreakConf(conf) => self.deploy_broken("gunicorn.conf.py", conf, GOOD_CONF),
            Deed::Grow => self.server.signal(Signal::SIGTTIN),
            Deed::Shrink => self.server.signal(Signal::SIGTTOU),
            Deed::KillWorker => self.kill_worker(),
            Deed::KillMold => {
                let mold = self.of_role("mold").pop();
                mold.into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
            }
            Deed::RotateLogs => self.rotate_logs(),
            Deed::UpgradeAndBack => self.upgrade_and_back(),
        }
        let connection = Connection::open(&self.address).expect("somebody listens");
        self.silent.push(connection);
        self.silent.drain(..self.silent.len().saturating_sub(SILENT));
    }

    /// The broken file is there until the reload has failed, and a while longer; workers that have to be replaced meanwhile
    /// die of it as well.
    fn deploy_broken(&mut self, name: &str, broken: &str, good: &str) {
        let failed = self.said("Reload failed");
        self.server.write(name, broken);
        self.server.signal(Signal::SIGHUP);
        self.wait_said("Reload failed", failed);
        if self.random.bool() && self.answering() >= WORKERS {
            self.kill_worker();
        }
        self.wait_progress();
        self.server.write(name, good);
    }

    /// How many workers answer. More may be there: those that are about to die of broken code, and take nobody's place.
    fn answering(&self) -> usize {
        let worker = |_| {
            let response = Connection::open(&self.address).expect("somebody listens").get("/");
            response.head.header("X-Worker").map(str::to_owned)
        };
        (0..ASKED).filter_map(worker).collect::<BTreeSet<_>>().len()
    }

    fn kill_worker(&mut self) {
        let workers = self.of_role("worker");
        let Some(worker) = self.random.choice(workers) else { return };
        let sent = Instant::now();
        send(worker, Signal::SIGKILL);
        wait_gone(worker);
        self.kills.push(Kill { worker, sent, gone: Instant::now() });
    }

    fn rotate_logs(&mut self) {
        self.rotations += 1;
        let workdir = self.server.workdir();
        for name in ["error.log", "access.log"] {
            let old = workdir.join(format!("{name}.{}", self.rotations));
            fs::rename(workdir.join(name), old).expect("a log can be renamed");
        }
        self.server.signal(Signal::SIGUSR1);
        let reopened = || workdir.has("error.log") && workdir.has("access.log");
        self.server.wait_for("the new logs", || reopened().then_some(()));
    }

    fn upgrade_and_back(&self) {
        let tried = self.said("Handling signal: usr2");
        self.server.signal(Signal::SIGUSR2);
        self.wait_said("Handling signal: usr2", tried);
        let pid = || self.server.workdir().read("server.pid.2").trim().parse().ok().map(Pid::from_raw);
        let new = self.server.wait_for("the new master", pid);
        self.server.wait_for("its workers", || (!of_role_under(new, "worker").is_empty()).then_some(()));
        send(new, Signal::SIGTERM);
        wait_gone(new);
    }

    /// Whether this request was in the hands of a worker that we killed. Who gave the last answer on a connection need not have
    /// had the next request: while it was busy another may have taken the connection over.
    fn is_explained(&self, anomaly: &Anomaly) -> bool {
        let broke_off = matches!(anomaly.kind, Kind::Reset(_) | Kind::Closed(_) | Kind::Truncated);
        broke_off
            && self.kills.iter().any(|kill| {
                let had_it = anomaly.worker.as_ref().is_some_and(|worker| *worker == kill.worker.to_string());
                anomaly.ended >= kill.sent && (had_it || anomaly.began <= kill.gone)
            })
    }
}

/// The children of this server's master that call themselves so.
fn of_role(server: &Server, role: &str) -> Vec<Pid> {
    of_role_under(server.pid(), role)
}

fn of_role_under(master: Pid, role: &str) -> Vec<Pid> {
    let mut found = children(master);
    found.retain(|pid| title(*pid).starts_with(&format!("ferricorn: {role}")));
    found
}

/// Reloads once more and waits until there are the new mold and its workers and nobody else; gives what they hold, and
/// what the master has for itself.
fn settled(server: &Server) -> (Vec<Vec<String>>, u64) {
    let old = children(server.pid());
    server.signal(Signal::SIGHUP);
    server.wait_for("a quiet server", || {
        let now = children(server.pid());
        let everybody = working_in(server.workdir().path());
        let of_roles = (of_role(server, "mold").len(), of_role(server, "worker").len());
        let is_new = !old.iter().any(|pid| alive(*pid));
        (is_new && of_roles == (1, WORKERS) && now.len() == 1 + WORKERS && everybody.len() == 2 + WORKERS).then_some(())
    });
    let mut all = vec![server.pid()];
    all.extend(of_role(server, "mold"));
    all.extend(of_role(server, "worker"));
    let held = all.into_iter().map(descriptors).collect();
    (held, own_memory(server.pid()).expect("the master lives"))
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")))
}

fn launch() -> Server {
    let args = "--pid server.pid --max-requests 300 --max-requests-jitter 100 --access-logfile access.log";
    let launch = Launch::app("shaken").file("shaken.py", GOOD_CODE).conf(GOOD_CONF).file("tmp/.keep", "");
    let tmp = launch.workdir().join("tmp").display().to_string();
    launch.env("TMPDIR", &tmp).also_bind("unix:socket").args(args).error_log("error.log").start()
}

/// In all this only requests in the hands of a killed worker fail; at the end there are as many processes, descriptors and
/// bytes as at the start, and after a stop no process and no file.
#[test]
fn only_what_a_killed_worker_held_is_lost() {
    only_ferricorn!("a failed reload ends Gunicorn or leaves it without workers");
    let seed = number("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let span = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(SECONDS));
    println!("CHAOS_SEED={seed} CHAOS_SECONDS={}", span.as_secs());
    let server = launch();
    settled(&server);
    let (held, memory) = settled(&server);
    let mut storm = Storm::begin(server, seed);
    let start = Instant::now();
    while start.elapsed() < span {
        storm.wait_progress();
        let deed = Deed::any(&mut storm.random);
        storm.undergo(deed);
    }
    storm.wait_progress();
    storm.silent.clear();
    let tallies: Vec<_> = std::mem::take(&mut storm.loads).into_iter().map(Load::finish).collect();
    let anomalies: Vec<Anomaly> = tallies.iter().flat_map(|tally| tally.anomalies.clone()).collect();
    let right: usize = tallies.iter().map(|tally| tally.right).sum();
    println!("{right} right answers, {} kills, {:?}", storm.kills.len(), counts(&anomalies));
    let unexplained: Vec<_> = anomalies.iter().filter(|anomaly| !storm.is_explained(anomaly)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}\nkills: {:#?}", storm.kills);
    assert!(anomalies.len() <= storm.kills.len() * CLIENTS.len() * 2, "{anomalies:#?}");
    assert_as_before(&storm.server, &held, memory);
}

fn assert_as_before(server: &Server, held: &[Vec<String>], memory: u64) {
    let (held_now, memory_now) = settled(server);
    println!("the master had {memory} KiB, and has {memory_now}");
    assert_eq!(held_now, held);
    assert!(memory_now <= memory + GROWTH, "the master had {memory} KiB, and has {memory_now}");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
    let names = |path| {
        fs::read_dir(path).expect("the directory is there").map(|entry| entry.expect("it is readable").file_name())
    };
    let mut left: Vec<_> =
        names(server.workdir().path().to_owned()).filter_map(|name| name.into_string().ok()).collect();
    left.retain(|name| !name.starts_with("error.log") && !name.starts_with("access.log"));
    left.sort();
    assert_eq!(left, ["gunicorn.conf.py", "home", "shaken.py", "stderr", "stdout", "tmp"]);
    assert_eq!(names(server.workdir().join("tmp")).count(), 1, "only what the test has put there");
}
