//! What the host language contributes to a server.

use std::os::fd::OwnedFd;
use std::path::Path;

use ferricorn_application::{CertificateChoice, Loaded};
use ferricorn_mold::Host;
use ferricorn_mold::protocol::Occasion;
use ferricorn_settings::{Language, Layer, Resolved, Settings, Tls};

/// Reads configuration files, makes applications, and calls the hooks of both. One lives in each mold, and its copy in
/// each worker that is forked from it; the master never calls it.
pub trait Loader: Host {
    /// The language that it is about.
    fn language(&self) -> Language;

    /// Evaluates a configuration file written in the host language. The error is the whole text
    /// for the operator.
    fn evaluate_file(&mut self, path: &Path) -> Result<Layer, String>;

    /// Likewise for one that is named as a module.
    fn evaluate_module(&mut self, name: &str) -> Result<Layer, String>;

    /// What the program that embeds the server has said in its own code; `None` if no program embeds it.
    fn embedding(&mut self) -> Result<Option<Embedding>, String>;

    /// Takes the settings as the application's author sees them: makes hooks and classes of what was named, and says what
    /// is wrong with them. The error is one sentence.
    fn adopt(&mut self, resolved: &Resolved) -> Result<(), String>;

    /// Starts the logger of the host language; with `logs_in_python` it takes the server's own lines from here on.
    fn start_logging(&mut self, settings: &Settings) -> Result<(), String>;

    /// What the application's author makes of the TLS that the settings ask for: `ssl_context`. The error is the whole
    /// text for the operator.
    fn revise_tls(&mut self, asked: Tls) -> Result<RevisedTls, String>;

    /// Brings this process into the state in which the application expects to be loaded: working
    /// directory, environment, search path.
    fn prepare(&mut self, settings: &Settings) -> Result<(), String>;

    /// Loads the application here, to be shared by all processes forked from this one.
    fn preload(&mut self, settings: &Settings) -> Result<(), LoadFailure>;

    /// The number of workers is known for the first time in this generation: `nworkers_changed`.
    fn begin_generation(&mut self, settings: &Settings, occasion: Occasion) -> Result<(), LoadFailure>;

    /// What the server listens on, for hooks to see.
    fn show_listeners(&mut self, listeners: &[OwnedFd]) -> Result<(), String>;

    /// Runs in a new worker before anything else of the application's, with the privileges that the server was started
    /// with: `post_fork`.
    fn worker_is_born(&mut self) -> Result<(), LoadFailure>;

    /// Prepares a worker, which by now is the user that it is to be, for the application.
    fn begin_worker(&mut self) -> Result<(), String>;

    /// The application: the one that was preloaded, or loaded now. Then `post_worker_init`.
    fn application(&mut self, settings: &Settings) -> Result<Loaded<LoadFailure>, LoadFailure>;

    /// The worker ends though it never had an application: `worker_exit`.
    fn worker_ends_early(&mut self);
}

/// What the application's author makes of TLS.
pub struct RevisedTls {
    /// In place of what was asked for.
    pub settings: Tls,
    /// Whether clients are shown different certificates.
    pub choice: Option<CertificateChoice>,
}

/// What a program that embeds the server says in place of a command line, or after it.
#[derive(Debug)]
pub struct Embedding {
    /// Its settings: the highest layer.
    pub layer: Layer,
    /// The application's name, for process titles; what it is the loader knows.
    pub name: String,
    /// Whether command line, environment and configuration file count, too.
    pub reads_arguments: bool,
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
