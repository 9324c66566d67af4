//! The listening sockets: bound by us, or received from the service manager. The master holds
//! them for its life, so no connection is refused while anything else is replaced.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ferricorn_settings::{Bind, Settings};
use ferricorn_unix::listener::{Address, Listener};
use ferricorn_unix::process::ProcessId;
use ferricorn_unix::{accept_queue, credentials, descriptor, environment};

/// The first descriptor that a service manager passes (sd_listen_fds(3)).
const FIRST_PASSED: i32 = 3;
/// How names of sockets begin that we have left with the service manager. A colon has a meaning of its own there.
const STORED: &str = "ferricorn-";

/// A socket that listens on behalf of one `bind` setting. Dropping it closes the master's copy
/// and removes a Unix socket's file, if that is still the one we made.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What it was bound for; `None` if it came from the service manager.
    pub(crate) bind: Option<Bind>,
    listener: Listener,
    /// The file that goes with it, and its inode.
    file: Option<(PathBuf, u64)>,
    /// Another master serves from it: the file stays.
    is_shared: Cell<bool>,
}

/// Why a socket does not listen, with the words for the log.
#[derive(Debug)]
pub(crate) struct BindFailure {
    pub(crate) address: String,
    pub(crate) error: io::Error,
}

impl Bound {
    /// Binds and listens.
    pub(crate) fn open(bind: &Bind, settings: &Settings) -> Result<Self, BindFailure> {
        let opened = match bind {
            Bind::Tcp { host, port } => resolve(host, *port)
                .and_then(|address| Listener::tcp(address, settings.backlog, settings.reuse_port))
                .map(|listener| (listener, None)),
            Bind::Unix { path } => open_unix(path, settings),
            Bind::Fd { fd } => adopt(*fd).map(|listener| (listener, None)),
        };
        match opened {
            Ok((listener, file)) => Ok(Self { bind: Some(bind.clone()), listener, file, is_shared: Cell::new(false) }),
            Err(error) => Err(BindFailure { address: describe(bind), error }),
        }
    }

    fn from_service_manager(number: i32) -> io::Result<Self> {
        let owned = descriptor::take_inherited(number)?;
        descriptor::set_inheritable(owned.as_fd(), false)?;
        Ok(Self { bind: None, listener: Listener::from_descriptor(owned)?, file: None, is_shared: Cell::new(false) })
    }

    /// Takes over what another master has bound.
    pub(crate) fn inherited(number: i32, bind: Option<Bind>) -> io::Result<Self> {
        let mut bound = Self::from_service_manager(number)?;
        if let Some(Bind::Unix { path }) = &bind {
            let path = std::path::absolute(path)?;
            bound.file = fs::symlink_metadata(&path).ok().map(|found| (path, found.ino()));
        }
        bound.bind = bind;
        Ok(bound)
    }

    /// The name under which the service manager keeps it over a restart; `None` for one that it has given us, and for a Unix
    /// socket, whose file goes with the server.
    pub(crate) fn name_in_store(&self) -> Option<String> {
        match &self.bind {
            Some(bind @ Bind::Tcp { .. }) => Some(format!("{STORED}{}", bind.to_string().replace(':', "="))),
            _ => None,
        }
    }

    /// Whether it ends with this server, because nobody else has it: neither the service manager nor whoever has passed it.
    pub(crate) fn is_ours(&self) -> bool {
        match &self.bind {
            Some(Bind::Tcp { .. }) => env::var_os("NOTIFY_SOCKET").is_none(),
            Some(Bind::Unix { .. }) => true,
            Some(Bind::Fd { .. }) | None => false,
        }
    }

    /// Nobody new is let in, because what waits is all that will still be served. A socket that outlives this server, with
    /// another master or the service manager, stays as it is.
    pub(crate) fn close_queue(&self) {
        if self.is_ours() {
            self.close_for_good();
        }
    }

    /// The same when the service manager has been told to forget it.
    pub(crate) fn close_for_good(&self) {
        if self.is_shared.get() || !matches!(self.bind, Some(Bind::Tcp { .. } | Bind::Unix { .. })) {
            return;
        }
        if let Err(error) = accept_queue::close(&self.listener) {
            log::debug!("{} takes connections to the last: {error}", self.url(false));
        }
    }

    /// Says whether another master serves from it, too.
    pub(crate) fn share(&self, shared: bool) {
        self.is_shared.set(shared);
    }
}

impl Bound {
    /// Where clients find it, as the log has it.
    pub(crate) fn url(&self, speaks_tls: bool) -> String {
        match self.listener.address() {
            Address::Tcp(address) => format!("{}://{address}", if speaks_tls { "https" } else { "http" }),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some((path, inode)) = &self.file
            && !self.is_shared.get()
            && fs::symlink_metadata(path).is_ok_and(|found| found.ino() == *inode)
            && let Err(error) = fs::remove_file(path)
        {
            log::warn!("Cannot remove socket '{}': {error}", path.display());
        }
    }
}

fn open_unix(path: &Path, settings: &Settings) -> io::Result<(Listener, Option<(PathBuf, u64)>)> {
    let listener = Listener::unix(path, settings.backlog, settings.umask)?;
    let path = std::path::absolute(path)?;
    let Ok(made) = fs::symlink_metadata(&path) else { return Ok((listener, None)) };
    if (settings.user, settings.group) != (credentials::effective_user(), credentials::effective_group()) {
        credentials::give_file(&path, settings.user, settings.group)?;
    }
    Ok((listener, Some((path, made.ino()))))
}

/// Takes a copy of a descriptor that the operator named, and closes the original.
fn adopt(number: i32) -> io::Result<Listener> {
    let original = descriptor::take_inherited(number)?;
    Listener::from_descriptor(original.try_clone()?)
}

/// Names resolve to IPv4 only, as in Gunicorn; an IPv6 address is written in brackets.
fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let wants_v6 = host.contains(':');
    (host, port)
        .to_socket_addrs()?
        .find(|address| address.is_ipv6() == wants_v6)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no IPv4 address"))
}

/// The address as Gunicorn's messages write it.
fn describe(bind: &Bind) -> String {
    match bind {
        Bind::Tcp { host, port } => format!("('{host}', {port})"),
        Bind::Unix { path } => path.display().to_string(),
        Bind::Fd { fd } => format!("fd://{fd}"),
    }
}

/// The sockets that a service manager passed to this very process (LISTEN_PID, LISTEN_FDS). Those that the server has left
/// there itself know what they were bound for. The variables are removed: nobody whom we start shall take them for its own.
pub(crate) fn from_service_manager() -> io::Result<Vec<Bound>> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
    let (pid, count) = (number("LISTEN_PID"), number("LISTEN_FDS"));
    if pid != Some(ProcessId::current().as_raw()) {
        return Ok(Vec::new());
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        environment::set(name.as_ref(), None)?;
    }
    let mut names = names.split(':');
    let stored = |name: &str| name.strip_prefix(STORED)?.replace('=', ":").parse::<Bind>().ok();
    (0..count.unwrap_or(0)).map(|index| Bound::inherited(FIRST_PASSED + index, names.next().and_then(stored))).collect()
}
