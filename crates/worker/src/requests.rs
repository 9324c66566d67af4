//! Requests that a native application's service is answering: how each goes to it and comes back, what the scoreboard
//! shows meanwhile, and what is written down at its end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferricorn_application::service::{Failure, Incoming, Origin, Outgoing};
use ferricorn_application::{Connection, Head, Service, error_page, target};
use ferricorn_unix::clock;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};

use crate::answer::{Answer, Content};
use crate::panics::{caught, caught_now};
use crate::shared::{Answered, Phase, Shared, ask_for_successor};
use crate::shown::{Oldest, Shown};

/// How the access log says that the client was gone before there was an answer: nginx's word for it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A request that has been judged good, and whose body may still be on its way.
pub(crate) struct Request {
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
    pub(crate) origin: Origin,
    /// When its head had arrived, where somebody wants to know.
    pub(crate) arrived: Option<Instant>,
}

/// All of them, and who answers them.
pub(crate) struct Requests {
    service: Rc<dyn Service>,
    open: RefCell<Open>,
    next_number: Cell<u64>,
    shown: Shown,
    /// A panic has made the worker ask for its successor.
    panicked: Cell<bool>,
}

/// Those that are being answered, by their numbers. Most often there is one, which needs no map.
#[derive(Default)]
struct Open {
    oldest: Option<(u64, Name)>,
    /// In the order in which they came.
    later: BTreeMap<u64, Name>,
}

impl Open {
    fn insert(&mut self, number: u64, name: Name) {
        if self.oldest.is_none() {
            self.oldest = Some((number, name));
        } else {
            self.later.insert(number, name);
        }
    }

    fn get(&self, number: u64) -> Option<&Name> {
        let oldest = self.oldest.as_ref().filter(|(oldest, _)| *oldest == number);
        oldest.map(|(_, name)| name).or_else(|| self.later.get(&number))
    }

    fn remove(&mut self, number: u64) {
        if self.oldest.take_if(|(oldest, _)| *oldest == number).is_some() {
            self.oldest = self.later.pop_first();
        } else {
            self.later.remove(&number);
        }
    }
}

/// What scoreboard and error log say of a request.
struct Name {
    began: Duration,
    method: Method,
    path: Box<str>,
}

impl Requests {
    pub(crate) fn new(service: Rc<dyn Service>) -> Self {
        Self {
            service,
            open: RefCell::default(),
            next_number: Cell::new(0),
            shown: Shown::default(),
            panicked: Cell::new(false),
        }
    }

    fn show_oldest(&self, shared: &Shared) {
        let open = self.open.borrow();
        let oldest = open.oldest.as_ref().map(|(number, name)| Oldest {
            number: *number,
            began: name.began,
            method: name.method.as_str(),
            path: &name.path,
        });
        self.shown.update(&shared.slot, oldest);
    }

    fn begin(&self, shared: &Rc<Shared>, request: &Request) -> Call {
        let number = self.next_number.replace(self.next_number.get() + 1);
        let Request { head, origin, arrived, .. } = request;
        let path: Box<str> = target::path(head).into();
        let name = Name { began: clock::monotonic(), method: head.method.clone(), path };
        self.open.borrow_mut().insert(number, name);
        shared.slot.count_call();
        self.show_oldest(shared);
        Call {
            shared: Rc::clone(shared),
            number,
            arrived: *arrived,
            logged: shared.access_log.is_some().then(|| Box::new(Logged::new(head, &origin.connection))),
            status: CLIENT_CLOSED_REQUEST,
            sent: 0,
        }
    }

    /// A handler has panicked: what it has left behind may be in any state.
    fn note_panic(&self, shared: &Shared) {
        if !shared.settings.recycle_after_panic || self.panicked.replace(true) || shared.phase() != Phase::Serving {
            return;
        }
        log::info!("Worker is replaced after a panic");
        ask_for_successor(&shared.reporter);
    }
}

/// Has a request answered, whatever the service does.
pub(crate) fn answer(shared: &Rc<Shared>, requests: &Requests, request: Request) -> impl Future<Output = Answer> {
    let call = requests.begin(shared, &request);
    let is_head = request.head.method == Method::HEAD;
    let Request { head, body, origin, .. } = request;
    let answering = caught(|| requests.service.answer(http::Request::from_parts(head, body), origin));
    finish(requests, call, answering, is_head)
}

async fn finish(
    requests: &Requests,
    call: Call,
    answering: impl Future<Output = Result<Result<http::Response<Outgoing>, Failure>, String>>,
    is_head: bool,
) -> Answer {
    let shared = Rc::clone(&call.shared);
    let limit = shared.settings.request_timeout;
    let answered = match limit.is_zero() {
        true => Ok(answering.await),
        false => tokio::time::timeout(limit, answering).await,
    };
    match answered {
        Err(_) => {
            log::error!("{} has taken {} s (request_timeout) and is ended", call.name(), limit.as_secs_f64());
            if let Some(statsd) = &shared.statsd {
                statsd.request_timeout();
            }
            call.failed(StatusCode::GATEWAY_TIMEOUT)
        }
        Ok(Ok(Ok(response))) => call.answered(response, is_head),
        Ok(Ok(Err(failure))) => {
            log::error!("Error in {}: {}", call.name(), in_full(&*failure));
            call.failed(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Ok(Err(words)) => {
            log::error!("Panic in {}: {words}", call.name());
            requests.note_panic(&shared);
            call.failed(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A request from its head to the end of its response: then it is written down.
struct Call {
    shared: Rc<Shared>,
    number: u64,
    arrived: Option<Instant>,
    /// For the access log.
    logged: Option<Box<Logged>>,
    status: u16,
    sent: u64,
}

/// What the access log wants to know beside.
struct Logged {
    request: Parts,
    connection: Arc<Connection>,
    response_headers: HeaderMap,
}

impl Logged {
    fn new(head: &Parts, connection: &Arc<Connection>) -> Self {
        let (request, connection) = (head.clone(), Arc::clone(connection));
        Self { request, connection, response_headers: HeaderMap::new() }
    }
}

impl Call {
    /// Method and path, for the error log.
    fn name(&self) -> String {
        let open = self.shared.requests.get().map(|requests| requests.open.borrow());
        let name = open.as_ref().and_then(|open| open.get(self.number));
        name.map(|name| format!("{} {}", name.method, name.path)).unwrap_or_default()
    }

    fn opens_with(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status.as_u16();
        if let Some(logged) = &mut self.logged
            && self.shared.logs_response_headers()
        {
            logged.response_headers.clone_from(headers);
        }
    }

    fn answered(mut self, response: http::Response<Outgoing>, is_head: bool) -> Answer {
        let (parts, body) = response.into_parts();
        let (status, mut headers) = (parts.status, parts.headers);
        let mut said = headers.get(header::CONTENT_LENGTH).and_then(length);
        // Hyper, too, would have to choose between the two.
        if let (Some(exact), false) = (body.size_hint().exact(), is_head || status == StatusCode::NOT_MODIFIED)
            && said != Some(exact)
            && headers.contains_key(header::CONTENT_LENGTH)
        {
            log::error!("Content-Length of the response to {} was wrong: its body has {exact} bytes", self.name());
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(exact));
            said = Some(exact);
        }
        self.opens_with(status, &headers);
        let content = Content::Service(Outcome { body, call: self, failed: false, ended: false });
        Answer { head: Head { status, reason: None, headers, length: said }, content }
    }

    /// The server's own page.
    fn failed(mut self, status: StatusCode) -> Answer {
        let (head, page) = error_page::page(status, "");
        self.opens_with(status, &head.headers);
        self.sent = page.len() as u64;
        Answer { head, content: Content::Whole(page) }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let shared = &self.shared;
        let logged = self.logged.as_deref();
        shared.write_down(&Answered {
            logged: logged.map(|logged| (&logged.request, &*logged.connection)),
            status: self.status,
            response_headers: logged.map_or(&HeaderMap::new(), |logged| &logged.response_headers),
            sent: self.sent,
            elapsed: self.arrived.map(|arrived| arrived.elapsed()).unwrap_or_default(),
            annotations: &[],
        });
        if logged.is_some() {
            // It goes out with the next turn.
            shared.wake();
        }
        if let Some(requests) = shared.requests.get() {
            requests.open.borrow_mut().remove(self.number);
            requests.show_oldest(shared);
        }
        shared.count_served();
    }
}

/// What a service has answered, on its way to the client.
pub(crate) struct Outcome {
    body: Outgoing,
    call: Call,
    /// What has failed is not asked again,
    failed: bool,
    /// nor what has ended.
    ended: bool,
}

impl Outcome {
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.failed {
            return Poll::Ready(Some(Err(broke_off())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = caught_now(|| self.body.as_mut().poll_frame(context));
        let words = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(None)) => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                self.call.sent += frame.data_ref().map_or(0, |piece| piece.len() as u64);
                return Poll::Ready(Some(Ok(frame)));
            }
            Ok(Poll::Ready(Some(Err(failure)))) => in_full(&*failure),
            Err(words) => {
                if let Some(requests) = self.call.shared.requests.get() {
                    requests.note_panic(&self.call.shared);
                }
                format!("panic: {words}")
            }
        };
        log::error!("The response to {} broke off: {words}", self.call.name());
        self.failed = true;
        Poll::Ready(Some(Err(broke_off())))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn broke_off() -> io::Error {
    io::Error::other("the application broke off")
}

fn length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// An error, and what caused it.
fn in_full(failure: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(failure.source(), |cause| cause.source());
    causes.fold(failure.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> Name {
        Name { began: Duration::ZERO, method: Method::GET, path: path.into() }
    }

    #[test]
    fn the_oldest_is_the_first_of_those_that_are_left() {
        let mut open = Open::default();
        let oldest = |open: &Open| open.oldest.as_ref().map(|(number, _)| *number);
        (0..4).for_each(|number| open.insert(number, name(&number.to_string())));
        assert_eq!(open.get(2).map(|name| &*name.path), Some("2"));
        open.remove(1);
        assert_eq!(oldest(&open), Some(0));
        open.remove(0);
        assert_eq!(oldest(&open), Some(2));
        assert_eq!(open.get(2).map(|name| &*name.path), Some("2"));
        assert!(open.get(0).is_none());
        open.remove(2);
        open.remove(3);
        assert_eq!(oldest(&open), None);
        open.insert(4, name("4"));
        assert_eq!(oldest(&open), Some(4));
    }
}
