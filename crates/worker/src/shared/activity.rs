//! A connection as the sweeper sees it, and as what writes to it does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::hints::Route;
use crate::parting::Parting;
use crate::rest::Rest;

/// What the sweeper needs to know of a connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// From a request's head to the end of its response.
    pub(crate) busy: Cell<bool>,
    /// A request's body is on its way.
    pub(crate) receiving: Cell<bool>,
    /// The client is not taking what we write.
    pub(crate) write_blocked: Cell<bool>,
    /// The tick of the last byte in either direction.
    pub(crate) last_progress: Cell<u64>,
    /// The tick of the first byte of a head that is still arriving.
    pub(crate) head_since: Cell<Option<u64>>,
    /// From the moment the application's answer reached the connection.
    pub(crate) answered: Cell<bool>,
    /// Whether it has had a request yet.
    pub(crate) used: Cell<bool>,
    /// How early hints go.
    pub(crate) route: RefCell<Route>,
    /// How it may be asked to leave.
    pub(crate) parting: Parting,
    /// Whether it can do without hyper for a while.
    pub(crate) rest: Rest,
}

impl Activity {
    /// Whether part of a finished response is still here.
    pub(crate) fn is_sending(&self) -> bool {
        self.write_blocked.get() || (self.busy.get() && self.answered.get())
    }
}

/// An open connection, as the sweeper sees it.
pub(crate) struct Open {
    pub(crate) activity: Rc<Activity>,
    pub(crate) connection: Arc<ferricorn_application::Connection>,
    /// Ends its task, which closes it. `None` for the moment between birth and first poll.
    pub(crate) task: Option<AbortHandle>,
}
