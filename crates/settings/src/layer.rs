//! Where values come from: one [`Layer`] per source, laid over each other in the order of precedence.

use crate::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// A line of such a file, from 1.
    Line(PathBuf, usize),
    /// `GUNICORN_CMD_ARGS`.
    CommandArguments,
    /// The command line.
    CommandLine,
    /// The program that embeds the server, in its own code.
    Program,
    /// This source said `auto`; the text is what the number was computed from.
    Automatic(Box<Origin>, String),
}

impl Origin {
    /// True when values of this origin were given as flags.
    pub fn speaks_in_flags(&self) -> bool {
        match self {
            Origin::CommandArguments | Origin::CommandLine => true,
            Origin::Automatic(source, _) => source.speaks_in_flags(),
            _ => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the defaults"),
            Origin::Environment(variable) => write!(f, "the environment variable {variable}"),
            Origin::Paste(path) => write!(f, "the PasteDeploy file {}", path.display()),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Line(path, line) => write!(f, "{}, line {line}", path.display()),
            Origin::CommandArguments => f.write_str("GUNICORN_CMD_ARGS"),
            Origin::CommandLine => f.write_str("the command line"),
            Origin::Program => f.write_str("the program"),
            Origin::Automatic(source, words) => write!(f, "{source} (auto: {words})"),
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
    /// Where in its file a name stands, from 1, as far as the source knows.
    #[serde(default)]
    pub lines: BTreeMap<String, usize>,
}

impl Layer {
    /// Of a source without lines, or whose lines are not known.
    pub fn new(origin: Origin, values: Vec<(String, Value)>) -> Layer {
        Layer { origin, values, lines: BTreeMap::new() }
    }

    /// The origin of one value, with its line where that is known.
    pub fn origin_of(&self, name: &str) -> Origin {
        match (&self.origin, self.lines.get(name)) {
            (Origin::File(path), Some(line)) => Origin::Line(path.clone(), *line),
            (origin, _) => origin.clone(),
        }
    }
}
