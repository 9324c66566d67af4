//! Ends a statement from outside. A request to cancel names a connection, and not a statement: one that comes late hits
//! whatever runs there then. So a loan knows of the requests made in it, and a connection is not lent again while one may
//! be on its way.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::options::{Host, Options, SslMode};
use crate::socket::{NoWay, Socket};

/// See the module. Clones are for the same loan.
#[derive(Clone)]
pub struct Canceller {
    process: i32,
    secret: i32,
    options: Arc<Options>,
    place: Host,
    sslmode: SslMode,
    requests: Requests,
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Canceller").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Canceller {
    pub(crate) fn of(connection: &Connection) -> Self {
        let journal = connection.journal.lock();
        let (process, secret) = (journal.process, journal.secret);
        let (options, place) = (Arc::clone(&connection.options), connection.place.clone());
        let sslmode = connection.sslmode;
        Self { process, secret, options, place, sslmode, requests: Requests::default() }
    }

    /// Asks the server to end what runs at this moment. It answers where the statement is waited for.
    pub async fn cancel(&self) -> Result<(), Failure> {
        let request = self.requests.begin().ok_or_else(|| Failure::Unusable("connection already closed".to_owned()))?;
        let lost = |reason: String| Failure::Lost { target: self.place.to_string(), reason };
        match tokio::time::timeout(self.options.connect_timeout, self.ask()).await {
            Ok(asked) => asked.map(|()| request.complete()).map_err(|error| lost(error.to_string())),
            Err(_) => Err(lost("no answer to a request to cancel".to_owned())),
        }
    }

    async fn ask(&self) -> Result<(), NoWay> {
        const LENGTH: i32 = 16;
        const CANCEL_REQUEST: i32 = 80_877_102;
        let mut socket = Socket::open(&self.options, &self.place, self.sslmode).await?;
        let request = [LENGTH, CANCEL_REQUEST, self.process, self.secret].map(i32::to_be_bytes).concat();
        socket.write_all(&request).await?;
        socket.flush().await?;
        // PgBouncer forgets the request of somebody who leaves before it has passed it on.
        match socket.read_to_end(&mut Vec::new()).await {
            // Postgres ends such a connection without TLS's own goodbye.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error)?,
            _ => Ok(()),
        }
    }

    /// The loan is over: there are no further requests. Says whether none can still come to the server.
    pub(crate) fn retire(&self) -> bool {
        self.requests.retire()
    }
}

/// The requests of one loan.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Tally>>);

#[derive(Default)]
struct Tally {
    /// Requests of which is not known that the server has dealt with them: under way, or given up.
    open: usize,
    /// The loan is over.
    over: bool,
}

/// One that is under way. Dropped before it is done, it stays in the tally.
struct Request<'a>(&'a Requests);

impl Requests {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Option<Request<'_>> {
        let mut tally = self.lock();
        if tally.over {
            return None;
        }
        tally.open += 1;
        Some(Request(self))
    }

    fn retire(&self) -> bool {
        let mut tally = self.lock();
        tally.over = true;
        tally.open == 0
    }
}

impl Request<'_> {
    /// The server has closed its end: the statement, if one ran, has been told.
    fn complete(self) {
        self.0.lock().open -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_under_way_or_given_up_spoils_the_connection() {
        let requests = Requests::default();
        requests.begin().unwrap().complete();
        assert!(requests.retire());
        assert!(requests.begin().is_none());

        let requests = Requests::default();
        {
            let _given_up = requests.begin().unwrap();
        }
        assert!(!requests.retire());
    }
}
