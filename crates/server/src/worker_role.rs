//! A worker, step by step: from its birth in the mold to its exit status.

use std::io;

use ferricorn_mold::{Assignment, Provisions};
use ferricorn_pool::role::{self, Role};
use ferricorn_settings::Settings;
use ferricorn_telemetry::access_log::{AccessLog, Format};
use ferricorn_telemetry::events::Reporter;
use ferricorn_telemetry::logs;
use ferricorn_telemetry::scoreboard::{Scoreboard, Slot};
use ferricorn_unix::credentials;
use ferricorn_unix::listener::Listener;
use ferricorn_unix::process::ProcessId;
use ferricorn_worker::{Entrance, Seat, Tls};

use crate::database;
use crate::loader::{LoadFailure, Loader};

/// A worker whose application cannot be loaded.
const BOOT_FAILED: i32 = 3;
/// A worker whose application is not there, or is none.
const APP_FAILED: i32 = 4;
/// A worker that failed after it had been ready.
const UNFORESEEN: i32 = 255;

/// Lives a worker's life; returns its exit status.
pub(crate) fn run<L: Loader>(
    settings: Settings,
    tls: Option<Tls>,
    assignment: Assignment,
    provisions: Provisions,
    loader: &mut L,
) -> i32 {
    role::play(Role::Worker);
    log::info!("Booting worker with pid: {}", ProcessId::current());
    if settings.reload {
        log::warn!("Reloader is on. Use in development only!");
    }
    let stderr_is_log = settings.errorlog == "-";
    let seat = match take_seat(&settings, assignment, provisions, loader) {
        Ok(seat) => Seat { tls, ..seat },
        Err(failure) => return report_failure(failure, stderr_is_log, loader),
    };
    let unwound = |words: String| LoadFailure::Raised { traceback: format!("panic: {words}") };
    match ferricorn_worker::run(seat, settings.clone(), || loader.application(&settings), unwound) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => report_failure(failure, stderr_is_log, loader),
        Err(error) => {
            log::error!("Worker (pid:{}) failed: {error}", ProcessId::current());
            UNFORESEEN
        }
    }
}

fn take_seat<L: Loader>(
    settings: &Settings,
    assignment: Assignment,
    provisions: Provisions,
    loader: &mut L,
) -> Result<Seat, LoadFailure> {
    let failed = |sentence: String| LoadFailure::Raised { traceback: sentence };
    let fail = |error: io::Error| failed(error.to_string());
    let board = provisions.scoreboard.try_clone().map_err(fail)?;
    let scoreboard = Scoreboard::map(provisions.scoreboard).map_err(fail)?;
    database::join(settings, board, Slot(assignment.slot)).map_err(fail)?;
    let entrances = provisions.listeners.into_iter().zip(provisions.ours);
    let entrances: io::Result<Vec<Entrance>> = entrances
        .map(|(descriptor, is_ours)| Ok(Entrance { listener: Listener::from_descriptor(descriptor)?, is_ours }))
        .collect();
    let entrances = entrances.map_err(fail)?;
    // Opened before privileges go; the file belongs to the worker's user, so it can be reopened.
    // A logger in Python writes its own.
    let access_log = match settings.logs_in_python {
        true => None,
        false => logs::open_access_log(settings).map_err(|error| failed(error.to_string()))?,
    };
    let format = Format::parse(&settings.access_log_format)
        .map_err(|error| failed(format!("access_log_format = '{}': {error}", settings.access_log_format)))?;
    loader.worker_is_born()?;
    credentials::become_user(settings.user, settings.group, settings.initgroups).map_err(|error| {
        failed(format!("cannot become user {} and group {}: {error}", settings.user, settings.group))
    })?;
    loader.begin_worker().map_err(failed)?;
    Ok(Seat {
        slot: scoreboard.seat(Slot(assignment.slot)),
        reporter: Reporter::new(provisions.events),
        life: provisions.life,
        entrances,
        queue: provisions.queue,
        access_log: access_log.map(|file| AccessLog::new(file, format)),
        tls: None,
        terminated_early: assignment.early.terminate,
        reopened_early: assignment.early.reopen_logs,
    })
}

fn report_failure<L: Loader>(failure: LoadFailure, stderr_is_log: bool, loader: &mut L) -> i32 {
    let status = match failure {
        LoadFailure::NotAnApplication { message, traceback } => {
            eprintln!("{message}");
            log::debug!("{traceback}");
            APP_FAILED
        }
        LoadFailure::Raised { traceback } => {
            log::error!("Exception in worker process\n{}", traceback.trim_end());
            if !stderr_is_log {
                eprintln!("{}", traceback.trim_end());
            }
            BOOT_FAILED
        }
        LoadFailure::Exit(status) => status,
    };
    log::info!("Worker exiting (pid: {})", ProcessId::current());
    loader.worker_ends_early();
    status
}
