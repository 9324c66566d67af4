//! The mold: the process of a generation that has loaded what its workers share (settings, and
//! with `--preload` the application) and forks a worker whenever the master orders one.
//!
//! It never serves a request and never decides how many workers there are.
//!
//! - [`host`]: what the application's language does in a mold: forking, server hooks, logging
//! - [`protocol`]: the typed messages between master and mold
//! - [`casting`]: the mold's life from its first report to its last order; `birth`: how a worker comes to be
//! - `orphaned`: what it does for the next master if its own has been killed

mod birth;
pub mod casting;
pub mod host;
mod orphaned;
pub mod protocol;

pub use casting::{Assignment, EarlySignals, Mold, Outcome, Provisions};
pub use host::Host;
pub use protocol::{MOLD_VARIABLE, Order, ProtocolError, Report};
