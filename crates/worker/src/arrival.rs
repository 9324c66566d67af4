//! A connection on its way from one worker to another: its descriptor, and in words what is known of it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ferricorn_application::{Endpoint, Proxied};
use ferricorn_unix::channel::Received;
use serde::{Deserialize, Serialize};

use crate::standing::Standing;

/// All that a proxy's word can say about how a connection came to it.
const PROTOCOLS: [&str; 4] = ["TCP4", "TCP6", "LOCAL", "UNSPEC"];

/// What travels with the descriptor. The client's address is the socket's own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Words {
    listener: usize,
    /// By the monotonic clock.
    since: Option<Duration>,
    proxied: Option<Told>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    protocol: String,
    ends: Option<[(String, u16); 2]>,
}

/// What has come out of the queue.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) descriptor: OwnedFd,
    /// The number of the listener that it came from; workers that share a queue share their listeners.
    pub(crate) listener: usize,
    /// Since when its request waits, by the monotonic clock; `None`: it has not had to wait.
    pub(crate) since: Option<Duration>,
    pub(crate) proxied: Option<Proxied>,
}

/// What to say about a connection.
pub(crate) fn describe(standing: &Standing) -> io::Result<Vec<u8>> {
    let proxied = standing.connection.proxied.get().map(|proxied| Told {
        protocol: proxied.protocol.to_owned(),
        ends: proxied.ends.clone().map(|(client, proxy)| [client, proxy].map(|end| (end.address, end.port))),
    });
    Ok(serde_json::to_vec(&Words { listener: standing.listener, since: standing.waits_since(), proxied })?)
}

/// Makes sense of what came out of the queue; `None`: nothing has.
pub(crate) fn understand(received: Received) -> io::Result<Option<Arrival>> {
    let (words, descriptors) = match received {
        Received::Message(words, descriptors) => (words, descriptors),
        Received::Nothing | Received::Closed => return Ok(None),
    };
    let Words { listener, since, proxied } = serde_json::from_slice(&words)?;
    let missing = || io::Error::other("a connection was passed on without its descriptor");
    let descriptor = descriptors.into_iter().next().ok_or_else(missing)?;
    Ok(Some(Arrival { descriptor, listener, since, proxied: proxied.map(proxied_of).transpose()? }))
}

fn proxied_of(told: Told) -> io::Result<Proxied> {
    let known = PROTOCOLS.into_iter().find(|protocol| *protocol == told.protocol);
    let protocol = known.ok_or_else(|| io::Error::other(format!("no proxy says {}", told.protocol)))?;
    let end = |(address, port)| Endpoint { address, port };
    Ok(Proxied { protocol, ends: told.ends.map(|ends| ends.map(end).into()) })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::{Arc, OnceLock};

    use ferricorn_application::{Connection, Peer};
    use ferricorn_unix::channel::Channel;

    use super::*;

    fn carried(proxied: Option<Proxied>) -> Arrival {
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let connection = Connection {
            remote: Peer::Unix("".into()),
            local: Peer::Unix("".into()),
            proxied: proxied.map_or_else(OnceLock::new, OnceLock::from),
            socket: Box::new(OwnedFd::from(socket)),
            tls: OnceLock::new(),
        };
        let standing = Standing::new(0, Arc::new(connection), 3, Some(Duration::from_secs(5)));
        let (give, take) = Channel::pair().unwrap();
        let socket = standing.connection.socket.as_fd();
        assert!(give.try_send(&describe(&standing).unwrap(), &[socket]).unwrap());
        understand(take.try_receive().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn what_is_known_of_a_connection_goes_with_it() {
        let end = |address: &str, port| Endpoint { address: address.to_owned(), port };
        for ends in [None, Some((end("1.2.3.4", 5), end("::1", 65535)))] {
            for protocol in PROTOCOLS {
                let proxied = Proxied { protocol, ends: ends.clone() };
                let arrival = carried(Some(proxied.clone()));
                assert_eq!((arrival.listener, arrival.proxied), (3, Some(proxied)));
                assert_eq!(arrival.since, Some(Duration::from_secs(5)));
            }
        }
        assert_eq!(carried(None).proxied, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (give, take) = Channel::pair().unwrap();
        for words in ["{}", "{\"listener\":0,\"proxied\":null}"] {
            give.send(words.as_bytes(), &[]).unwrap();
            assert!(understand(take.try_receive().unwrap()).is_err(), "{words}");
        }
        assert!(understand(take.try_receive().unwrap()).unwrap().is_none());
    }
}
