//! A running server: what a promise may ask of it. Ended on Drop, by pid, with everything it started.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use strict_client::connection::{Address, Connection};
use strict_client::http::Response;
use strict_client::load::Load;

use super::log::{self, Line};
use super::process;
use super::target::{self, Target};
use super::wait::{PATIENCE, eventually, within};
use super::workdir::Workdir;

/// How long Gunicorn gets to end before its workers are told once more.
const NEWBORN: Duration = Duration::from_secs(3);
/// How long Drop leaves a server to end by itself before it is killed.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A started server. Dropping it ends it and every process it left.
#[derive(Debug)]
pub(crate) struct Server {
    /// The process that was launched: the master, unless it daemonizes.
    child: Mutex<Child>,
    /// The file its error log is read from.
    log: String,
    /// The unix socket it binds first, if it is one: then no log line is needed to find it.
    socket: Option<PathBuf>,
    /// Declared last: its Drop kills what is left and prints the logs.
    workdir: Workdir,
}

impl Server {
    /// Takes over a process that was just launched.
    pub(crate) fn new(child: Child, workdir: Workdir, log: String, bind: &str) -> Self {
        let socket = bind.strip_prefix("unix:").map(|path| workdir.join(path));
        Self { child: Mutex::new(child), log, socket, workdir }
    }

    /// The pid of the launched process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child().id().cast_signed())
    }

    /// Its directory.
    pub(crate) fn workdir(&self) -> &Workdir {
        &self.workdir
    }

    /// Writes a file into its directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.workdir.write(name, text);
    }

    /// Everything in its error log so far.
    pub(crate) fn log(&self) -> String {
        self.workdir.read(&self.log)
    }

    /// The well-formed lines of its error log so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        log::lines(&self.log())
    }

    /// Everything on its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.workdir.read("stdout")
    }

    /// Waits until the error log contains `text`.
    #[track_caller]
    pub(crate) fn wait_log(&self, text: &str) {
        self.wait_for(&format!("`{text}` in the error log"), || self.log().contains(text).then_some(()));
    }

    /// Waits until a line of the error log has a message that starts with `start`, and gives the line.
    #[track_caller]
    pub(crate) fn wait_line(&self, start: &str) -> Line {
        let find = || self.lines().into_iter().find(|line| line.message.starts_with(start));
        self.wait_for(&format!("a log line `{start}...`"), find)
    }

    /// Waits for something while the server runs; fails at once when it ends.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let found = within(PATIENCE, || match probe() {
            Some(found) => Some(Ok(found)),
            None => self.ended().map(|status| probe().ok_or(status)),
        });
        match found {
            Some(Ok(found)) => found,
            Some(Err(status)) => panic!("the server ended ({status}) before: {what}"),
            None => panic!("waited {PATIENCE:?} in vain for: {what}"),
        }
    }

    /// Waits until there is a file `name` in its directory.
    #[track_caller]
    pub(crate) fn wait_file(&self, name: &str) {
        self.wait_for(&format!("the file `{name}`"), || self.workdir.has(name).then_some(()));
    }

    /// Waits until more than so many further answers to these clients were right.
    #[track_caller]
    pub(crate) fn wait_progress(&self, load: &Load, more: usize) {
        let before = load.right();
        self.wait_for("progress of the clients", || (load.right() > before + more).then_some(()));
    }

    /// A request that an application with a `/gate` has begun with, and goes on with when there is a file `gate`.
    #[track_caller]
    pub(crate) fn hold(&self, gate: &str) -> Connection {
        let mut connection = self.connect();
        connection.send(format!("GET /gate?{gate} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.wait_file(&format!("{gate}.entered"));
        connection
    }

    /// Waits until it accepts connections.
    #[track_caller]
    pub(crate) fn wait_listening(&self) {
        match &self.socket {
            Some(path) => self.wait_for("a unix socket", || UnixStream::connect(path).ok().map(drop)),
            None => self.wait_log("Listening at: "),
        }
    }

    /// Waits until `count` workers run, and gives their pids, oldest first.
    #[track_caller]
    pub(crate) fn wait_workers(&self, count: usize) -> Vec<Pid> {
        let probe = || Some(self.workers()).filter(|workers| workers.len() == count);
        self.wait_for(&format!("{count} workers"), probe)
    }

    /// The workers that run now, oldest first: those the log names, as far as they live.
    pub(crate) fn workers(&self) -> Vec<Pid> {
        log::booted(&self.log()).into_iter().filter(|pid| process::alive(*pid)).collect()
    }

    /// Where it listens: the first address.
    #[track_caller]
    pub(crate) fn address(&self) -> Address {
        match &self.socket {
            Some(path) => Address::Unix(path.clone()),
            None => self.addresses().into_iter().next().expect("a server listens somewhere"),
        }
    }

    /// All addresses of its last `Listening at:` line.
    #[track_caller]
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let lines = self.lines();
        let line = lines.iter().rev().find_map(|line| line.message.strip_prefix("Listening at: "));
        let list = line.expect("the log says where the server listens").split(" (").next().unwrap_or_default();
        list.split(',').map(|url| Address::parse(url, self.workdir.path())).collect()
    }

    /// A fresh connection.
    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.address()).unwrap_or_else(|fault| panic!("cannot connect: {fault:?}"))
    }

    /// The response to one GET on a fresh connection.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    /// The response to raw bytes on a fresh connection.
    #[track_caller]
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.response()
    }

    /// The pid of a worker, as the application at `/pid` of `plain` tells it.
    #[track_caller]
    pub(crate) fn serving_pid(&self) -> Pid {
        let text = self.get("/pid").text();
        Pid::from_raw(text.trim().parse().unwrap_or_else(|_| panic!("`/pid` answered {text:?}")))
    }

    /// Sends a signal to the launched process.
    pub(crate) fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// How the launched process ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("our own child can be waited for")
    }

    /// Waits for the end of the launched process and gives its exit status, -1 when a signal ended it.
    #[track_caller]
    pub(crate) fn wait_exit(&self) -> i32 {
        eventually("the server's end", || self.ended()).code().unwrap_or(-1)
    }

    /// Sends a signal and waits for the exit status.
    #[track_caller]
    pub(crate) fn stop(&self, signal: Signal) -> i32 {
        self.signal(signal);
        if target::target() == Target::Gunicorn && within(NEWBORN, || self.ended()).is_none() {
            // A worker of Gunicorn's that was just being forked misses the signal, and the master waits for it.
            self.workers().into_iter().for_each(|worker| process::send(worker, signal));
        }
        self.wait_exit()
    }

    /// Waits until no process of this server runs any more.
    #[track_caller]
    pub(crate) fn wait_nothing_running(&self) {
        eventually("the end of every process", || process::working_in(self.workdir.path()).is_empty().then_some(()));
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.pid(), Signal::SIGTERM);
        if within(FAREWELL, || self.ended()).is_none() {
            let mut child = self.child();
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
