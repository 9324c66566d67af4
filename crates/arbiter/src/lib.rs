//! The master: binds the sockets, starts molds, keeps the wanted number of workers, and obeys
//! signals. One thread, one loop, one owner of state; it runs no code of the user's.
//!
//! - [`arbiter`]: the state and the loop: take an event, handle it, put things right, wait
//! - `signals`: operating-system signals become events
//! - `generation`: a mold and what it was started with
//! - `workers`: who exists, in which state, and on which grounds they are judged
//! - `reconcile`: what is, compared with what is wanted: the one place that spawns and retires
//! - `farewells`: molds that were told to leave, and may still have something to say
//! - `forward`: the way of the master's log lines to a logger in the application's language
//! - `memory_events`: whether the kernel has killed for want of memory
//! - `database`: what the log says of the workers' database pools
//! - `metrics`: what the master tells a statsd server
//! - `orders`: what molds are told besides forking: hooks to call, workers that come and go
//! - `reaping`: what the end of a worker or a mold means
//! - `recycling`: workers that have had their time, by age or memory
//! - `reload`: a generation from its mold's first word to its promotion, or its dismissal
//! - `timeouts`: workers that have stopped showing life
//! - `stop`: the end, graceful or quick
//! - `upgrade`: a new program takes over from the running one
//! - `given_up`: addresses that a reload has given up
//! - `sockets`: listening sockets, bound or received from the service manager
//! - `pidfile`, `notify`: the small faces towards the system

pub mod arbiter;
mod backoff;
mod database;
mod farewells;
mod forward;
mod generation;
mod given_up;
mod memory_events;
mod metrics;
mod notify;
mod orders;
mod pidfile;
mod reaping;
mod reconcile;
mod recycling;
mod reload;
mod signals;
mod sockets;
mod stop;
mod timeouts;
mod upgrade;
mod workers;

pub use arbiter::{Launch, run};
