//! The server's own log: `[time] [pid] [LEVEL] message`, as Gunicorn writes it.
//!
//! The `log` crate's macros are the way in; `critical!` adds the level that it lacks.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use env_logger::{Builder, Target};
use log::{LevelFilter, Record};

use crate::log_file::LogFile;
use crate::timestamp;

/// The `log` target that marks a message as CRITICAL.
pub const CRITICAL: &str = "critical";

/// Logs at Gunicorn's highest level, above `log::error!`.
#[macro_export]
macro_rules! critical {
    ($($argument:tt)+) => { ::log::error!(target: $crate::error_log::CRITICAL, $($argument)+) };
}

/// The file of this process's error log; replaced when a reload names another.
static DESTINATION: Mutex<Option<Arc<LogFile>>> = Mutex::new(None);
static INSTALLED: OnceLock<()> = OnceLock::new();

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

static ONLY_CRITICAL: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Starts logging to this file, or goes on there with another threshold when called again.
pub fn start(file: Arc<LogFile>, threshold: Threshold) {
    *DESTINATION.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    INSTALLED.get_or_init(|| {
        Builder::new()
            .filter_level(LevelFilter::Trace)
            .target(Target::Pipe(Box::new(Destination)))
            .format(|out, record| io::Write::write_all(out, &line(record)))
            .init();
    });
    ONLY_CRITICAL.store(threshold == Threshold::Critical, std::sync::atomic::Ordering::Relaxed);
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

/// Opens the error log anew after a rotation; where that fails, the old file says so.
pub fn reopen() {
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

fn line(record: &Record<'_>) -> Vec<u8> {
    let level = match record.level() {
        _ if record.target() == CRITICAL => "CRITICAL",
        _ if ONLY_CRITICAL.load(std::sync::atomic::Ordering::Relaxed) => return Vec::new(),
        log::Level::Error => "ERROR",
        log::Level::Warn => "WARNING",
        log::Level::Info => "INFO",
        log::Level::Debug | log::Level::Trace => "DEBUG",
    };
    let mut line = Vec::with_capacity(128);
    line.push(b'[');
    timestamp::append_error_notation(&mut line);
    line.extend_from_slice(format!("] [{}] [{level}] {}\n", std::process::id(), record.args()).as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_process_level_and_message() {
        let record = Record::builder().args(format_args!("Booting")).level(log::Level::Warn).build();
        let text = String::from_utf8(line(&record)).unwrap();
        let (time, rest) = text.split_at(text.find("] ").unwrap());
        assert_eq!(time.len(), "[2026-11-23 15:21:28 +0000".len(), "{text}");
        assert_eq!(rest, format!("] [{}] [WARNING] Booting\n", std::process::id()));
    }

    #[test]
    fn critical_is_a_level_of_its_own() {
        let record = Record::builder().args(format_args!("x")).level(log::Level::Error).target(CRITICAL).build();
        assert!(String::from_utf8(line(&record)).unwrap().contains("[CRITICAL] x"));
    }
}
