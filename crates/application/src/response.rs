//! What an application answers, and through what.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// Status and headers of a response.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: StatusCode,
    /// The reason phrase, where it is not the code's usual one.
    pub reason: Option<Bytes>,
    /// The headers, duplicates in order. Date, Server, Connection and Transfer-Encoding are the
    /// worker's own business and do not belong here.
    pub headers: HeaderMap,
    /// The value of Content-Length, if `headers` has one. Without it a body is sent chunked, or
    /// up to the end of the connection to HTTP/1.0 clients.
    pub length: Option<u64>,
}

/// The client has gone, or has stopped taking what it asked for, or the worker must leave: nobody
/// will see what is sent from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the client is gone")
    }
}

impl std::error::Error for Gone {}

/// How a wait ended; see [`Exchange::drive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// The future is ready, and must not be driven again.
    Done,
    /// It is not, and the client has gone. Said once in a call; to drive on is possible.
    ClientGone,
    /// It is not, and some time has passed: a chance for the caller to look at what else has happened.
    Waiting,
    /// This call is not made on the thread that does the worker's I/O: the future has not been touched.
    Elsewhere,
}

/// The worker's side of one call: takes the response. Either one of [`respond`](Self::respond)
/// and [`respond_file`](Self::respond_file), or [`begin`](Self::begin), any number of
/// [`send`](Self::send) and then [`finish`](Self::finish) or [`abort`](Self::abort).
pub trait Exchange {
    /// Tells the client, before the response and at once, of headers that it will have (103 Early
    /// Hints). Nothing to a client of HTTP/1.0, or once a response has begun.
    fn hint(&self, headers: &HeaderMap);

    /// A whole response. Returns at once; it drains to the client after the call.
    fn respond(&self, head: Head, body: Bytes);

    /// A response whose body is `length` bytes of a regular file from `offset` on. Returns at
    /// once; the file is read as the client takes it.
    fn respond_file(&self, head: Head, file: File, offset: u64, length: u64);

    /// The head of a response whose body follows in pieces. Nothing goes out before the first
    /// piece or the end.
    fn begin(&self, head: Head);

    /// One piece of the body. With `flush` it is on its way to the client when this returns, and
    /// when the client is slow this waits (while the I/O of all other connections goes on) as long
    /// as more than a buffer full is left. An empty piece sends nothing.
    fn send(&self, piece: Bytes, flush: bool) -> Result<(), Gone>;

    /// The end of the body.
    fn finish(&self);

    /// The body broke off: the connection is cut so that the client notices.
    fn abort(&self);

    /// Whether a response has been begun.
    fn begun(&self) -> bool;

    /// Bytes of the body that have been handed over so far.
    fn sent(&self) -> u64;

    /// Everything that the client is to get has been handed over, but the call may go on for a
    /// while: send it now if holding it back could be noticed.
    fn settle(&self);

    /// Whether [`send`](Self::send) and [`settle`](Self::settle) may take their time at this
    /// moment, so that the caller does well to let go of what other threads need.
    fn may_wait(&self) -> bool;

    /// Has the call wait for something else than its client, while the worker's I/O goes on: the future runs where that is
    /// done.
    fn drive(&self, future: Pin<&mut dyn Future<Output = ()>>) -> Driven;

    /// A value of the application's for the access log's `%({name}e)s`.
    fn annotate(&self, name: &str, value: String);
}
