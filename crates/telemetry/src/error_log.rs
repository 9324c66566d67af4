//! The server's own log: `[time] [pid] [LEVEL] message`, as Gunicorn writes it.
//!
//! The `log` crate's macros are the way in; `critical!` adds the level that it lacks. A [`Companion`] may take the lines
//! in place of the file.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use env_logger::{Builder, Target};
use log::{LevelFilter, Record};
use serde::{Deserialize, Serialize};

use crate::log_file::LogFile;
use crate::statsd::Statsd;
use crate::timestamp;

/// The `log` target that marks a message as CRITICAL.
pub const CRITICAL: &str = "critical";

/// How grave a message is, in Gunicorn's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Above ERROR.
    Critical,
    /// ERROR.
    Error,
    /// WARNING.
    Warning,
    /// INFO.
    Info,
    /// DEBUG.
    Debug,
}

impl Level {
    /// As log lines have it, in upper case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }

    fn of(record: &Record<'_>) -> Self {
        match record.level() {
            _ if record.target() == CRITICAL => Self::Critical,
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warning,
            log::Level::Info => Self::Info,
            log::Level::Debug | log::Level::Trace => Self::Debug,
        }
    }
}

/// Another logger beside the file: the one of the application's language, or, in the master, the way to it.
pub trait Companion: Send + Sync {
    /// Takes a line in place of the file; `false` leaves it to the file.
    fn take(&self, level: Level, message: &str) -> bool;

    /// The files were renamed: open them anew.
    fn reopen(&self);
}

/// The `log` target that marks an error as one that comes with its traceback.
pub const EXCEPTION: &str = "exception";

/// Logs an error with its traceback.
#[macro_export]
macro_rules! exception {
    ($($argument:tt)+) => { ::log::error!(target: $crate::error_log::EXCEPTION, $($argument)+) };
}

/// Logs at Gunicorn's highest level, above `log::error!`.
#[macro_export]
macro_rules! critical {
    ($($argument:tt)+) => { ::log::error!(target: $crate::error_log::CRITICAL, $($argument)+) };
}

/// The file of this process's error log; replaced when a reload names another.
static DESTINATION: Mutex<Option<Arc<LogFile>>> = Mutex::new(None);
static INSTALLED: OnceLock<()> = OnceLock::new();
/// Counts what is logged.
static STATSD: Mutex<Option<Arc<Statsd>>> = Mutex::new(None);
static COMPANION: Mutex<Option<Arc<dyn Companion>>> = Mutex::new(None);

/// Which messages are written. `Critical` writes only CRITICAL ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Only CRITICAL.
    Critical,
    /// ERROR and above.
    Error,
    /// WARNING and above.
    Warning,
    /// INFO and above.
    Info,
    /// Everything.
    Debug,
}

static ONLY_CRITICAL: AtomicBool = AtomicBool::new(false);

/// Starts logging to this file, or goes on there with another threshold when called again.
pub fn start(file: Arc<LogFile>, threshold: Threshold) {
    *DESTINATION.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    INSTALLED.get_or_init(|| {
        Builder::new()
            .filter_level(LevelFilter::Trace)
            // They have threads of their own, and nothing to say to an operator.
            .filter_module("mio", LevelFilter::Off)
            .filter_module("notify", LevelFilter::Off)
            .target(Target::Pipe(Box::new(Destination)))
            .format(|out, record| io::Write::write_all(out, &dispatch(record)))
            .init();
    });
    ONLY_CRITICAL.store(threshold == Threshold::Critical, Ordering::Relaxed);
    log::set_max_level(match threshold {
        Threshold::Critical | Threshold::Error => LevelFilter::Error,
        Threshold::Warning => LevelFilter::Warn,
        Threshold::Info => LevelFilter::Info,
        Threshold::Debug => LevelFilter::Debug,
    });
}

/// The file of this process's error log, once started.
pub fn destination() -> Option<Arc<LogFile>> {
    DESTINATION.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Gives every line to this companion first; with `None` to nobody but the file.
pub fn accompany(companion: Option<Arc<dyn Companion>>) {
    *COMPANION.lock().unwrap_or_else(PoisonError::into_inner) = companion;
}

/// Logs a message whose level is known only at run time.
pub fn log(level: Level, message: &str) {
    match level {
        Level::Critical => critical!("{message}"),
        Level::Error => log::error!("{message}"),
        Level::Warning => log::warn!("{message}"),
        Level::Info => log::info!("{message}"),
        Level::Debug => log::debug!("{message}"),
    }
}

/// Tells this server of every grave message, or nobody any more.
pub fn count_with(statsd: Option<Statsd>) {
    *STATSD.lock().unwrap_or_else(PoisonError::into_inner) = statsd.map(Arc::new);
}

fn count(level: Level, target: &str) {
    let word = match level {
        Level::Critical => "critical",
        Level::Error if target == EXCEPTION => "exception",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info | Level::Debug => return,
    };
    if let Some(statsd) = &*STATSD.lock().unwrap_or_else(PoisonError::into_inner) {
        statsd.log(word);
    }
}

/// Writes a line to the file, whoever accompanies it.
pub fn write(level: Level, message: &str) -> io::Result<()> {
    match destination() {
        Some(file) => file.write(&line(level, message)),
        None => Ok(()),
    }
}

/// Opens the error log anew after a rotation; where that fails, the old file says so.
pub fn reopen() {
    if let Some(companion) = companion() {
        companion.reopen();
    }
    if let Some(file) = destination()
        && let Err(error) = file.reopen()
    {
        log::error!("Cannot reopen the error log: {error}");
    }
}

struct Destination;

impl io::Write for Destination {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if let Some(file) = destination() {
            file.write(buffer)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A copy, so that the lock is not held while a companion logs something itself.
fn companion() -> Option<Arc<dyn Companion>> {
    COMPANION.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The line for the file; empty when it is not wanted there.
fn dispatch(record: &Record<'_>) -> Vec<u8> {
    let level = Level::of(record);
    if level != Level::Critical && ONLY_CRITICAL.load(Ordering::Relaxed) {
        return Vec::new();
    }
    count(level, record.target());
    let message = record.args().to_string();
    match companion() {
        Some(companion) if companion.take(level, &message) => Vec::new(),
        _ => line(level, &message),
    }
}

fn line(level: Level, message: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    line.push(b'[');
    timestamp::append_error_notation(&mut line);
    line.extend_from_slice(format!("] [{}] [{}] {message}\n", std::process::id(), level.name()).as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_process_level_and_message() {
        let text = String::from_utf8(line(Level::Warning, "Booting")).unwrap();
        let (time, rest) = text.split_at(text.find("] ").unwrap());
        assert_eq!(time.len(), "[2026-11-23 15:21:28 +0000".len(), "{text}");
        assert_eq!(rest, format!("] [{}] [WARNING] Booting\n", std::process::id()));
    }

    #[test]
    fn critical_is_a_level_of_its_own() {
        let record = Record::builder().args(format_args!("x")).level(log::Level::Error).target(CRITICAL).build();
        assert_eq!(Level::of(&record), Level::Critical);
    }

    #[test]
    fn a_companion_takes_lines_or_leaves_them() {
        struct Picky;
        impl Companion for Picky {
            fn take(&self, _: Level, message: &str) -> bool {
                message == "mine"
            }
            fn reopen(&self) {}
        }
        accompany(Some(Arc::new(Picky)));
        let dispatched = |message: &str| dispatch(&Record::builder().args(format_args!("{message}")).build());
        assert!(dispatched("mine").is_empty());
        assert!(dispatched("yours").ends_with(b"] yours\n"));
        accompany(None);
    }
}
