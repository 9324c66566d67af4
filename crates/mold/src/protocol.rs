//! What master and mold say to each other: one JSON message per datagram of a socketpair, and
//! with [`Order::Provide`] the descriptors that workers need.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use ferricorn_settings::Settings;
use ferricorn_telemetry::error_log::Level;
use ferricorn_unix::channel::{Channel, Received};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Raised with every change of a message: a reload may start a mold of another version of this
/// program, and two that do not understand each other must part with a clear word.
pub const PROTOCOL: u32 = 9;

/// The environment variable that tells a process it is a mold, and the number of its socket.
pub const MOLD_VARIABLE: &str = "FERRICORN_MOLD";

/// Why a mold was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Occasion {
    /// The server starts: what fails ends it.
    Start,
    /// A reload: what fails leaves everything as it was. There were so many workers wanted before it.
    Reload {
        /// The number of workers that were wanted.
        wanted: usize,
    },
    /// The mold of the generation that serves has died.
    Replacement,
}

/// A server hook that the mold calls at the master's word. Two more come with other orders: `pre_fork` with
/// [`Order::Spawn`], `child_exit` with [`Order::Ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hook {
    /// Before anything listens.
    OnStarting,
    /// The sockets listen, no worker exists yet.
    WhenReady,
    /// A reload is about to get its first worker.
    OnReload,
    /// Another number of workers is wanted; there was none before the first.
    WorkersChanged {
        /// How many now.
        new: usize,
        /// How many before.
        old: Option<usize>,
    },
    /// A new master is about to be started.
    PreExec,
    /// The server ends.
    OnExit,
}

/// A worker, as master and molds name it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its process.
    pub process: i32,
    /// How many workers there were before it.
    pub age: u64,
}

/// Something that the master has measured, for a logger that sends metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// So many workers are wanted.
    Workers(usize),
    /// So many connections wait to be accepted.
    Backlog(u32),
}

/// From the master to the mold. A closed socket means: leave.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Adopt these settings and load what is to be shared.
    Proceed {
        /// What the mold itself reported, or, when it replaces one that died, what that reported.
        settings: Box<Settings>,
        /// What this is for.
        occasion: Occasion,
    },
    /// Carries the descriptors of [`Provisions`](crate::Provisions), in their order.
    Provide {
        /// The workers there are, of whatever generation.
        roster: Vec<Member>,
        /// Of each listener, whether it ends with this server: nobody else has it.
        ours: Vec<bool>,
    },
    /// Fork a worker for this slot.
    Spawn {
        /// The scoreboard slot.
        slot: u32,
        /// How many workers there were before it, over the server's life.
        age: u64,
    },
    /// Call this hook.
    Call(Hook),
    /// Another mold has forked a worker.
    Born(Member),
    /// A worker has ended.
    Ended {
        /// Which one.
        worker: Member,
        /// Whether `child_exit` is to hear of it: not where its end is the server's.
        call_hook: bool,
    },
    /// Write this line of the master's with the logger of the application's language.
    Log {
        /// How grave it is.
        level: Level,
        /// What it says.
        message: String,
    },
    /// Give this to the logger of the application's language.
    Measure(Metric),
    /// Reopen log files.
    ReopenLogs,
    /// The server stops: no worker will be forked any more that would need the listeners.
    CloseListeners,
}

/// From the mold to the master.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The first word.
    Hello {
        /// [`PROTOCOL`] of the mold.
        protocol: u32,
        /// The version of its program.
        version: String,
    },
    /// The configuration has been evaluated.
    Configured {
        /// All of it.
        settings: Box<Settings>,
    },
    /// Everything shared is loaded: descriptors and orders can come.
    Ready,
    /// A hook of [`Order::Call`] has returned; one that failed and must not has led to [`Report::Leaving`].
    Called(Hook),
    /// A hook asks for so many workers.
    Wanted {
        /// How many.
        workers: usize,
    },
    /// A worker was forked.
    Forked {
        /// The slot it was forked for.
        slot: u32,
        /// Its process.
        worker: i32,
    },
    /// No worker could be forked.
    ForkFailed {
        /// The slot it was ordered for.
        slot: u32,
        /// Why.
        reason: String,
    },
    /// The mold ends: because something is wrong, or because all that was asked for was to check.
    Leaving {
        /// The exit status that it stands for at a first start.
        status: u8,
        /// What to tell the operator; may be empty, may have many lines.
        message: String,
    },
}

/// Why a message did not come through.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The socket failed.
    #[error("socket between master and mold: {0}")]
    Socket(#[from] io::Error),
    /// The other side speaks another dialect.
    #[error("unintelligible message between master and mold: {0}")]
    Message(#[from] serde_json::Error),
}

/// What came through.
#[derive(Debug)]
pub enum Incoming<T> {
    /// A message and its descriptors.
    Message(T, Vec<OwnedFd>),
    /// Nothing yet.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// A message as it travels.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ProtocolError> {
    Ok(serde_json::to_vec(message)?)
}

/// Sends one message.
pub fn send<T: Serialize>(channel: &Channel, message: &T, with: &[BorrowedFd<'_>]) -> Result<(), ProtocolError> {
    Ok(channel.send(&encode(message)?, with)?)
}

/// Waits for one message.
pub fn receive<T: DeserializeOwned>(channel: &Channel) -> Result<Incoming<T>, ProtocolError> {
    decode(channel.receive()?)
}

/// Takes one message if there is one.
pub fn try_receive<T: DeserializeOwned>(channel: &Channel) -> Result<Incoming<T>, ProtocolError> {
    decode(channel.try_receive()?)
}

fn decode<T: DeserializeOwned>(received: Received) -> Result<Incoming<T>, ProtocolError> {
    Ok(match received {
        Received::Message(bytes, descriptors) => Incoming::Message(serde_json::from_slice(&bytes)?, descriptors),
        Received::Nothing => Incoming::Nothing,
        Received::Closed => Incoming::Closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_through_and_strangers_are_refused() {
        let (master, mold) = Channel::pair().unwrap();
        send(&mold, &Report::Forked { slot: 3, worker: 77 }, &[]).unwrap();
        let Incoming::Message(Report::Forked { slot: 3, worker: 77 }, _) = receive(&master).unwrap() else {
            panic!("another message")
        };
        master.send(b"\"Dance\"", &[]).unwrap();
        assert!(matches!(receive::<Order>(&mold), Err(ProtocolError::Message(_))));
    }
}
