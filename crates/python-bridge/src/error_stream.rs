//! `wsgi.errors`: text that goes to the error log as it is.

use ferricorn_telemetry::error_log;
use pyo3::prelude::*;

/// A text stream for writing.
#[pyclass(frozen, module = "ferricorn._ferricorn")]
pub(crate) struct ErrorStream;

#[pymethods]
impl ErrorStream {
    fn write(&self, text: &str) -> PyResult<usize> {
        if let Some(log) = error_log::destination() {
            log.write(text.as_bytes())?;
        }
        Ok(text.chars().count())
    }

    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(line?.extract()?)?;
        }
        Ok(())
    }

    /// Nothing is held back.
    fn flush(&self) {}
}
