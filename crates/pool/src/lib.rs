//! Postgres connections of one process: deadpool-postgres made prefork- and PgBouncer-proof.
//!
//! Nothing here knows Python. A native application uses a [`Pool`] as it is; for Python, `python-bridge` puts DB-API on top.
//!
//! - [`role`]: which processes may have connections at all
//! - [`options`]: which database, how many connections, what is logged; `dsn`: the same as a connection string
//! - [`pool`]: lends connections: [`Pool`], [`Status`]
//! - `room`: how many connections all pools of the process have together
//! - [`lease`]: a connection on loan, and what its transaction is in: [`Lease`]
//! - `measured`: statements that are counted, and logged when they are slow; [`Measured`]: how long they took (`measures`)
//! - [`statement`]: what a statement is, as far as one must know before it is sent
//! - `connection`: one connection, as deadpool sees it; `connect`: how it is made; `socket`, `tls`: over what; `channel`: what
//!   a password is bound to
//! - [`driver`]: what moves a connection, and who does it; `way`: with the runtime, or past it
//! - `tap`: what tokio-postgres does not tell of the server's answers
//! - [`home`]: the runtime of a process that is no worker, and of threads that do not pump
//! - [`server`]: what the server has to say; `keeper`: keeps connections warm, and lets go of those that nobody needs
//! - `outage`: a database that cannot be reached
//! - [`failure`]: everything that can go wrong

pub mod canceller;
mod channel;
mod connect;
mod connection;
pub mod driver;
mod dsn;
pub mod failure;
pub mod home;
mod keeper;
pub mod lease;
mod measured;
mod measures;
pub mod options;
mod outage;
pub mod pool;
pub mod role;
mod room;
pub mod server;
mod socket;
pub mod statement;
mod tap;
mod tls;
mod way;

pub use canceller::Canceller;
pub use connection::Connection;
pub use deadpool_postgres;
pub use failure::Failure;
pub use lease::{Answer, Lease};
pub use measures::Measured;
pub use options::{Options, PoolMode};
pub use pool::{Place, Pool, Status};
pub use tap::{Column, Transaction};
pub use tokio_postgres;
