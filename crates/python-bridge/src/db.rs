//! The Rust side of `ferricorn.db`: sessions, literals, rows. What DB-API looks like is Python's business.
//!
//! - `process`: the pools of this process, and their runtime
//! - `call`: the request that is being answered, as the database module sees it
//! - `source`: where connections come from; `session`: a connection on loan; `wait`: how a thread waits for one
//! - `format`: statements with placeholders; `literal`: values as SQL
//! - `rows`: results; `decode`: values from text; `moment`: dates and times among them
//! - `types`: which types of the database's own are arrays
//! - `copy`: data in bulk
//! - `errors`: failures as exceptions

pub(crate) mod call;
mod copy;
mod decode;
mod errors;
mod format;
mod literal;
mod moment;
pub(crate) mod process;
mod rows;
mod session;
mod source;
mod turn;
mod types;
mod wait;

use pyo3::prelude::*;

/// `ferricorn._ferricorn.db`.
#[pymodule(gil_used = true)]
pub(crate) mod db {
    #[pymodule_export]
    use super::decode::{decode_text, set_caster};
    #[pymodule_export]
    use super::format::{literal, set_adapter};
    #[pymodule_export]
    use super::process::{settings, split_dsn, status};
    #[pymodule_export]
    use super::rows::Rows;
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_export]
    use super::source::Source;
}
