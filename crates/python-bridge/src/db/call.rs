//! The request that this thread answers, as the database module sees it: the way to wait on the worker's own runtime, and
//! the sessions that must not outlive the call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use ferricorn_application::{Connection, Exchange, Request};
use ferricorn_unix::poll::{self, HangUp};
use http::{HeaderMap, Method, Uri, Version};
use pyo3::prelude::*;

use crate::db::session::Session;

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

struct Call {
    exchange: Rc<dyn Exchange>,
    method: Method,
    uri: Uri,
    version: Version,
    connection: Arc<Connection>,
    /// What is known of the client.
    client: Client,
    /// Taken in this call, and perhaps still out.
    sessions: Vec<Py<Session>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It waits for its answer.
    Waits,
    /// It sends no more, and has been sent something to see whether it listens.
    Asked,
    /// It has gone, and that has been said.
    Gone,
}

/// From here to [`end`] this thread answers a request.
pub(crate) fn begin(exchange: &Rc<dyn Exchange>, request: &Request) {
    let Request { head, connection, .. } = request;
    let call = Call {
        exchange: Rc::clone(exchange),
        method: head.method.clone(),
        uri: head.uri.clone(),
        version: head.version,
        connection: Arc::clone(connection),
        client: Client::Waits,
        sessions: Vec::new(),
    };
    CALL.set(Some(call));
}

/// Whether the client has gone, so that nobody waits for what this thread does. Said once in a call.
///
/// A client may send no more and still listen. What shows is how it takes a hint without any content: a host on which
/// nobody listens refuses it.
pub(crate) fn client_has_gone() -> bool {
    CALL.with_borrow_mut(|call| {
        let Some(call) = call else { return false };
        if call.client == Client::Gone || call.exchange.begun() {
            return false;
        }
        let gone = match poll::hang_up(call.connection.socket.as_fd()) {
            Ok(HangUp::Whole) => true,
            Ok(HangUp::Half) if call.version < Version::HTTP_11 => true,
            Ok(HangUp::Half) if call.client == Client::Waits => {
                call.exchange.hint(&HeaderMap::new());
                call.client = Client::Asked;
                false
            }
            Ok(_) | Err(_) => false,
        };
        if gone {
            call.client = Client::Gone;
        }
        gone
    })
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
