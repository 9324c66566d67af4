//! Everything that can go wrong. No message ever contains a password.

use std::fmt;
use std::time::Duration;

use tokio_postgres::error::DbError;

use crate::pool::Place;

/// Why there is no connection, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// This process must not connect.
    #[error(
        "no database connection can be made in the server's {0} process, which forks the workers: connect in the worker, \
         at the first use or in a post_worker_init hook"
    )]
    Role(&'static str),
    /// What was said about the database makes no sense.
    #[error("{0}")]
    Options(String),
    /// The database cannot be reached, or does not let us in.
    #[error("{target}: {reason}")]
    Connect {
        /// Host, port and database.
        target: String,
        /// Why.
        reason: String,
        /// What the server said, if it said anything.
        server: Option<Box<DbError>>,
    },
    /// All connections are lent.
    #[error("{0}")]
    Exhausted(Box<Exhausted>),
    /// All connections that the server may have are taken.
    #[error(
        "no connection to the database could be opened within {:.1} s (DB_POOL_TIMEOUT): all workers together may have {limit} \
         (db_connections)", .waited.as_secs_f64()
    )]
    OverLimit {
        /// How long was waited.
        waited: Duration,
        /// How many there may be.
        limit: u64,
    },
    /// The connection broke; whether the statement took effect is not known.
    #[error("{target}: the connection was lost: {reason}")]
    Lost {
        /// Host, port and database.
        target: String,
        /// How.
        reason: String,
    },
    /// The server refused a statement, which came after so many characters of the message: the error's position counts them.
    #[error("{}", .0.message())]
    Server(Box<DbError>, usize),
    /// The statement was not sent: it cannot be used in this pool mode.
    #[error("{0}")]
    Refused(String),
    /// There is no statement in it.
    #[error("can't execute an empty query")]
    Empty,
    /// The statement was not sent: it belongs elsewhere.
    #[error("{0}")]
    Misplaced(&'static str),
    /// Something that cannot be done in this state or with this connection.
    #[error("{0}")]
    Unusable(String),
}

/// What a pool with nothing to lend looks like.
#[derive(Debug)]
pub struct Exhausted {
    /// How long was waited.
    pub waited: Duration,
    /// How many connections there are.
    pub size: usize,
    /// How many there may be.
    pub max_size: usize,
    /// How many others wait.
    pub waiting: usize,
    /// The loan that has lasted longest, and where it was taken.
    pub longest: Option<(Duration, Place)>,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waited, size, max_size, waiting, longest } = self;
        write!(
            formatter,
            "no connection became free within {:.1} s (DB_POOL_TIMEOUT): {size} of {max_size} are open (DB_POOL_MAX), \
             {waiting} more are waiting",
            waited.as_secs_f64()
        )?;
        match longest {
            Some((age, place)) => {
                write!(formatter, "; the longest has been out for {:.1} s, taken at {place}", age.as_secs_f64())
            }
            None => Ok(()),
        }
    }
}

/// The words of an error and of what caused it. tokio-postgres says little without its source.
pub(crate) fn in_words(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{}: {}", error.severity(), error.message());
    }
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
