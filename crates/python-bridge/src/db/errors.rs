//! Failures as exceptions of `ferricorn.db`'s.

use ferricorn_pool::Failure;
use ferricorn_pool::tokio_postgres::error::{DbError, ErrorPosition};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An exception of this class.
pub(crate) fn raise(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py.import("ferricorn.db._errors").and_then(|module| module.getattr(class)?.call1((message,)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// What became of a statement, or of the attempt to get a connection.
pub(crate) fn translate(py: Python<'_>, failure: Failure, statement: Option<&str>) -> PyErr {
    let class = match &failure {
        Failure::Server(error, ahead) => return said_by_server(py, error, *ahead, None, statement),
        Failure::Connect { server: Some(error), .. } => return said_by_server(py, error, 0, Some(&failure), None),
        Failure::Exhausted(_) | Failure::OverLimit { .. } => "PoolTimeout",
        Failure::Role(_) | Failure::Connect { .. } | Failure::Lost { .. } => "OperationalError",
        Failure::Options(_) => "InvalidSettings",
        Failure::Empty | Failure::Misplaced(_) => "ProgrammingError",
        Failure::Refused(_) => "NotSupportedError",
        Failure::Unusable(_) => "InterfaceError",
    };
    raise(py, class, &failure.to_string())
}

fn said_by_server(
    py: Python<'_>,
    error: &DbError,
    ahead: usize,
    at_connect: Option<&Failure>,
    statement: Option<&str>,
) -> PyErr {
    let make = || {
        let fields = fields(py, error, ahead)?;
        let words = at_connect.map(ToString::to_string);
        py.import("ferricorn.db._errors")?.getattr("from_server")?.call1((fields, words, statement))
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

/// The fields by the names that `diag` has for them. So many characters came before the statement.
fn fields<'py>(py: Python<'py>, error: &DbError, ahead: usize) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("severity", error.severity())?;
    fields.set_item("sqlstate", error.code().code())?;
    fields.set_item("message_primary", error.message())?;
    fields.set_item("message_detail", error.detail())?;
    fields.set_item("message_hint", error.hint())?;
    match error.position() {
        Some(ErrorPosition::Original(position)) => {
            let position = (*position as usize).saturating_sub(ahead);
            if position > 0 {
                fields.set_item("statement_position", position.to_string())?;
            }
        }
        Some(ErrorPosition::Internal { position, query }) => {
            fields.set_item("internal_position", position.to_string())?;
            fields.set_item("internal_query", query)?;
        }
        None => {}
    }
    fields.set_item("context", error.where_())?;
    fields.set_item("schema_name", error.schema())?;
    fields.set_item("table_name", error.table())?;
    fields.set_item("column_name", error.column())?;
    fields.set_item("datatype_name", error.datatype())?;
    fields.set_item("constraint_name", error.constraint())?;
    fields.set_item("source_file", error.file())?;
    fields.set_item("source_line", error.line().map(|line| line.to_string()))?;
    fields.set_item("source_function", error.routine())?;
    Ok(fields)
}

/// Bytes as text, where SQL can be nothing else.
pub(crate) fn utf8<'a>(py: Python<'_>, bytes: &'a [u8]) -> PyResult<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| raise(py, "ParameterDataError", &format!("not UTF-8: {error}")))
}
