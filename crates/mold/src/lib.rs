//! The mold: the process of a generation that has loaded what its workers share (settings, and
//! with `--preload` the application) and forks a worker whenever the master orders one.
//!
//! It never serves a request and never decides how many workers there are.
//!
//! - [`protocol`]: the typed messages between master and mold
//! - [`casting`]: the mold's life from its first report to its last order

pub mod casting;
pub mod protocol;

pub use casting::{Assignment, EarlySignals, ForkGuard, Mold, Outcome, Provisions};
pub use protocol::{MOLD_VARIABLE, Order, ProtocolError, Report};
