//! One stream: a request that arrives, waits for its call, and is answered.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use ferricorn_application::service::Origin;
use ferricorn_application::{Body, Head, Request};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;
use tokio::sync::oneshot;

use super::flow::Stay;
use super::head;
use crate::answer::{Answer, AnswerBody};
use crate::body::Gathered;
use crate::connection::Client;
use crate::hints::Route;
use crate::incoming::{Arriving, Received};
use crate::refusal::Refusal;
use crate::requests;
use crate::shared::{Activity, Job, Shared};
use crate::sweep::{is_over, since};

/// How often somebody who waits for a client looks whether that has taken too long.
const LOOK: Duration = Duration::from_secs(1);
/// Fields that speak of a connection of HTTP/1 (RFC 9113, 8.2.2).
const OF_HTTP_1: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
/// However many streams share it, a body's part of the memory is not less than this.
const LEAST_IN_MEMORY: usize = 16 * 1024;

/// Where a stream is answered; the call may use it too, for hints.
#[derive(Clone)]
pub(crate) struct Replies(Rc<RefCell<SendResponse<Bytes>>>);

impl Replies {
    /// A response that comes before the response.
    fn send_before(&self, status: StatusCode, headers: HeaderMap) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        self.0.borrow_mut().send_informational(response)
    }

    pub(crate) fn send_hints(&self, headers: &HeaderMap) -> io::Result<()> {
        self.send_before(StatusCode::EARLY_HINTS, headers.clone()).map_err(io::Error::other)
    }

    fn reset(&self, reason: Reason) {
        self.0.borrow_mut().send_reset(reason);
    }

    /// Ready when the client has taken the stream back, or the connection has ended.
    fn poll_reset(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.borrow_mut().poll_reset(context).map(drop)
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Replies")
    }
}

/// Why a stream ends before its time.
enum Broken {
    /// The client has taken it back, or is gone.
    TakenBack,
    /// It has something to hear of.
    Reset(Reason),
    /// It is told why it is not served.
    Refused(Box<Refusal>),
}

/// One request, from the head that has arrived to the end of its response.
pub(super) async fn serve(
    client: Rc<Client>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    stay: Stay,
) {
    let replies = Replies(Rc::new(RefCell::new(respond)));
    let activity = Rc::new(Activity::default());
    *activity.route.borrow_mut() = Route::Http2(replies.clone());
    let stream = Stream { client, replies, activity, stay };
    match stream.answer(request).await {
        Ok(()) => {}
        Err(Broken::TakenBack) => stream.stay.is_taken_back(),
        Err(Broken::Reset(reason)) => stream.replies.reset(reason),
        Err(Broken::Refused(refusal)) => stream.refuse(&refusal),
    }
}

struct Stream {
    client: Rc<Client>,
    replies: Replies,
    /// The stream's own.
    activity: Rc<Activity>,
    stay: Stay,
}

impl Stream {
    async fn answer(&self, request: http::Request<RecvStream>) -> Result<(), Broken> {
        let shared = &self.client.shared;
        let arrived = shared.measures_requests().then(Instant::now);
        let (mut head, incoming) = request.into_parts();
        let is_head = head.method == Method::HEAD;
        let (https, waits) = self.judge(&mut head)?;
        if let Some(length) = announced(&head) {
            self.bound(length)?;
        }
        if waits && !incoming.is_end_stream() {
            self.replies.send_before(StatusCode::CONTINUE, HeaderMap::new()).map_err(|_| Broken::TakenBack)?;
        }
        if let Some(requests) = shared.requests.get() {
            let limit = shared.rules.body;
            let mut body = Arriving::new(Received(incoming), shared.settings.client_stall_timeout, limit);
            let excess = body.excess();
            let origin = Origin { connection: Arc::clone(&self.client.connection), https };
            let request = requests::Request { head, body: Box::pin(body), origin, arrived };
            let answer = self.unless_taken_back(requests::answer(shared, requests, request)).await?;
            if excess.is_there() {
                return self.bound(limit.saturating_add(1));
            }
            return self.respond(answer, is_head).await;
        }
        let body = self.gather(incoming).await?;
        let (reply, answer) = oneshot::channel();
        let request = Request { head, body, https, connection: Arc::clone(&self.client.connection) };
        shared.push(Job::new(shared, request, &self.activity, reply, arrived));
        let _withdrawal = Withdrawal(self);
        let answer = self.unless_taken_back(answer).await?.map_err(|_| Broken::Reset(Reason::INTERNAL_ERROR))?;
        self.respond(answer, is_head).await
    }

    async fn unless_taken_back<T>(&self, answer: impl Future<Output = T>) -> Result<T, Broken> {
        let mut answer = pin!(answer);
        poll_fn(|context| match self.replies.poll_reset(context) {
            Poll::Ready(()) => Poll::Ready(Err(Broken::TakenBack)),
            Poll::Pending => answer.as_mut().poll(context).map(Ok),
        })
        .await
    }

    /// Whether the client speaks TLS, and whether it waits to be told to send its body.
    fn judge(&self, head: &mut Parts) -> Result<(bool, bool), Broken> {
        let Client { shared, connection, .. } = &*self.client;
        let judged = head::adapt(head, &shared.rules).and_then(|said| {
            let forwarded = shared.policy.apply(head, &connection.remote)?;
            let trusts = shared.policy.trusts(&connection.remote);
            let https = if trusts { said.https } else { connection.tls.get().is_some() };
            Ok((forwarded.unwrap_or(https), said.waits))
        });
        judged.map_err(|refusal| {
            log::warn!("Invalid request from ip={}: {}", self.client.address(), refusal.cause);
            Broken::Reset(Reason::PROTOCOL_ERROR)
        })
    }

    async fn gather(&self, mut incoming: RecvStream) -> Result<Body, Broken> {
        let room = &self.client.shared.room;
        let in_memory = (room.in_memory / self.stay.streams()).max(LEAST_IN_MEMORY.min(room.in_memory));
        let mut gathered = Gathered::Nothing;
        while let Some(piece) = self.patiently(poll_fn(|context| incoming.poll_data(context))).await? {
            let piece = piece.map_err(|_| Broken::TakenBack)?;
            // There is more room at once: where a body waits does not depend on its client.
            incoming.flow_control().release_capacity(piece.len()).map_err(|_| Broken::TakenBack)?;
            self.bound(gathered.length() + piece.len() as u64)?;
            gathered = gathered.add(piece, room, in_memory).map_err(|error| self.cannot_keep(&error))?;
        }
        gathered.finish().map_err(|error| self.cannot_keep(&error))
    }

    fn cannot_keep(&self, error: &io::Error) -> Broken {
        Broken::Refused(Box::new(Refusal::storage(self.client.shared.room.complaint(error))))
    }

    /// A body of so many bytes may be too long.
    fn bound(&self, length: u64) -> Result<(), Broken> {
        let limit = self.client.shared.rules.body;
        if length > limit { Err(Broken::Refused(Box::new(Refusal::long_body(length, limit)))) } else { Ok(()) }
    }

    /// Answers in the application's place. What is left of the body needs not be sent: h2 says so (NO_ERROR) when
    /// nobody waits for it any more.
    fn refuse(&self, refusal: &Refusal) {
        refusal.log(&self.client.address());
        let (head, page) = refusal.page();
        let sent = self.replies.0.borrow_mut().send_response(response(head, &self.client.shared), false);
        if let Err(error) = sent.and_then(|mut sender| sender.send_data(page, true)) {
            log::debug!("The answer to an invalid request did not reach its client: {error}");
        }
    }

    async fn respond(&self, answer: Answer, is_head: bool) -> Result<(), Broken> {
        self.stay.answers();
        let Answer { head, content } = answer;
        let bodiless = is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let Client { shared, .. } = &*self.client;
        let body = AnswerBody::new(content, head.length, bodiless, Rc::clone(&self.activity), Rc::clone(shared));
        let mut body = pin!(body);
        let ends = bodiless || body.is_finished();
        if head.status.is_informational() {
            // HTTP/2 has no such last word.
            return Err(Broken::Reset(Reason::INTERNAL_ERROR));
        }
        let sent = self.replies.0.borrow_mut().send_response(response(head, shared), ends);
        let mut sender = sent.map_err(|_| Broken::TakenBack)?;
        if ends {
            return Ok(());
        }
        loop {
            let piece = poll_fn(|context| match poll_gone(&mut sender, context) {
                Poll::Ready(()) => Poll::Ready(Err(Broken::TakenBack)),
                Poll::Pending => body.as_mut().poll_frame(context).map(Ok),
            });
            match piece.await? {
                None => return send(&mut sender, Bytes::new(), true),
                Some(Err(_)) => return Err(Broken::Reset(Reason::INTERNAL_ERROR)),
                Some(Ok(frame)) => {
                    let piece = match frame.into_data() {
                        Ok(piece) => piece,
                        Err(frame) => {
                            let trailers = frame.into_trailers().unwrap_or_default();
                            return sender.send_trailers(trailers).map_err(|_| Broken::TakenBack);
                        }
                    };
                    let last = body.is_finished();
                    self.send_piece(&mut sender, piece, last).await?;
                    if last {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends as the client makes room.
    async fn send_piece(&self, sender: &mut SendStream<Bytes>, mut piece: Bytes, last: bool) -> Result<(), Broken> {
        if piece.is_empty() && last {
            return send(sender, piece, last);
        }
        while !piece.is_empty() {
            sender.reserve_capacity(piece.len());
            let room = self.patiently(poll_fn(|context| poll_room(sender, context))).await??;
            let part = piece.split_to(room.min(piece.len()));
            send(sender, part, last && piece.is_empty())?;
        }
        Ok(())
    }

    /// Waits for a client, but not for ever. Counts ticks, as the sweeper does, so that a client is
    /// not blamed for a time in which nobody heard it.
    async fn patiently<T>(&self, wait: impl Future<Output = T>) -> Result<T, Broken> {
        let shared = &self.client.shared;
        let begun = shared.tick.get();
        let mut wait = pin!(wait);
        loop {
            match tokio::time::timeout(LOOK, wait.as_mut()).await {
                Ok(arrived) => return Ok(arrived),
                Err(_) if is_over(since(begun, shared.tick.get()), shared.settings.client_stall_timeout) => {
                    return Err(Broken::Reset(Reason::CANCEL));
                }
                Err(_) => {}
            }
        }
    }
}

/// A request that no thread has taken when its stream ends needs none.
struct Withdrawal<'a>(&'a Stream);

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        self.0.client.shared.withdraw(&self.0.activity);
    }
}

/// The length that the head says the body has.
fn announced(head: &Parts) -> Option<u64> {
    head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn response(head: Head, shared: &Shared) -> Response<()> {
    let Head { status, mut headers, .. } = head;
    for name in OF_HTTP_1 {
        headers.remove(name);
    }
    if let Some(server) = &shared.server_header {
        headers.insert(header::SERVER, server.clone());
    }
    let now = httpdate::fmt_http_date(SystemTime::now());
    if let Ok(now) = HeaderValue::from_str(&now) {
        headers.insert(header::DATE, now);
    }
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn send(sender: &mut SendStream<Bytes>, piece: Bytes, last: bool) -> Result<(), Broken> {
    sender.send_data(piece, last).map_err(|_| Broken::TakenBack)
}

fn poll_gone(sender: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Poll<()> {
    sender.poll_reset(context).map(drop)
}

/// How many bytes the client has room for, once there is any.
fn poll_room(sender: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
    loop {
        if sender.capacity() > 0 {
            return Poll::Ready(Ok(sender.capacity()));
        }
        match ready!(sender.poll_capacity(context)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(Err(Broken::TakenBack)),
        }
    }
}
