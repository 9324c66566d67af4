//! Which processes may have connections. A master or a mold has none: a connection that is made before a fork would be one
//! socket in many processes.

use std::sync::atomic::{AtomicU8, Ordering};

/// What this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Not part of a server: a script, a shell, a test.
    Standalone,
    /// The master.
    Master,
    /// A mold, whose forks are the workers.
    Mold,
    /// A worker.
    Worker,
}

static ROLE: AtomicU8 = AtomicU8::new(Role::Standalone as u8);

/// Says what this process is from now on; its forks are the same until they say otherwise.
pub fn play(role: Role) {
    ROLE.store(role as u8, Ordering::Relaxed);
}

/// What this process is.
pub fn current() -> Role {
    match ROLE.load(Ordering::Relaxed) {
        role if role == Role::Master as u8 => Role::Master,
        role if role == Role::Mold as u8 => Role::Mold,
        role if role == Role::Worker as u8 => Role::Worker,
        _ => Role::Standalone,
    }
}

/// Whether connections may be made here.
pub(crate) fn may_connect() -> bool {
    matches!(current(), Role::Standalone | Role::Worker)
}
