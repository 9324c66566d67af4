//! Changing environment variables while single-threaded.

use std::ffi::OsStr;
use std::io;

/// Sets (or with `None` removes) a variable of this process. Refused when other threads run:
/// they could be reading the environment through the C library at this moment.
pub fn set(name: &OsStr, value: Option<&OsStr>) -> io::Result<()> {
    if crate::process::threads()?.len() > 1 {
        return Err(io::Error::other("the environment cannot change while other threads run"));
    }
    match value {
        // SAFETY: this process has one thread, which is here.
        Some(value) => unsafe { std::env::set_var(name, value) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(name) },
    }
    Ok(())
}
