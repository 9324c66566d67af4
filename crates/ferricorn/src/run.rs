//! What a native application's `main` calls, in each process of its server.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, FromArgMatches};
use ferricorn_server::Invocation;
use ferricorn_settings::start_directory;
use ferricorn_unix::process;

use crate::context::Context;
use crate::factory::IntoService;
use crate::loader::{AnyFactory, NativeLoader};
use crate::options::Options;

/// Serves what the factory makes until it is told to stop; the command line says how. Returns the exit status, in the
/// master alone: 0 when it was stopped as asked, 1 for a bad configuration or an address that is taken, 2 for a bad command
/// line, 3 when a worker could not make the service.
///
/// To be called by `main`, before anything has started a thread: not from `#[tokio::main]`.
#[must_use = "it is the exit status of the program"]
pub fn serve<F, R, Kind>(factory: F) -> ExitCode
where
    F: FnOnce(Context) -> R + 'static,
    R: IntoService<Kind>,
{
    let command = Command::new(program_name()).version(concat!("(ferricorn ", env!("CARGO_PKG_VERSION"), ")"));
    let matches = Options::augment_args(command).get_matches();
    match Options::from_arg_matches(&matches) {
        Ok(options) => serve_with(options, factory),
        Err(error) => error.exit(),
    }
}

/// The same for a program that has parsed its command line itself, with [`Options`] as a part of it.
#[must_use = "it is the exit status of the program"]
pub fn serve_with<F, R, Kind>(options: Options, factory: F) -> ExitCode
where
    F: FnOnce(Context) -> R + 'static,
    R: IntoService<Kind>,
{
    let factory: AnyFactory = Box::new(|context| factory(context).into_service());
    match run(options, factory) {
        Ok(status) => ExitCode::from(status),
        Err(sentence) => {
            eprintln!("{}: {sentence}", program_name());
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options, factory: AnyFactory) -> Result<u8, String> {
    let threads = process::threads().map_err(|error| format!("cannot count the threads of this process: {error}"))?;
    if threads.len() > 1 {
        return Err(format!(
            "ferricorn::serve must be called before other threads are started, and there are {} ({}): call it from a main \
             that is not async, and start what you need in the factory",
            threads.len() - 1,
            threads[1..].join(", "),
        ));
    }
    let program = program_file()?;
    let mut arguments = Vec::new();
    for argument in env::args_os().skip(1) {
        let text = argument.into_string();
        arguments.push(text.map_err(|argument| format!("the argument {argument:?} is not UTF-8"))?);
    }
    let name = program_name();
    let command = vec![program.clone().into_os_string()];
    let invocation = Invocation { program: name.clone(), arguments, command_line: Some(options.0), command };
    let mut loader = NativeLoader::new(factory, name, program);
    Ok(ferricorn_server::run(invocation, &mut loader))
}

/// What the program was called as, without directories.
fn program_name() -> String {
    let called = env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "ferricorn".to_owned())
}

/// The program's file, under the name by which it was started: a link that a deployment moves is followed at each reload.
fn program_file() -> Result<PathBuf, String> {
    let called = env::args_os().next().unwrap_or_default();
    if called.as_bytes().contains(&b'/') {
        return Ok(start_directory().join(called));
    }
    find_program(&called, &env::var_os("PATH").unwrap_or_default())
        .or_else(|| env::current_exe().ok())
        .ok_or_else(|| "cannot find the file of this program".to_owned())
}

/// As a shell does.
fn find_program(name: &OsString, path: &OsString) -> Option<PathBuf> {
    let is_program =
        |file: &PathBuf| file.metadata().is_ok_and(|seen| seen.is_file() && seen.permissions().mode() & 0o111 != 0);
    env::split_paths(path).map(|folder| start_directory().join(folder).join(name)).find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let path = OsString::from("/nowhere:/bin");
        assert_eq!(find_program(&"sh".into(), &path), Some("/bin/sh".into()));
        assert_eq!(find_program(&"no-such-program".into(), &path), None);
    }

    #[test]
    fn a_server_is_not_started_beside_other_threads() {
        let options = Options::augment_args(Command::new("shop")).get_matches_from(["shop"]);
        let options = Options::from_arg_matches(&options).expect("no flags are good flags");
        let sentence =
            run(options, Box::new(|_| unreachable!("there is no worker"))).expect_err("tests run in threads");
        assert!(sentence.contains("call it from a main that is not async"), "{sentence}");
    }
}
