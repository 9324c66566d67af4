//! Data in bulk: `COPY`, to and from file objects of Python's. From its first word to its last nobody else has the connection:
//! the server would take what comes between for data, or for an end of the copy.

use std::sync::Arc;

use bytes::Bytes;
use ferricorn_pool::lease::CopyIn;
use ferricorn_pool::statement::{self, Copy};
use ferricorn_pool::{Answer, Failure, PoolMode, Transaction};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::db::errors::{raise, translate, utf8};
use crate::db::rows::Rows;
use crate::db::session::{Session, State, check_text};

/// Runs a statement that copies.
pub(crate) fn run(
    session: &Session,
    py: Python<'_>,
    statement: &str,
    file: &Bound<'_, PyAny>,
    size: usize,
) -> PyResult<Rows> {
    let failed = |failure| translate(py, failure, Some(statement));
    check_text(statement).map_err(failed)?;
    let mut turn = session.turn(py)?;
    let state = &mut *turn;
    let copies = match statement::split(statement).as_slice() {
        [only] => only.copies,
        _ => None,
    };
    let words = "copy_expert() takes one statement, COPY ... FROM STDIN or COPY ... TO STDOUT";
    let copies = copies.ok_or_else(|| raise(py, "ProgrammingError", words))?;
    // The copy is prepared and then run: both must meet the same session.
    let alone = session.run_in(py, state, async |lease, opening| {
        let alone = opening.is_none()
            && lease.transaction() == Transaction::None
            && lease.options().mode == PoolMode::Transaction;
        if alone { lease.query(None, "BEGIN").await.map(|_| true) } else { Ok(false) }
    })?;
    let alone = alone.map_err(failed)?;
    let copied = match copies {
        Copy::In => take_from(session, state, py, statement, file, size),
        Copy::Out => give_to(session, state, py, statement, file),
    };
    if alone {
        let words = if matches!(copied, Ok(Ok(_))) { "COMMIT" } else { "ROLLBACK" };
        session.run_in(py, state, async |lease, _| lease.query(None, words).await.map(drop))?.map_err(failed)?;
    }
    copied?.map(|answer| Rows::new(answer, statement.to_owned(), Arc::default())).map_err(failed)
}

fn take_from(
    session: &Session,
    state: &mut State,
    py: Python<'_>,
    statement: &str,
    file: &Bound<'_, PyAny>,
    size: usize,
) -> PyResult<Result<Answer, Failure>> {
    let mut sink = match session.run_in(py, state, async |lease, opening| lease.copy_in(opening, statement).await)? {
        Ok(sink) => sink,
        Err(failure) => return Ok(Err(failure)),
    };
    let sent = send_file(session, state, py, &mut sink, file, size);
    let complete = matches!(sent, Ok(true));
    let finished = session.run_in(py, state, async move |lease, _| lease.finish_copy(sink, complete).await)?;
    // What the file has raised is to be seen. That the server takes no more is its own last word's to explain.
    sent.map(|_| finished)
}

/// Says whether the server has taken it all.
fn send_file(
    session: &Session,
    state: &mut State,
    py: Python<'_>,
    sink: &mut CopyIn,
    file: &Bound<'_, PyAny>,
    size: usize,
) -> PyResult<bool> {
    loop {
        let piece = file.call_method1("read", (size,))?;
        let bytes = match piece.cast::<PyBytes>() {
            Ok(bytes) => Bytes::copy_from_slice(bytes.as_bytes()),
            Err(_) => Bytes::copy_from_slice(piece.cast::<PyString>()?.to_str()?.as_bytes()),
        };
        if bytes.is_empty() {
            return Ok(true);
        }
        if session.run_in(py, state, async |lease, _| lease.send_copy(sink, bytes).await)?.is_err() {
            return Ok(false);
        }
    }
}

fn give_to(
    session: &Session,
    state: &mut State,
    py: Python<'_>,
    statement: &str,
    file: &Bound<'_, PyAny>,
) -> PyResult<Result<Answer, Failure>> {
    let mut stream = match session.run_in(py, state, async |lease, opening| lease.copy_out(opening, statement).await)? {
        Ok(stream) => stream,
        Err(failure) => return Ok(Err(failure)),
    };
    let textual = file.is_instance(&py.import("io")?.getattr("TextIOBase")?)?;
    loop {
        match session.run_in(py, state, async |lease, _| lease.next_copied(&mut stream).await)? {
            Ok(Some(piece)) if textual => file.call_method1("write", (utf8(py, &piece)?,))?,
            Ok(Some(piece)) => file.call_method1("write", (PyBytes::new(py, &piece),))?,
            Ok(None) => return session.run_in(py, state, async |lease, _| Ok(lease.last_answer())),
            Err(failure) => return Ok(Err(failure)),
        };
    }
}
