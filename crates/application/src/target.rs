//! Request targets and versions that the parser's types cannot hold as the client sent them.
//!
//! `http::Uri` drops fragments, wants a path after an authority and refuses some printable bytes;
//! `http::Version` knows five versions. The worker gives the parser something it can hold in such
//! a case, and keeps what was sent as an extension of the head: [`AsSent`]. What asks for a target
//! or a version asks here.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;

use http::Version;
use http::request::Parts;

/// An extension of a head: what its target and version really are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsSent {
    /// The target, where it is not `head.uri`.
    pub target: Option<Target>,
    /// Major and minor version, where it is not `head.version`.
    pub version: Option<(u8, u8)>,
}

/// A target of any form, and where its parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    raw: Box<str>,
    path: Range<usize>,
    query: Range<usize>,
}

impl Target {
    /// Finds the parts. `None` if the brackets of its host make no sense.
    ///
    /// A target that begins with a slash is a path; otherwise what stands before the first colon is
    /// a scheme, if it can be one, and what stands after two slashes a host.
    pub fn parse(raw: &str) -> Option<Self> {
        let scheme = if raw.starts_with('/') { 0 } else { scheme_length(raw) };
        let mut start = scheme;
        if !raw.starts_with('/')
            && let Some(behind) = raw[start..].strip_prefix("//")
        {
            let length = behind.find(['/', '?', '#']).unwrap_or(behind.len());
            if !has_sound_brackets(&behind[..length]) {
                return None;
            }
            start += "//".len() + length;
        }
        let end = raw[start..].find('#').map_or(raw.len(), |at| start + at);
        let (path, query) = match raw[start..end].find('?') {
            Some(at) => (start..start + at, start + at + 1..end),
            None => (start..end, end..end),
        };
        Some(Self { raw: raw.into(), path, query })
    }

    /// All of it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The path, with its percent-escapes.
    pub fn path(&self) -> &str {
        &self.raw[self.path.clone()]
    }

    /// The query; empty if there is none.
    pub fn query(&self) -> &str {
        &self.raw[self.query.clone()]
    }
}

/// Bytes of `scheme:` at the beginning.
fn scheme_length(raw: &str) -> usize {
    let is_scheme = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    raw.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).map_or(0, |(scheme, _)| scheme.len() + 1)
}

/// Brackets belong around an IPv6 address, or around an address of a later version.
fn has_sound_brackets(authority: &str) -> bool {
    match (authority.find('['), authority.find(']')) {
        (None, None) => true,
        (Some(open), Some(close)) if open < close => {
            let host = &authority[open + 1..close];
            let later = host.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
            host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
                || later.is_some_and(|(version, address)| {
                    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit()) && !address.is_empty()
                })
        }
        _ => false,
    }
}

fn sent(head: &Parts) -> Option<&Target> {
    head.extensions.get::<AsSent>()?.target.as_ref()
}

/// The target as the client sent it.
pub fn raw(head: &Parts) -> Cow<'_, str> {
    match (sent(head), head.uri.path_and_query(), head.uri.authority()) {
        (Some(target), _, _) => Cow::Borrowed(target.raw()),
        (None, Some(target), None) => Cow::Borrowed(target.as_str()),
        _ => Cow::Owned(head.uri.to_string()),
    }
}

/// The target's path, with its percent-escapes.
pub fn path(head: &Parts) -> &str {
    sent(head).map_or_else(|| head.uri.path(), Target::path)
}

/// A path with its percent-escapes resolved: bytes, in no particular encoding.
pub fn decoded(path: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(path).into()
}

/// The target's query; empty if there is none.
pub fn query(head: &Parts) -> &str {
    sent(head).map_or_else(|| head.uri.query().unwrap_or_default(), Target::query)
}

/// Major and minor version.
pub fn version(head: &Parts) -> (u8, u8) {
    let sent = head.extensions.get::<AsSent>().and_then(|sent| sent.version);
    sent.unwrap_or(match head.version {
        Version::HTTP_10 => (1, 0),
        Version::HTTP_2 => (2, 0),
        _ => (1, 1),
    })
}

/// The version in words: `HTTP/1.1`.
pub fn protocol(head: &Parts) -> Cow<'static, str> {
    match version(head) {
        (1, 1) => Cow::Borrowed("HTTP/1.1"),
        (1, 0) => Cow::Borrowed("HTTP/1.0"),
        (major, minor) => Cow::Owned(format!("HTTP/{major}.{minor}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_parts() {
        for (raw, path, query) in [
            ("/a?b=c?d#e?f", "/a", "b=c?d"),
            ("/a#b?c", "/a", ""),
            ("//host/a", "//host/a", ""),
            ("http://host", "", ""),
            ("HTTP://host:80/a?b", "/a", "b"),
            ("http:///a", "/a", ""),
            ("http://[::1]:80/a", "/a", ""),
            ("http://[fe80::1%eth0]?b", "", "b"),
            ("host:443", "443", ""),
            ("127.0.0.1:443", "127.0.0.1:443", ""),
            ("a?b=c://d", "a", "b=c://d"),
            ("*", "*", ""),
        ] {
            let target = Target::parse(raw).unwrap();
            assert_eq!((target.raw(), target.path(), target.query()), (raw, path, query));
        }
        for raw in ["http://[::1/a", "http://::1]/a", "http://[nonsense]/a", "http://]::1[/a"] {
            assert_eq!(Target::parse(raw), None, "{raw}");
        }
    }
}
