//! Where metrics go, as the operator wrote it. Names are not resolved here and nothing is opened.

use crate::integer::decimal;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Port of an address that names none.
const DEFAULT_PORT: u16 = 8125;

/// Where a statsd server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatsdAddress {
    /// A UDP address.
    Udp {
        /// Lower case name, IPv4 address, or IPv6 address without its brackets.
        host: String,
        /// Never guessed: 8125 unless the address names one.
        port: u16,
    },
    /// A unix datagram socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
}

impl StatsdAddress {
    /// `host:port`, `host`, `[v6]:port`, any of them after `tcp://` as Gunicorn takes it, `unix:path`, `unix://path`.
    /// `unix:8125` is the host named unix, as it has always been.
    pub fn parse(text: &str) -> Result<StatsdAddress, String> {
        let wrong = || "must be host:port or unix://PATH".to_owned();
        if let Some(rest) = text.strip_prefix("unix:")
            && (rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_digit()))
        {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            return if path.is_empty() { Err(wrong()) } else { Ok(StatsdAddress::Unix { path: path.into() }) };
        }
        let (host, port) = host_and_port(text.strip_prefix("tcp://").unwrap_or(text)).ok_or_else(wrong)?;
        Ok(StatsdAddress::Udp { host: host.to_lowercase(), port })
    }
}

fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, rest) = match (text.strip_prefix('['), text.find(']')) {
        (Some(_), Some(end)) => (&text[1..end], &text[end + 1..]),
        _ => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => u16::try_from(decimal(port)?).ok()?,
        None => DEFAULT_PORT,
    };
    // An empty host is every address of this machine to Gunicorn, which amounts to this one.
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    (rest.is_empty() || rest.starts_with(':')).then_some((host, port))
}

/// What comes before every metric's name. Gunicorn ends a prefix in one dot, unless it is a single letter.
pub(crate) fn metric_prefix(text: &str) -> String {
    let bare = text.trim_end_matches('.');
    match bare.chars().nth(1) {
        Some(_) => format!("{bare}."),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let udp = |host: &str, port| StatsdAddress::Udp { host: host.to_owned(), port };
        let unix = |path: &str| StatsdAddress::Unix { path: path.into() };
        let forms = [
            ("LocalHost:9", udp("localhost", 9)),
            ("localhost", udp("localhost", 8125)),
            ("", udp("0.0.0.0", 8125)),
            ("[::1]:9", udp("::1", 9)),
            ("[::1]", udp("::1", 8125)),
            ("tcp://a:1", udp("a", 1)),
            ("unix:8125", udp("unix", 8125)),
            ("unix:///run/statsd", unix("/run/statsd")),
            ("unix:statsd", unix("statsd")),
        ];
        for (text, address) in forms {
            assert_eq!(StatsdAddress::parse(text), Ok(address), "{text}");
        }
        for text in ["a:x", "a:", "a:99999", "unix://", "unix:", "fd://3", "[::1]9"] {
            assert_eq!(StatsdAddress::parse(text), Err("must be host:port or unix://PATH".to_owned()), "{text}");
        }
    }

    #[test]
    fn prefixes_end_in_one_dot_as_in_the_original() {
        for (text, prefix) in [("", ""), ("app", "app."), ("app...", "app."), ("a.b", "a.b."), ("a", "a"), ("a.", "a.")]
        {
            assert_eq!(metric_prefix(text), prefix, "{text}");
        }
    }
}
