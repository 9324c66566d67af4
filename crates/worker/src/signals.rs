//! Signals to a worker, on the worker's own loop. The handlers only write to a pipe; they chain
//! to handlers that were installed before, so that the application's language sees them too.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use ferricorn_unix::process::ProcessId;
use signal_hook::consts::{SIGABRT, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use tokio::net::unix::pipe;

use crate::shared::Shared;

/// What has been asked of this worker, still unread.
pub(crate) struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let handled = [SIGABRT, SIGINT, SIGQUIT, SIGTERM, SIGUSR1];
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, handled)?))
    }

    /// What has arrived so far: a signal that ends this worker, one to reopen its logs.
    pub(crate) fn take(&mut self) -> (bool, bool) {
        let arrived: Vec<i32> = self.0.pending().collect();
        (arrived.iter().any(|signal| *signal != SIGUSR1), arrived.contains(&SIGUSR1))
    }

    /// Obeys for the worker's life.
    pub(crate) async fn obey(mut self, shared: Rc<Shared>) -> io::Result<()> {
        let pipe = self.0.get_read().try_clone()?;
        pipe.set_nonblocking(true)?;
        let pipe = tokio::net::UnixStream::from_std(pipe)?;
        loop {
            pipe.readable().await?;
            // Emptied first: a signal that comes after this makes the pipe readable again.
            while pipe.try_read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
            for signal in self.0.pending() {
                match signal {
                    SIGTERM => shared.drain(shared.settings.graceful_timeout),
                    SIGUSR1 => reopen_logs(&shared),
                    _ => shared.leave(),
                }
            }
        }
    }
}

/// Watches for signals that the application is to see. `descriptor`: see
/// [`Application::watch_signals`](ferricorn_application::Application::watch_signals).
pub(crate) async fn watch_applications(shared: Rc<Shared>, descriptor: OwnedFd) -> io::Result<()> {
    let signals = UnixStream::from(descriptor);
    signals.set_nonblocking(true)?;
    let signals = tokio::net::UnixStream::from_std(signals)?;
    loop {
        signals.readable().await?;
        while signals.try_read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        shared.note_signal();
    }
}

pub(crate) fn reopen_logs(shared: &Shared) {
    ferricorn_telemetry::error_log::reopen();
    if let Some(access_log) = &shared.access_log
        && let Err(error) = access_log.borrow_mut().reopen()
    {
        log::error!("Cannot reopen the access log: {error}");
    }
}

/// Ends the worker when the master has ended: nobody would ever tell it to leave.
pub(crate) async fn watch_master(shared: Rc<Shared>, life: OwnedFd) -> io::Result<()> {
    pipe::Receiver::from_owned_fd(life)?.readable().await?;
    log::info!("Parent changed, shutting down: <Worker {}>", ProcessId::current());
    shared.master_is_gone.set(true);
    shared.drain(shared.settings.graceful_timeout);
    Ok(())
}
