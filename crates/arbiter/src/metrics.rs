//! What the master tells a statsd server: how many workers are wanted, how many connections wait. Where the metrics are a
//! logger's in the application's language, a mold passes them on.

use std::io;
use std::os::fd::AsFd;

use ferricorn_mold::Order;
use ferricorn_mold::protocol::Metric;
use ferricorn_settings::Settings;
use ferricorn_telemetry::statsd::Statsd;
use ferricorn_unix::accept_queue;

use crate::arbiter::Arbiter;

impl Arbiter {
    /// Opens the way to the server that these settings name. One that cannot be reached stops nothing but a start.
    pub(crate) fn open_statsd(&mut self, settings: &Settings) -> io::Result<()> {
        self.statsd = Statsd::open(settings)?;
        Ok(())
    }

    /// The number of workers has been set.
    pub(crate) fn measure_workers(&mut self) -> io::Result<()> {
        match &self.statsd {
            Some(statsd) => {
                statsd.gauge_workers(self.target);
                Ok(())
            }
            None => self.pass_on(Metric::Workers(self.target)),
        }
    }

    /// Once a second, where it is asked for.
    pub(crate) fn measure_backlog(&mut self) -> io::Result<()> {
        let Some(current) = &self.current else { return Ok(()) };
        if !current.settings.as_ref().is_some_and(|settings| settings.enable_backlog_metric) {
            return Ok(());
        }
        let mut waiting = None;
        for bound in &current.listeners {
            match accept_queue::length(bound.as_fd()) {
                Ok(more) => waiting = more.map(|more| waiting.unwrap_or(0) + more).or(waiting),
                Err(error) => log::debug!("The backlog of {} cannot be read: {error}", bound.url(false)),
            }
        }
        match (&self.statsd, waiting) {
            (_, None) => Ok(()),
            (Some(statsd), Some(waiting)) => {
                statsd.backlog(waiting);
                Ok(())
            }
            (None, Some(waiting)) => self.pass_on(Metric::Backlog(waiting)),
        }
    }

    fn pass_on(&mut self, metric: Metric) -> io::Result<()> {
        match self.settings() {
            Some(settings) if settings.statsd_host.is_some() => self.tell_hooks(&Order::Measure(metric)),
            _ => Ok(()),
        }
    }
}
