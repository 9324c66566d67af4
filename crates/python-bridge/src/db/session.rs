//! A connection on loan, for Python: a session of the server's, between `connect()` and `close()`.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferricorn_pool::driver::Line;
use ferricorn_pool::lease::Residue;
use ferricorn_pool::statement::ordinary::is_ordinary;
use ferricorn_pool::{Answer, Canceller, Failure, Lease, PoolMode, Transaction, statement};
use ferricorn_unix::process::ProcessId;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::db::decode::OwnTypes;
use crate::db::errors::{raise, translate};
use crate::db::process::{self, Pools};
use crate::db::rows::Rows;
use crate::db::turn::{Turn, Turns};
use crate::db::types::{self, Types};
use crate::db::wait::Place;
use crate::db::{call, copy, format};
use crate::interpreter::detached;

/// The types of a database's own have numbers from here.
const FIRST_OWN_TYPE: u32 = 16_384;
/// A transaction's state, in libpq's numbers.
const FAILED: u8 = 3;
/// Statements of `executemany` that go out together, in bytes.
const PAGE: usize = 64 * 1024;

/// See the module.
#[pyclass(frozen, module = "ferricorn._ferricorn.db")]
pub(crate) struct Session {
    state: Turns<State>,
    place: Place,
    canceller: Canceller,
    line: Option<Line>,
    types: Types,
    /// From which a statement is slow; kept here, as nobody is to wait for his turn to know it.
    slow_query: Option<Duration>,
    /// The process that took it; its forks have no part in it.
    owner: ProcessId,
}

pub(crate) struct State {
    /// Gone once it is given back.
    lease: Option<Lease>,
    /// What opens a transaction; `None` for autocommit.
    opening: Option<Arc<str>>,
}

impl Session {
    /// The use of the connection, for one thread at a time. In a forked process the lock may be one that nobody lets go of.
    pub(crate) fn turn(&self, py: Python<'_>) -> PyResult<Turn<'_, State>> {
        if self.owner != ProcessId::current() {
            let words = "this connection belongs to the process that this one was forked from: take another";
            return Err(raise(py, "InterfaceError", words));
        }
        self.state.wait(py)
    }

    /// Does something with the lease, and waits for its end.
    pub(crate) fn run<T>(
        &self,
        py: Python<'_>,
        work: impl AsyncFnOnce(&mut Lease, Option<&str>) -> Result<T, Failure>,
    ) -> PyResult<Result<T, Failure>> {
        let mut turn = self.turn(py)?;
        self.run_in(py, &mut turn, work)
    }

    /// The same as one of several things that nobody else's may come between.
    pub(crate) fn run_in<T>(
        &self,
        py: Python<'_>,
        state: &mut State,
        work: impl AsyncFnOnce(&mut Lease, Option<&str>) -> Result<T, Failure>,
    ) -> PyResult<Result<T, Failure>> {
        let State { lease, opening } = state;
        let lease = lease.as_mut().ok_or_else(|| raise(py, "InterfaceError", "connection already closed"))?;
        let opening = opening.as_deref().filter(|_| lease.transaction() == Transaction::None);
        self.place.wait(py, Some(&self.canceller), self.line.as_ref(), pin!(work(lease, opening)))
    }

    /// Runs finished text, and says how it went in the log if it took long.
    fn send(&self, py: Python<'_>, text: &str, template: Option<&str>) -> PyResult<Answer> {
        let measured = self.slow_query.map(|threshold| (threshold, Instant::now()));
        let ended = self.run(py, async |lease, opening| {
            let control = prepare(lease, text)?;
            lease.query(opening.filter(|_| !control), text).await
        })?;
        if let Some((threshold, began)) = measured
            && began.elapsed() >= threshold
        {
            format::log_slow(py, began.elapsed(), text, template, call::request().as_deref());
        }
        ended.map_err(|failure| translate(py, failure, Some(text)))
    }

    /// What is known of the database's own types; it is asked for those among the columns that are not.
    fn own_types(&self, py: Python<'_>, answer: &Answer) -> PyResult<Arc<OwnTypes>> {
        let columns = answer.columns.iter().flat_map(|columns| columns.iter());
        let mut own = columns.map(|column| column.type_oid).filter(|oid| *oid >= FIRST_OWN_TYPE).peekable();
        if own.peek().is_none() {
            return Ok(Arc::default());
        }
        let known = self.types.known();
        let unknown: Vec<u32> = own.filter(|oid| !known.contains_key(oid)).collect();
        // What is asked in a transaction that has failed is not answered: the values stay text for this once.
        if unknown.is_empty() || self.transaction() == FAILED {
            return Ok(known);
        }
        let question = types::question(&unknown);
        let asked = self.run(py, async |lease, _| lease.query(None, &question).await)?;
        let answer = asked.map_err(|failure| translate(py, failure, Some(&question)))?;
        Ok(self.types.learn(&unknown, &answer))
    }

    /// Gives the connection back, if it is still out.
    fn give_back(&self, py: Python<'_>) -> PyResult<Option<ferricorn_pool::Place>> {
        if self.owner != ProcessId::current() {
            mem::forget(self.state.now().and_then(|mut state| state.lease.take()));
            return Ok(None);
        }
        let Some(lease) = self.turn(py)?.lease.take() else { return Ok(None) };
        let (taken, unsent) = lease.give_back();
        if unsent {
            self.place.flush(py);
        }
        Ok(taken)
    }

    /// The request in which it was taken is over.
    pub(crate) fn reclaim(&self, py: Python<'_>) {
        match self.give_back(py) {
            Ok(Some(taken)) => {
                let request = call::request().unwrap_or_default();
                log::warn!(
                    "A database connection was not closed by the end of {request}: it is rolled back and returned to the \
                     pool (taken at {taken})"
                );
            }
            Ok(None) => {}
            Err(error) => log::error!("A database connection was not returned to the pool: {error}"),
        }
    }
}

/// Text for the server ends at a NUL: what follows would be something else to it.
pub(crate) fn check_text(text: &str) -> Result<(), Failure> {
    match text.contains('\0') {
        true => Err(Failure::Misplaced("a statement cannot contain NUL (0x00) characters")),
        false => Ok(()),
    }
}

/// What is shown of a statement, if that is text.
fn without_values<'a>(query: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    match query.cast::<PyString>() {
        Ok(text) => text.to_str().ok(),
        Err(_) => query.cast::<PyBytes>().ok().and_then(|bytes| std::str::from_utf8(bytes.as_bytes()).ok()),
    }
}

/// Looks at statements before they are sent; says whether they control the transaction themselves.
fn prepare(lease: &mut Lease, text: &str) -> Result<bool, Failure> {
    check_text(text)?;
    if is_ordinary(text) {
        return Ok(false);
    }
    let statements = statement::split(text);
    if statements.is_empty() {
        return Err(Failure::Empty);
    }
    let mut residue = Residue::None;
    for statement in &statements {
        if statement.copies.is_some() {
            return Err(Failure::Misplaced("COPY cannot be executed like other statements: use copy_expert()"));
        }
        if let Some((what, instead)) = statement.needs_session
            && lease.options().mode == PoolMode::Transaction
        {
            return Err(Failure::Refused(format!(
                "{what} needs a session of its own, and behind PgBouncer in transaction mode a session lasts as long as a \
                 transaction (DB_POOL_MODE = transaction): {instead}"
            )));
        }
        residue = residue.max(statement.residue);
    }
    lease.leave(residue);
    // The application's own BEGIN needs none before it; its COMMIT or ROLLBACK without one is for the server to remark on.
    Ok(statements[0].controls_transaction)
}

impl Session {
    /// Takes a connection from one of these pools: the one whose runtime this thread waits on.
    pub(crate) fn open<'py>(
        py: Python<'py>,
        pools: Pools,
        taken_at: ferricorn_pool::Place,
    ) -> PyResult<Bound<'py, Self>> {
        let place = Place::here(py)?;
        let pool = match &place {
            Place::Worker => &pools.pumped,
            Place::Home(home) => {
                process::keep_at_home(py, home, &pools.homely)?;
                &pools.homely
            }
        };
        let is_pumped = matches!(place, Place::Worker);
        let lend = async {
            if is_pumped {
                pool.keep();
            }
            pool.lease(taken_at).await
        };
        let lease = place.wait(py, None, None, pin!(lend))?;
        let lease = lease.map_err(|failure| translate(py, failure, None))?;
        let (canceller, line) = (lease.canceller(), lease.line());
        let slow_query = lease.options().slow_query;
        let state = Turns::new(State { lease: Some(lease), opening: Some("BEGIN".into()) });
        let session = Bound::new(
            py,
            Self { state, place, canceller, line, types: pools.types, slow_query, owner: ProcessId::current() },
        )?;
        call::note(&session);
        Ok(session)
    }
}

#[pymethods]
impl Session {
    /// Gives the connection back.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.give_back(py)?.is_some() {
            call::forget(self);
        }
        Ok(())
    }

    /// 0 while it is open, 1 once it was closed, 2 if it has broken. Does not wait for a statement.
    #[getter]
    fn closed(&self) -> u8 {
        match self.state.now().as_deref() {
            Some(State { lease: None, .. }) => 1,
            Some(State { lease: Some(lease), .. }) if lease.is_broken() => 2,
            _ => 0,
        }
    }

    /// What opens a transaction; None for autocommit.
    #[setter]
    fn set_opening(&self, py: Python<'_>, opening: Option<&str>) -> PyResult<()> {
        self.turn(py)?.opening = opening.map(Arc::from);
        Ok(())
    }

    /// Puts values into a statement.
    #[staticmethod]
    #[pyo3(signature = (query, values = None))]
    fn mogrify(py: Python<'_>, query: &Bound<'_, PyAny>, values: Option<&Bound<'_, PyAny>>) -> PyResult<String> {
        format::complete(py, query, values)
    }

    /// Runs a statement with these values.
    #[pyo3(signature = (query, values = None))]
    fn execute(&self, py: Python<'_>, query: &Bound<'_, PyAny>, values: Option<&Bound<'_, PyAny>>) -> PyResult<Rows> {
        let text = format::complete(py, query, values)?;
        // What has its values in it already brings the statement that they were put into along.
        let brought = if query.is_exact_instance_of::<PyString>() { None } else { query.getattr_opt("template")? };
        let template = without_values(brought.as_ref().unwrap_or(query));
        let answer = self.send(py, &text, template)?;
        let own_types = self.own_types(py, &answer)?;
        Ok(Rows::new(answer, text, own_types))
    }

    /// `COPY`, from a file in pieces of `size`, or to one.
    fn copy(&self, py: Python<'_>, statement: &str, file: &Bound<'_, PyAny>, size: usize) -> PyResult<Rows> {
        copy::run(self, py, statement, file, size)
    }

    /// Asks the server to end what runs at this moment; from any thread.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed() == 1 {
            return Err(raise(py, "InterfaceError", "connection already closed"));
        }
        let home = process::home(py)?;
        detached(py, || home.wait(self.canceller.cancel())).map_err(|failure| translate(py, failure, None))
    }

    /// Runs a statement for each of these values; returns how many rows were affected.
    fn execute_many<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
        values: &Bound<'py, PyAny>,
    ) -> PyResult<u64> {
        let alone = {
            let state = self.turn(py)?;
            let idle = state.lease.as_ref().is_some_and(|lease| lease.transaction() == Transaction::None);
            state.opening.is_none() && idle
        };
        let template = without_values(query);
        let (mut page, mut total) = (String::new(), 0);
        for row in values.try_iter()? {
            let text = format::complete(py, query, Some(&row?))?;
            // Outside a transaction each statement is one of its own: what comes after a failure must not run.
            if alone || page.len() + text.len() > PAGE {
                total += self.send_page(py, &mut page, template)?;
            }
            page.push_str(&text);
            page.push_str("\n;");
        }
        Ok(total + self.send_page(py, &mut page, template)?)
    }

    /// Ends the transaction with these words, if there is one.
    fn end(&self, py: Python<'_>, words: &str) -> PyResult<()> {
        let ended = self.run(py, async |lease, _| match lease.transaction() {
            Transaction::None => Ok(()),
            _ => lease.query(None, words).await.map(drop),
        })?;
        ended.map_err(|failure| translate(py, failure, Some(words)))
    }

    /// As libpq has it: 0 without a transaction, 1 while a statement runs, 2 in a transaction, 3 in one that has failed, 4
    /// without a connection. Does not wait for a statement.
    fn transaction(&self) -> u8 {
        let Some(state) = self.state.now() else { return 1 };
        match state.lease.as_ref().filter(|lease| !lease.is_broken()).map(Lease::transaction) {
            Some(Transaction::None) => 0,
            Some(Transaction::Open) => 2,
            Some(Transaction::Failed) => 3,
            None => 4,
        }
    }

    /// A parameter of the session's that the server reports.
    fn parameter(&self, py: Python<'_>, name: &str) -> PyResult<Option<String>> {
        Ok(self.turn(py)?.lease.as_ref().and_then(|lease| lease.parameter(name)))
    }

    /// The server's process.
    fn process(&self, py: Python<'_>) -> PyResult<Option<i32>> {
        Ok(self.turn(py)?.lease.as_ref().map(Lease::process))
    }

    /// What the server has remarked since this was asked last.
    fn take_notices(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.turn(py)?.lease.as_ref().map(Lease::take_notices).unwrap_or_default())
    }

    /// Host, port, database and user.
    fn facts(&self, py: Python<'_>) -> PyResult<Option<(String, u16, String, String)>> {
        let state = self.turn(py)?;
        Ok(state.lease.as_ref().map(|lease| {
            let (host, options) = (lease.host().clone(), lease.options());
            (host.name, host.port, options.database().to_owned(), options.user().to_owned())
        }))
    }
}

impl Session {
    fn send_page(&self, py: Python<'_>, page: &mut String, template: Option<&str>) -> PyResult<u64> {
        if page.is_empty() {
            return Ok(0);
        }
        let affected = self.send(py, page, template.or(Some("executemany")))?.affected;
        page.clear();
        Ok(affected)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(lease) = self.state.get_mut().lease.take() else { return };
        if self.owner != ProcessId::current() {
            mem::forget(lease);
            return;
        }
        let (_, unsent) = lease.give_back();
        if unsent {
            // At the interpreter's end nothing is flushed: the sockets go with the process.
            Python::try_attach(|py| self.place.flush(py));
        }
    }
}
