//! Reads along with what the server sends, below tokio-postgres, for what that does not tell: the tag of a finished command,
//! the state of the transaction, the columns of a result without rows, the session's parameters.
//!
//! So nothing has to be looked up, and nothing needs a prepared statement, which behind PgBouncer would belong to
//! somebody else's session.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::way::{Passage, Step, Stream, Way};

/// How much is read from the socket at once.
const READ_SIZE: usize = 32 * 1024;
/// Type byte and length of a message.
const HEADER: usize = 5;

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Box<str>,
    /// Its type's number in pg_type.
    pub type_oid: u32,
    /// How many bytes a value has; negative if that differs.
    pub size: i16,
    /// The type's modifier: the length of a varchar, the precision of a numeric.
    pub modifier: i32,
    /// The table that it comes from, 0 if none.
    pub table_oid: u32,
    /// Its number in that table, 0 if none.
    pub number: i16,
}

/// The state of a session's transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transaction {
    /// There is none.
    #[default]
    None,
    /// One is open.
    Open,
    /// One is open and has failed: it can only be rolled back.
    Failed,
}

/// What the server has said.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) transaction: Transaction,
    /// Of the last command that has finished.
    pub(crate) tag: Option<Box<str>>,
    /// Of the last result that has begun.
    pub(crate) columns: Option<Arc<[Column]>>,
    /// `TimeZone`, `standard_conforming_strings` and the like.
    pub(crate) parameters: HashMap<String, String>,
    /// The server's process.
    pub(crate) process: i32,
    /// What a request to cancel shows to be believed.
    pub(crate) secret: i32,
    /// Answers that nobody waits for are still to come, so many. They say nothing about what comes after them.
    pub(crate) unheard: usize,
}

/// The journal of one connection, written by its tap.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Journal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets tag and columns of the command before.
    pub(crate) fn begin(&self) {
        let mut journal = self.lock();
        (journal.tag, journal.columns) = (None, None);
    }
}

/// A stream to the server, after everything that comes before the protocol proper.
#[derive(Debug)]
pub(crate) struct Tap<S> {
    stream: S,
    journal: SharedJournal,
    way: Way,
    passage: Passage,
    described: Described,
    buffer: BytesMut,
    /// Bytes of the buffer that have been looked at.
    seen: usize,
    /// Bytes of a message that may pass without a look.
    pass: usize,
    ended: bool,
}

impl<S: Stream> Tap<S> {
    pub(crate) fn new(stream: S, journal: SharedJournal, way: Way) -> Self {
        Self {
            stream,
            journal,
            way,
            passage: Passage::default(),
            described: Described::default(),
            buffer: BytesMut::new(),
            seen: 0,
            pass: 0,
            ended: false,
        }
    }

    /// Takes more from the stream.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.stream.plain() {
            Some(socket) if self.way.step() != Step::Registered => {
                self.passage.poll_read(socket, &self.way, &mut self.buffer)
            }
            _ => {
                self.buffer.reserve(READ_SIZE);
                poll_read_buf(Pin::new(&mut self.stream), context, &mut self.buffer)
            }
        }
    }

    /// What it reads along with.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Looks at as many whole messages as there are; long ones that do not matter pass in parts.
    fn look(&mut self) {
        loop {
            let step = self.pass.min(self.buffer.len() - self.seen);
            self.seen += step;
            self.pass -= step;
            let rest = &self.buffer[self.seen..];
            let [kind, length @ ..] = rest else { return };
            let Some(length) = length.first_chunk::<4>() else { return };
            let (kind, whole) = (*kind, 1 + u32::from_be_bytes(*length) as usize);
            if !matches!(kind, b'T' | b'C' | b'Z' | b'S' | b'K') {
                self.pass = whole.max(HEADER);
            } else if rest.len() >= whole && whole >= HEADER {
                // A message that makes no sense is for tokio-postgres to complain about.
                let _ = note(&self.journal, &mut self.described, kind, &rest[HEADER..whole]);
                self.seen += whole;
            } else {
                return;
            }
        }
    }
}

fn note(journal: &SharedJournal, described: &mut Described, kind: u8, body: &[u8]) -> Option<()> {
    match kind {
        b'T' | b'C' if journal.lock().unheard > 0 => {}
        b'T' => {
            let columns = described.columns(body)?;
            journal.lock().columns = Some(columns);
        }
        b'C' => {
            let mut rest = body;
            let tag = take_text(&mut rest)?;
            journal.lock().tag = Some(tag.into());
        }
        b'Z' => {
            let state = match body.first()? {
                b'I' => Transaction::None,
                b'T' => Transaction::Open,
                _ => Transaction::Failed,
            };
            let mut journal = journal.lock();
            match journal.unheard.checked_sub(1) {
                Some(left) => journal.unheard = left,
                None => journal.transaction = state,
            }
        }
        b'S' => {
            let mut rest = body;
            let (name, value) = (take_text(&mut rest)?.to_owned(), take_text(&mut rest)?.to_owned());
            journal.lock().parameters.insert(name, value);
        }
        _ => {
            let mut rest = body;
            let (process, secret) = (rest.try_get_i32().ok()?, rest.try_get_i32().ok()?);
            let mut journal = journal.lock();
            (journal.process, journal.secret) = (process, secret);
        }
    }
    Some(())
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 1..];
    Some(text)
}

/// The last RowDescription: most statements come again.
#[derive(Debug, Default)]
struct Described {
    body: Vec<u8>,
    columns: Arc<[Column]>,
}

impl Described {
    fn columns(&mut self, body: &[u8]) -> Option<Arc<[Column]>> {
        if self.body != body {
            self.columns = take_columns(body)?;
            self.body.clear();
            self.body.extend_from_slice(body);
        }
        Some(Arc::clone(&self.columns))
    }
}

/// Reads a RowDescription.
fn take_columns(body: &[u8]) -> Option<Arc<[Column]>> {
    let (count, mut rest) = body.split_first_chunk()?;
    let count = usize::from(u16::from_be_bytes(*count));
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let name = take_text(&mut rest)?.into();
        let (table_oid, number) = (rest.try_get_u32().ok()?, rest.try_get_i16().ok()?);
        let (type_oid, size, modifier) = (rest.try_get_u32().ok()?, rest.try_get_i16().ok()?, rest.try_get_i32().ok()?);
        let _format = rest.try_get_u16().ok()?;
        columns.push(Column { name, type_oid, size, modifier, table_oid, number });
    }
    Some(columns.into())
}

impl<S: Stream> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ended {
                this.seen = this.buffer.len();
            }
            if this.seen > 0 || this.ended {
                let length = this.seen.min(into.remaining());
                into.put_slice(&this.buffer[..length]);
                this.buffer.advance(length);
                this.seen -= length;
                return Poll::Ready(Ok(()));
            }
            this.ended = ready!(this.poll_more(context))? == 0;
            this.look();
        }
    }
}

impl<S: Stream> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match this.stream.plain() {
            Some(socket) if this.way.step() != Step::Registered => this.passage.poll_write(socket, bytes),
            _ => Pin::new(&mut this.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn description(oid: u32) -> Vec<u8> {
        let mut body = vec![0, 1];
        body.extend_from_slice(b"mood\0");
        body.extend_from_slice(&7u32.to_be_bytes());
        body.extend_from_slice(&3i16.to_be_bytes());
        body.extend_from_slice(&oid.to_be_bytes());
        body.extend_from_slice(&4i16.to_be_bytes());
        body.extend_from_slice(&(-1i32).to_be_bytes());
        body.extend_from_slice(&[0, 1]);
        message(b'T', &body)
    }

    fn conversation() -> Vec<u8> {
        [
            message(b'S', b"TimeZone\0Europe/Berlin\0"),
            message(b'1', b""),
            description(16_500),
            message(b'D', &[7; 300]),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"T"),
        ]
        .concat()
    }

    /// Hands out so many bytes at a time.
    struct Drip(Vec<u8>, usize);

    impl AsyncRead for Drip {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let length = self.1.min(self.0.len()).min(into.remaining());
            into.put_slice(&self.0.drain(..length).collect::<Vec<_>>());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Drip {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Stream for Drip {
        fn plain(&self) -> Option<BorrowedFd<'_>> {
            None
        }
    }

    #[test]
    fn an_answer_that_nobody_waits_for_says_nothing() {
        let journal = SharedJournal::default();
        journal.lock().unheard = 1;
        let words = [message(b'C', b"ROLLBACK\0"), message(b'Z', b"I"), message(b'C', b"BEGIN\0"), message(b'Z', b"T")];
        let mut tap = Tap::new(Drip(words[..2].concat(), 7), journal.clone(), Way::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(tap.read_to_end(&mut Vec::new())).unwrap();
        assert_eq!(journal.lock().tag, None);
        let mut tap = Tap::new(Drip(words[2..].concat(), 7), journal.clone(), Way::default());
        runtime.block_on(tap.read_to_end(&mut Vec::new())).unwrap();
        let journal = journal.lock();
        assert_eq!(
            (journal.tag.as_deref(), journal.transaction, journal.unheard),
            (Some("BEGIN"), Transaction::Open, 0)
        );
    }

    #[test]
    fn it_reads_along_however_the_bytes_come() {
        for size in [1, 2, 3, 7, 64, 10_000] {
            let journal = SharedJournal::default();
            let mut tap = Tap::new(Drip(conversation(), size), journal.clone(), Way::default());
            let mut heard = Vec::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(tap.read_to_end(&mut heard)).unwrap();
            assert_eq!(heard, conversation(), "{size}");
            let journal = journal.lock();
            assert_eq!(journal.tag.as_deref(), Some("SELECT 1"));
            assert_eq!(journal.transaction, Transaction::Open);
            assert_eq!(journal.parameters["TimeZone"], "Europe/Berlin");
            let column = &journal.columns.as_ref().unwrap()[0];
            assert_eq!((&*column.name, column.type_oid, column.table_oid, column.number), ("mood", 16_500, 7, 3));
        }
    }

    #[test]
    fn nonsense_passes_as_it_is() {
        for bytes in [description(25)[..12].to_vec(), message(b'T', &[0, 9]), vec![b'Z', 0, 0, 0, 0, b'T', 1, 2]] {
            let mut tap = Tap::new(Drip(bytes.clone(), 5), SharedJournal::default(), Way::default());
            let mut heard = Vec::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(tap.read_to_end(&mut heard)).unwrap();
            assert_eq!(heard, bytes);
        }
    }
}
