//! Looks after a pool between loans: as many connections as are to be kept are open, those that nobody needs are closed, and
//! those that another worker is in want of.

use std::time::Duration;

use crate::pool::{Pool, WeakPool};
use crate::server;

/// How often it looks.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// How long a connection may be unused, beyond those that are to be kept.
const IDLE: Duration = Duration::from_secs(60);

/// Runs on the pool's runtime for as long as the pool lives.
pub(crate) async fn run(pool: WeakPool) {
    loop {
        tokio::time::sleep(LOOK).await;
        match pool.upgrade() {
            Some(pool) => look(&pool).await,
            None => return,
        }
    }
}

/// One look.
pub(crate) async fn look(pool: &Pool) {
    if let Some(board) = server::board() {
        board.show(pool.status());
        if board.is_wanted() {
            pool.close_idle(1, Duration::ZERO);
        }
    }
    let beyond = pool.status().size.saturating_sub(pool.options().pool_min);
    pool.close_idle(beyond, IDLE);
    if pool.answers() && !server::board().is_some_and(server::Board::is_wanted) {
        pool.warm().await;
    }
}
