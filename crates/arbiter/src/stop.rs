//! The end of the server, graceful or quick.

use std::io;
use std::time::{Duration, Instant};

use ferricorn_mold::Order;
use ferricorn_mold::protocol::Hook;
use ferricorn_unix::process::Signal;

use crate::arbiter::Arbiter;
use crate::generation::{Generation, GenerationId, MoldProcess};
use crate::given_up::GivenUp;
use crate::notify::notify;

/// What is left to workers once a quick end was asked for during a graceful one.
const QUICK_GRACE: Duration = Duration::from_secs(2);
/// For an end that comes before any settings are known.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// A stop in progress.
#[derive(Debug)]
pub(crate) struct Stopping {
    /// Who is still there then is killed.
    pub(crate) deadline: Instant,
    quick: bool,
}

impl Stopping {
    /// What workers are told.
    pub(crate) fn signal(&self) -> Signal {
        if self.quick { Signal::Quit } else { Signal::Terminate }
    }
}

impl Arbiter {
    /// Begins to stop, or speeds up a stop that goes on.
    pub(crate) fn stop(&mut self, quick: bool) -> io::Result<()> {
        let now = Instant::now();
        match &mut self.stopping {
            Some(stopping) if quick && !stopping.quick => {
                log::info!("Quick shutdown requested");
                stopping.quick = true;
                stopping.deadline = stopping.deadline.min(now + QUICK_GRACE);
                return self.signal_workers(Signal::Quit);
            }
            Some(_) => return Ok(()),
            None => {}
        }
        // Of an old master that has just ended the sockets are this one's to end.
        self.look_for_promotion()?;
        if !self.hand_over_to_successor() {
            notify("STOPPING=1\n");
        }
        // While they still have connections.
        self.watch_database();
        let grace = self.settings().map_or(DEFAULT_GRACE, |settings| settings.graceful_timeout);
        let stopping = Stopping { deadline: now + grace, quick };
        self.exit.get_or_insert(0);
        self.scoreboard.announce_stop();
        let shared = self.shares_sockets();
        for generation in [&self.candidate, &self.current].into_iter().flatten() {
            generation.listeners.iter().for_each(|bound| bound.share(shared));
            // One of several servers at the same port must not keep the others' clients waiting.
            let is_alone = generation.settings.as_ref().is_none_or(|settings| !settings.reuse_port);
            if !quick && is_alone {
                generation.listeners.iter().for_each(|bound| bound.close_queue());
            }
        }
        for GivenUp { bound, .. } in self.given_up.drain(..) {
            bound.share(shared);
            bound.close_for_good();
        }
        self.close_listeners();
        self.signal_workers(stopping.signal())?;
        self.stopping = Some(stopping);
        Ok(())
    }

    /// The workers' copies stay open until they have taken what waits in the accept queues.
    fn close_listeners(&mut self) {
        self.passed_sockets.clear();
        for generation in [&mut self.candidate, &mut self.current].into_iter().flatten() {
            generation.listeners.clear();
            if let Some(Err(error)) = generation.casting().map(|mold| mold.order(&Order::CloseListeners)) {
                log::debug!("A mold was not told to close its listeners: {error}");
            }
        }
    }

    /// Ends the server with this status, without a word: what is wrong has been said.
    pub(crate) fn end(&mut self, status: u8) -> io::Result<()> {
        self.exit = Some(status);
        self.stop(false)
    }

    /// Ends the server because no worker can live.
    pub(crate) fn halt(&mut self, status: u8, reason: &'static str) -> io::Result<()> {
        self.halted = Some(reason);
        self.end(status)
    }

    /// Lets molds go when they are not needed any more, and kills whoever is late. The mold whose hooks are in force
    /// stays to the end: it hears of every worker's, and calls `on_exit`.
    pub(crate) fn press_stop(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let late = self.stopping.as_ref().is_some_and(|stopping| now >= stopping.deadline);
        if self.workers.ordered.is_empty() || late {
            let last = self.last_generation().map(|generation| generation.id);
            for generation in [self.candidate.take(), self.current.take()].into_iter().flatten() {
                match Some(generation.id) == last && !(late && self.has_said_farewell) {
                    true => self.current = Some(generation),
                    false => self.dismiss(generation),
                }
            }
        }
        if self.workers.alive() == 0 && !self.has_said_farewell {
            self.say_farewell();
        }
        for mold in &mut self.leaving_molds {
            if late {
                mold.kill_at = mold.kill_at.min(now);
            }
            mold.press(now)?;
        }
        if late {
            self.signal_workers(Signal::Kill)?;
            if let Some(stopping) = &mut self.stopping {
                stopping.deadline = now + QUICK_GRACE;
            }
        }
        Ok(())
    }

    /// The one with hooks to call: the serving generation, else that of a first start, if its mold takes orders.
    fn last_generation(&self) -> Option<&Generation> {
        self.in_force().filter(|generation| generation.casting().is_some())
    }

    /// The last words, and the last hook: its mold is let go when it has returned.
    fn say_farewell(&mut self) {
        self.has_said_farewell = true;
        self.end_database_watch();
        match self.halted {
            Some(reason) => {
                log::error!("Shutting down: Master");
                log::error!("Reason: {reason}");
            }
            None => log::info!("Shutting down: Master"),
        }
        self.pidfile = None;
        self.forward_lines();
        let told =
            self.last_generation().and_then(Generation::casting).map(|mold| mold.order(&Order::Call(Hook::OnExit)));
        if !matches!(told, Some(Ok(()))) {
            self.current.take().into_iter().for_each(|generation| self.dismiss(generation));
        }
    }

    /// `on_exit` has returned.
    pub(crate) fn mold_has_said_farewell(&mut self, id: GenerationId) -> io::Result<()> {
        self.dismiss_in_stop(id);
        Ok(())
    }

    /// Lets a mold go during a stop, whether it has done what it was kept for or has ended by itself.
    pub(crate) fn dismiss_in_stop(&mut self, id: GenerationId) {
        for place in [&mut self.candidate, &mut self.current] {
            if let Some(generation) = place.take_if(|generation| generation.id == id) {
                self.leaving_molds.extend(generation.mold.map(MoldProcess::dismiss));
            }
        }
    }

    /// The server's exit status, once the end is decided and nobody is left.
    pub(crate) fn finished(&mut self) -> Option<u8> {
        let nobody = self.workers.alive() == 0
            && self.leaving_molds.is_empty()
            && self.current.is_none()
            && self.candidate.is_none();
        if nobody && self.exit.is_some() && !self.has_said_farewell {
            self.say_farewell();
        }
        self.exit.filter(|_| nobody)
    }
}
