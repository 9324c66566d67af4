//! The promises of Ferricorn, tested from outside: real processes, real sockets, raw bytes.
//!
//! One binary runs against one of two targets, so that a test which misstates Gunicorn fails against Gunicorn:
//!
//! - `CONFORMANCE_TARGET` = `ferricorn` (default) or `gunicorn`: which server is started;
//! - `CONFORMANCE_BIN` = the directory of the executables `ferricorn` and `gunicorn`
//!   (default: `.venv/bin` in the root of the repository).
//! - `CONFORMANCE_GAPS` = `run`: also try the promises that the target is known not to keep, to find stale marks.
//!
//! `harness/` starts servers, talks to them and cleans up; `promises/` holds the tests, one file per topic;
//! `differential/` sends the raw requests of `requests/` to both servers and compares the answers, as it does those of
//! `apps/answering.py`, with `responses/`;
//! `apps/` holds the applications that the servers run: Python files, and one in Rust.

#[macro_use]
mod harness;

mod differential;
mod promises;
