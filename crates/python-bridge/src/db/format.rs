//! Statements with placeholders: `%s` and `%(name)s`, as psycopg2 has them. Values become literals of the statement: so
//! `IN %s`, `INTERVAL %s`, two equal expressions in SELECT and GROUP BY, and statements that take no parameters all work.

use std::time::Duration;

use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::db::errors::{raise, utf8};
use crate::db::literal::write;

/// `register_adapter()`'s dict.
static ADAPTERS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Keeps the dict of adapters, which maps types to callables.
#[pyfunction]
pub(crate) fn set_adapter(py: Python<'_>, adapters: Py<PyDict>) -> PyResult<()> {
    // A second import of the module keeps the first dict.
    let _ = ADAPTERS.set(py, adapters);
    Ok(())
}

/// The adapters that were registered, if any.
pub(crate) fn adapters(py: Python<'_>) -> Option<&Bound<'_, PyDict>> {
    ADAPTERS.get(py).map(|adapters| adapters.bind(py)).filter(|adapters| !adapters.is_empty())
}

/// One value as SQL.
#[pyfunction]
pub(crate) fn literal(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

/// A statement with its values put in.
pub(crate) fn complete(
    py: Python<'_>,
    query: &Bound<'_, PyAny>,
    values: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let bytes;
    let query = match query.cast::<PyString>() {
        Ok(text) => text.to_str()?,
        Err(_) => {
            bytes = query
                .cast::<PyBytes>()
                .map_err(|_| raise(py, "ParameterTypeError", "argument 1 must be a string or unicode object"))?;
            utf8(py, bytes.as_bytes())?
        }
    };
    match values {
        None => Ok(query.to_owned()),
        Some(values) => Completion { py, query, values, text: String::with_capacity(query.len() + 64) }.run(),
    }
}

struct Completion<'a, 'py> {
    py: Python<'py>,
    query: &'a str,
    values: &'a Bound<'py, PyAny>,
    text: String,
}

impl Completion<'_, '_> {
    fn run(mut self) -> PyResult<String> {
        let bytes = self.query.as_bytes();
        let (mut copied, mut position, mut by_name) = (0, 0, None);
        while let Some(found) = bytes[copied..].iter().position(|byte| *byte == b'%') {
            let at = copied + found;
            self.text.push_str(&self.query[copied..at]);
            copied = match bytes.get(at + 1) {
                Some(b'%') => {
                    self.text.push('%');
                    at + 2
                }
                Some(b'(') => {
                    self.agree(&mut by_name, true)?;
                    let end = bytes[at..].iter().position(|byte| *byte == b')').map(|length| at + length);
                    let end = end.ok_or_else(|| self.error("incomplete placeholder: '%(' without ')'"))?;
                    self.expect_s(end + 1)?;
                    self.named(&self.query[at + 2..end])?;
                    end + 2
                }
                _ => {
                    self.expect_s(at + 1)?;
                    self.agree(&mut by_name, false)?;
                    self.positional(position)?;
                    position += 1;
                    at + 2
                }
            };
        }
        self.text.push_str(&self.query[copied..]);
        if by_name != Some(true) && self.left_over(position)? {
            let given = self.values.len()?;
            let words = format!(
                "not all arguments converted during string formatting: placeholders: {position}, values: {given}"
            );
            return Err(raise(self.py, "ParameterTypeError", &words));
        }
        Ok(self.text)
    }

    fn error(&self, words: &str) -> PyErr {
        raise(self.py, "ProgrammingError", words)
    }

    fn agree(&self, by_name: &mut Option<bool>, this: bool) -> PyResult<()> {
        match by_name.replace(this) {
            Some(before) if before != this => Err(self.error("argument formats can't be mixed")),
            _ => Ok(()),
        }
    }

    fn expect_s(&self, at: usize) -> PyResult<()> {
        match self.query[at..].chars().next() {
            Some('s') => Ok(()),
            None => Err(raise(self.py, "ParameterValueError", "incomplete format")),
            Some(other) => {
                let code = u32::from(other);
                let words = format!(
                    "unsupported format character '{other}' (0x{code:x}) at index {at}: a value is %s or %(name)s, a percent \
                     sign is %%"
                );
                Err(raise(self.py, "ParameterValueError", &words))
            }
        }
    }

    fn positional(&mut self, position: usize) -> PyResult<()> {
        if let Ok(tuple) = self.values.cast::<PyTuple>()
            && let Ok(value) = tuple.get_borrowed_item(position)
        {
            return write(&value, &mut self.text);
        }
        if self.values.is_instance_of::<PyDict>() {
            return Err(raise(self.py, "ParameterTypeError", "dict is not a sequence"));
        }
        let value = self.values.get_item(position).map_err(|error| self.wrong_parameter(error))?;
        write(&value, &mut self.text)
    }

    fn named(&mut self, name: &str) -> PyResult<()> {
        let value = self.values.get_item(name).map_err(|error| self.wrong_parameter(error))?;
        write(&value, &mut self.text)
    }

    /// The class says both: what is wrong in Python, and that the statement was not sent.
    fn wrong_parameter(&self, error: PyErr) -> PyErr {
        let py = self.py;
        let class = if error.is_instance_of::<PyKeyError>(py) {
            "ParameterKeyError"
        } else if error.is_instance_of::<PyTypeError>(py) {
            "ParameterTypeError"
        } else if error.is_instance_of::<pyo3::exceptions::PyIndexError>(py) {
            "ParameterIndexError"
        } else {
            return error;
        };
        let mut words = match error.value(py).getattr("args").and_then(|args| args.get_item(0)) {
            Ok(words) => words.to_string(),
            Err(_) => error.to_string(),
        };
        if class == "ParameterIndexError"
            && let Ok(given) = self.values.len()
        {
            words += &format!(": more placeholders than values ({given})");
        }
        let translated = raise(py, class, &words);
        translated.set_cause(py, Some(error));
        translated
    }

    fn left_over(&self, used: usize) -> PyResult<bool> {
        if self.values.is_instance_of::<PyTuple>() || self.values.is_instance_of::<PyList>() {
            return Ok(self.values.len()? > used);
        }
        Ok(used > 0 && self.values.len().is_ok_and(|length| length > used))
    }
}

/// A statement took longer than SLOW_QUERY_THRESHOLD.
pub(crate) fn log_slow(py: Python<'_>, elapsed: Duration, text: &str, template: Option<&str>, request: Option<&str>) {
    const LONGEST: usize = 2000;
    let place = || py.import("ferricorn.db._place")?.call_method0("caller")?.extract::<(String, u32)>();
    let (file, line) = place().unwrap_or_default();
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    let request = request.unwrap_or("no request");
    let shown: String = template.unwrap_or(text).chars().take(LONGEST).collect();
    log::warn!("Slow query: {milliseconds:.1} ms, {request}, {file}:{line}: {shown}");
    if template.is_some() {
        log::debug!("Slow query with its values: {text}");
    }
}
