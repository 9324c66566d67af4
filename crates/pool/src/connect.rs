//! How a connection is made.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::connection::{Connection, Notices};
use crate::failure::{Failure, in_words};
use crate::options::Options;
use crate::server::{self, Permit};
use crate::socket::Socket;
use crate::tap::{SharedJournal, Tap};

/// How long a connection that was closed counts for the server's limit.
const PARTING: Duration = Duration::from_millis(100);

/// Makes a connection to the first place that answers.
pub(crate) async fn connect(options: &Arc<Options>) -> Result<Connection, Failure> {
    let mut permit = Some(server::admit()?);
    let mut failure = None;
    for (host, port) in &options.places {
        let refuse = |reason: String, server| {
            let target = format!("{host}:{port}/{}", options.database());
            Failure::Connect { target, reason, server }
        };
        let made = timeout(options.connect_timeout, connect_to(options, host, *port, &mut permit)).await;
        match made {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(Refused::Server(error))) => {
                let server = error.as_db_error().cloned().map(Box::new);
                failure = Some(refuse(in_words(&error), server));
            }
            Ok(Err(Refused::Way(error))) => failure = Some(refuse(explain(&error), None)),
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
    Way(io::Error),
    Server(tokio_postgres::Error),
}

async fn connect_to(
    options: &Arc<Options>,
    host: &str,
    port: u16,
    permit: &mut Option<Permit>,
) -> Result<Connection, Refused> {
    let socket = Socket::open(options, host, port).await.map_err(Refused::Way)?;
    let journal = SharedJournal::default();
    let tap = Tap::new(socket, journal.clone());
    let mut session = options.session.clone();
    // Whatever TLS there is to be, there is already.
    session.ssl_mode(SslMode::Disable);
    let (client, mut driver) = session.connect_raw(tap, NoTls).await.map_err(Refused::Server)?;
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
    Ok(Connection::new(client, journal, notices, Arc::clone(options), (host.to_owned(), port)))
}

/// The kernel's words, without Rust's.
fn explain(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}
