//! The rules of a request line: method, target, version.

use std::borrow::Cow;

use ferricorn_application::target::{AsSent, Target};

use crate::refusal::{Refusal, quoted};
use crate::rules::{self, Rules};

/// The longest target that the parser's Uri holds.
const LONGEST_TARGET: usize = 65534;

/// The method that the parser is told in CONNECT's place, which would make it open a tunnel.
const TOLD_FOR_CONNECT: &str = "POST";

/// A line that may be served.
#[derive(Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) version: (u8, u8),
    /// CONNECT: whatever follows the request is not HTTP.
    pub(crate) connects: bool,
    /// What the parser is not told.
    pub(crate) sent: Option<Box<AsSent>>,
    /// What the parser is told in the line's place, without the line's end.
    pub(crate) replacement: Option<Vec<u8>>,
}

/// Judges a line, which comes without its end.
pub(crate) fn judge(line: &[u8], rules: &Rules) -> Result<RequestLine, Refusal> {
    let not_three = || Refusal::request_line(line);
    let (method, rest) = split(line).ok_or_else(not_three)?;
    let (target, version) = split(rest).ok_or_else(not_three)?;
    let method = judge_method(method, rules)?;
    let odd_target = judge_target(&method, target).ok_or_else(not_three)?;
    let version = judge_version(version, rules)?;
    let connects = *method == *b"CONNECT";
    let odd_version = !matches!(version, (1, 0 | 1));
    if odd_target.is_none() && !odd_version && !connects && matches!(method, Cow::Borrowed(_)) {
        return Ok(RequestLine { version, connects, sent: None, replacement: None });
    }
    let mut replacement = if connects { TOLD_FOR_CONNECT.as_bytes().to_vec() } else { method.into_owned() };
    replacement.push(b' ');
    replacement.extend_from_slice(if odd_target.is_some() { b"/" } else { target });
    replacement.extend_from_slice(if version < (1, 1) { b" HTTP/1.0" } else { b" HTTP/1.1" });
    let sent = Box::new(AsSent { target: odd_target, version: odd_version.then_some(version) });
    Ok(RequestLine { version, connects, sent: Some(sent), replacement: Some(replacement) })
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The method, in upper case if that is asked for.
fn judge_method<'a>(method: &'a [u8], rules: &Rules) -> Result<Cow<'a, [u8]>, Refusal> {
    if matches!(method, b"GET" | b"POST" | b"HEAD" | b"PUT" | b"PATCH" | b"DELETE" | b"OPTIONS") {
        return Ok(Cow::Borrowed(method));
    }
    let has_lower_case = method.iter().any(u8::is_ascii_lowercase);
    let conventional = (3..=20).contains(&method.len()) && !has_lower_case && !method.contains(&b'#');
    if !(conventional || rules.permits_any_method) || !rules::is_token(method) {
        return Err(Refusal::method(method));
    }
    if rules.folds_method && has_lower_case {
        return Ok(Cow::Owned(method.to_ascii_uppercase()));
    }
    Ok(Cow::Borrowed(method))
}

/// The outer `None`: not a target. The inner one: nothing that the parser does not hold.
fn judge_target(method: &[u8], target: &[u8]) -> Option<Option<Target>> {
    if rules::is_plain_target(target) && target.len() <= LONGEST_TARGET {
        return Some(None);
    }
    if target == b"*" {
        return (method == b"OPTIONS").then_some(None);
    }
    let text = std::str::from_utf8(target).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
    let has_form = !text.is_empty() && (method == b"CONNECT" || text.starts_with('/') || text.contains("://"));
    Some(Some(Target::parse(text).filter(|_| has_form)?))
}

fn judge_version(version: &[u8], rules: &Rules) -> Result<(u8, u8), Refusal> {
    match version {
        b"HTTP/1.1" => Ok((1, 1)),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            let (major, minor) = (major - b'0', minor - b'0');
            if major == 1 || rules.permits_any_version {
                Ok((major, minor))
            } else {
                Err(Refusal::version(&format!("({major}, {minor})")))
            }
        }
        _ => Err(Refusal::version(&quoted(version))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        judge(line.as_bytes(), &Rules::default()).unwrap_err().cause
    }

    #[test]
    fn usual_lines_go_on_as_they_are() {
        for (line, version) in
            [("GET / HTTP/1.1", (1, 1)), ("POST /a%20b?c={d}^`<x HTTP/1.0", (1, 0)), ("OPTIONS * HTTP/1.1", (1, 1))]
        {
            let Ok(judged) = judge(line.replace('<', "").as_bytes(), &Rules::default()) else { panic!("{line}") };
            assert_eq!((judged.version, judged.sent, judged.replacement), (version, None, None), "{line}");
        }
    }

    #[test]
    fn what_the_parser_cannot_hold_is_kept_beside_it() {
        for (line, replacement, path) in [
            ("GET /a#b HTTP/1.1", "GET / HTTP/1.1", "/a"),
            ("GET /<a>?`b HTTP/1.1", "GET / HTTP/1.1", "/<a>"),
            ("GET http://host HTTP/1.0", "GET / HTTP/1.0", ""),
            ("CONNECT host:443 HTTP/1.1", "POST / HTTP/1.1", "443"),
        ] {
            let judged = judge(line.as_bytes(), &Rules::default()).unwrap();
            assert_eq!(judged.replacement.unwrap(), replacement.as_bytes());
            let target = judged.sent.unwrap().target.unwrap();
            assert_eq!((target.raw(), target.path()), (line.split(' ').nth(1).unwrap(), path));
        }
        let judged = judge(b"GET /a HTTP/1.7", &Rules::default()).unwrap();
        assert_eq!(judged.replacement.unwrap(), b"GET /a HTTP/1.1");
        assert_eq!(*judged.sent.unwrap(), AsSent { target: None, version: Some((1, 7)) });
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in ["", "GET", "GET /", "GET  / HTTP/1.1", "GET a HTTP/1.1", "GET * HTTP/1.1", "GET /\u{e9} HTTP/1.1"]
        {
            assert!(refused(line).starts_with("Invalid HTTP request line: '"), "{line}");
        }
        for line in ["GET http://[x HTTP/1.1", "GET host:80 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\rx HTTP/1.1"] {
            assert!(refused(line).starts_with("Invalid HTTP request line: '"), "{line}");
        }
        assert_eq!(refused("get / HTTP/1.1"), "Invalid HTTP method: 'get'");
        assert_eq!(refused("GE / HTTP/1.1"), "Invalid HTTP method: 'GE'");
        assert_eq!(refused("G(T / HTTP/1.1"), "Invalid HTTP method: 'G(T'");
        assert_eq!(refused("GET / HTTP/2.0"), "Invalid HTTP Version: (2, 0)");
        assert_eq!(refused("GET / HTTP/1.1 "), "Invalid HTTP Version: 'HTTP/1.1 '");
    }

    #[test]
    fn the_settings_permit_more() {
        let rules =
            Rules { permits_any_method: true, folds_method: true, permits_any_version: true, ..Rules::default() };
        let judged = judge(b"g#t / HTTP/0.9", &rules).unwrap();
        assert_eq!(judged.replacement.unwrap(), b"G#T / HTTP/1.0");
        assert_eq!(judged.sent.unwrap().version, Some((0, 9)));
        assert!(judge(b"options * HTTP/3.0", &rules).is_ok());
    }
}
