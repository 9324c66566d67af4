//! The loop of a worker: I/O until a whole request has arrived, then the application's call, on
//! the same thread and outside the runtime's context, so that the call itself may pump. With
//! threads of the application's the calls are theirs ([`crate::crew`]), and this one does I/O only.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ferricorn_application::{Application, Exchange, Loaded};
use ferricorn_settings::Settings;
use ferricorn_telemetry::events::Kind;
use ferricorn_unix::process::ProcessId;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::accept::{self, Acceptor};
use crate::deadline;
use crate::exchange::CallExchange;
use crate::handover::Handover;
use crate::hints::Hints;
use crate::late::{self, Unanswered};
use crate::lookout::{self, MAIN_THREAD, Posts};
use crate::seat::{Entrance, Seat};
use crate::service;
use crate::shared::{Answered, Job, Phase, Shared};
use crate::signals::{self, Signals};
use crate::sources::{self, Sources};
use crate::sweep;
use crate::takeover::Takeover;

/// What a finished response gets to reach its client when the worker must leave at once.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves until the worker is told to leave. `load` makes the application; signals that arrive
/// meanwhile are kept. `unwound` makes its error of the words of a panic.
pub fn run<E>(
    seat: Seat,
    settings: Settings,
    load: impl FnOnce() -> Result<Loaded<E>, E>,
    unwound: impl FnOnce(String) -> E,
) -> io::Result<Result<(), E>> {
    let mut signals = Signals::install()?;
    let loaded = match load() {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error)),
    };
    let (ended, reopened) = signals.take();
    seat.reopened_early.fetch_or(reopened, Ordering::Relaxed);
    let is_wanted = !ended && !seat.terminated_early.load(Ordering::Relaxed);
    match loaded {
        Loaded::Application(mut application) => {
            let posts = if is_wanted { Some(serve(seat, settings, signals, &mut *application)?) } else { None };
            log::info!("Worker exiting (pid: {})", ProcessId::current());
            application.finish();
            // Not before: a thread that holds what the application's end needs is still looked after.
            if let Some(posts) = posts {
                posts.close();
            }
        }
        Loaded::Service(make) => {
            if is_wanted && let Err(error) = service::run(seat, settings, signals, make, unwound)? {
                return Ok(Err(error));
            }
            log::info!("Worker exiting (pid: {})", ProcessId::current());
        }
    }
    Ok(Ok(()))
}

/// Obeys signals from here on, and leaves when the master has ended. To be called within the runtime.
pub(crate) fn begin_watching(shared: &Rc<Shared>, signals: Signals, life: OwnedFd) {
    tokio::task::spawn_local(report_failure(signals.obey(Rc::clone(shared))));
    tokio::task::spawn_local(report_failure(signals::watch_master(Rc::clone(shared), life)));
}

/// The listening sockets on the worker's runtime.
pub(crate) fn acceptors(entrances: Vec<Entrance>) -> io::Result<Vec<Acceptor>> {
    entrances.into_iter().enumerate().map(|(number, entrance)| Acceptor::register(number, entrance)).collect()
}

/// Takes connections from here on. To be called within the runtime.
pub(crate) fn begin_accepting(shared: &Rc<Shared>, acceptors: Vec<Acceptor>) {
    for acceptor in acceptors {
        tokio::task::spawn_local(accept::run(Rc::clone(shared), acceptor));
    }
    tokio::task::spawn_local(sweep::run(Rc::clone(shared)));
}

fn serve(
    seat: Seat,
    settings: Settings,
    signals: Signals,
    application: &mut dyn Application,
) -> io::Result<Arc<Posts>> {
    let runtime =
        Rc::new(Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?);
    let (give, take) = seat.queue;
    let shared = Shared::new(settings, seat.slot, seat.reporter, seat.access_log, seat.tls, give);
    runtime.block_on(async {
        let acceptors = acceptors(seat.entrances)?;
        if shared.handover.is_some() {
            let takeover = Takeover::new(take, acceptors.iter().map(|acceptor| acceptor.local.clone()).collect())?;
            tokio::task::spawn_local(takeover.run(Rc::clone(&shared)));
        }
        begin_accepting(&shared, acceptors);
        begin_watching(&shared, signals, seat.life);
        Ok::<(), io::Error>(())
    })?;
    shared.room.check();
    if seat.reopened_early.load(Ordering::Relaxed) {
        signals::reopen_logs(&shared);
    }
    // Before anybody is told that this worker serves: a change made after that is seen.
    let sources = shared.settings.reload.then(|| {
        let imported = application.source_files();
        runtime.block_on(async { sources::begin(&shared, imported) })
    });
    let mut duties = deadline::duties(&shared, application, seat.terminated_early)?;
    if shared.crew.is_none() {
        duties.extend(shared.handover.as_ref().map(Handover::duty).transpose()?);
    }
    lookout::start(&shared.posts, duties)?;
    if let Some(crew) = &shared.crew {
        crew.begin(&shared, application)?;
        let signals = application.watch_signals()?;
        let watch = signals::watch_applications(Rc::clone(&shared), signals);
        runtime.block_on(async { drop(tokio::task::spawn_local(report_failure(watch))) });
    }
    shared.slot.beat();
    shared.reporter.report(Kind::Ready)?;
    pump(&runtime, &shared, application, sources.as_deref());
    runtime.block_on(last_words(&shared));
    shared.note_turn();
    Ok(Arc::clone(&shared.posts))
}

fn pump(
    runtime: &Rc<LocalRuntime>,
    shared: &Rc<Shared>,
    application: &mut dyn Application,
    sources: Option<&RefCell<Sources>>,
) {
    loop {
        let next = match &shared.crew {
            Some(crew) => runtime.block_on(crew.next(shared)),
            None => runtime.block_on(next(shared)),
        };
        match next {
            Next::Call => call_queued(runtime, shared, application),
            Next::Look => {
                let imported = application.source_files();
                let changed = sources.and_then(|sources| sources.borrow_mut().look(imported));
                sources::tell(shared, changed);
            }
            Next::Attend if application.attend_signals() => {}
            Next::Attend => shared.leave(),
            Next::Leave => break,
        }
    }
}

async fn report_failure(task: impl Future<Output = io::Result<()>>) {
    if let Err(error) = task.await {
        log::error!("A watch of this worker's failed: {error}");
    }
}

/// What there is to do outside the runtime.
#[derive(PartialEq, Eq)]
pub(crate) enum Next {
    /// A request waits for its call.
    Call,
    /// Source files may have changed.
    Look,
    /// The application is to see a signal.
    Attend,
    /// Nothing any more.
    Leave,
}

/// One turn to I/O if a request is waiting already, else as many as it takes.
async fn next(shared: &Shared) -> Next {
    shared.note_turn();
    shared.deliver();
    shared.forget_passed();
    shared.let_newcomers_in();
    if shared.has_queued() {
        tokio::task::yield_now().await;
    }
    let next = loop {
        let nothing_left = !shared.has_queued() && shared.open.borrow().is_empty();
        match shared.phase() {
            Phase::Leaving => break Next::Leave,
            Phase::Draining { .. } if nothing_left && !shared.has_acceptors() => break Next::Leave,
            _ if shared.has_queued() => break Next::Call,
            _ if shared.look_at_sources.take() => break Next::Look,
            _ if shared.lets_passed_in() => let_in().await,
            _ if shared.call_next_in_line() => tokio::task::yield_now().await,
            _ => shared.change().await,
        }
    };
    shared.turn_ended();
    next
}

/// A connection is taken in one turn to I/O, and its request, which is there already, is read in the next.
async fn let_in() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

/// Calls until nothing waits, or finished responses have waited long enough.
fn call_queued(runtime: &Rc<LocalRuntime>, shared: &Rc<Shared>, application: &mut dyn Application) {
    while let Some(job) = shared.pop() {
        if job.reply.is_closed() {
            // The client was gone before its turn came.
            continue;
        }
        if shared.is_late(job.since) {
            refuse(shared, job);
            continue;
        }
        call(runtime, shared, application, job);
        if shared.turn_is_due() {
            break;
        }
    }
}

fn refuse(shared: &Shared, job: Job) {
    let Job { request, reply, arrived, .. } = job;
    let head = shared.access_log.is_some().then_some(&request.head);
    let answer = late::refuse(shared, &Unanswered { head, connection: &request.connection, arrived });
    shared.post(reply, answer);
}

fn call(runtime: &Rc<LocalRuntime>, shared: &Rc<Shared>, application: &mut dyn Application, job: Job) {
    shared.begin_call(&job);
    let Job { request, activity, reply, arrived, .. } = job;
    let hints = Hints::new(&request, activity);
    let exchange = CallExchange::new(Rc::clone(runtime), Rc::clone(shared), reply, hints, &request.head.method);
    // The access log needs the head after the application has had the request.
    let logged = shared.access_log.as_ref().map(|_| (request.head.clone(), Arc::clone(&request.connection)));
    application.call(request, Rc::clone(&exchange) as Rc<dyn Exchange>);
    exchange.close();
    let tally = &exchange.tally;
    shared.write_down(&Answered {
        logged: logged.as_ref().map(|(head, connection)| (head, &**connection)),
        status: tally.status.get().as_u16(),
        response_headers: &tally.headers.borrow(),
        sent: tally.sent.get(),
        elapsed: arrived.map(|arrived| arrived.elapsed()).unwrap_or_default(),
        annotations: &tally.annotations.borrow(),
    });
    if let Some(statsd) = shared.statsd.as_ref().filter(|_| shared.posts.is_late(MAIN_THREAD)) {
        statsd.request_timeout();
    }
    shared.end_call();
}

/// Lets responses that are finished reach their clients, for a moment.
pub(crate) async fn last_words(shared: &Shared) {
    let all_said = async {
        // The answer of the last call is on its way to its connection's task.
        shared.deliver();
        if let Some(crew) = &shared.crew {
            crew.dismiss(shared);
        }
        tokio::task::yield_now().await;
        while shared.open.borrow().values().any(|open| open.activity.is_sending()) {
            shared.change().await;
        }
    };
    // Whoever is too slow for this was told to expect it: the stop was a quick one.
    let _ = tokio::time::timeout(LAST_WORDS, all_said).await;
}
