//! One client: hyper parses what it sends, and what the application answers goes back.

use std::cell::Cell;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ferricorn_application::{Connection, Head, Request, error_page};
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::sync::oneshot;

use crate::answer::{Answer, AnswerBody, Content};
use crate::body::{self, BodyFailure};
use crate::limits::{self, Refusal};
use crate::shared::{Activity, Job, Open, Shared};
use crate::wire::{Socket, Wire};

/// Hyper's own bound on the number of header fields; raising it costs it a faster path.
const HYPER_FIELDS: usize = 100;

thread_local! {
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// Serves a connection until either side ends it.
pub(crate) fn serve(shared: &Rc<Shared>, socket: Socket, connection: Connection) {
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    let activity = Rc::new(Activity::default());
    activity.last_progress.set(shared.tick.get());
    let client =
        Rc::new(Client { shared: Rc::clone(shared), activity: Rc::clone(&activity), connection: Arc::new(connection) });
    let open = Open { activity: Rc::clone(&activity), connection: Arc::clone(&client.connection), task: None };
    shared.open.borrow_mut().insert(number, open);
    let ended = Ended { number, shared: Rc::clone(shared) };
    let wire = Wire::new(socket, activity, Rc::clone(shared));
    let task = tokio::task::spawn_local(async move {
        let _ended = ended;
        speak_http(client, wire).await;
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

async fn speak_http(client: Rc<Client>, wire: Wire) {
    let settings = &client.shared.settings;
    let mut builder = http1::Builder::new();
    // A client that has sent its request and closed its half still gets its answer.
    builder.half_close(true).title_case_headers(true);
    if settings.limit_request_fields != HYPER_FIELDS {
        builder.max_headers(settings.limit_request_fields);
    }
    let service = service_fn(|request| Rc::clone(&client).answer(request));
    if let Err(error) = builder.serve_connection(wire, service).await {
        client.log_failure(&error);
    }
}

struct Client {
    shared: Rc<Shared>,
    activity: Rc<Activity>,
    connection: Arc<Connection>,
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
    async fn answer(self: Rc<Self>, request: http::Request<Incoming>) -> Result<Response<AnswerBody>, NoAnswer> {
        let arrived = self.shared.measures_requests().then(Instant::now);
        self.activity.busy.set(true);
        self.activity.answered.set(false);
        self.activity.used.set(true);
        self.activity.head_since.set(None);
        let settings = &self.shared.settings;
        // As hyper knows it: to hyper a method that is folded below is none of those it knows.
        let is_head = request.method() == Method::HEAD;
        let (mut head, incoming) = request.into_parts();
        let judged = limits::check(&mut head, settings)
            .and_then(|()| self.shared.policy.apply(&mut head, &self.connection.remote));
        let https = match judged {
            Ok(https) => https,
            Err(refusal) => return Ok(self.refuse(refusal)),
        };
        self.activity.receiving.set(true);
        let gathered = body::gather(incoming, settings.tmp_upload_dir.as_deref()).await;
        self.activity.receiving.set(false);
        let body = match gathered {
            Ok(body) => body,
            Err(BodyFailure::Client(error)) => return self.malformed_body(&error),
            Err(BodyFailure::Storage(error)) => {
                log::error!("Cannot keep a request body: {error}");
                let detail = "The request body cannot be stored.".to_owned();
                return Ok(self.refuse(Refusal { status: StatusCode::INSUFFICIENT_STORAGE, detail }));
            }
        };
        let (reply, answer) = oneshot::channel();
        let request = Request { head, body, https, connection: Arc::clone(&self.connection) };
        self.shared.push(Job { request, activity: Rc::clone(&self.activity), reply, arrived });
        match answer.await {
            Ok(answer) => Ok(self.respond(answer, is_head, self.shared.closes_connections())),
            Err(_) => Err(NoAnswer),
        }
    }

    fn malformed_body(&self, error: &hyper::Error) -> Result<Response<AnswerBody>, NoAnswer> {
        // Where the client is gone there is nobody to tell.
        let broke_off = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|source| source.kind() == io::ErrorKind::UnexpectedEof);
        if broke_off || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Err(NoAnswer);
        }
        Ok(self.refuse(Refusal { status: StatusCode::BAD_REQUEST, detail: "Invalid request body".to_owned() }))
    }

    fn refuse(&self, refusal: Refusal) -> Response<AnswerBody> {
        log::warn!("Invalid request from ip={}: {}", self.address(), refusal.detail);
        let (head, page) = error_page::page(refusal.status, &refusal.detail);
        self.respond(Answer { head, content: Content::Whole(page) }, false, true)
    }

    fn respond(&self, answer: Answer, is_head: bool, close: bool) -> Response<AnswerBody> {
        self.activity.answered.set(true);
        let Answer { head: Head { status, reason, mut headers, length }, content } = answer;
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(header::SERVER, HeaderValue::from_static("ferricorn"));
        let bodiless =
            is_head || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = AnswerBody::new(content, length, bodiless, Rc::clone(&self.activity), Rc::clone(&self.shared));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
            response.extensions_mut().insert(reason);
        }
        response
    }

    fn address(&self) -> String {
        match &self.connection.remote {
            ferricorn_application::Peer::Tcp(address) => address.ip().to_string(),
            ferricorn_application::Peer::Unix(_) => String::new(),
        }
    }

    fn log_failure(&self, error: &hyper::Error) {
        if error.is_parse() {
            // Hyper has answered 400, 414 or 431 and closed.
            log::warn!("Invalid request from ip={}: {error}", self.address());
        } else {
            log::debug!("Connection from ip={} ended: {error}", self.address());
        }
    }
}

/// A copy of the socket for whoever holds the request.
pub(crate) fn keep_open(socket: &impl AsFd) -> io::Result<Box<dyn AsFd + Send + Sync>> {
    Ok(Box::new(socket.as_fd().try_clone_to_owned()?))
}
