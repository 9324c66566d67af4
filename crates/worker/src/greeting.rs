//! What comes before HTTP: TLS, and which HTTP it is to be.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use ferricorn_application::Connection;
use ferricorn_unix::descriptor;
use tokio::time::{Instant, sleep};

use crate::farewell;
use crate::hints::Route;
use crate::refusal::Refusal;
use crate::shared::{Activity, Shared};
use crate::socket::{Raw, Socket};
use crate::tls::{ALPN_HTTP_2, Tls};

/// What a client of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// For those bytes, from the first to the last, as in Gunicorn.
const PREFACE_TIME: Duration = Duration::from_secs(1);
/// Between two looks at a preface that is arriving in pieces.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
/// The first byte of TLS: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// What is to be spoken on a connection, and where.
pub(crate) enum Greeting {
    Http1(Socket),
    Http2(Socket),
    /// The client speaks something that is not spoken here.
    Refused(Socket, Refusal),
    /// There is nothing more to say.
    Over,
}

/// Finds that out. A client that takes its time is the sweeper's business.
pub(crate) async fn greet(shared: &Shared, raw: Raw, connection: &Connection, activity: &Activity) -> Greeting {
    if let Some(tls) = &shared.tls {
        let greeting = secure(tls, raw, connection, activity).await;
        activity.last_progress.set(shared.tick.get());
        return greeting.unwrap_or_else(|error| {
            log_failure(connection, &error);
            Greeting::Over
        });
    }
    if !shared.settings.http.cleartext || !shared.policy.trusts(&connection.remote) {
        return Greeting::Http1(Socket::Plain(raw));
    }
    match awaits_preface(&raw).await {
        Ok(None) => Greeting::Http2(Socket::Plain(raw)),
        Ok(Some(refusal)) => Greeting::Refused(Socket::Plain(raw), refusal),
        Err(error) => {
            log_failure(connection, &error);
            Greeting::Over
        }
    }
}

async fn secure(tls: &Tls, raw: Raw, connection: &Connection, activity: &Activity) -> io::Result<Greeting> {
    let mut first = [0];
    match peek(&raw, &mut first).await? {
        [] => return Err(io::ErrorKind::UnexpectedEof.into()),
        [HANDSHAKE] => {}
        _ => {
            let error = io::Error::other("this is not TLS, perhaps plain HTTP");
            log_failure(connection, &error);
            farewell::hang_up(raw).await?;
            return Ok(Greeting::Over);
        }
    }
    let (secured, facts) = tls.shake_hands(raw).await?;
    let speaks_http2 = facts.alpn.as_deref().map(str::as_bytes) == Some(ALPN_HTTP_2);
    // It was not set before: a connection is greeted once.
    let _ = connection.tls.set(facts);
    if speaks_http2 {
        return Ok(Greeting::Http2(Socket::Tls(secured)));
    }
    *activity.route.borrow_mut() = Route::Tls(secured.side_door());
    Ok(Greeting::Http1(Socket::Tls(secured)))
}

/// What to say to a client that does not begin with HTTP/2. Nothing is taken from the socket.
async fn awaits_preface(raw: &Raw) -> io::Result<Option<Refusal>> {
    let mut deadline = None;
    let mut room = [0; PREFACE.len()];
    loop {
        let arrived = peek(raw, &mut room).await?;
        let until = *deadline.get_or_insert_with(|| Instant::now() + PREFACE_TIME);
        match arrived {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            PREFACE => return Ok(None),
            arrived if !PREFACE.starts_with(arrived) || Instant::now() >= until => {
                return Ok(Some(Refusal::preface(arrived)));
            }
            // The socket stays readable: there is no telling when more has arrived.
            _ => sleep(PREFACE_PAUSE).await,
        }
    }
}

/// The first bytes that have arrived, once there are any; none at the end of the stream.
async fn peek<'a>(raw: &Raw, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let count = loop {
        raw.readable().await?;
        match raw.try_read(|| descriptor::peek(raw.as_fd(), room)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            counted => break counted?,
        }
    };
    Ok(&room[..count])
}

/// A client that has left is no news; Gunicorn warns of every other failure.
fn log_failure(connection: &Connection, error: &io::Error) {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    let address = connection.remote_address();
    if matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof) {
        log::debug!("Connection from ip={address} ended before a request: {error}");
    } else {
        log::warn!("Invalid request from ip={address}: {error}");
    }
}
