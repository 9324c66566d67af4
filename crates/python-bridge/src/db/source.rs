//! Where connections come from: what was said of a database. Which pools that means is found out once in a process, and not for
//! each connection.
//!
//! The lock is taken and let go of with the GIL held: no child that is forked finds it locked.

use std::mem;
use std::sync::{Mutex, PoisonError};

use ferricorn_pool::Place;
use ferricorn_unix::process::ProcessId;
use pyo3::prelude::*;

use crate::db::process::{self, Pools, Said};
use crate::db::session::Session;

/// See the module.
#[pyclass(frozen, module = "ferricorn._ferricorn.db")]
pub(crate) struct Source {
    said: Said,
    found: Mutex<Option<(ProcessId, Pools)>>,
}

impl Source {
    fn pools(&self, py: Python<'_>) -> PyResult<Pools> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let here = ProcessId::current();
        if let Some((process, pools)) = &*found
            && *process == here
        {
            return Ok(pools.clone());
        }
        let pools = process::pools(py, &self.said)?;
        // Those of the process that this one was forked from are not ours to close.
        mem::forget(found.replace((here, pools.clone())));
        Ok(pools)
    }
}

#[pymethods]
impl Source {
    #[new]
    fn new(said: Said) -> Self {
        Self { said, found: Mutex::default() }
    }

    /// Takes a connection from the pool. `file` and `line` are where that is done.
    fn open<'py>(&self, py: Python<'py>, file: &str, line: u32) -> PyResult<Bound<'py, Session>> {
        Session::open(py, self.pools(py)?, Place { file: file.into(), line })
    }
}
