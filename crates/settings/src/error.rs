//! Every sentence about settings that ends a start. The caller prints `Error: ` before it and exits with 1.

use crate::value::quoted;
use crate::{Origin, Setting, Value};
use std::path::PathBuf;
use thiserror::Error;

/// Why the settings cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SettingsError {
    /// A value that its setting does not take, or this server.
    #[error("{at}: {problem}")]
    Invalid {
        /// Setting, value and source.
        at: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },

    /// Neither an argument nor `wsgi_app`.
    #[error("No application module specified.")]
    NoApplication,

    /// A conf file that was asked for and is not there.
    #[error("{} doesn't exist", quoted(&.0.to_string_lossy()))]
    NoFile(PathBuf),

    /// A file that is there and cannot be read.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },

    /// A file that is not TOML.
    #[error("{}, line {line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What the parser said.
        problem: String,
    },

    /// A key that is no setting.
    #[error("{}, line {line}: there is no setting `{key}`, did you mean `{nearest}`?", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What it says.
        key: String,
        /// What comes nearest.
        nearest: &'static str,
    },
}

impl SettingsError {
    /// For a value that its setting does not take, or this server.
    pub(crate) fn invalid(setting: &Setting, value: &Value, origin: &Origin, problem: String) -> SettingsError {
        SettingsError::Invalid { at: place(setting, value, origin), problem }
    }
}

/// "`workers = -1` (--workers) from the command line".
pub(crate) fn place(setting: &Setting, value: &Value, origin: &Origin) -> String {
    let flag = match setting.flag() {
        Some(flag) if origin.speaks_in_flags() => format!(" ({flag})"),
        _ => String::new(),
    };
    format!("`{} = {value}`{flag} from {origin}", setting.name)
}
