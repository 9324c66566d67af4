//! The log files that the settings name, opened before anybody gives up privileges.

use std::io;
use std::sync::Arc;

use ferricorn_settings::{LogLevel, Settings};
use ferricorn_unix::credentials;

use crate::error_log::{self, Threshold};
use crate::log_file::{LogFile, Stream};
use crate::statsd::Statsd;

/// Why the server cannot say what it has to say.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// A log that cannot be written.
    #[error("'{path}' isn't writable: {error} (setting {setting})")]
    Unwritable {
        /// The setting that names it.
        setting: &'static str,
        /// Its name.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// Metrics that cannot be sent.
    #[error("{0} (setting statsd_host)")]
    Metrics(io::Error),
}

/// Starts (or redirects) this process's error log as the settings say.
pub fn start(settings: &Settings) -> Result<(), LogFailure> {
    let file = open(&settings.errorlog, Stream::Error, "errorlog", settings)?;
    if settings.capture_output {
        file.capture_output().map_err(|error| LogFailure::Unwritable {
            setting: "capture_output",
            path: settings.errorlog.clone(),
            error,
        })?;
    }
    let threshold = match settings.loglevel {
        LogLevel::Critical => Threshold::Critical,
        LogLevel::Error => Threshold::Error,
        LogLevel::Warning => Threshold::Warning,
        LogLevel::Info => Threshold::Info,
        LogLevel::Debug => Threshold::Debug,
    };
    error_log::start(Arc::new(file), threshold);
    error_log::count_with(Statsd::open(settings).map_err(LogFailure::Metrics)?);
    Ok(())
}

/// Opens the access log, if one is wanted.
pub fn open_access_log(settings: &Settings) -> Result<Option<LogFile>, LogFailure> {
    settings.accesslog.as_deref().map(|path| open(path, Stream::Output, "accesslog", settings)).transpose()
}

/// Workers must be able to open the file again after a rotation, as the user they have become.
fn open(path: &str, stream: Stream, setting: &'static str, settings: &Settings) -> Result<LogFile, LogFailure> {
    let fail = |error| LogFailure::Unwritable { setting, path: path.to_owned(), error };
    let file = LogFile::open(path, stream).map_err(fail)?;
    let ours = (credentials::effective_user(), credentials::effective_group());
    if let Some(path) = file.path()
        && credentials::effective_user() == 0
        && (settings.user, settings.group) != ours
    {
        credentials::give_file(path, settings.user, settings.group).map_err(fail)?;
    }
    Ok(file)
}
