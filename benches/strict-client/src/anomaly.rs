//! What can go wrong with a request, seen from the client.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use crate::http::Fault;

/// The kinds of anomalies. Whether the connection had served before is told apart where it matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody listened.
    Refused,
    /// The connection was reset before the first byte of an answer.
    Reset(Place),
    /// The connection was closed before the first byte of an answer.
    Closed(Place),
    /// The answer began and did not end.
    Truncated,
    /// Nothing came in time.
    Timeout,
    /// The answer was complete, and not the one to this question; or it was no HTTP at all.
    Wrong(String),
}

/// Which of its requests a connection failed on. A client must expect that an idle connection is closed, and may ask
/// again; on a fresh one it may expect an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the first one.
    Fresh,
    /// On a later one.
    Reused,
}

impl Kind {
    /// What `fault` amounts to at this place.
    pub fn of(fault: Fault, place: Place) -> Self {
        match fault {
            Fault::Refused => Self::Refused,
            Fault::Reset => Self::Reset(place),
            Fault::Closed => Self::Closed(place),
            Fault::Truncated => Self::Truncated,
            Fault::Timeout => Self::Timeout,
            Fault::Garbled(what) => Self::Wrong(what),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fresh => "on a fresh connection",
            Self::Reused => "on a reused connection",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => write!(formatter, "refused"),
            Self::Reset(place) => write!(formatter, "reset {place}"),
            Self::Closed(place) => write!(formatter, "closed without a byte {place}"),
            Self::Truncated => write!(formatter, "truncated"),
            Self::Timeout => write!(formatter, "timeout"),
            Self::Wrong(what) => write!(formatter, "wrong: {what}"),
        }
    }
}

/// One request that was not answered as it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What happened.
    pub kind: Kind,
    /// Who answered before on this connection, as its header `X-Worker` said; `None` on a fresh connection, and where
    /// answers have no such header.
    pub worker: Option<String>,
    /// When the request was begun.
    pub began: Instant,
    /// When it had failed.
    pub ended: Instant,
}

/// How many of each kind there are.
pub fn counts<'a>(anomalies: impl IntoIterator<Item = &'a Anomaly>) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for anomaly in anomalies {
        *counts.entry(anomaly.kind.clone()).or_default() += 1;
    }
    counts
}
