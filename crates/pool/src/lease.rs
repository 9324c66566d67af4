//! A connection on loan. However it ends, the next borrower finds nothing of this one: no transaction, no failure, no
//! setting of the session.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::{CopyInSink, CopyOutStream, Error, SimpleQueryRow};

use crate::canceller::Canceller;
use crate::connection::Connection;
use crate::driver::Line;
use crate::failure::{Failure, in_words};
use crate::options::{Host, Options};
use crate::pool::{Books, Lent, Place, retire};
use crate::server;
use crate::tap::{Column, Transaction};

/// A statement's outcome.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows, as text.
    pub rows: Vec<SimpleQueryRow>,
    /// What the columns are; `None` if the statement has no result.
    pub columns: Option<Arc<[Column]>>,
    /// The server's own word for what was done: `INSERT 0 1`.
    pub tag: Option<Box<str>>,
    /// How many rows all statements together have affected or returned.
    pub affected: u64,
}

/// Takes data for a table.
pub type CopyIn = Pin<Box<CopyInSink<Bytes>>>;
/// Gives data from one.
pub type CopyOut = Pin<Box<CopyOutStream>>;

/// What a lease leaves in its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Residue {
    /// Nothing.
    #[default]
    None,
    /// Settings, locks, temporary tables: what can be undone.
    Settings,
    /// What is undone only by the session's end.
    Everything,
}

/// See the module.
#[derive(Debug)]
pub struct Lease {
    /// Present until the end.
    connection: Option<Lent>,
    _allowance: OwnedSemaphorePermit,
    books: Arc<Books>,
    number: u64,
    residue: Residue,
    /// A statement was sent and its answer has not been read to the end.
    in_flight: bool,
    canceller: Canceller,
}

impl Lease {
    pub(crate) fn new(
        connection: Lent,
        allowance: OwnedSemaphorePermit,
        books: Arc<Books>,
        number: u64,
        canceller: Canceller,
    ) -> Self {
        let connection = Some(connection);
        Self { connection, _allowance: allowance, books, number, residue: Residue::None, in_flight: false, canceller }
    }

    /// The connection, for everything that tokio-postgres and deadpool can do.
    pub fn connection(&self) -> &Connection {
        #[expect(clippy::expect_used, reason = "it is taken in drop alone")]
        self.connection.as_ref().expect("a lease has its connection to its end")
    }

    /// Runs a statement, or several in one string, and reads the whole answer of the last. `opening` goes ahead of it in
    /// the same message: BEGIN.
    ///
    /// It goes as simple query: no statement is prepared, so that nothing depends on which session PgBouncer gives us,
    /// and values come as text, whatever their type is.
    pub async fn query(&mut self, opening: Option<&str>, statement: &str) -> Result<Answer, Failure> {
        self.begin();
        let began = Instant::now();
        let (answered, ahead) = match opening {
            Some(opening) => self.open_and_answer(opening, statement).await,
            None => (self.connection().read_answer(statement).await, 0),
        };
        self.connection().measures.ran(began.elapsed(), answered.is_err());
        self.note_end(&answered);
        answered.map_err(|error| self.translate(error, ahead))
    }

    /// In one message, so that the server comes to the statement only if it has opened the transaction: a request to cancel
    /// may hit the opening. Also says how many characters stood before the statement.
    async fn open_and_answer(&self, opening: &str, statement: &str) -> (Result<Answer, Error>, usize) {
        let connection = self.connection();
        let answered = connection.read_answer(&format!("{opening};{statement}")).await;
        if !answered.as_ref().is_err_and(|error| self.was_unreadable(error)) {
            return (answered, opening.len() + 1);
        }
        // The transaction is open, and has failed, as with any other statement that the server refuses.
        let answered = match connection.read_answer(opening).await {
            Ok(_) => connection.read_answer(statement).await,
            Err(error) => Err(error),
        };
        (answered, 0)
    }

    /// Whether the server has done nothing of a message, not even its opening, because it could not make sense of all of it.
    fn was_unreadable(&self, error: &Error) -> bool {
        const INTERVENTION: &str = "57";
        let journal = self.connection().journal.lock();
        journal.tag.is_none()
            && journal.transaction == Transaction::None
            && error.code().is_some_and(|code| !code.code().starts_with(INTERVENTION))
            && !self.connection().client.is_closed()
    }

    /// `COPY ... FROM STDIN`: a sink for the data, which [`finish_copy`](Self::finish_copy) closes.
    pub async fn copy_in(&mut self, opening: Option<&str>, statement: &str) -> Result<CopyIn, Failure> {
        self.open(opening).await?;
        self.begin();
        let sink = self.connection().client.copy_in::<_, Bytes>(statement).await;
        match sink {
            Ok(sink) => Ok(Box::pin(sink)),
            Err(error) => self.end_copy(Err(error)).await,
        }
    }

    /// Sends another piece of data.
    pub async fn send_copy(&mut self, sink: &mut CopyIn, piece: Bytes) -> Result<(), Failure> {
        match sink.send(piece).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.translate(error, 0)),
        }
    }

    /// All data is sent. With `complete` false the copy is called off.
    pub async fn finish_copy(&mut self, mut sink: CopyIn, complete: bool) -> Result<Answer, Failure> {
        if complete {
            let finished = sink.as_mut().finish().await;
            self.end_copy(finished).await?;
        } else {
            drop(sink);
            let settled = self.connection().client.batch_execute("").await;
            self.end(settled)?;
        }
        let tag = self.connection().journal.lock().tag.take();
        Ok(Answer { tag, ..Answer::default() })
    }

    /// `COPY ... TO STDOUT`: the data as it comes. [`next_copied`](Self::next_copied) reads it.
    pub async fn copy_out(&mut self, opening: Option<&str>, statement: &str) -> Result<CopyOut, Failure> {
        self.open(opening).await?;
        self.begin();
        let stream = self.connection().client.copy_out(statement).await;
        match stream {
            Ok(stream) => Ok(Box::pin(stream)),
            Err(error) => self.end_copy(Err(error)).await,
        }
    }

    /// The next piece; `None` at the end.
    pub async fn next_copied(&mut self, stream: &mut CopyOut) -> Result<Option<Bytes>, Failure> {
        match stream.next().await {
            Some(Ok(piece)) => Ok(Some(piece)),
            Some(Err(error)) => self.end_copy(Err(error)).await,
            None => self.end_copy_out(stream).await.map(|()| None),
        }
    }

    /// Behind the data come the command's tag and the server's readiness, neither of which tokio-postgres expects there; or an
    /// error: of a trigger that fires at the end, of a constraint that was deferred.
    async fn end_copy_out(&mut self, stream: &mut CopyOut) -> Result<(), Failure> {
        for _ in 0..2 {
            if let Some(Err(error)) = stream.next().await
                && (error.as_db_error().is_some() || error.is_closed())
            {
                return self.end_copy(Err(error)).await;
            }
        }
        self.end(Ok(()))
    }

    async fn open(&mut self, opening: Option<&str>) -> Result<(), Failure> {
        match opening {
            Some(opening) => self.query(None, opening).await.map(drop),
            None => Ok(()),
        }
    }

    fn begin(&mut self) {
        self.connection().journal.begin();
        self.in_flight = true;
    }

    /// After an error the state of the transaction is still on its way; the answer to an empty statement comes behind it.
    async fn end_copy<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Failure> {
        if outcome.as_ref().is_err_and(|error| error.as_db_error().is_some()) {
            // If this fails, so has the connection, which the outcome tells.
            let _ = self.connection().client.batch_execute("").await;
        }
        self.end(outcome)
    }

    fn end<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Failure> {
        self.note_end(&outcome);
        outcome.map_err(|error| self.translate(error, 0))
    }

    fn note_end<T>(&mut self, outcome: &Result<T, Error>) {
        self.in_flight = false;
        // The server and we do not agree on what is going on.
        if outcome.as_ref().is_err_and(|error| error.as_db_error().is_none()) {
            self.leave(Residue::Everything);
        }
    }

    fn translate(&self, error: Error, ahead: usize) -> Failure {
        match error.as_db_error() {
            Some(server) if !self.connection().client.is_closed() => Failure::Server(Box::new(server.clone()), ahead),
            _ => Failure::Lost { target: self.connection().target(), reason: in_words(&error) },
        }
    }

    /// The state of the transaction, by the server's own word.
    pub fn transaction(&self) -> Transaction {
        self.connection().journal.lock().transaction
    }

    /// Whether the connection has broken.
    pub fn is_broken(&self) -> bool {
        self.connection().client.is_closed()
    }

    /// A parameter of the session's that the server reports: `TimeZone`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.connection().journal.lock().parameters.get(name).cloned()
    }

    /// The server's process, as the server or PgBouncer has called it.
    pub fn process(&self) -> i32 {
        self.connection().journal.lock().process
    }

    /// Takes what the server has remarked.
    pub fn take_notices(&self) -> Vec<String> {
        self.connection().notices.take()
    }

    /// Something is left in the session that is to be gone before the next loan.
    pub fn leave(&mut self, residue: Residue) {
        self.residue = self.residue.max(residue);
    }

    /// The way to end the statement that runs.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The server.
    pub fn host(&self) -> &Host {
        &self.connection().place
    }

    /// The outcome of the copy that has been read to its end.
    pub fn last_answer(&self) -> Answer {
        Answer { tag: self.connection().journal.lock().tag.take(), ..Answer::default() }
    }

    /// What the connection was made from.
    pub fn options(&self) -> &Arc<Options> {
        &self.connection().options
    }

    /// The way to the end of this lease's statements for a thread that waits for nothing else, if there is one.
    pub fn line(&self) -> Option<Line> {
        self.connection().driver.line()
    }

    /// Gives the connection back; says where it was taken, and whether there is something that has to be sent yet.
    pub fn give_back(mut self) -> (Option<Place>, bool) {
        let unsent = self.settle();
        (self.books.take_back(self.number), unsent)
    }

    /// The connection goes on without us: whatever is to be undone is on its way before the next borrower's first word.
    /// Says whether there is something that needs the runtime to get there.
    fn settle(&mut self) -> bool {
        let Some(mut lent) = self.connection.take() else { return false };
        let transaction = lent.journal.lock().transaction;
        // A request to cancel that is on its way would end the next borrower's statement.
        let uncancelled = self.canceller.retire();
        if self.in_flight || lent.client.is_closed() || !uncancelled || self.residue == Residue::Everything {
            drop(retire(lent));
            return true;
        }
        if transaction != Transaction::None {
            lent.send_ahead("ROLLBACK");
            lent.journal.lock().transaction = Transaction::None;
        }
        if self.residue == Residue::Settings {
            lent.forget();
        }
        if server::board().is_some_and(server::Board::must_yield) {
            drop(retire(lent));
            return true;
        }
        lent.rests();
        false
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.settle();
        self.books.take_back(self.number);
    }
}
