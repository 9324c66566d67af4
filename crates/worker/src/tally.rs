//! What an application has answered so far: what the access log asks for, and what Content-Length
//! still allows.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use ferricorn_application::Head;
use http::{HeaderMap, Method, StatusCode};

/// See the module.
pub(crate) struct Tally {
    is_head: bool,
    /// Whether somebody will ask for the headers.
    keeps_headers: bool,
    /// Body bytes that may still be sent; `None` without a Content-Length.
    left: Cell<Option<u64>>,
    pub(crate) begun: Cell<bool>,
    pub(crate) sent: Cell<u64>,
    pub(crate) status: Cell<StatusCode>,
    pub(crate) headers: RefCell<HeaderMap>,
    pub(crate) annotations: RefCell<Vec<(String, String)>>,
}

impl Tally {
    pub(crate) fn new(method: &Method, keeps_headers: bool) -> Self {
        Self {
            is_head: *method == Method::HEAD,
            keeps_headers,
            left: Cell::new(None),
            begun: Cell::new(false),
            sent: Cell::new(0),
            status: Cell::new(StatusCode::INTERNAL_SERVER_ERROR),
            headers: RefCell::default(),
            annotations: RefCell::default(),
        }
    }

    /// Takes note of a head, and of the bytes that may follow it.
    pub(crate) fn open(&self, head: &Head) {
        self.begun.set(true);
        self.status.set(head.status);
        let bodiless = self.is_head
            || head.status.is_informational()
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.left.set(if bodiless { Some(0) } else { head.length });
        if self.keeps_headers {
            self.headers.borrow_mut().clone_from(&head.headers);
        }
    }

    /// Cuts a piece to what Content-Length still allows, and counts it.
    pub(crate) fn admit(&self, mut piece: Bytes) -> Bytes {
        piece.truncate(usize::try_from(self.admit_length(piece.len() as u64)).unwrap_or(usize::MAX));
        piece
    }

    /// The same for a number of bytes.
    pub(crate) fn admit_length(&self, length: u64) -> u64 {
        let admitted = self.left.get().map_or(length, |left| left.min(length));
        self.left.set(self.left.get().map(|left| left - admitted));
        self.sent.set(self.sent.get() + admitted);
        admitted
    }

    pub(crate) fn annotate(&self, name: &str, value: String) {
        self.annotations.borrow_mut().push((name.to_owned(), value));
    }
}
