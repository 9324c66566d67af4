//! A generation's way from its mold's first word to its promotion, or its dismissal.
//!
//! The first generation goes the same way; what differs at a first start is only what a failure
//! means: there the server ends with a status, later the old generation goes on serving.

use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use ferricorn_mold::Order;
use ferricorn_mold::protocol::{Hook, Occasion, PROTOCOL};
use ferricorn_settings::{Language, Settings};
use ferricorn_telemetry::logs;
use ferricorn_unix::daemon;
use ferricorn_unix::process::{self, Signal};

use crate::arbiter::Arbiter;
use crate::generation::{Generation, GenerationId, MoldProcess, Stage};
use crate::notify;
use crate::pidfile::PidFile;
use crate::sockets::{BindFailure, Bound};
use crate::workers::{Duty, Worker};

const BIND_TRIES: u32 = 5;
const BIND_PAUSE: Duration = Duration::from_secs(1);

impl Arbiter {
    /// SIGHUP: a new generation, whatever became of the last attempt.
    pub(crate) fn reload(&mut self) -> io::Result<()> {
        log::info!("Hang up: Master");
        if self.current.is_none() {
            // There is nothing to fall back to yet: first let the first generation serve.
            self.reload_afterwards = true;
            return Ok(());
        }
        self.dismiss_candidate()?;
        notify::reloading();
        self.start_candidate()
    }

    pub(crate) fn start_candidate(&mut self) -> io::Result<()> {
        self.generations += 1;
        let id = GenerationId(self.generations);
        match Generation::start(id, &self.launch.mold_command, &self.launch.start_directory) {
            Ok(generation) => {
                self.candidate = Some(generation);
                Ok(())
            }
            Err(error) => self.candidate_failed(1, &format!("\nError: cannot start a new interpreter: {error}\n")),
        }
    }

    pub(crate) fn mold_says_hello(&mut self, id: GenerationId, protocol: u32, version: &str) -> io::Result<()> {
        if protocol == PROTOCOL {
            return Ok(());
        }
        let words = format!(
            "the installed {} {version} is not compatible with the running {}: upgrade with USR2, or restart the service",
            self.launch.program, self.launch.version,
        );
        self.mold_is_leaving(id, 1, &format!("\nError: {words}\n"))
    }

    /// The settings are known: take what concerns the master, and let the mold go on.
    pub(crate) fn mold_is_configured(&mut self, id: GenerationId, reported: Settings) -> io::Result<()> {
        let first_start = self.current.is_none();
        let Some(generation) = self.generation(id) else { return Ok(()) };
        // A mold that replaces one that died adopts the settings of its generation.
        if generation.settings.is_none() {
            let settings = Rc::new(reported);
            generation.settings = Some(Rc::clone(&settings));
            if first_start {
                if settings.daemon && !self.daemonized && self.inheritance.parent.is_none() {
                    return self.daemonize(&settings);
                }
                if let Err(words) = self.prepare(&settings) {
                    return self.candidate_failed(1, &format!("\nError: {words}\n"));
                }
            }
        }
        self.order_to_proceed(id)
    }

    fn order_to_proceed(&mut self, id: GenerationId) -> io::Result<()> {
        let occasion = match &self.current {
            None => Occasion::Start,
            Some(current) if current.id == id => Occasion::Replacement,
            Some(_) => Occasion::Reload { wanted: self.target },
        };
        let Some(generation) = self.generation(id) else { return Ok(()) };
        let (Some(mold), Some(settings)) = (&mut generation.mold, &generation.settings) else { return Ok(()) };
        mold.stage = Stage::Loading;
        match mold.order(&Order::Proceed { settings: Box::new(Settings::clone(settings)), occasion }) {
            Ok(()) => Ok(()),
            Err(error) => self.mold_is_gone(id, &error.to_string()),
        }
    }

    /// Into the background, once the settings are known to be good. The mold that told them is a
    /// child of a process that ends here: a new one takes its place.
    fn daemonize(&mut self, settings: &Settings) -> io::Result<()> {
        if let Some(mold) = self.candidate.take().and_then(|candidate| candidate.mold) {
            process::wait(mold.dismiss().process)?;
        }
        daemon::daemonize(settings.enable_stdio_inheritance)?;
        process::adopt_orphans()?;
        self.daemonized = true;
        self.start_candidate()
    }

    /// What the master itself does with new settings before anything is loaded.
    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        go_to(settings).map_err(|error| error.to_string())?;
        logs::start(settings).map_err(|error| error.to_string())?;
        logs::open_access_log(settings).map_err(|error| error.to_string())?;
        self.daemonized |= settings.daemon;
        if let Some(path) = settings.pidfile.as_ref().filter(|_| self.inheritance.parent.is_none()) {
            PidFile::check(path).map_err(|error| error.to_string())?;
        }
        self.target = settings.workers;
        self.open_statsd(settings).map_err(|error| error.to_string())?;
        self.forward.activate(settings.logs_in_python);
        self.retitle(settings);
        Ok(())
    }

    /// Everything shared is loaded. At a first start `on_starting` comes before anything listens.
    pub(crate) fn mold_is_ready(&mut self, id: GenerationId) -> io::Result<()> {
        if self.current.is_some() {
            return self.listen(id);
        }
        let Some(mold) = self.generation(id).and_then(|generation| generation.mold.as_mut()) else { return Ok(()) };
        mold.stage = Stage::Starting;
        log::info!("Starting ferricorn {}", self.launch.version);
        let pidfile = self.settings().and_then(|settings| settings.pidfile.clone());
        if let Err(error) = self.place_pidfile(pidfile.as_ref()) {
            return self.candidate_failed(1, &format!("\nError: {error}\n"));
        }
        let ordered = self
            .generation(id)
            .and_then(|generation| generation.mold.as_ref())
            .map(|mold| mold.order(&Order::Call(Hook::OnStarting)));
        match ordered {
            Some(Err(error)) => self.mold_is_gone(id, &error.to_string()),
            _ => Ok(()),
        }
    }

    /// Opens the sockets, if they are not open, and hands them over.
    pub(crate) fn listen(&mut self, id: GenerationId) -> io::Result<()> {
        let Some(settings) = self.generation(id).and_then(|generation| generation.settings.clone()) else {
            return Ok(());
        };
        let first_start = self.current.is_none();
        if self.generation(id).is_some_and(|generation| generation.listeners.is_empty()) {
            let opened = self.open_sockets(&settings, if first_start { BIND_TRIES } else { 1 });
            let Some(listeners) = opened else {
                return self.candidate_failed(1, "\nError: cannot listen on every bind address; see above\n");
            };
            if first_start {
                let addresses: Vec<String> = listeners.iter().map(|bound| bound.url(settings.tls.is_some())).collect();
                log::info!("Listening at: {} ({})", addresses.join(","), Self::pid());
                log::info!("Using worker: {}", kind_of_worker(&settings));
            }
            if let Some(generation) = self.generation(id) {
                generation.listeners = listeners;
            }
            self.inheritance.sockets.clear();
        }
        self.forward_lines();
        self.provide(id)?;
        let promote_at_once = settings.workers == 0 && self.candidate.as_ref().is_some_and(|c| c.id == id);
        if promote_at_once { self.promote() } else { Ok(()) }
    }

    fn provide(&mut self, id: GenerationId) -> io::Result<()> {
        let known = [&self.candidate, &self.current].into_iter().flatten().find(|generation| generation.id == id);
        let Some(Generation { mold: Some(mold), listeners, .. }) = known else { return Ok(()) };
        let roster = self.workers.list.iter().map(Worker::member).collect();
        let hook = match &self.current {
            None => Some(Hook::WhenReady),
            Some(current) if current.id == id => None,
            Some(_) => Some(Hook::OnReload),
        };
        let ours = listeners.iter().map(|bound| bound.is_ours()).collect();
        let provided = mold.provide(roster, ours, &self.provisions(listeners));
        let told = provided.and_then(|()| hook.map_or(Ok(()), |hook| mold.order(&Order::Call(hook))));
        if let Err(error) = told {
            return self.mold_is_gone(id, &error.to_string());
        }
        if let Some(mold) = self.generation(id).and_then(|generation| generation.mold.as_mut()) {
            mold.stage = Stage::Casting;
        }
        Ok(())
    }

    /// The sockets for these settings: those of the serving generation where the address is the
    /// same, new ones where not. `None` after having said why.
    fn open_sockets(&self, settings: &Settings, tries: u32) -> Option<Vec<Rc<Bound>>> {
        if !self.passed_sockets.is_empty() {
            return Some(self.passed_sockets.clone());
        }
        let open = self.current.as_ref().map_or(&self.inheritance.sockets[..], |current| &current.listeners);
        let only_descriptors = settings.bind.iter().any(|bind| matches!(bind, ferricorn_settings::Bind::Fd { .. }));
        let wanted = settings
            .bind
            .iter()
            .filter(|bind| !only_descriptors || matches!(bind, ferricorn_settings::Bind::Fd { .. }));
        let wanted: Vec<_> = wanted.collect();
        if !open.is_empty() && open.len() == wanted.len() && open.iter().all(|bound| bound.bind.is_none()) {
            // From a master that does not say what is what: they are in the order of the settings.
            return Some(open.to_vec());
        }
        let mut listeners = Vec::new();
        for bind in wanted {
            let known = open.iter().find(|bound| bound.bind.as_ref() == Some(bind)).cloned();
            listeners.push(match known.or_else(|| self.wanted_again(bind)) {
                Some(bound) => bound,
                None => {
                    let bound = Rc::new(open_patiently(tries, || Bound::open(bind, settings))?);
                    bound.name_in_store().iter().for_each(|name| notify::store(name, &*bound));
                    bound
                }
            });
        }
        Some(listeners)
    }

    /// The candidate's first worker is ready: the candidate is what serves from now on.
    pub(crate) fn promote(&mut self) -> io::Result<()> {
        let Some(candidate) = self.candidate.take() else { return Ok(()) };
        let Some(settings) = candidate.settings.clone() else { return Ok(()) };
        let wanted = candidate.wanted.unwrap_or(settings.workers);
        let Some(old) = self.current.replace(candidate) else {
            self.measure_workers()?;
            if self.inheritance.parent.is_none() {
                notify::ready(&format!("{} is serving", self.launch.program));
            }
            if std::mem::take(&mut self.upgrade_after_start) {
                self.upgrade()?;
            }
            return self.reload_again();
        };
        log::info!("Reload: the new workers are good, the old ones will be replaced");
        if let Err(error) = go_to(&settings) {
            log::error!("{error}");
        }
        self.target = wanted;
        self.forward.activate(settings.logs_in_python);
        self.retitle(&settings);
        if let Err(error) = logs::start(&settings) {
            log::error!("The error log stays where it was: {error}");
        }
        if let Err(error) = self.open_statsd(&settings) {
            log::error!("{error}");
        }
        self.measure_workers()?;
        if let Err(error) = self.place_pidfile(settings.pidfile.as_ref()) {
            log::error!("The pid file stays as it was: {error}");
        }
        notify::ready(&format!("{} is serving", self.launch.program));
        self.give_up_addresses(&old);
        self.dismiss(old);
        self.reload_again()
    }

    /// What came too late for the generation that has just been promoted gets another one.
    fn reload_again(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.reload_afterwards) { self.start_candidate() } else { Ok(()) }
    }

    /// A candidate that is of no use. At a first start the server ends with this status.
    pub(crate) fn candidate_failed(&mut self, status: u8, message: &str) -> io::Result<()> {
        self.dismiss_candidate()?;
        if self.current.is_none() {
            eprint!("{message}");
            return self.end(status);
        }
        log::error!("Reload failed, the old workers go on serving: {}", message.trim());
        notify::ready("The last reload failed: the old workers go on serving; see the error log");
        Ok(())
    }

    fn dismiss_candidate(&mut self) -> io::Result<()> {
        let Some(candidate) = self.candidate.take() else { return Ok(()) };
        let id = candidate.id;
        self.dismiss(candidate);
        for worker in self.workers.list.iter_mut().filter(|worker| worker.generation == id) {
            worker.duty = Duty::Retiring;
            process::kill(worker.process, Signal::Terminate)?;
        }
        Ok(())
    }

    /// Lets a generation's mold go; its workers stay until they are retired.
    pub(crate) fn dismiss(&mut self, generation: Generation) {
        self.leaving_molds.extend(generation.mold.map(MoldProcess::dismiss));
    }

    pub(crate) fn mold_is_leaving(&mut self, id: GenerationId, status: u8, message: &str) -> io::Result<()> {
        if self.candidate.as_ref().is_some_and(|candidate| candidate.id == id) {
            return self.candidate_failed(status, message);
        }
        self.mold_is_gone(id, message.trim())
    }

    /// Workers go on without a mold; only new ones have to wait for another.
    pub(crate) fn mold_is_gone(&mut self, id: GenerationId, why: &str) -> io::Result<()> {
        if self.stopping.is_some() {
            self.dismiss_in_stop(id);
            return Ok(());
        }
        if self.candidate.as_ref().is_some_and(|candidate| candidate.id == id) {
            return self.candidate_failed(1, &format!("\nError: the mold ended unexpectedly: {why}\n"));
        }
        let lost = self.generation(id).and_then(|generation| generation.mold.take());
        if let Some(mold) = lost {
            let delay = self.mold_restart.fail(Instant::now());
            let when = if delay.is_zero() { "at once".to_owned() } else { format!("in {delay:?}") };
            log::error!(
                "Mold (pid:{}) ended unexpectedly: {why}. The workers go on; a new mold starts {when}.",
                mold.process
            );
            self.leaving_molds.push(mold.dismiss());
        }
        if self.upgrade_after_hook == Some(id) {
            log::warn!("The hook pre_exec has not returned, because its mold has ended; the upgrade goes on");
            return self.start_successor();
        }
        Ok(())
    }
}

fn kind_of_worker(settings: &Settings) -> &'static str {
    match settings.language {
        Language::Rust => "native",
        Language::Python if settings.multithread => "gthread",
        Language::Python => "sync",
    }
}

/// Names of log files, sockets and the pid file are relative to `chdir`.
fn go_to(settings: &Settings) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("can't chdir to {}: {error}", settings.chdir.display()))
    };
    std::env::set_current_dir(&settings.chdir).map_err(named)
}

fn open_patiently(tries: u32, open: impl Fn() -> Result<Bound, BindFailure>) -> Option<Bound> {
    for attempt in 1.. {
        let BindFailure { address, error } = match open() {
            Ok(bound) => return Some(bound),
            Err(failure) => failure,
        };
        match error.kind() {
            io::ErrorKind::AddrInUse => log::error!("Connection in use: {address}"),
            io::ErrorKind::AddrNotAvailable => log::error!("Invalid address: {address}"),
            _ => {}
        }
        log::error!("connection to {address} failed: {error}");
        if attempt >= tries {
            log::error!("Can't connect to {address}");
            return None;
        }
        log::error!("Retrying in 1 second.");
        thread::sleep(BIND_PAUSE);
    }
    None
}
