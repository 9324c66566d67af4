//! Values of Python's as literals of SQL. Whatever a value is, its literal is one constant, or constants in parentheses or
//! brackets: nothing of a string can become part of the statement.
//!
//! A string with a backslash is written in the form that has escapes: that one means the same whatever
//! `standard_conforming_strings` says.

use std::fmt::Write;

use pyo3::buffer::PyBuffer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDelta, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTime,
    PyTuple, PyType,
};

use crate::db::errors::{raise, utf8};
use crate::db::format::adapters;

/// How deep lists and tuples may be in each other; Postgres has arrays of six dimensions.
const DEEPEST: usize = 100;

/// Appends a value's literal.
pub(crate) fn write(value: &Bound<'_, PyAny>, text: &mut String) -> PyResult<()> {
    write_within(value, text, 0)
}

/// Appends the literal of a value that is in so many lists and tuples.
fn write_within(value: &Bound<'_, PyAny>, text: &mut String, depth: usize) -> PyResult<()> {
    if depth > DEEPEST {
        let words = format!("lists and tuples are more than {DEEPEST} deep in each other");
        return Err(raise(value.py(), "DataError", &words));
    }
    if value.is_none() {
        text.push_str("NULL");
        return Ok(());
    }
    if let Some(adapters) = adapters(value.py())
        && let Some(adapter) = registered(adapters, value)?
    {
        return quoted(&adapter.call1((value,))?, text);
    }
    if let Ok(string) = value.cast::<PyString>() {
        return write_string(value.py(), string.to_str()?, text);
    }
    if let Ok(switch) = value.cast::<PyBool>() {
        text.push_str(if switch.is_true() { "true" } else { "false" });
        return Ok(());
    }
    if let Ok(integer) = value.cast::<PyInt>() {
        return write_integer(integer, text);
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return write_float(float, text);
    }
    if let Ok(list) = value.cast::<PyList>() {
        return write_list(list, text, depth);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return write_tuple(tuple, text, depth);
    }
    if write_moment(value, text)? || write_bytes(value, text)? || write_by_class(value, text)? {
        return Ok(());
    }
    write_by_protocol(value, text)
}

/// The adapter of a value's class, or of one that it derives from.
fn registered<'py>(
    adapters: &Bound<'py, pyo3::types::PyDict>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = value.get_type();
    if let Some(adapter) = adapters.get_item(&class)? {
        return Ok(Some(adapter));
    }
    for base in class.mro().iter().skip(1) {
        if let Some(adapter) = adapters.get_item(base)? {
            return Ok(Some(adapter));
        }
    }
    Ok(None)
}

/// What an adapter says of itself: bytes or text of SQL.
fn quoted(adapter: &Bound<'_, PyAny>, text: &mut String) -> PyResult<()> {
    let said = adapter.call_method0(intern!(adapter.py(), "getquoted"))?;
    match said.cast::<PyBytes>() {
        Ok(bytes) => text.push_str(utf8(adapter.py(), bytes.as_bytes())?),
        Err(_) => text.push_str(said.cast::<PyString>()?.to_str()?),
    }
    Ok(())
}

/// A string constant.
pub(crate) fn write_string(py: Python<'_>, string: &str, text: &mut String) -> PyResult<()> {
    if string.contains('\0') {
        return Err(raise(py, "ParameterDataError", "A string literal cannot contain NUL (0x00) characters."));
    }
    let escapes = string.contains('\\');
    // The blank keeps the E from becoming part of a word before it.
    text.push_str(if escapes { " E'" } else { "'" });
    if escapes || string.contains('\'') {
        for character in string.chars() {
            if matches!(character, '\'' | '\\') {
                text.push(character);
            }
            text.push(character);
        }
    } else {
        text.push_str(string);
    }
    text.push('\'');
    Ok(())
}

fn write_integer(integer: &Bound<'_, PyInt>, text: &mut String) -> PyResult<()> {
    if let Ok(number) = integer.extract::<i64>() {
        // The blank keeps two minus signs from becoming a comment.
        let _ = write!(text, "{}{number}", if number < 0 { " " } else { "" });
        return Ok(());
    }
    // Of a subclass: its own words may be others.
    let plain = integer.py().get_type::<PyInt>().call_method1(intern!(integer.py(), "__repr__"), (integer,))?;
    write_number(plain.cast::<PyString>()?.to_str()?, text);
    Ok(())
}

fn write_number(digits: &str, text: &mut String) {
    if digits.starts_with('-') {
        text.push(' ');
    }
    text.push_str(digits);
}

fn write_float(float: &Bound<'_, PyFloat>, text: &mut String) -> PyResult<()> {
    match float.value() {
        number if number.is_nan() => text.push_str("'NaN'::float"),
        f64::INFINITY => text.push_str("'Infinity'::float"),
        f64::NEG_INFINITY => text.push_str("'-Infinity'::float"),
        _ => {
            let plain = float.py().get_type::<PyFloat>().call_method1(intern!(float.py(), "__repr__"), (float,))?;
            write_number(plain.cast::<PyString>()?.to_str()?, text);
        }
    }
    Ok(())
}

fn write_list(list: &Bound<'_, PyList>, text: &mut String, depth: usize) -> PyResult<()> {
    if is_all_null(list, depth) {
        text.push('\'');
        write_null_array(list, text)?;
        text.push('\'');
        return Ok(());
    }
    text.push_str("ARRAY[");
    for (number, item) in list.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        write_within(&item, text, depth + 1)?;
    }
    text.push(']');
    Ok(())
}

/// Of an array without values, ARRAY[...] would not know the type.
fn is_all_null(list: &Bound<'_, PyList>, depth: usize) -> bool {
    let is_null = |inner: &Bound<'_, PyList>| depth < DEEPEST && is_all_null(inner, depth + 1);
    list.iter().all(|item| item.is_none() || item.cast::<PyList>().is_ok_and(is_null))
}

fn write_null_array(list: &Bound<'_, PyList>, text: &mut String) -> PyResult<()> {
    text.push('{');
    for (number, item) in list.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        match item.cast::<PyList>() {
            Ok(inner) => write_null_array(inner, text)?,
            Err(_) => text.push_str("NULL"),
        }
    }
    text.push('}');
    Ok(())
}

fn write_tuple(tuple: &Bound<'_, PyTuple>, text: &mut String, depth: usize) -> PyResult<()> {
    text.push('(');
    for (number, item) in tuple.iter().enumerate() {
        if number > 0 {
            text.push_str(", ");
        }
        write_within(&item, text, depth + 1)?;
    }
    text.push(')');
    Ok(())
}

/// Dates, times and intervals; says whether it was one.
fn write_moment(value: &Bound<'_, PyAny>, text: &mut String) -> PyResult<bool> {
    let py = value.py();
    if let Ok(delta) = value.cast::<PyDelta>() {
        let part = |name: &str| delta.getattr(name)?.extract::<i64>();
        let (days, seconds, microseconds) = (part("days")?, part("seconds")?, part("microseconds")?);
        let _ = write!(text, "'{days} days {seconds}.{microseconds:06} seconds'::interval");
        return Ok(true);
    }
    let is_aware = || Ok::<_, PyErr>(!value.getattr(intern!(py, "tzinfo"))?.is_none());
    let kind = if value.is_instance_of::<PyDateTime>() {
        if is_aware()? { "timestamptz" } else { "timestamp" }
    } else if value.is_instance_of::<PyDate>() {
        "date"
    } else if value.is_instance_of::<PyTime>() {
        if is_aware()? { "timetz" } else { "time" }
    } else {
        return Ok(false);
    };
    write_string(py, value.call_method0(intern!(py, "isoformat"))?.cast::<PyString>()?.to_str()?, text)?;
    let _ = write!(text, "::{kind}");
    Ok(true)
}

/// Binary data; says whether it was that.
fn write_bytes(value: &Bound<'_, PyAny>, text: &mut String) -> PyResult<bool> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        write_hexadecimal(bytes.as_bytes(), text);
    } else if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
        let buffer = PyBuffer::<u8>::get(value)?;
        write_hexadecimal(&buffer.to_vec(value.py())?, text);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn write_hexadecimal(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2 + 16);
    text.push_str(" E'\\\\x");
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text.push_str("'::bytea");
}

/// What the standard library has as classes; says whether it was one of them.
fn write_by_class(value: &Bound<'_, PyAny>, text: &mut String) -> PyResult<bool> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    if value.is_instance(DECIMAL.import(py, "decimal", "Decimal")?)? {
        let digits = value.str()?;
        match digits.to_str()? {
            "Infinity" => text.push_str("'Infinity'::numeric"),
            "-Infinity" => text.push_str("'-Infinity'::numeric"),
            digits if is_number(digits) => {
                write_number(digits, text);
            }
            _ => text.push_str("'NaN'::numeric"),
        }
        return Ok(true);
    }
    if value.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        write_string(py, value.str()?.to_str()?, text)?;
        text.push_str("::uuid");
        return Ok(true);
    }
    if value.get_type().module()?.to_str()? == "ipaddress" {
        // The scope of an IPv6 address may be any text.
        write_string(py, value.str()?.to_str()?, text)?;
        text.push_str("::inet");
        return Ok(true);
    }
    Ok(false)
}

/// Whether these are a number's characters and nothing else: of a subclass its words may be anything.
fn is_number(digits: &str) -> bool {
    digits.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'))
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && digits.chars().all(|one| one.is_ascii_digit() || matches!(one, '-' | '+' | '.' | 'E' | 'e'))
        && !digits.contains("--")
}

/// Objects that say themselves what they are in SQL.
fn write_by_protocol(value: &Bound<'_, PyAny>, text: &mut String) -> PyResult<()> {
    let py = value.py();
    if value.hasattr(intern!(py, "getquoted"))? {
        return quoted(value, text);
    }
    if let Some(conform) = value.getattr_opt(intern!(py, "__conform__"))? {
        let protocol = py.import("ferricorn.db.extensions")?.getattr("ISQLQuote")?;
        let adapter = conform.call1((protocol,))?;
        if !adapter.is_none() {
            return quoted(&adapter, text);
        }
    }
    let words = format!("can't adapt type '{}'", value.get_type().name()?);
    Err(raise(py, "ProgrammingError", &words))
}
