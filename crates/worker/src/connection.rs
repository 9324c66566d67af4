//! One client: hyper parses what it sends, and what the application answers goes back.

use std::cell::Cell;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferricorn_application::service;
use ferricorn_application::{Body, Connection, Head, Request};
use ferricorn_settings::Language;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use crate::answer::{Answer, AnswerBody};
use crate::body::{self, BodyFailure};
use crate::farewell;
use crate::greeting::{Greeting, greet};
use crate::guard::{Guard, Note, Notes};
use crate::http2;
use crate::incoming::Arriving;
use crate::proxy_protocol::Preface;
use crate::refusal::Refusal;
use crate::requests::{self, Requests};
use crate::shared::{Activity, Job, Open, Shared};
use crate::socket::{Raw, Socket};
use crate::standing::Standing;
use crate::wire::Wire;

/// Hyper's own bound on the number of header fields; raising it costs it a faster path.
const HYPER_FIELDS: usize = 100;
/// Hyper's own bound on the bytes of a head. The guard's is told to it where that is higher.
const HYPER_HEAD: usize = 417_792;

thread_local! {
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// How a connection came to this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The number of its listener.
    pub(crate) listener: usize,
    /// Another worker has had it: what comes before the first request has been.
    pub(crate) passed_on: bool,
    /// Since when its request has waited there.
    pub(crate) since: Option<Duration>,
}

/// Serves a connection until either side ends it.
pub(crate) fn serve(shared: &Rc<Shared>, raw: Raw, connection: Connection, origin: Origin) {
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    let activity = Rc::new(Activity::default());
    activity.last_progress.set(shared.tick.get());
    activity.used.set(origin.passed_on);
    let notes = Rc::new(Notes::default());
    let client = Rc::new(Client {
        number,
        origin,
        shared: Rc::clone(shared),
        activity: Rc::clone(&activity),
        notes: Rc::clone(&notes),
        connection: Arc::new(connection),
    });
    let open = Open { activity: Rc::clone(&activity), connection: Arc::clone(&client.connection), task: None };
    shared.open.borrow_mut().insert(number, open);
    shared.show_clients();
    let ended = Ended { number, shared: Rc::clone(shared) };
    let task = tokio::task::spawn_local(async move {
        let _ended = ended;
        let greeting = match origin.passed_on {
            true => Greeting::Http1(Socket::Plain(raw)),
            false => greet(&client.shared, raw, &client.connection, &client.activity).await,
        };
        match greeting {
            Greeting::Http1(socket) => speak_http(client, socket).await,
            // Boxed, as is the greeting: most connections need no room for it.
            Greeting::Http2(socket) => Box::pin(http2::speak(client, socket)).await,
            Greeting::Refused(socket, refusal) => {
                Box::pin(client.refuse_connection(client.wire(socket), &refusal)).await
            }
            Greeting::Over => {}
        }
    });
    if let Some(open) = shared.open.borrow_mut().get_mut(&number) {
        open.task = Some(task.abort_handle());
    }
}

/// Takes the connection out of the worker's books, however its task ends.
struct Ended {
    number: u64,
    shared: Rc<Shared>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.shared.connection_ended(self.number);
    }
}

async fn speak_http(client: Rc<Client>, socket: Socket) {
    let mut wire = client.wire(socket);
    if let Some(handover) = &client.shared.handover {
        let connection = Arc::clone(&client.connection);
        let Origin { listener, since, .. } = client.origin;
        let standing = Arc::new(Standing::new(client.number, connection, listener, since));
        handover.enter(Arc::clone(&standing));
        wire.may_go(standing);
    }
    let settings = &client.shared.settings;
    let mut builder = http1::Builder::new();
    // A client that has sent its request and closed its half still gets its answer.
    builder.half_close(true);
    // As Gunicorn's applications write them; a native one is used to lower case.
    builder.title_case_headers(settings.language == Language::Python);
    if settings.limit_request_fields != HYPER_FIELDS {
        builder.max_headers(settings.limit_request_fields);
    }
    let head_size = client.shared.rules.head_size().saturating_add(client.shared.rules.request_line.max(HYPER_HEAD));
    if head_size > HYPER_HEAD {
        builder.max_buf_size(head_size);
    }
    let served = loop {
        if let Err(error) = wire.rest().await {
            return log::debug!("Connection from ip={} ended: {error}", client.address());
        }
        let service = service_fn(|request| Rc::clone(&client).answer(request));
        let mut connection = builder.serve_connection(TokioIo::new(wire), service);
        let served = client.activity.rest.or_until_due(&mut connection).await;
        wire = connection.into_parts().io.into_inner();
        if let Some(served) = served {
            break served;
        }
    };
    let refusal = client.notes.refusal.take();
    match (refusal, served) {
        // The request has its answer, though the rest of its body was not worth reading.
        (Some(refusal), _) if client.notes.refused_body.get() && client.activity.answered.get() => {
            log::warn!("Invalid request from ip={}: {}", client.address(), refusal.cause);
        }
        (Some(refusal), _) => Box::pin(client.refuse_connection(wire, &refusal)).await,
        (None, Ok(())) => {
            if let Err(error) = farewell::part(&mut wire).await {
                log::debug!("Connection from ip={} ended: {error}", client.address());
            }
        }
        (None, Err(error)) => log::debug!("Connection from ip={} ended: {error}", client.address()),
    }
}

/// A connection, as those who serve it know it.
pub(crate) struct Client {
    number: u64,
    origin: Origin,
    pub(crate) shared: Rc<Shared>,
    pub(crate) activity: Rc<Activity>,
    notes: Rc<Notes>,
    pub(crate) connection: Arc<Connection>,
}

/// Why a request gets no response but the end of its connection.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the request was given up")
    }
}

impl std::error::Error for NoAnswer {}

impl Client {
    fn wire(&self, socket: Socket) -> Wire {
        let expects = || Preface::expected(&self.shared.settings, &self.connection);
        let preface = if self.origin.passed_on { None } else { expects() };
        let guard = Guard::new(Rc::clone(&self.shared.rules), Rc::clone(&self.notes), preface);
        Wire::new(socket, guard, Rc::clone(&self.notes), Rc::clone(&self.activity), Rc::clone(&self.shared))
    }

    /// The end of a connection on which something was refused.
    async fn refuse_connection(&self, mut wire: Wire, refusal: &Refusal) {
        refusal.log(&self.address());
        self.activity.answered.set(true);
        if let Err(error) = farewell::refuse(&mut wire, refusal).await {
            log::debug!("The answer to an invalid request did not reach its client: {error}");
        }
    }

    async fn answer(self: Rc<Self>, request: http::Request<Incoming>) -> Result<Response<AnswerBody>, NoAnswer> {
        let arrived = self.shared.measures_requests().then(Instant::now);
        self.activity.busy.set(true);
        self.activity.answered.set(false);
        self.activity.used.set(true);
        self.activity.head_since.set(None);
        let is_head = request.method() == Method::HEAD;
        let version = request.version();
        let (mut head, incoming) = request.into_parts();
        let Note { sent, connects, closes } = self.notes.take();
        if connects {
            head.method = Method::CONNECT;
        }
        if let Some(sent) = sent {
            head.extensions.insert(*sent);
        }
        let judged = self.shared.policy.apply(&mut head, &self.connection.remote);
        let https = judged.map_err(|refusal| self.refuse(refusal))?.unwrap_or(self.connection.tls.get().is_some());
        if let Some(requests) = self.shared.requests.get() {
            let answer = self.answer_as_it_arrives(requests, head, incoming, https, arrived).await;
            if self.notes.refused_body.get() {
                // The client is told what was wrong with its body, and not what the application made of that.
                return Err(NoAnswer);
            }
            return Ok(self.respond(answer, version, is_head, closes || self.shared.closes_connections()));
        }
        let body = self.gather(incoming).await?;
        let (reply, answer) = oneshot::channel();
        let request = Request { head, body, https, connection: Arc::clone(&self.connection) };
        self.shared.push(Job::new(&self.shared, request, &self.activity, reply, arrived));
        match answer.await {
            Ok(answer) => Ok(self.respond(answer, version, is_head, closes || self.shared.closes_connections())),
            Err(_) => Err(NoAnswer),
        }
    }

    /// With a native application nobody waits for the body but its service.
    fn answer_as_it_arrives(
        &self,
        requests: &Requests,
        head: Parts,
        incoming: Incoming,
        https: bool,
        arrived: Option<Instant>,
    ) -> impl Future<Output = Answer> {
        let body: service::Incoming = match incoming.is_end_stream() {
            // Most requests have none, and a box for this one needs no memory.
            true => Box::pin(Empty::<Bytes>::new().map_err(|never| -> service::Failure { match never {} })),
            // How long it may be, the guard knows.
            false => Box::pin(Arriving::new(incoming, self.shared.settings.client_stall_timeout, u64::MAX)),
        };
        let origin = service::Origin { connection: Arc::clone(&self.connection), https };
        requests::answer(&self.shared, requests, requests::Request { head, body, origin, arrived })
    }

    async fn gather(&self, incoming: Incoming) -> Result<Body, NoAnswer> {
        self.activity.receiving.set(true);
        let gathered = body::gather(incoming, &self.shared.room).await;
        self.activity.receiving.set(false);
        gathered.map_err(|failure| match failure {
            // The client is gone, or the guard has seen to it that it will be told why.
            BodyFailure::Client(error) => {
                log::debug!("A request body from ip={} broke off: {error}", self.address());
                NoAnswer
            }
            BodyFailure::Storage(error) => self.refuse(Refusal::storage(self.shared.room.complaint(&error))),
        })
    }

    /// The refusal becomes the connection's end: see `farewell`.
    fn refuse(&self, refusal: Refusal) -> NoAnswer {
        *self.notes.refusal.borrow_mut() = Some(refusal);
        NoAnswer
    }

    fn respond(&self, answer: Answer, version: Version, is_head: bool, close: bool) -> Response<AnswerBody> {
        self.activity.answered.set(true);
        let Answer { head: Head { status, reason, mut headers, length }, content } = answer;
        if let Some(server) = &self.shared.server_header {
            headers.insert(header::SERVER, server.clone());
        }
        let bodiless =
            is_head || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // Before there were chunks, a body of which nobody knows the length ended with its connection.
        let close = close || (version == Version::HTTP_10 && length.is_none() && !bodiless);
        // 101 says itself what becomes of the connection.
        if close && status != StatusCode::SWITCHING_PROTOCOLS {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let body = AnswerBody::new(content, length, bodiless, Rc::clone(&self.activity), Rc::clone(&self.shared));
        let mut response = Response::new(body);
        if close && version == Version::HTTP_10 {
            // Else hyper would add that the connection is kept.
            *response.version_mut() = version;
        }
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
            response.extensions_mut().insert(reason);
        }
        response
    }

    pub(crate) fn address(&self) -> String {
        self.connection.remote_address()
    }
}

/// A copy of the socket for whoever holds the request.
pub(crate) fn keep_open(socket: &impl AsFd) -> io::Result<Box<dyn AsFd + Send + Sync>> {
    Ok(Box::new(socket.as_fd().try_clone_to_owned()?))
}
