//! How a connection is made.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode as Handshake, SslNegotiation};
use tokio_postgres::error::SqlState;

use crate::channel::Made;
use crate::connection::{Connection, Notices};
use crate::driver::Driver;
use crate::failure::{Failure, in_words};
use crate::options::{Host, Options, SslMode};
use crate::server::{self, Permit};
use crate::socket::{NoWay, Socket};
use crate::tap::{SharedJournal, Tap};
use crate::way::{Stream, Way};

/// How long a connection that was closed counts for the server's limit.
const PARTING: Duration = Duration::from_millis(100);

/// Makes a connection to the first place that answers.
pub(crate) async fn connect(options: &Arc<Options>) -> Result<Connection, Failure> {
    let mut permit = Some(server::admit()?);
    let mut failure = None;
    for place in &options.places {
        let refuse = |reason: String, server| {
            let target = format!("{place}/{}", options.database());
            Failure::Connect { target, reason, server }
        };
        let made = timeout(options.connect_timeout, connect_to(options, place, &mut permit)).await;
        match made {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(Refused::Server(error, encrypted))) => {
                let server = error.as_db_error().cloned().map(Box::new);
                let mut reason = in_words(&error);
                // A server that does not like our certificate says so after the handshake.
                if let Some(path) = options.sslcert.as_ref().filter(|_| encrypted && server.is_none()) {
                    reason = format!("{reason} (sslcert '{}')", path.display());
                }
                failure = Some(refuse(reason, server));
            }
            Ok(Err(Refused::Way(error))) => failure = Some(refuse(error.to_string(), None)),
            Err(_) => {
                let seconds = options.connect_timeout.as_secs_f64();
                failure = Some(refuse(format!("no connection within {seconds} s (DB_CONNECT_TIMEOUT)"), None));
            }
        }
    }
    Err(failure.unwrap_or_else(|| Failure::Options("no host is named".to_owned())))
}

/// Who has said no.
enum Refused {
    Way(NoWay),
    /// The server, and whether it was spoken to with TLS.
    Server(tokio_postgres::Error, bool),
}

impl Refused {
    /// Whether it may be another matter without TLS.
    fn minds_tls(&self) -> bool {
        match self {
            Self::Way(way) => matches!(way, NoWay::Tls(_)),
            Self::Server(error, encrypted) => {
                *encrypted && error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
            }
        }
    }
}

/// With `prefer`, TLS that is not to be had is done without, as libpq does.
async fn connect_to(options: &Arc<Options>, place: &Host, permit: &mut Option<Permit>) -> Result<Connection, Refused> {
    match introduce(options, place, options.sslmode, permit).await {
        Err(refused) if options.sslmode == SslMode::Prefer && refused.minds_tls() => {
            introduce(options, place, SslMode::Disable, permit).await.map_err(|_| refused)
        }
        made => made,
    }
}

async fn introduce(
    options: &Arc<Options>,
    place: &Host,
    sslmode: SslMode,
    permit: &mut Option<Permit>,
) -> Result<Connection, Refused> {
    let socket = Socket::open(options, place, sslmode).await.map_err(Refused::Way)?;
    let (encrypted, is_plain) = (socket.is_encrypted(), socket.plain().is_some());
    let hold = socket.hold().map_err(|error| Refused::Way(error.into()))?;
    let (journal, way, notices) = (SharedJournal::default(), Way::default(), Notices::default());
    let tap = Tap::new(socket, journal.clone(), way.clone());
    let mut session = options.session.clone();
    session.ssl_mode(Handshake::Require).ssl_negotiation(SslNegotiation::Direct);
    let connected = session.connect_raw(tap, Made).await;
    let (client, engine) = connected.map_err(|error| Refused::Server(error, encrypted))?;
    let driver = Driver::new(engine, way, is_plain, notices.clone(), options.target());
    let background = driver.clone();
    let permit = permit.take();
    tokio::spawn(async move {
        background.run().await;
        if permit.is_some() && server::part().is_some_and(|part| part.limit.is_some()) {
            // The server takes a moment to be rid of it.
            tokio::time::sleep(PARTING).await;
        }
        drop(permit);
    });
    // The engine takes its leave of the server once the client is gone; the wrapper would end it before.
    let client = ClientWrapper::new(client, tokio::spawn(async {}));
    Ok(Connection::new(client, driver, journal, notices, Arc::clone(options), (place.clone(), sslmode), hold))
}
