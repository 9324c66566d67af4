//! The worker's connections to Postgres.

use std::env;
use std::panic::Location;

use ferricorn_pool::{Failure, Lease, Options, Place, Status, server};

/// Connections to Postgres, shared by all requests of a worker: made when they are needed, as many as `DB_POOL_MAX` says, and
/// lent one at a time. To clone it is to share it.
///
/// A lease's connection may be used as tokio-postgres's client. Statements that are run with its `query_typed` and
/// `execute_typed` are counted, and logged with their place when they take longer than `SLOW_QUERY_THRESHOLD`.
///
/// ```no_run
/// use axum::Router;
/// use axum::extract::State;
/// use axum::routing::get;
/// use ferricorn::{Context, Pool, PoolError};
///
/// async fn version(State(pool): State<Pool>) -> String {
///     let lease = match pool.get().await {
///         Ok(lease) => lease,
///         Err(error) => return error.to_string(),
///     };
///     // One round trip, and no prepared statement: it works through PgBouncer in every mode.
///     let rows = lease.connection().query_typed("SELECT version()", &[]).await;
///     rows.map_or_else(|error| error.to_string(), |rows| rows[0].get(0))
/// }
///
/// fn main() -> std::process::ExitCode {
///     ferricorn::serve(|context: Context| {
///         let pool = context.pool()?;
///         Ok::<_, PoolError>(Router::new().route("/", get(version)).with_state(pool))
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Pool(ferricorn_pool::Pool);

impl Pool {
    /// Of the database that the environment and `[db]` of the server's configuration name, with no connection yet. Workers
    /// have [`Context::pool`](crate::Context::pool); this is for what is no worker, such as a program's tests.
    pub fn from_environment() -> Result<Self, Failure> {
        let options = Options::resolve(|name| env::var(name).ok(), server::file(), &[]);
        options.map(|options| Self(ferricorn_pool::Pool::new(options))).map_err(Failure::Options)
    }

    /// Lends a connection. When the lease is dropped, what it has left open is rolled back, and somebody else may have
    /// the connection. Fails when the database is away, or when none has become free within `DB_POOL_TIMEOUT`.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Lease, Failure>> + Send + use<> {
        let (pool, caller) = (self.0.clone(), Location::caller());
        async move { pool.lease(Place { file: caller.file().into(), line: caller.line() }).await }
    }

    /// How it is: open connections, those that are lent, those who wait.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Opens as many connections as `DB_POOL_MIN` says, and has the pool looked after from now on.
    pub(crate) async fn warm(self) {
        self.0.warm().await;
        self.0.keep();
    }
}
