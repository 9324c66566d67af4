//! The end of a listening socket: what waits in its queue when nobody comes after this worker is taken, and the socket is
//! ended, for all processes that have it open. So those who come later hear at once that nobody listens, and the address
//! is free, though another worker has a call that takes its time.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use ferricorn_unix::accept_queue;

use crate::accept::{self, Acceptor};
use crate::shared::{Phase, Shared};

/// To be called when this worker accepts no more.
pub(crate) async fn run(shared: &Rc<Shared>, acceptor: &Acceptor) -> io::Result<()> {
    let is_alone = !shared.slot.server_shares_sockets();
    if is_alone && acceptor.is_ours && shared.master_is_gone.get() {
        accept_queue::close(acceptor)?;
    }
    // By the master, where it gives up the address or the whole server stops.
    let is_closed = accept_queue::is_closed(acceptor)?;
    let is_the_end = is_alone && (is_closed || acceptor.is_ours && shared.server_ends());
    if is_the_end || shared.slot.server_is_stopping() {
        empty(shared, acceptor).await?;
    }
    if is_the_end && is_closed {
        tokio::time::sleep(accept_queue::HANDSHAKES).await;
        empty(shared, acceptor).await?;
    }
    if is_the_end && is_draining(shared) {
        accept_queue::end(acceptor)?;
    }
    Ok(())
}

/// Takes all that waits.
async fn empty(shared: &Rc<Shared>, acceptor: &Acceptor) -> io::Result<()> {
    loop {
        // The runtime knows of what has come by its last look at the sockets.
        tokio::task::yield_now().await;
        while is_draining(shared) {
            let next = poll_fn(|context| match acceptor.poll_accept(context) {
                Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(accepted) = next.await else { break };
            if accept::take(shared, acceptor, accepted).await.is_break() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        let waiting = accept_queue::length(acceptor)?;
        if !is_draining(shared) || waiting.is_none_or(|waiting| waiting == 0) {
            return Ok(());
        }
    }
}

fn is_draining(shared: &Shared) -> bool {
    matches!(shared.phase(), Phase::Draining { .. })
}
