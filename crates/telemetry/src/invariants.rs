//! What must hold of the access log whatever the operator's format is and whatever a client sends. `fuzz/` looks for bytes for which it does
//! not; a unit test tries some at random.

use std::time::Duration;

use ferricorn_application::target::{AsSent, Target};
use ferricorn_application::{Connection, Peer};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::access_log::{Entry, Format};

/// Panics unless a format is taken or refused for what is in it, and a request makes one line, in which the client has put no control
/// character. The first line is the format, the second method and target, the others are fields.
pub fn access_log(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let format = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    assert_text_is_kept(&format);
    let format = match Format::parse(&format) {
        Ok(format) => format,
        Err(error) => {
            assert_eq!(format.chars().nth(error.position), Some('%'), "{format:?}");
            return;
        }
    };
    let innocent = line(&format, &head(&[], &[]), &HeaderMap::new());
    let head = head(lines.next().unwrap_or_default(), &lines.collect::<Vec<_>>());
    let logged = line(&format, &head, &head.headers);
    assert_eq!(logged.last(), Some(&b'\n'));
    // Those that are there are the format's own.
    let controls = |line: &[u8]| line.iter().copied().filter(u8::is_ascii_control).collect::<Vec<_>>();
    assert_eq!(controls(&logged), controls(&innocent), "{}", String::from_utf8_lossy(&logged));
}

/// Text in which every mark is doubled is nothing but text.
fn assert_text_is_kept(text: &str) {
    let format = Format::parse(&text.replace('%', "%%")).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let kept = line(&format, &head(&[], &[]), &HeaderMap::new());
    assert_eq!(String::from_utf8_lossy(&kept), format!("{text}\n"));
}

/// A head, as far as such a one can come from a client.
fn head(line: &[u8], fields: &[&[u8]]) -> Parts {
    let mut request = http::Request::new(());
    let mut words = line.splitn(2, |byte| *byte == b' ');
    if let Ok(method) = Method::from_bytes(words.next().unwrap_or_default()) {
        *request.method_mut() = method;
    }
    let target = String::from_utf8_lossy(words.next().unwrap_or_default());
    if target.bytes().all(|byte| byte.is_ascii_graphic())
        && let Some(target) = Target::parse(&target)
    {
        request.extensions_mut().insert(AsSent { target: Some(target), version: None });
    }
    for field in fields {
        let colon = field.iter().position(|byte| *byte == b':').unwrap_or(0);
        let (name, value) = (HeaderName::from_bytes(&field[..colon]), field.get(colon + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    }
    request.into_parts().0
}

fn line(format: &Format, request: &Parts, response_headers: &HeaderMap) -> Vec<u8> {
    let peer = || Peer::Tcp(([127, 0, 0, 1], 80).into());
    let connection = Connection {
        tls: Default::default(),
        remote: peer(),
        local: peer(),
        proxied: Default::default(),
        socket: Box::new(std::io::stdin()),
    };
    let entry = Entry {
        request,
        connection: &connection,
        status: 200,
        response_headers,
        sent: 1,
        elapsed: Duration::from_micros(1),
        annotations: &[],
    };
    let mut line = Vec::new();
    format.append(&mut line, &entry);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_formats_and_requests_put_together_at_random() {
        let mut random = fastrand::Rng::with_seed(4);
        let formats = [
            "%", "%%", "%(h)s", "%(U)s", "%(q)s", "%(r)s", "%(u)s", "%({a}i)s", "%({a}o)s", "%(", ")s", "é\t", "x", "}",
        ];
        let rest = [
            "\nGET ",
            "/a",
            "%0a",
            "%22",
            "?",
            "\"",
            "\\",
            "%",
            "\na:",
            "\nAuthorization:Basic ",
            "YQpiOmM=",
            "\t",
            "é",
            "\nx",
        ];
        let add = |bytes: &mut Vec<u8>, from: &[&str], random: &mut fastrand::Rng| {
            for _ in 0..random.usize(..8) {
                bytes.extend(from[random.usize(..from.len())].bytes());
            }
        };
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            add(&mut bytes, &formats, &mut random);
            add(&mut bytes, &rest, &mut random);
            access_log(&bytes);
        }
    }
}
