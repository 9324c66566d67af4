//! The end of a connection: a client whose request was refused is told, and whoever is still
//! sending gets the time to read what was answered.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::refusal::Refusal;
use crate::socket::Raw;
use crate::wire::Wire;

/// What a client may go on sending before it has read its answer, and for how long. To close on
/// unread bytes is to reset the connection, and that would take the answer with it.
pub(crate) const UNREAD: usize = 64 * 1024;
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Answers in the application's place, and waits for the client to leave.
pub(crate) async fn refuse(wire: &mut Wire, refusal: &Refusal) -> io::Result<()> {
    let response = refusal.response();
    let mut rest = &response[..];
    while !rest.is_empty() {
        let count = poll_fn(|context| Pin::new(&mut *wire).poll_write(context, rest)).await?;
        rest = &rest[count..];
    }
    poll_fn(|context| Pin::new(&mut *wire).poll_shutdown(context)).await?;
    // Many a client sends all of its body before it looks at what came back.
    let most = if refusal.is_of_body() { usize::MAX } else { UNREAD };
    linger(most, |context, piece| wire.poll_rest(context, piece)).await
}

/// Ends a connection that hyper is through with, and that is shut down.
pub(crate) async fn part(wire: &mut Wire) -> io::Result<()> {
    let mut piece = [0; 1];
    let mut piece = ReadBuf::new(&mut piece);
    // Nobody is waited for who is not sending already.
    let is_sending = !wire.has_ended()
        && poll_fn(|context| Poll::Ready(matches!(wire.poll_rest(context, &mut piece), Poll::Ready(Ok(()))))).await
        && !piece.filled().is_empty();
    if !is_sending {
        return Ok(());
    }
    // Boxed: what this needs, most connections should not have room for.
    Box::pin(linger(UNREAD, |context, piece| wire.poll_rest(context, piece))).await
}

/// Leaves without an answer.
pub(crate) async fn hang_up(mut raw: Raw) -> io::Result<()> {
    poll_fn(|context| Pin::new(&mut raw).poll_shutdown(context)).await?;
    linger(UNREAD, |context, piece| Pin::new(&mut raw).poll_read(context, piece)).await
}

/// However that ends, the connection is closed.
async fn linger(
    most: usize,
    poll_read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> io::Result<()> {
    tokio::time::timeout(PATIENCE, discard(most, poll_read)).await.unwrap_or(Ok(()))
}

async fn discard(
    most: usize,
    mut poll_read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> io::Result<()> {
    let mut piece = [0; 4096];
    let mut discarded = 0;
    while discarded < most {
        let mut piece = ReadBuf::new(&mut piece);
        poll_fn(|context| poll_read(context, &mut piece)).await?;
        match piece.filled().len() {
            0 => break,
            count => discarded += count,
        }
    }
    Ok(())
}
