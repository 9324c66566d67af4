//! Safe faces of the Unix calls that a prefork server needs, and the home of `unsafe`.
//!
//! Nothing here knows what a worker or a setting is: no policy, no logging.
//!
//! - [`process`]: fork, wait, kill, threads of this process, leaving without clean-up
//! - [`channel`]: a socketpair that carries whole messages and descriptors
//! - [`descriptor`]: pipes, standard streams, inheritance across exec
//! - [`listener`]: TCP and Unix listening sockets; [`accept_queue`]: what waits at them
//! - [`poll`]: waiting on several descriptors with a deadline
//! - [`socket`]: one connected socket, for a thread that waits for nothing else
//! - [`shared_memory`]: a memfd that several processes map
//! - [`clock`]: a clock that all processes read alike
//! - [`credentials`]: giving up privileges
//! - [`daemon`]: leaving the terminal
//! - [`durations`]: counts by how long something took, in words that processes may share
//! - [`epoll`]: waiting for many sockets at once
//! - [`tcp`]: what the kernel knows of a TCP socket
//! - [`thread`]: threads that no signal disturbs
//! - [`title`]: what `ps` shows
//! - [`environment`]: changing environment variables while single-threaded

pub mod accept_queue;
pub mod channel;
pub mod clock;
pub mod credentials;
pub mod daemon;
pub mod descriptor;
pub mod durations;
pub mod environment;
pub mod epoll;
pub mod listener;
pub mod poll;
pub mod process;
pub mod shared_memory;
pub mod socket;
pub mod tcp;
pub mod thread;
pub mod title;
