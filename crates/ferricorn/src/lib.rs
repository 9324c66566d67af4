//! Serves a [`tower`](https://docs.rs/tower) service (an axum `Router`, for one) from prefork workers under a supervisor:
//! a master that keeps the sockets, workers that share them, reloads that lose no request, workers that are recycled, and
//! Gunicorn's command line, signals and exit statuses for all of it.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use axum::Router;
//! use axum::routing::get;
//!
//! fn main() -> ExitCode {
//!     ferricorn::serve(|_context| Router::new().route("/", get(async || "hello")))
//! }
//! ```
//!
//! That is a server: `hello --bind 0.0.0.0:8000 --workers 4`, `hello --help`, `kill -HUP`.
//!
//! # What runs where
//!
//! [`serve`] is called by `main` in each process of the server, before anything has started a thread: the master, which
//! runs nothing of the application's, a process from which workers are forked, and, as copies of that, the workers. The
//! factory runs in each worker, within its [tokio](https://docs.rs/tokio) runtime, which has one thread: a service need not
//! be [`Send`], and `tokio::task::spawn_local` works. What comes before `serve` in `main` runs in every process, so it
//! should parse arguments and nothing else.
//!
//! On SIGHUP the master starts the program anew, from its file: new code, new settings, the same sockets. The old workers
//! serve until the new ones do; if the new program fails, they go on serving.
//!
//! # The factory
//!
//! It gets the worker's [`Context`] and makes the service, at once or as a future, and may fail:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # use axum::Router;
//! # #[derive(Clone)] struct Stock;
//! # impl Stock { async fn open(url: &str) -> Result<Stock, std::io::Error> { Ok(Stock) } }
//! fn main() -> ExitCode {
//!     ferricorn::serve(async |context: ferricorn::Context| {
//!         let stock = Stock::open("postgresql:///shop").await?;
//!         println!("worker in slot {}", context.slot());
//!         Ok::<_, std::io::Error>(Router::new().with_state(stock))
//!     })
//! }
//! ```
//!
//! A factory that fails, or panics, ends the first start with status 3, and makes a reload a failed one, which changes
//! nothing. A handler that panics is answered with a 500 in its place; its method, path and place are in the error log.
//!
//! # Postgres
//!
//! [`Context::pool`] is a pool of connections that belongs to the worker: see [`Pool`]. Which database it is, and how many
//! connections, the variables of docs/database.md say (`DATABASE_URL`, `DB_POOL_MAX` and the others), or `[db]` of the
//! configuration.
//!
//! # Flags of your own
//!
//! [`Options`] is a [`clap::Args`]: flatten it into your own parser and hand it to [`serve_with`].

mod context;
mod factory;
mod loader;
mod options;
mod pool;
mod request;
mod run;
mod service;

pub use context::{Context, Settings, Shutdown};
pub use factory::{IntoService, factory_kinds};
pub use ferricorn_pool::{Failure as PoolError, Lease, Status as PoolStatus, tokio_postgres};
pub use options::Options;
pub use pool::Pool;
pub use request::{Body, Client};
pub use run::{serve, serve_with};

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
