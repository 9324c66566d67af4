//! A worker of a native application: its service answers many requests at once, each in the task of the connection, or of
//! the stream, that it came over. There is no queue, and nothing happens outside the runtime.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use ferricorn_application::Service;
use ferricorn_application::service::{Maker, Place};
use ferricorn_settings::Settings;
use ferricorn_telemetry::events::Kind;
use tokio::runtime::{Builder, LocalOptions};

use crate::panics::{caught, remember_places};
use crate::pump::{acceptors, begin_accepting, begin_watching, last_words};
use crate::requests::Requests;
use crate::seat::Seat;
use crate::shared::{Phase, Shared};
use crate::signals::{self, Signals};
use crate::sources;

/// Serves until the worker is told to leave. The inner error is the maker's; `unwound` makes one of the words of its panic.
pub(crate) fn run<E>(
    seat: Seat,
    settings: Settings,
    signals: Signals,
    make: Maker<E>,
    unwound: impl FnOnce(String) -> E,
) -> io::Result<Result<(), E>> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    let place = Place { slot: seat.slot.number() };
    let (give, _) = seat.queue;
    let shared = Shared::new(settings, seat.slot, seat.reporter, seat.access_log, seat.tls, give);
    if seat.reopened_early.load(Ordering::Relaxed) {
        signals::reopen_logs(&shared);
    }
    remember_places();
    runtime.block_on(async {
        begin_watching(&shared, signals, seat.life);
        let service = match unless_told_to_leave(&shared, caught(|| make(place))).await {
            None => return Ok(Ok(())),
            Some(made) => match made.unwrap_or_else(|words| Err(unwound(words))) {
                Ok(service) => service,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        shared.requests.get_or_init(|| Requests::new(Rc::clone(&service)));
        begin_accepting(&shared, acceptors(seat.entrances)?);
        serve(&shared, &*service).await?;
        last_words(&shared).await;
        shared.note_turn();
        Ok(Ok(()))
    })
}

/// What is made may wait for a database that is away; a worker that is told to leave meanwhile leaves.
async fn unless_told_to_leave<T>(shared: &Shared, making: impl Future<Output = T>) -> Option<T> {
    let mut making = pin!(making);
    let mut told = pin!(async {
        while shared.phase() == Phase::Serving {
            shared.change().await;
        }
    });
    poll_fn(|context| match told.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => making.as_mut().poll(context).map(Some),
    })
    .await
}

async fn serve(shared: &Rc<Shared>, service: &dyn Service) -> io::Result<()> {
    // Before anybody is told that this worker serves: a change made after that is seen.
    let sources = shared.settings.reload.then(|| sources::begin(shared, service.source_files()));
    shared.slot.beat();
    shared.reporter.report(Kind::Ready)?;
    let mut was_told = false;
    loop {
        shared.note_turn();
        let phase = shared.phase();
        if phase != Phase::Serving && !std::mem::replace(&mut was_told, true) {
            service.leave();
        }
        match phase {
            Phase::Leaving => return Ok(()),
            Phase::Draining { .. } if shared.open.borrow().is_empty() && !shared.has_acceptors() => return Ok(()),
            _ => {}
        }
        if let Some(sources) = &sources
            && shared.look_at_sources.take()
        {
            let changed = sources.borrow_mut().look(service.source_files());
            sources::tell(shared, changed);
        }
        shared.change().await;
    }
}
