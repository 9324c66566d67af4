//! How many connections this process has to one database, over all of its runtimes. A pool that wants one more than there may
//! be has another close one that nobody has.
//!
//! The other's runtime may be driven by nobody at the moment, as its thread is in a call: such a connection is cut, for which
//! its runtime has to do nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::pool::WeakPool;

/// How often it is looked for a connection to close while there is none.
const LOOK: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Room {
    places: Arc<Semaphore>,
    pools: Mutex<Vec<WeakPool>>,
}

impl Room {
    pub(crate) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), pools: Mutex::default() }
    }

    /// Another pool shares it.
    pub(crate) fn admit(&self, pool: WeakPool) {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool);
    }

    /// Whether there may be one more with nobody closing any.
    pub(crate) fn has_place(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// A place for one more. Who asks has been allowed to borrow one, so of as many as there may be one at least is nobody's: the
    /// wait is as long as others take to give it back.
    pub(crate) async fn enter(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            self.make_place();
            if let Ok(Ok(place)) = timeout(LOOK, Arc::clone(&self.places).acquire_owned()).await {
                return place;
            }
        }
    }

    fn make_place(&self) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The first that has one closes it.
        pools.iter().filter_map(WeakPool::upgrade).any(|pool| pool.cut_idle());
    }
}
