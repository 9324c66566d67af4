//! One worker process: it accepts connections, lets hyper speak HTTP on them, and calls the
//! application with one whole request at a time.
//!
//! Everything happens on one thread; with threads of the application's, everything but its calls. The order in which a request passes through:
//!
//! - [`seat`]: what a worker is given when it is born
//! - `accept`: takes connections while the worker is idle; `last_call`: and those that are nobody else's to take; `takeover`:
//!   and those that another worker hands over, `arrival`: as they are on their way
//! - `greeting`: what comes before HTTP: `tls`, of `certificates`, chosen by `sni`, and which HTTP it is to be; `secured`: a
//!   socket with TLS, `socket`: one with or without
//! - `wire`: the client's socket as hyper sees it
//! - `guard`: judges what arrives, before hyper: `request_line`, `fields` and `head`, `chunks`, by
//!   the `rules` of the settings
//! - `proxy_protocol`: what a proxy says about a connection before the first head
//! - `connection`: one client; hyper parses, `policy` judges, `body` gathers
//! - `rest`: a connection on which nothing goes on costs little memory
//! - `http2`: the same for clients that speak HTTP/2, one request for each stream; `parting`: how they leave
//! - `refusal`: what is said to a client that is not served; `farewell`: how that is said
//! - `pump`: the loop: I/O until a whole request has arrived, then a call
//! - `exchange`: the application's side of the call; `answer`: what hyper sends of it;
//!   `hints`: the one thing that goes past hyper; `tally`: what the access log will say
//! - `crew`: in place of the pump's calls, those of threads; `thread`: such a thread and its side of a
//!   call; `desk`: where it meets the main thread; `stream`: a body on its way from one to the other
//! - `lookout`: a thread that looks after calls which take long; `deadline`: those that take too long; `late`: what their
//!   clients are told, and those whose requests have waited too long; `roster`: the connections that could be served by another
//!   worker meanwhile; `standing`: whose one is; `handover`: the main thread's side of that; `pace`: how long calls take
//! - `service`: in place of the pump, the worker of a native application, whose service answers many requests at
//!   once; `requests`: those that it is at; `incoming`: the body of one, as it arrives; `panics`: what its handlers
//!   may do
//! - `shown`: what of several calls the scoreboard shows
//! - `shared`: the state that all of these share, serving, draining or leaving; in its folder what of it is about connections,
//!   about taking them, and about calls
//! - `signals`, `sweep`, `sources`: the world's interruptions, the clock's, and `--reload`'s, which
//!   `watch` hurries

mod accept;
mod answer;
mod arrival;
mod body;
mod certificates;
mod chunks;
mod connection;
mod crew;
mod deadline;
mod desk;
mod exchange;
mod farewell;
mod fields;
mod greeting;
mod guard;
mod handover;
mod head;
mod hints;
mod http2;
mod incoming;
#[cfg(any(test, fuzzing))]
pub mod invariants;
mod last_call;
mod late;
mod lookout;
mod pace;
mod panics;
mod parting;
mod policy;
mod proxy_protocol;
mod pump;
mod refusal;
mod request_line;
mod requests;
mod rest;
mod roster;
mod rules;
pub mod seat;
mod secured;
mod service;
mod shared;
mod shown;
mod signals;
mod sni;
mod socket;
mod sources;
mod standing;
mod stream;
mod sweep;
mod takeover;
mod tally;
mod thread;
pub mod tls;
mod watch;
mod wire;

pub use pump::run;
pub use seat::{Entrance, Seat};
pub use tls::Tls;
