//! The request that this thread answers, as the database module sees it: the way to wait on the worker's own runtime, and
//! the sessions that must not outlive the call.

use std::cell::RefCell;
use std::rc::Rc;

use ferricorn_application::Exchange;
use http::request::Parts;
use http::{Method, Uri};
use pyo3::prelude::*;

use crate::db::session::Session;

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

struct Call {
    exchange: Rc<dyn Exchange>,
    method: Method,
    uri: Uri,
    /// Taken in this call, and perhaps still out.
    sessions: Vec<Py<Session>>,
}

/// From here to [`end`] this thread answers a request.
pub(crate) fn begin(exchange: &Rc<dyn Exchange>, head: &Parts) {
    let call = Call {
        exchange: Rc::clone(exchange),
        method: head.method.clone(),
        uri: head.uri.clone(),
        sessions: Vec::new(),
    };
    CALL.set(Some(call));
}

/// The call has returned: sessions that are still out go back.
pub(crate) fn end(py: Python<'_>) {
    let sessions = CALL.with_borrow_mut(|call| call.as_mut().map(|call| std::mem::take(&mut call.sessions)));
    for session in sessions.into_iter().flatten() {
        session.get().reclaim(py);
    }
    CALL.set(None);
}

/// The worker's side of the call that this thread is in.
pub(crate) fn exchange() -> Option<Rc<dyn Exchange>> {
    CALL.with_borrow(|call| call.as_ref().map(|call| Rc::clone(&call.exchange)))
}

/// `GET /path`, if this thread answers a request.
pub(crate) fn request() -> Option<String> {
    CALL.with_borrow(|call| call.as_ref().map(|call| format!("{} {}", call.method, call.uri.path())))
}

/// A session was taken in this call.
pub(crate) fn note(session: &Bound<'_, Session>) {
    CALL.with_borrow_mut(|call| {
        if let Some(call) = call {
            call.sessions.push(session.clone().unbind());
        }
    });
}

/// It has been given back.
pub(crate) fn forget(session: &Session) {
    CALL.with_borrow_mut(|call| {
        if let Some(call) = call {
            call.sessions.retain(|noted| !std::ptr::eq(noted.get(), session));
        }
    });
}
