//! The PROXY protocol: a header before the first request, in which the proxy in front says whose
//! connection it is. In words (version 1) or binary (version 2); it may be absent.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ferricorn_application::{Connection, Endpoint, Peer, Proxied};
use ferricorn_settings::{ProxyProtocol, Settings};

use crate::refusal::Refusal;

const PREFIX: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header in words, with its end, by the protocol's own reckoning.
const LONGEST_LINE: usize = 107;
/// Signature, version, family and length of a binary header.
const FIXED: usize = SIGNATURE.len() + 4;

/// A connection that may begin with such a header.
pub(crate) struct Preface {
    versions: ProxyProtocol,
    /// Whether this peer may say so.
    trusted: bool,
    connection: Arc<Connection>,
}

/// What the beginning of a connection is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// More is needed to say.
    Unknown,
    /// No such header.
    Plain,
    /// A header of this length.
    Header(usize, Proxied),
}

impl Preface {
    /// `None`: nobody asks for it.
    pub(crate) fn expected(settings: &Settings, connection: &Arc<Connection>) -> Option<Self> {
        let trusted = match &connection.remote {
            Peer::Tcp(address) => settings.proxy_allow_ips.allows(address.ip()),
            Peer::Unix(_) => true,
        };
        let versions = settings.proxy_protocol;
        let connection = Arc::clone(connection);
        (versions != ProxyProtocol::Off).then_some(Self { versions, trusted, connection })
    }

    /// Reads the header and notes what it says. `None`: more is needed; else its length, 0 if there
    /// is none.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let forbidden = || Refusal::proxy(&self.connection.remote_address());
        let may_speak = || if self.trusted { Ok(()) } else { Err(forbidden()) };
        match read(bytes, self.versions, may_speak)? {
            Beginning::Unknown => Ok(None),
            Beginning::Plain => Ok(Some(0)),
            Beginning::Header(length, proxied) => {
                // Read once, set once.
                let _ = self.connection.proxied.set(proxied);
                Ok(Some(length))
            }
        }
    }
}

/// `may_speak` is asked as soon as there is a header, whatever it says.
fn read(
    bytes: &[u8],
    versions: ProxyProtocol,
    may_speak: impl Fn() -> Result<(), Refusal>,
) -> Result<Beginning, Refusal> {
    let words = matches!(versions, ProxyProtocol::V1 | ProxyProtocol::Auto);
    let binary = matches!(versions, ProxyProtocol::V2 | ProxyProtocol::Auto);
    if binary && bytes.starts_with(SIGNATURE) {
        may_speak()?;
        return read_binary(bytes);
    }
    if words && bytes.starts_with(PREFIX) {
        may_speak()?;
        return read_words(bytes);
    }
    let may_become = |start: &[u8]| start.starts_with(bytes);
    if (binary && may_become(SIGNATURE)) || (words && may_become(PREFIX)) {
        Ok(Beginning::Unknown)
    } else {
        Ok(Beginning::Plain)
    }
}

fn read_words(bytes: &[u8]) -> Result<Beginning, Refusal> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n").filter(|end| *end <= LONGEST_LINE - 2) else {
        let start = &bytes[..bytes.len().min(LONGEST_LINE)];
        return if start.len() < LONGEST_LINE { Ok(Beginning::Unknown) } else { Err(Refusal::proxy_line(start)) };
    };
    let line = &bytes[..end];
    let malformed = || Refusal::proxy_line(line);
    let text = std::str::from_utf8(line).map_err(|_| malformed())?;
    let parts: Vec<&str> = text.split(' ').collect();
    let [_, protocol, client, proxy, client_port, proxy_port] = parts[..] else { return Err(malformed()) };
    let (protocol, is_address): (_, fn(&str) -> bool) = match protocol {
        "TCP4" => ("TCP4", |text| text.parse::<Ipv4Addr>().is_ok()),
        "TCP6" => ("TCP6", |text| text.parse::<Ipv6Addr>().is_ok()),
        other => return Err(Refusal::proxy_line(format!("protocol '{other}' not supported").as_bytes())),
    };
    if !is_address(client) || !is_address(proxy) {
        return Err(malformed());
    }
    let end_at = |address: &str, port: &str| match port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse())
    {
        Some(Ok(port)) => Ok(Endpoint { address: address.to_owned(), port }),
        _ => Err(Refusal::proxy_line(&[&b"invalid port "[..], line].concat())),
    };
    let ends = Some((end_at(client, client_port)?, end_at(proxy, proxy_port)?));
    Ok(Beginning::Header(end + 2, Proxied { protocol, ends }))
}

fn read_binary(bytes: &[u8]) -> Result<Beginning, Refusal> {
    let Some(fixed) = bytes.get(SIGNATURE.len()..FIXED) else { return Ok(Beginning::Unknown) };
    let (version, command) = (fixed[0] >> 4, fixed[0] & 0xf);
    let (family, transport) = (fixed[1] >> 4, fixed[1] & 0xf);
    if version != 2 {
        return Err(Refusal::proxy_header(&format!("unsupported version {version}")));
    }
    if command > 1 {
        return Err(Refusal::proxy_header(&format!("unsupported command {command}")));
    }
    let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    let Some(addresses) = bytes.get(FIXED..FIXED + length) else { return Ok(Beginning::Unknown) };
    let header = |protocol, ends| Ok(Beginning::Header(FIXED + length, Proxied { protocol, ends }));
    match (command, transport, family) {
        (0, _, _) => header("LOCAL", None),
        (_, 1, 0) => header("UNSPEC", None),
        (_, 1, 1) => header("TCP4", Some(ends::<4>(addresses, "IPv4")?)),
        (_, 1, 2) => header("TCP6", Some(ends::<16>(addresses, "IPv6")?)),
        (_, 1, other) => Err(Refusal::proxy_header(&format!("unsupported address family {other}"))),
        _ => Err(Refusal::proxy_header("only TCP protocol is supported")),
    }
}

/// Both addresses, of so many bytes each, then both ports.
fn ends<const SIZE: usize>(bytes: &[u8], family: &str) -> Result<(Endpoint, Endpoint), Refusal> {
    let Some((addresses, ports)) = bytes.split_at_checked(2 * SIZE).filter(|(_, ports)| ports.len() >= 4) else {
        return Err(Refusal::proxy_header(&format!("insufficient address data for {family}")));
    };
    let end = |address: &[u8], port: &[u8]| Endpoint {
        address: in_words(address),
        port: u16::from_be_bytes([port[0], port[1]]),
    };
    Ok((end(&addresses[..SIZE], &ports[..2]), end(&addresses[SIZE..], &ports[2..4])))
}

fn in_words(address: &[u8]) -> String {
    match address.try_into().map(|bytes: [u8; 4]| Ipv4Addr::from(bytes)) {
        Ok(address) => address.to_string(),
        Err(_) => <[u8; 16]>::try_from(address).map(|bytes| Ipv6Addr::from(bytes).to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(bytes: &[u8], versions: ProxyProtocol) -> Result<Beginning, String> {
        read(bytes, versions, || Ok(())).map_err(|refusal| refusal.cause)
    }

    fn ends(client: (&str, u16), proxy: (&str, u16)) -> Option<(Endpoint, Endpoint)> {
        let end = |(address, port): (&str, u16)| Endpoint { address: address.to_owned(), port };
        Some((end(client), end(proxy)))
    }

    /// A binary header of version 2.
    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[0x20 | command, family], &length, addresses].concat()
    }

    /// Panics unless the header says this, and nothing before it is complete.
    #[track_caller]
    fn assert_says(header: &[u8], protocol: &'static str, ends: Option<(Endpoint, Endpoint)>) {
        let bytes = [header, b"GET /"].concat();
        let expected = Beginning::Header(header.len(), Proxied { protocol, ends });
        assert_eq!(begin(&bytes, ProxyProtocol::Auto), Ok(expected));
        for end in 0..header.len() {
            assert_eq!(begin(&bytes[..end], ProxyProtocol::Auto), Ok(Beginning::Unknown), "{end}");
        }
    }

    #[test]
    fn words_are_read() {
        assert_says(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 65535\r\n", "TCP4", ends(("1.2.3.4", 9), ("5.6.7.8", 65535)));
        assert_says(b"PROXY TCP6 ::FFFF:1.2.3.4 ::1 0 1\r\n", "TCP6", ends(("::FFFF:1.2.3.4", 0), ("::1", 1)));
    }

    #[test]
    fn binary_headers_are_read() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 1, 0];
        assert_says(&binary(1, 0x11, &v4), "TCP4", ends(("1.2.3.4", 9), ("5.6.7.8", 256)));
        // What follows the addresses is for others.
        assert_says(&binary(1, 0x11, &[&v4[..], b"more"].concat()), "TCP4", ends(("1.2.3.4", 9), ("5.6.7.8", 256)));
        let mut v6 = [0; 36];
        (v6[15], v6[31], v6[33]) = (1, 2, 3);
        assert_says(&binary(1, 0x21, &v6), "TCP6", ends(("::1", 3), ("::2", 0)));
        assert_says(&binary(0, 0, b""), "LOCAL", None);
        assert_says(&binary(0, 0xff, b"x"), "LOCAL", None);
        assert_says(&binary(1, 0x01, b""), "UNSPEC", None);
    }

    #[test]
    fn a_header_may_be_absent_or_of_another_version() {
        for bytes in [&b"GET / HTTP/1.1"[..], b"PROPFIND / HTTP/1.1", b"\r\nGET /", b"\r\n\r\n\r\n"] {
            assert_eq!(begin(bytes, ProxyProtocol::Auto), Ok(Beginning::Plain));
        }
        assert_eq!(begin(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 9\r\n", ProxyProtocol::V2), Ok(Beginning::Plain));
        assert_eq!(begin(&binary(0, 0, b""), ProxyProtocol::V1), Ok(Beginning::Plain));
    }

    #[test]
    fn malformed_headers_are_refused() {
        for line in [
            "PROXY \r\n",
            "PROXY UNKNOWN\r\n",
            "PROXY UDP4 1.2.3.4 5.6.7.8 9 9\r\n",
            "PROXY TCP4 1.2.3 5.6.7.8 9 9\r\n",
            "PROXY TCP4 ::1 ::1 9 9\r\n",
            "PROXY TCP6 1.2.3.4 5.6.7.8 9 9\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 +9 9\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8  9 9\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 9 9 9\r\n",
            "PROXY TCP4 \u{661}.2.3.4 5.6.7.8 9 9\r\n",
        ] {
            assert!(
                begin(line.as_bytes(), ProxyProtocol::V1).unwrap_err().starts_with("Invalid PROXY line: "),
                "{line}"
            );
        }
        assert!(begin(&[PREFIX, &[b'x'; 101]].concat(), ProxyProtocol::V1).is_err());
        assert_eq!(begin(&[PREFIX, &[b'x'; 100]].concat(), ProxyProtocol::V1), Ok(Beginning::Unknown));
        let mut other_version = binary(1, 0x11, &[0; 12]);
        other_version[12] = 0x31;
        for header in [
            other_version,
            binary(2, 0x11, &[0; 12]),
            binary(1, 0x12, &[0; 12]),
            binary(1, 0x31, &[0; 216]),
            binary(1, 0x11, &[0; 11]),
            binary(1, 0x21, &[0; 35]),
        ] {
            assert!(begin(&header, ProxyProtocol::Auto).unwrap_err().starts_with("Invalid PROXY header: "));
        }
    }

    #[test]
    fn who_may_not_speak_is_not_heard() {
        let refused = |bytes: &[u8]| read(bytes, ProxyProtocol::Auto, || Err(Refusal::proxy("1.2.3.4")));
        assert_eq!(refused(b"PROXY nonsense").unwrap_err().status.as_u16(), 403);
        assert_eq!(refused(&binary(9, 9, b"")).unwrap_err().cause, "Proxy request from '1.2.3.4' not allowed");
        assert_eq!(refused(b"GET / HTTP/1.1"), Ok(Beginning::Plain));
    }
}
