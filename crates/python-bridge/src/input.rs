//! `wsgi.input`: a request body that has fully arrived, as a file-like object.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Mutex;

use bytes::Bytes;
use ferricorn_application::Body;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// Where the bytes are.
enum Source {
    Memory(Cursor<Bytes>),
    File(BufReader<File>),
}

impl Source {
    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Memory(cursor) => cursor,
            Self::File(reader) => reader,
        }
    }
}

/// The body of one request.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct Input {
    /// An application may hand the body to a thread of its own.
    source: Mutex<Source>,
    in_file: bool,
}

impl Input {
    pub(crate) fn new(body: Body) -> Self {
        let in_file = matches!(body, Body::File { .. });
        let source = match body {
            Body::Memory(bytes) => Source::Memory(Cursor::new(bytes)),
            Body::File { file, .. } => Source::File(BufReader::with_capacity(64 * 1024, file)),
        };
        Self { source: Mutex::new(source), in_file }
    }

    fn with<T>(&self, read: impl FnOnce(&mut dyn BufRead) -> io::Result<T>) -> PyResult<T> {
        let mut source = self.source.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(read(source.reader())?)
    }

    fn line(&self, most: Option<u64>) -> PyResult<Vec<u8>> {
        self.with(|reader| {
            let mut line = Vec::new();
            match most {
                Some(most) => reader.take(most).read_until(b'\n', &mut line)?,
                None => reader.read_until(b'\n', &mut line)?,
            };
            Ok(line)
        })
    }
}

/// A size argument: `None` and negative numbers mean everything.
fn bound(size: Option<i64>) -> Option<u64> {
    size.and_then(|size| u64::try_from(size).ok())
}

#[pymethods]
impl Input {
    #[pyo3(signature = (size = None))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        let read = || {
            self.with(|reader| {
                let mut bytes = Vec::new();
                match bound(size) {
                    Some(most) => reader.take(most).read_to_end(&mut bytes)?,
                    None => reader.read_to_end(&mut bytes)?,
                };
                Ok(bytes)
            })
        };
        // The disk, and a body that is too long for memory, may take their time.
        let bytes = if self.in_file { py.detach(read) } else { read() }?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[pyo3(signature = (size = None))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.line(bound(size))?))
    }

    /// All lines that are left. PEP 3333 lets a server ignore the hint, and Gunicorn does.
    #[pyo3(signature = (size = None))]
    fn readlines<'py>(&self, py: Python<'py>, size: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        drop(size);
        let lines = PyList::empty(py);
        loop {
            let line = self.line(None)?;
            if line.is_empty() {
                return Ok(lines);
            }
            lines.append(PyBytes::new(py, &line))?;
        }
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.line(None)?;
        Ok((!line.is_empty()).then(|| PyBytes::new(py, &line)))
    }
}
