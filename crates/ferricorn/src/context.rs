//! What a worker tells the factory.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ferricorn_pool::Failure;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::pool::Pool;

/// A worker, as the factory sees it.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) slot: u32,
    pub(crate) settings: Settings,
    pub(crate) shutdown: Shutdown,
    pub(crate) pool: Arc<OnceLock<Pool>>,
}

impl Context {
    /// The worker's number: of those that serve at the same time no two have the same. Numbers are used again.
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// What the operator has asked for.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The worker's connections to Postgres, which all who ask share. Fails when what the environment or
    /// `[db]` of the configuration says of the database makes no sense; whether there is one, the first who needs a connection finds out.
    pub fn pool(&self) -> Result<Pool, Failure> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool.clone());
        }
        let pool = Pool::from_environment()?;
        let pool = self.pool.get_or_init(|| pool).clone();
        if let Ok(runtime) = Handle::try_current() {
            // Nobody waits for it: a database that is away comes back.
            drop(runtime.spawn(pool.clone().warm()));
        }
        Ok(pool)
    }

    /// Tells when the worker begins to leave.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }
}

/// What the operator has asked for, as far as a service may want to know. docs/settings.md says what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `proc_name`: what the server is called.
    pub name: String,
    /// `workers`.
    pub workers: usize,
    /// `worker_connections`.
    pub worker_connections: usize,
    /// `timeout`.
    pub timeout: Duration,
    /// `graceful_timeout`: what requests get that are in progress when the worker is told to leave.
    pub graceful_timeout: Duration,
    /// `keepalive`.
    pub keepalive: Duration,
}

impl From<&ferricorn_settings::Settings> for Settings {
    fn from(settings: &ferricorn_settings::Settings) -> Self {
        Self {
            name: settings.proc_name.clone(),
            workers: settings.workers,
            worker_connections: settings.worker_connections,
            timeout: settings.timeout,
            graceful_timeout: settings.graceful_timeout,
            keepalive: settings.keepalive,
        }
    }
}

/// Tells when the worker begins to leave: it takes no connections any more, finishes the requests it has, and ends, after
/// `graceful_timeout` at the latest. Responses without an end, such as event streams, should end then.
///
/// ```no_run
/// # use axum::{Router, routing::get};
/// # fn main() -> std::process::ExitCode {
/// ferricorn::serve(|context| {
///     let shutdown = context.shutdown();
///     let wait = async move || {
///         shutdown.begun().await;
///         "the shop closes"
///     };
///     Router::new().route("/closing-time", get(wait))
/// })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (begin, begun) = watch::channel(false);
        (begin, Self(begun))
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        // Who could tell has ended: that is the end, too.
        let _ = self.0.clone().wait_for(|begun| *begun).await;
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_and_so_is_who_comes_later() {
        let (begin, shutdown) = Shutdown::new();
        assert!(!shutdown.has_begun());
        let (told, ()) = tokio::join!(shutdown.begun(), async {
            begin.send_replace(true);
        });
        let () = told;
        shutdown.begun().await;
        assert!(shutdown.has_begun());
    }
}
