//! Where a thread makes its calls, as seen by whoever may end one of them with `RequestTimeout`.
//!
//! A call is ended only between [`Station::begin`] and [`Station::end`], both of which the thread itself calls with the GIL.
//! On the main thread the exception is raised by the Python handler of a signal, which wakes system calls and asks here first
//! whether there is still something to raise. In other threads Python handles no signals: there it is an asynchronous
//! exception, set with the GIL, and taken back with it if the call ends first.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ferricorn_application::GoesOn;
use ferricorn_unix::thread::{Nudge, ThreadNumber, nudge};
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;

use crate::interpreter::{clear_async_exception, set_async_exception};

pyo3::create_exception!(
    ferricorn,
    RequestTimeout,
    PyBaseException,
    "Raised in the application when it has taken longer for a request than `request_timeout` allows.\n\n\
     No `except Exception` catches it. When it leaves the application its client gets 504."
);

thread_local! {
    /// The station of this thread.
    static OWN: RefCell<Option<Arc<Station>>> = const { RefCell::new(None) };
}

/// The station of the main thread, for the handler of signals.
static OF_MAIN_THREAD: OnceLock<Arc<Station>> = OnceLock::new();

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In no call that could be ended.
    Idle,
    InCall,
    /// The call is to end; the exception has not been raised yet, as far as is known.
    Late,
    /// It has been raised.
    Ended,
}

/// See the module.
pub(crate) struct Station {
    /// `None` before the thread has come.
    thread: OnceLock<Identity>,
    state: Mutex<State>,
}

/// A thread as others know it.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// Python's number of it.
    pub(crate) python: u64,
    pub(crate) kernel: ThreadNumber,
    pub(crate) is_main: bool,
}

impl Station {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { thread: OnceLock::new(), state: Mutex::new(State::Idle) })
    }

    /// The calling thread, which is Python's main thread, makes its calls here.
    pub(crate) fn take_main(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        self.take(py, true)?;
        OF_MAIN_THREAD.get_or_init(|| Arc::clone(self));
        Ok(())
    }

    /// The calling thread makes its calls here.
    pub(crate) fn take(self: &Arc<Self>, py: Python<'_>, is_main: bool) -> PyResult<()> {
        let python = py.import("threading")?.call_method0("get_ident")?.extract()?;
        self.thread.get_or_init(|| Identity { python, kernel: ThreadNumber::current(), is_main });
        OWN.set(Some(Arc::clone(self)));
        Ok(())
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.thread.get().copied()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on the call may be ended.
    pub(crate) fn begin(&self, _py: Python<'_>) {
        *self.state() = State::InCall;
    }

    /// From here on no more, and nothing is left that could end another. Says whether the call was to end.
    pub(crate) fn end(&self, py: Python<'_>) -> bool {
        let state = std::mem::replace(&mut *self.state(), State::Idle);
        let was_late = matches!(state, State::Late | State::Ended);
        if was_late && let Some(identity) = self.identity().filter(|identity| !identity.is_main) {
            clear_async_exception(py, identity.python);
        }
        was_late
    }

    /// Ends the call that goes on. On another than the main thread that takes the GIL, and is for a caller that can wait.
    pub(crate) fn end_call(&self, goes_on: &GoesOn) {
        let Some(identity) = self.identity() else { return };
        if identity.is_main {
            if self.is_made_late(goes_on)
                && let Err(error) = nudge(identity.kernel, Nudge::Interrupt)
            {
                log::error!("Cannot interrupt the main thread: {error}");
            }
            return;
        }
        Python::attach(|py| {
            // With the GIL: the call cannot end before the exception is set.
            if self.is_made_late(goes_on) {
                set_async_exception(py, identity.python, &py.get_type::<RequestTimeout>());
            }
        });
    }

    /// Raises the exception that is still to be raised.
    fn raise(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state();
        if *state != State::Late {
            return Ok(());
        }
        *state = State::Ended;
        if let Some(identity) = self.identity().filter(|identity| !identity.is_main) {
            clear_async_exception(py, identity.python);
        }
        Err(RequestTimeout::new_err(()))
    }

    fn is_made_late(&self, goes_on: &GoesOn) -> bool {
        let mut state = self.state();
        let late = *state == State::InCall && goes_on();
        if late {
            *state = State::Late;
        }
        late
    }
}

/// The handler of the signal that interrupts the main thread: raises `RequestTimeout` if the call that it is in is to end.
#[pyfunction]
pub(crate) fn end_late_call(py: Python<'_>, _signal: i32, _frame: Option<Bound<'_, PyAny>>) -> PyResult<()> {
    // Nothing is to be raised if the call has ended before the signal came, or between the signal and its handler.
    OF_MAIN_THREAD.get().map_or(Ok(()), |station| station.raise(py))
}

/// For a wait of the server's own: lets handlers of signals run, and raises what is to end the call that this thread is in.
pub(crate) fn check_interruptions(py: Python<'_>) -> PyResult<()> {
    py.check_signals()?;
    OWN.with_borrow(|own| own.as_ref().map_or(Ok(()), |station| station.raise(py)))
}
