//! What a promise needs to put a real server to the test.
//!
//! - `target`: which server this run is about, and the marks for promises that only one of them keeps;
//! - `workdir`: the temporary directory of one server, kept and printed when its test fails; `guardian`: removes it when the
//!   whole program is killed;
//! - `launch`: the builder of a command line; `server`: a running server; `finished`: one that ended by itself;
//! - `log`: the lines of an error log, parsed; `notes`: what hooks wrote down; `process`: pids, children and deaths, read from `/proc`;
//! - `http`: responses as parsed bytes; `connection`: one client connection; `strict`: the client that counts anomalies (all three
//!   are in `benches/strict-client`, where people can use them, too);
//! - `proxy`: HAProxy and nginx in front of a server;
//! - `tls`: certificates of a test's own; `http2`: a client that speaks in frames;
//! - `cgroup`: a control group with a limit for memory;
//! - `ports`: free ports of the loopback; `datagrams`: a socket of the test's own for statsd and syslog;
//! - `wait`: waiting for a condition with a deadline. Nothing here sleeps for a fixed time and hopes.

#[macro_use]
pub(crate) mod target;
pub(crate) mod cgroup;
pub(crate) mod datagrams;
pub(crate) mod finished;
pub(crate) mod guardian;
pub(crate) mod http2;
pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod notes;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod wait;
pub(crate) mod workdir;

pub(crate) use strict_client::{connection, http, load as strict};

pub(crate) use connection::Connection;
pub(crate) use datagrams::Datagrams;
pub(crate) use launch::Launch;
pub(crate) use server::Server;
pub(crate) use wait::eventually;
