//! One listen address as the operator wrote it. Names are not resolved here and nothing is bound.

use crate::integer::decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Port of an address that names none.
const DEFAULT_PORT: u16 = 8000;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bind {
    /// A TCP address.
    Tcp {
        /// Lower case name, IPv4 address, or IPv6 address without its brackets.
        host: String,
        /// Zero lets the kernel choose.
        port: u16,
    },
    /// A unix socket.
    Unix {
        /// A path, or a name that starts with a NUL byte and lives outside the file system.
        path: PathBuf,
    },
    /// A socket this process inherited.
    Fd {
        /// Its number.
        fd: i32,
    },
}

impl FromStr for Bind {
    type Err = String;

    /// `host:port`, `host`, `:port`, `[v6]:port`, `[v6]`, any of them after `tcp://`; `unix:path`, `unix://path`;
    /// `fd://N`.
    fn from_str(text: &str) -> Result<Bind, String> {
        if let Some(number) = text.strip_prefix("fd://") {
            let fd = number.parse().ok().filter(|fd| *fd >= 0);
            return fd.map(|fd| Bind::Fd { fd }).ok_or_else(|| format!("'{number}' is not a valid file descriptor."));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return unix(path);
        }
        tcp(text.strip_prefix("tcp://").unwrap_or(text))
    }
}

fn unix(path: &str) -> Result<Bind, String> {
    match path {
        "" => Err("a unix socket needs a path.".to_owned()),
        path => Ok(Bind::Unix { path: path.into() }),
    }
}

fn tcp(address: &str) -> Result<Bind, String> {
    let (host, rest) = match (address.strip_prefix('['), address.find(']')) {
        (Some(_), Some(end)) => (&address[1..end], &address[end + 1..]),
        _ => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    // Text between a bracket and the colon is no port either: better refused than listened elsewhere.
    let port = match rest.strip_prefix(':') {
        Some(port) => port_number(port)?,
        None if rest.is_empty() => DEFAULT_PORT,
        None => return Err(format!("'{rest}' is not a valid port number.")),
    };
    let host = if host.is_empty() { "0.0.0.0".to_owned() } else { host.to_lowercase() };
    Ok(Bind::Tcp { host, port })
}

fn port_number(text: &str) -> Result<u16, String> {
    let number = decimal(text).and_then(|number| u16::try_from(number).ok());
    number.ok_or_else(|| format!("'{text}' is not a valid port number."))
}

/// In the form that `FromStr` takes, as Gunicorn's log lines show it.
impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Bind::Tcp { host, port } => write!(f, "{host}:{port}"),
            Bind::Unix { path } => write!(f, "unix:{}", path.display()),
            Bind::Fd { fd } => write!(f, "fd://{fd}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Result<Bind, String> {
        Ok(Bind::Tcp { host: host.to_owned(), port })
    }

    fn unix(path: &str) -> Result<Bind, String> {
        Ok(Bind::Unix { path: path.into() })
    }

    #[test]
    fn every_form_is_read() {
        let forms = [
            ("LocalHost:1", tcp("localhost", 1)),
            ("80", tcp("80", 8000)),
            (":5", tcp("0.0.0.0", 5)),
            ("", tcp("0.0.0.0", 8000)),
            ("[::1]:80", tcp("::1", 80)),
            ("[::]", tcp("::", 8000)),
            ("tcp://h:9", tcp("h", 9)),
            ("tcp://[::1]:9", tcp("::1", 9)),
            ("unix:x", unix("x")),
            ("unix://x", unix("x")),
            ("unix:///x", unix("/x")),
            ("unix:\0x", unix("\0x")),
            ("fd://3", Ok(Bind::Fd { fd: 3 })),
        ];
        for (text, bind) in forms {
            assert_eq!(text.parse(), bind, "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (text, port) in
            [("a:x", "x"), ("a:", ""), ("a:99999", "99999"), ("a:-1", "-1"), ("[::1]80", "80"), ("::1", ":1")]
        {
            assert_eq!(text.parse::<Bind>(), Err(format!("'{port}' is not a valid port number.")), "{text}");
        }
        assert_eq!("fd://x".parse::<Bind>(), Err("'x' is not a valid file descriptor.".to_owned()));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["a:1", "[::1]:2", "unix:/x y", "fd://7"] {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
    }
}
