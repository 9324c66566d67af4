//! One client: hyper parses what it sends, and what the application answers goes back.

use std::cell::Cell;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ferricorn_application::{Body, Connection, Head, Request};
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use crate::answer::{Answer, AnswerBody};
use crate::body::{self, BodyFailure};
use crate::farewell;
use crate::guard::{Guard, Note, Notes};
use crate::proxy_protocol::Preface;
use crate::refusal::Refusal;
use crate::shared::{Activity, Job, Open, Shared};
use crate::wire::{Socket, Wire};

/// Hyper's own bound on the number of header fields; raising it costs it a faster path.
const HYPER_FIELDS: usize = 100;
/// Hyper's own bound on the bytes of a head. The guard's is told to it where that is higher.
const HYPER_HEAD: usize = 417_792;

thread_local! {
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// Serves a connection until either side ends it.
pub(crate) fn serve(shared: &Rc<Shared>, socket: Socket, connection: Connection) {
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    let activity = Rc::new(Activity::default());
    activity.last_progress.set(shared.tick.get());
    let notes = Rc::new(Notes::default());
    let client = Rc::new(Client {
        shared: Rc::clone(shared),
        activity: Rc::clone(&activity),
        notes: Rc::clone(&notes),
        connection: Arc::new(connection),
    });
    let open = Open { activity: Rc::clone(&activity), connection: Arc::clone(&client.connection), task: None };
    shared.open.borrow_mut().insert(number, open);
    let ended = Ended { number, shared: Rc::clone(shared) };
    let preface = Preface::expected(&shared.settings, &client.connection);
    let guard = Guard::new(Rc::clone(&shared.rules), Rc::clone(&notes), preface);
    let wire = Wire::new(socket, guard, notes, activity, Rc::clone(shared));
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
    let head_size = client.shared.rules.head_size().saturating_add(client.shared.rules.request_line.max(HYPER_HEAD));
    if head_size > HYPER_HEAD {
        builder.max_buf_size(head_size);
    }
    let service = service_fn(|request| Rc::clone(&client).answer(request));
    let mut connection = builder.serve_connection(TokioIo::new(wire), service);
    let served = (&mut connection).await;
    let mut wire = connection.into_parts().io.into_inner();
    let refusal = client.notes.refusal.take();
    let parted = match (refusal, served) {
        (Some(refusal), _) => {
            log::warn!("Invalid request from ip={}: {}", client.address(), refusal.cause);
            client.activity.answered.set(true);
            farewell::refuse(&mut wire, &refusal).await.map_err(|error| error.to_string())
        }
        (None, Ok(())) => farewell::part(&mut wire).await.map_err(|error| error.to_string()),
        (None, Err(error)) => Err(error.to_string()),
    };
    if let Err(error) = parted {
        log::debug!("Connection from ip={} ended: {error}", client.address());
    }
}

struct Client {
    shared: Rc<Shared>,
    activity: Rc<Activity>,
    notes: Rc<Notes>,
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
        let is_head = request.method() == Method::HEAD;
        let (mut head, incoming) = request.into_parts();
        let Note { sent, connects, closes } = self.notes.take();
        if connects {
            head.method = Method::CONNECT;
        }
        if let Some(sent) = sent {
            head.extensions.insert(*sent);
        }
        let judged = self.shared.policy.apply(&mut head, &self.connection.remote);
        let https = judged.map_err(|refusal| self.refuse(refusal))?;
        let body = self.gather(incoming).await?;
        let (reply, answer) = oneshot::channel();
        let request = Request { head, body, https, connection: Arc::clone(&self.connection) };
        self.shared.push(Job { request, activity: Rc::clone(&self.activity), reply, arrived });
        match answer.await {
            Ok(answer) => Ok(self.respond(answer, is_head, closes || self.shared.closes_connections())),
            Err(_) => Err(NoAnswer),
        }
    }

    async fn gather(&self, incoming: Incoming) -> Result<Body, NoAnswer> {
        self.activity.receiving.set(true);
        let gathered = body::gather(incoming, self.shared.settings.tmp_upload_dir.as_deref()).await;
        self.activity.receiving.set(false);
        gathered.map_err(|failure| match failure {
            // The client is gone, or the guard has seen to it that it will be told why.
            BodyFailure::Client(error) => {
                log::debug!("A request body from ip={} broke off: {error}", self.address());
                NoAnswer
            }
            BodyFailure::Storage(error) => {
                log::error!("Cannot keep a request body: {error}");
                self.refuse(Refusal::storage())
            }
        })
    }

    /// The refusal becomes the connection's end: see `farewell`.
    fn refuse(&self, refusal: Refusal) -> NoAnswer {
        *self.notes.refusal.borrow_mut() = Some(refusal);
        NoAnswer
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
        self.connection.remote_address()
    }
}

/// A copy of the socket for whoever holds the request.
pub(crate) fn keep_open(socket: &impl AsFd) -> io::Result<Box<dyn AsFd + Send + Sync>> {
    Ok(Box::new(socket.as_fd().try_clone_to_owned()?))
}
