//! Where values come from: one [`Layer`] per source, laid over each other in the order of precedence.

use crate::Value;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// The source of a value. Its `Display` reads well after "from".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The named environment variable, which changes a default.
    Environment(String),
    /// The PasteDeploy file of `paste`, below every conf file.
    Paste(PathBuf),
    /// A conf file or TOML file.
    File(PathBuf),
    /// `GUNICORN_CMD_ARGS`.
    CommandArguments,
    /// The command line.
    CommandLine,
}

impl Origin {
    /// True when values of this origin were given as flags.
    pub fn speaks_in_flags(&self) -> bool {
        matches!(self, Origin::CommandArguments | Origin::CommandLine)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the defaults"),
            Origin::Environment(variable) => write!(f, "the environment variable {variable}"),
            Origin::Paste(path) => write!(f, "the PasteDeploy file {}", path.display()),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::CommandArguments => f.write_str("GUNICORN_CMD_ARGS"),
            Origin::CommandLine => f.write_str("the command line"),
        }
    }
}

/// Everything one source said, in the order it said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Which source it is, for the error sentences.
    pub origin: Origin,
    /// Setting names and values. Of a conf file these are all its globals: names that are no setting are passed over.
    pub values: Vec<(String, Value)>,
}
