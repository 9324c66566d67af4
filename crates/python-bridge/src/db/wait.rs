//! How a thread of Python's waits for the database: without the GIL, and so that signals, and a client that has gone, end it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ferricorn_application::{Driven, Exchange};
use ferricorn_pool::driver::{Line, Waited};
use ferricorn_pool::home::{Home, turn};
use ferricorn_pool::{Canceller, Failure};
use pyo3::prelude::*;

use crate::db::call;
use crate::db::errors::raise;
use crate::db::process;
use crate::interpreter::detached;
use crate::station::check_interruptions;

/// How often a wait is interrupted for a look at signals.
const LOOK: Duration = Duration::from_millis(100);
/// How long a statement that was cancelled may take to end.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Where a session's I/O is done.
#[derive(Clone)]
pub(crate) enum Place {
    /// On the runtime of the worker, by the thread that makes its calls, in a call.
    Worker,
    /// By whoever waits.
    Home(Arc<Home>),
}

impl Place {
    /// Where a session that this thread takes now would be.
    pub(crate) fn here(py: Python<'_>) -> PyResult<Self> {
        if let Some(exchange) = call::exchange() {
            // A future that is ready at once tells whether this is the thread.
            if exchange.drive(pin!(std::future::ready(()))) != Driven::Elsewhere {
                return Ok(Self::Worker);
            }
        }
        process::home(py).map(Self::Home)
    }

    /// Waits for a statement's end. The canceller is the way to end it before, the line the way there of a thread that waits for
    /// nothing else.
    pub(crate) fn wait<T>(
        &self,
        py: Python<'_>,
        canceller: Option<&Canceller>,
        line: Option<&Line>,
        future: Pin<&mut dyn Future<Output = Result<T, Failure>>>,
    ) -> PyResult<Result<T, Failure>> {
        match self {
            Self::Home(home) => wait_at_home(py, home, canceller, line, future),
            Self::Worker => {
                let exchange = call::exchange().ok_or_else(|| stranger(py))?;
                wait_in_call(py, &exchange, canceller, future)
            }
        }
    }

    /// Lets what was queued go out.
    pub(crate) fn flush(&self, py: Python<'_>) {
        match self {
            Self::Home(home) => detached(py, || home.turn()),
            Self::Worker => {
                if let Some(exchange) = call::exchange() {
                    detached(py, || exchange.drive(pin!(turn())));
                }
            }
        }
    }
}

fn stranger(py: Python<'_>) -> PyErr {
    let words = "this connection was taken in a request on the worker's main thread, and can be used there and during that \
                 request only: take one in the thread that needs it";
    raise(py, "InterfaceError", words)
}

fn wait_at_home<T>(
    py: Python<'_>,
    home: &Home,
    canceller: Option<&Canceller>,
    line: Option<&Line>,
    mut future: Pin<&mut dyn Future<Output = Result<T, Failure>>>,
) -> PyResult<Result<T, Failure>> {
    loop {
        if let Some(ended) = detached(py, || wait_for(home, line, LOOK, &mut future)) {
            return Ok(ended);
        }
        let interruption = check_interruptions(py);
        if interruption.is_err() || call::client_has_gone() {
            let ended = detached(py, || {
                home.wait(cancel(canceller));
                wait_for(home, line, LAST_WORD, &mut future)
            });
            interruption?;
            return ended.ok_or_else(|| unending(py));
        }
    }
}

/// Past the runtime, if there is nothing on it to be waited for.
fn wait_for<F: Future + ?Sized>(
    home: &Home,
    line: Option<&Line>,
    limit: Duration,
    future: &mut Pin<&mut F>,
) -> Option<F::Output> {
    match line.map(|line| line.wait_for(limit, future.as_mut())) {
        Some(Waited::Ended(ended)) => Some(ended),
        Some(Waited::Passed) => None,
        Some(Waited::Elsewhere) | None => home.wait_for(limit, future),
    }
}

fn unending(py: Python<'_>) -> PyErr {
    raise(py, "OperationalError", "the statement was cancelled, and has not ended")
}

fn wait_in_call<T>(
    py: Python<'_>,
    exchange: &Rc<dyn Exchange>,
    canceller: Option<&Canceller>,
    future: Pin<&mut dyn Future<Output = Result<T, Failure>>>,
) -> PyResult<Result<T, Failure>> {
    let mut ended = None;
    {
        let mut keep = pin!(async { ended = Some(future.await) });
        loop {
            let driven = detached(py, || exchange.drive(keep.as_mut()));
            let interruption = check_interruptions(py);
            match driven {
                Driven::Done => break,
                Driven::Elsewhere => return Err(stranger(py)),
                Driven::Waiting if interruption.is_ok() && !call::client_has_gone() => continue,
                Driven::Waiting | Driven::ClientGone => {}
            }
            detached(py, || end_early(exchange, canceller, keep.as_mut()));
            interruption?;
            break;
        }
    }
    ended.map(Ok).unwrap_or_else(|| Err(unending(py)))
}

/// Cancels, and waits a while for what comes of it.
fn end_early(
    exchange: &Rc<dyn Exchange>,
    canceller: Option<&Canceller>,
    mut statement: Pin<&mut dyn Future<Output = ()>>,
) {
    let mut both = pin!(async {
        cancel(canceller).await;
        ferricorn_pool::home::at_most(LAST_WORD, statement.as_mut()).await;
    });
    while !matches!(exchange.drive(both.as_mut()), Driven::Done | Driven::Elsewhere) {}
}

async fn cancel(canceller: Option<&Canceller>) {
    if let Some(canceller) = canceller
        && let Err(failure) = canceller.cancel().await
    {
        log::warn!("A statement could not be cancelled: {failure}");
    }
}
