//! How a connection is made.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::time::timeout;
use tokio_postgres::AsyncMessage;
use tokio_postgres::config::{SslMode as Handshake, SslNegotiation};
use tokio_postgres::error::SqlState;

use crate::channel::Made;
use crate::connection::{Connection, Notices};
use crate::failure::{Failure, in_words};
use crate::options::{Host, Options, SslMode};
use crate::server::{self, Permit};
use crate::socket::{NoWay, Socket};
use crate::tap::{SharedJournal, Tap};

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
    let encrypted = socket.is_encrypted();
    let journal = SharedJournal::default();
    let tap = Tap::new(socket, journal.clone());
    let mut session = options.session.clone();
    session.ssl_mode(Handshake::Require).ssl_negotiation(SslNegotiation::Direct);
    let connected = session.connect_raw(tap, Made).await;
    let (client, mut driver) = connected.map_err(|error| Refused::Server(error, encrypted))?;
    let notices = Notices::default();
    let heard = notices.clone();
    let target = options.target();
    let permit = permit.take();
    tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|context| driver.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notice(notice)) => heard.push(&notice),
                Ok(_) => {}
                Err(error) => {
                    log::debug!("{target}: the connection has ended: {}", in_words(&error));
                    break;
                }
            }
        }
        drop(driver);
        if permit.is_some() && server::part().is_some_and(|part| part.limit.is_some()) {
            // The server takes a moment to be rid of it.
            tokio::time::sleep(PARTING).await;
        }
        drop(permit);
    });
    // The driver takes its leave of the server once the client is gone; the wrapper would end it before.
    let client = ClientWrapper::new(client, tokio::spawn(async {}));
    Ok(Connection::new(client, journal, notices, Arc::clone(options), (place.clone(), sslmode)))
}
