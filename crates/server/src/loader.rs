//! What the host language contributes to a server.

use std::path::Path;

use ferricorn_application::Application;
use ferricorn_mold::ForkGuard;
use ferricorn_settings::{Layer, Settings};

/// Reads configuration files and makes applications. One lives in each mold, and its copy in
/// each worker that is forked from it; the master never calls it.
pub trait Loader: ForkGuard {
    /// What it makes.
    type App: Application;

    /// Evaluates a configuration file written in the host language. The error is the whole text
    /// for the operator.
    fn evaluate_file(&mut self, path: &Path) -> Result<Layer, String>;

    /// Likewise for one that is named as a module.
    fn evaluate_module(&mut self, name: &str) -> Result<Layer, String>;

    /// Brings this process into the state in which the application expects to be loaded: working
    /// directory, environment, search path.
    fn prepare(&mut self, settings: &Settings) -> Result<(), String>;

    /// Loads the application here, to be shared by all processes forked from this one.
    fn preload(&mut self, settings: &Settings) -> Result<(), LoadFailure>;

    /// Runs in a new worker before anything else of the application's.
    fn begin_worker(&mut self) -> Result<(), String>;

    /// The application: the one that was preloaded, or loaded now.
    fn application(&mut self, settings: &Settings) -> Result<Self::App, LoadFailure>;
}

/// Why there is no application.
#[derive(Debug)]
pub enum LoadFailure {
    /// It is missing, or is not one: a sentence that says which.
    NotAnApplication {
        /// For the operator.
        message: String,
        /// Where it came from, for the debug log.
        traceback: String,
    },
    /// Loading it failed.
    Raised {
        /// Where and why.
        traceback: String,
    },
    /// Loading it asked for the end of the process, with this status.
    Exit(i32),
}
