//! A mold, step by step: settings, then what is shared, then orders.

use std::io;

use ferricorn_mold::protocol::Occasion;
use ferricorn_mold::{Mold, Outcome, ProtocolError, Report};
use ferricorn_settings::{Resolved, Settings, print_config};
use ferricorn_telemetry::access_log::Format;
use ferricorn_telemetry::logs;
use ferricorn_unix::environment;
use ferricorn_unix::process::exit_now;
use ferricorn_unix::title::Title;
use ferricorn_worker::Tls;

use crate::loader::{LoadFailure, Loader};
use crate::{Invocation, VERSION, configuration, database, worker_role};

/// Plays the role over the socket of this number. A worker that is born in here never returns.
pub(crate) fn run<L: Loader>(invocation: &Invocation, socket: &str, title: Option<Title>, loader: &mut L) -> u8 {
    let program = &invocation.program;
    let Ok(socket) = socket.parse() else {
        eprintln!("{program}: FERRICORN_MOLD is for {program}'s own use: unset it");
        return 1;
    };
    match live(invocation, socket, title.as_ref(), loader) {
        Ok(()) => 0,
        // The master has let this mold go while it was at work.
        Err(ProtocolError::Socket(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            eprintln!("{program}: {error}");
            1
        }
    }
}

fn live<L: Loader>(
    invocation: &Invocation,
    socket: i32,
    title: Option<&Title>,
    loader: &mut L,
) -> Result<(), ProtocolError> {
    // What the application starts shall not take itself for a mold.
    environment::set(ferricorn_mold::MOLD_VARIABLE.as_ref(), None)?;
    let mut mold = Mold::connect(socket, VERSION)?;
    let (settings, without_effect) = match settings(invocation, loader) {
        Ok(Conclusion::Serve { settings, without_effect }) => (*settings, without_effect),
        Ok(Conclusion::Checked) => return mold.report(&Report::Leaving { status: 0, message: String::new() }),
        Err(Refused { status, message }) => return mold.report(&Report::Leaving { status, message }),
    };
    let Some((settings, occasion)) = mold.propose(settings)? else { return Ok(()) };
    if let Some(title) = title {
        title.set(&format!("{}: mold [{}]", invocation.program, settings.proc_name));
    }
    if let Err(message) = prepare(&settings, loader).and_then(|()| start_logging(&settings, loader)) {
        return mold.report(&Report::Leaving { status: 1, message });
    }
    database::prepare(&settings);
    if occasion == Occasion::Start {
        without_effect.iter().for_each(|sentence| log::debug!("{sentence}"));
    }
    // While there are still the privileges to read a key, and before anything is bound.
    let tls = match open_tls(&settings, loader) {
        Ok(tls) => tls,
        Err(message) => return mold.report(&Report::Leaving { status: 1, message }),
    };
    if let Err(message) = load_what_is_shared(&settings, occasion, loader) {
        return mold.report(&Report::Leaving { status: 1, message });
    }
    let Some(provisions) = mold.await_provisions(loader)? else { return Ok(()) };
    if let Err(message) = loader.show_listeners(&provisions.listeners) {
        return mold.report(&Report::Leaving { status: 1, message });
    }
    match mold.take_orders(provisions, loader)? {
        Outcome::Leave => Ok(()),
        Outcome::Worker(assignment, provisions) => {
            if let Some(title) = title {
                title.set(&format!("{}: worker [{}]", invocation.program, settings.proc_name));
            }
            exit_now(worker_role::run(settings, tls, assignment, provisions, loader))
        }
    }
}

enum Conclusion {
    Serve {
        settings: Box<Settings>,
        /// Sentences about settings that change nothing, for the debug log.
        without_effect: Vec<String>,
    },
    /// All that was asked for was a look at the configuration, and it is good.
    Checked,
}

/// What the operator is told in place of a server.
struct Refused {
    status: u8,
    message: String,
}

impl From<String> for Refused {
    fn from(message: String) -> Self {
        Self { status: 1, message }
    }
}

fn settings<L: Loader>(invocation: &Invocation, loader: &mut L) -> Result<Conclusion, Refused> {
    // The master has parsed the same arguments without complaint, unless they are those of a program that embeds us.
    let arguments = configuration::parse_arguments(invocation).map_err(|exit| {
        print!("{}", exit.stdout);
        Refused { status: exit.code, message: exit.stderr }
    })?;
    let resolved = configuration::evaluate(&arguments, loader)?;
    loader.adopt(&resolved).map_err(|problem| format!("\nError: {problem}\n"))?;
    if resolved.settings.print_config {
        print!("{}", print_config(&resolved));
    }
    let Resolved { settings, without_effect, .. } = resolved;
    if !settings.check_config && !settings.print_config {
        return Ok(Conclusion::Serve { settings: Box::new(settings), without_effect });
    }
    prepare(&settings, loader)?;
    open_tls(&settings, loader)?;
    match loader.preload(&settings) {
        Ok(()) => Ok(Conclusion::Checked),
        Err(LoadFailure::Exit(0)) => Ok(Conclusion::Checked),
        Err(failure) => Err(format!("\nError while loading the application:\n\n{}\n", describe(failure)).into()),
    }
}

fn start_logging<L: Loader>(settings: &Settings, loader: &mut L) -> Result<(), String> {
    logs::start(settings).map_err(|error| format!("\nError: {error}\n"))?;
    loader.start_logging(settings).map_err(|error| format!("\nError: {error}\n"))
}

fn open_tls<L: Loader>(settings: &Settings, loader: &mut L) -> Result<Option<Tls>, String> {
    let Some(asked) = settings.tls.clone() else {
        if settings.http.speaks_http2() && !settings.http.cleartext {
            log::warn!(
                "HTTP/2 will never be spoken: http_protocols includes h2, but there is no TLS, nor prior knowledge"
            );
        }
        return Ok(None);
    };
    let revised = loader.revise_tls(asked)?;
    let opened = Tls::open(&revised.settings, &settings.http, revised.choice);
    opened.map(Some).map_err(|sentence| format!("\nError: {sentence}\n"))
}

fn load_what_is_shared<L: Loader>(settings: &Settings, occasion: Occasion, loader: &mut L) -> Result<(), String> {
    let refused = |failure| match failure {
        LoadFailure::Raised { traceback } => format!("{traceback}\n"),
        other => format!("\nError: {}\n", describe(other)),
    };
    loader.begin_generation(settings, occasion).map_err(refused)?;
    if settings.preload_app {
        loader.preload(settings).map_err(refused)?;
    }
    Ok(())
}

fn prepare<L: Loader>(settings: &Settings, loader: &mut L) -> Result<(), String> {
    if let Err(error) = Format::parse(&settings.access_log_format) {
        return Err(format!("\nError: `access_log_format = '{}'`: {error}\n", settings.access_log_format));
    }
    database::check(settings).map_err(|sentence| format!("\nError: {sentence}\n"))?;
    loader.prepare(settings).map_err(|message| format!("\nError: {message}\n"))
}

fn describe(failure: LoadFailure) -> String {
    match failure {
        LoadFailure::NotAnApplication { message, .. } => message,
        LoadFailure::Raised { traceback } => traceback,
        LoadFailure::Exit(status) => format!("the application asked to exit with status {status} while it was loaded"),
    }
}
