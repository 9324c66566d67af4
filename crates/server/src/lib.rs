//! The composition root: which role this process plays, and what that role is made of.
//!
//! - [`run`]: master or mold? The environment says so
//! - [`loader`]: what the host language contributes: configuration files, the application
//! - `configuration`: all sources of settings, brought together in the mold
//! - `database`: the database pool's part in a server
//! - `mold_role`, `worker_role`: what these processes do, step by step

mod configuration;
mod database;
pub mod loader;
mod mold_role;
mod worker_role;

use std::env;
use std::ffi::OsString;

use ferricorn_arbiter::Launch;
use ferricorn_mold::MOLD_VARIABLE;
use ferricorn_pool::role::{self, Role};
use ferricorn_settings::CommandLine;
use ferricorn_unix::title::Title;

pub use loader::{Embedding, LoadFailure, Loader, RevisedTls};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the program was called.
#[derive(Debug)]
pub struct Invocation {
    /// What it calls itself in messages, log lines and process titles.
    pub program: String,
    /// The arguments, without the program's own name.
    pub arguments: Vec<String>,
    /// What they mean, where the program has flags of its own and has parsed them all.
    pub command_line: Option<CommandLine>,
    /// The command that starts this program again, without arguments of the operator's.
    pub command: Vec<OsString>,
}

/// Plays this process's role to its end; returns the exit status.
pub fn run<L: Loader>(invocation: Invocation, loader: &mut L) -> u8 {
    // Claimed before anything else: it moves the environment, which needs a single thread.
    let title = Title::claim().ok();
    match env::var(MOLD_VARIABLE) {
        Ok(socket) => {
            role::play(Role::Mold);
            mold_role::run(&invocation, &socket, title, loader)
        }
        Err(_) => {
            role::play(Role::Master);
            run_master(invocation, title)
        }
    }
}

/// The master looks at its arguments only to refuse what is wrong with them; what they mean is
/// for each mold to find out, together with everything else.
fn run_master(invocation: Invocation, title: Option<Title>) -> u8 {
    if let Err(exit) = configuration::parse_arguments(&invocation) {
        print!("{}", exit.stdout);
        eprint!("{}", exit.stderr);
        return exit.code;
    }
    let mut mold_command = invocation.command;
    mold_command.extend(invocation.arguments.into_iter().map(OsString::from));
    let start_directory = ferricorn_settings::start_directory();
    ferricorn_arbiter::run(Launch {
        program: invocation.program,
        version: VERSION,
        mold_command,
        start_directory,
        title,
    })
}
