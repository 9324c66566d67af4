//! The pools of this process. They are made at the first use, and made anew in a child that was forked: what it has
//! inherited is its parent's.
//!
//! The lock is taken with the GIL held and never let go of in between, and so is the GIL when Python forks: no child finds it
//! locked.

use std::env;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ferricorn_pool::home::{Home, at_most, turn};
use ferricorn_pool::options::SETTINGS;
use ferricorn_pool::role::{self, Role};
use ferricorn_pool::server;
use ferricorn_pool::{Failure, Measured, Options, Pool};
use ferricorn_unix::process::ProcessId;
use ferricorn_unix::thread::spawn_undisturbed;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::db::errors::{raise, translate};
use crate::db::types::Types;
use crate::interpreter::detached;

/// What a caller has said of the database, beyond the environment.
pub(crate) type Said = Vec<(String, String)>;

/// What a worker's last requests to cancel may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often a worker's runtime of threads is driven while none of them does.
const CARE: Duration = Duration::from_millis(100);

static PROCESS: Mutex<Option<Process>> = Mutex::new(None);

struct Process {
    id: ProcessId,
    home: Arc<Home>,
    /// A thread that drives the runtime now and then; in workers, once somebody has used it.
    caretaker: bool,
    pools: Vec<(Said, Pools)>,
}

/// The pools to one database.
#[derive(Clone)]
pub(crate) struct Pools {
    /// On the worker's own runtime, for calls on the thread that does its I/O.
    pub(crate) pumped: Pool,
    /// On the runtime of everybody else.
    pub(crate) homely: Pool,
    pub(crate) types: Types,
}

fn lock() -> MutexGuard<'static, Option<Process>> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_process<T>(work: impl FnOnce(&mut Process) -> T) -> io::Result<T> {
    let mut process = lock();
    let id = ProcessId::current();
    if process.as_ref().is_none_or(|process| process.id != id) {
        let own = Process { id, home: Arc::new(Home::new()?), caretaker: false, pools: Vec::new() };
        // Sockets and tasks of the parent's: to drop them would be to say goodbye in its name.
        mem::forget(process.replace(own));
    }
    #[expect(clippy::unwrap_used, reason = "it has just been seen to")]
    Ok(work(process.as_mut().unwrap()))
}

/// The runtime for threads that have none of their own.
pub(crate) fn home(py: Python<'_>) -> PyResult<Arc<Home>> {
    with_process(|process| Arc::clone(&process.home)).map_err(|error| raise(py, "OperationalError", &error.to_string()))
}

/// Has this pool looked after. In a worker somebody drives the runtime of threads between their loans, too; a script is left
/// without a thread that it did not start.
pub(crate) fn keep_at_home(py: Python<'_>, home: &Arc<Home>, pool: &Pool) -> PyResult<()> {
    if pool.is_kept() || role::current() != Role::Worker {
        return Ok(());
    }
    detached(py, || home.wait(async { pool.keep() }));
    let is_first = with_process(|process| !mem::replace(&mut process.caretaker, true))?;
    if is_first {
        let home = Arc::clone(home);
        let work = move || loop {
            thread::sleep(CARE);
            home.wait(turn());
        };
        spawn_undisturbed("ferricorn-pool", work)?;
    }
    Ok(())
}

/// The pools for what was said.
pub(crate) fn pools(py: Python<'_>, said: &Said) -> PyResult<Pools> {
    let found =
        with_process(|process| process.pools.iter().find(|(key, _)| key == said).map(|(_, pools)| pools.clone()));
    if let Some(pools) = found? {
        return Ok(pools);
    }
    let variable = |name: &str| env::var(name).ok();
    let options = Options::resolve(variable, server::file(), said).map_err(|problem| senseless(py, problem))?;
    let pumped = Pool::new(options);
    let pools = Pools { homely: pumped.sibling(), pumped, types: Types::default() };
    with_process(|process| process.pools.push((said.clone(), pools.clone())))?;
    Ok(pools)
}

/// The process is about to end: statements that still run would go on without anybody.
pub(crate) fn leave(py: Python<'_>) {
    let process = lock().as_ref().filter(|process| process.id == ProcessId::current()).map(|process| {
        let pools: Vec<Pool> = process.pools.iter().map(|(_, pools)| pools.pumped.clone()).collect();
        (Arc::clone(&process.home), pools)
    });
    let Some((home, pools)) = process else { return };
    detached(py, || {
        home.wait(at_most(LAST_WORDS, async {
            for pool in &pools {
                pool.cancel_all().await;
            }
        }));
    });
}

/// How the pools of this process are: one dict for each database.
#[pyfunction]
pub(crate) fn status(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let all: Vec<Pools> = with_process(|process| process.pools.iter().map(|(_, pools)| pools.clone()).collect())?;
    let list = PyList::empty(py);
    for pools in all {
        let (pumped, homely) = (pools.pumped.status(), pools.homely.status());
        let dict = PyDict::new(py);
        let options = pools.pumped.options();
        dict.set_item("target", options.target())?;
        dict.set_item("user", options.user())?;
        dict.set_item("size", pumped.size + homely.size)?;
        dict.set_item("max_size", pumped.max_size)?;
        dict.set_item("min_size", options.pool_min)?;
        dict.set_item("idle", (pumped.size + homely.size).saturating_sub(pumped.lent))?;
        dict.set_item("lent", pumped.lent)?;
        dict.set_item("waiting", pumped.waiting)?;
        dict.set_item("leases", pumped.leases)?;
        dict.set_item("failures", pumped.failures)?;
        measured(&dict, &pools.pumped.measured())?;
        list.append(dict)?;
    }
    Ok(list)
}

/// What was measured; times in milliseconds, None where there are none yet.
fn measured(dict: &Bound<'_, PyDict>, measured: &Measured) -> PyResult<()> {
    dict.set_item("queries", measured.query.number())?;
    dict.set_item("errors", measured.errors)?;
    for (what, times) in [("acquire", measured.acquire), ("query", measured.query)] {
        for (quantile, time) in times.usual_quantiles() {
            let milliseconds = time.map(|time| time.as_secs_f64() * 1000.0);
            dict.set_item(format!("{what}_{quantile}_ms"), milliseconds)?;
        }
    }
    Ok(())
}

/// A connection string's keywords and values.
#[pyfunction]
pub(crate) fn split_dsn(py: Python<'_>, dsn: &str) -> PyResult<Said> {
    ferricorn_pool::options::split_dsn(dsn).map_err(|problem| senseless(py, format!("invalid dsn: {problem}")))
}

/// What was said of the database makes no sense.
fn senseless(py: Python<'_>, problem: String) -> PyErr {
    translate(py, Failure::Options(problem), None)
}

/// The table of settings: name, variable, default, meaning.
#[pyfunction]
pub(crate) fn settings() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    SETTINGS.iter().map(|setting| (setting.name, setting.variable, setting.default, setting.meaning)).collect()
}
