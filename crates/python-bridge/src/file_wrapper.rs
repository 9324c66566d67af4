//! `wsgi.file_wrapper`: a file-like object as a response body.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

/// Iterates over a file in blocks. Returned as it is by an application, a regular file goes out
/// without passing through Python.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct FileWrapper {
    /// The wrapped object: anything with `read(size)`.
    #[pyo3(get)]
    filelike: Py<PyAny>,
    /// Bytes per block.
    #[pyo3(get)]
    blksize: usize,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize = 8192))]
    fn new(filelike: Py<PyAny>, blksize: usize) -> Self {
        Self { filelike, blksize }
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let block = self.filelike.bind(py).call_method1("read", (self.blksize,))?;
        if block.is_truthy()? { Ok(block.unbind()) } else { Err(PyStopIteration::new_err(())) }
    }

    /// Closes the wrapped object if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let filelike = self.filelike.bind(py);
        if filelike.hasattr("close")? {
            filelike.call_method0("close")?;
        }
        Ok(())
    }
}
