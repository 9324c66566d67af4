//! What must hold whatever a client sends. `fuzz/` looks for bytes for which it does not; a unit test tries some at random.

mod forwarded;

use std::rc::Rc;

use ferricorn_settings::ProxyProtocol;

use crate::chunks;
use crate::guard::{Guard, Notes, Step};
use crate::proxy_protocol::{self, Beginning};
use crate::rules::Rules;

pub use forwarded::forwarded;

/// What the parser sees of a stream, and how it was refused, if it was: the status.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    bytes: Vec<u8>,
    refused: Option<u16>,
}

/// Panics unless the guard lets the same through however the bytes arrive, and the parser understands what it lets through, and in
/// the same way. The first byte says in which pieces.
pub fn guard(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else { return };
    let whole = seen(stream, stream.len().max(1), &Rules::default());
    let in_pieces = seen(stream, usize::from(*piece).max(1), &Rules::default());
    assert_eq!(whole, in_pieces, "{}", String::from_utf8_lossy(stream));
    read_as_the_parser_does(&whole.bytes);
    // Other rules permit more, and what they permit the parser must understand as well.
    let permissive = Rules {
        permits_any_method: true,
        folds_method: true,
        permits_any_version: true,
        permits_folding: true,
        strips_blanks: true,
        ..Rules::default()
    };
    read_as_the_parser_does(&seen(stream, usize::from(*piece).max(1), &permissive).bytes);
}

fn seen(stream: &[u8], piece: usize, rules: &Rules) -> Seen {
    let mut guard = Guard::new(Rc::new(rules.clone()), Rc::new(Notes::default()), None);
    let (mut held, mut bytes) = (Vec::new(), Vec::new());
    for piece in stream.chunks(piece) {
        held.extend_from_slice(piece);
        loop {
            match guard.step(&held) {
                Ok(Step::Pass(count)) => bytes.extend(held.drain(..count)),
                Ok(Step::Replace(count, text)) => {
                    held.drain(..count);
                    bytes.extend(text);
                }
                Ok(Step::More) => break,
                Err(refusal) => return Seen { bytes, refused: Some(refusal.status.as_u16()) },
            }
        }
    }
    Seen { bytes, refused: None }
}

/// Reads requests with hyper's own parser of heads, and follows their bodies with the plainest code there is. Every head must be
/// complete and good, and have a body of a certain length.
fn read_as_the_parser_does(mut rest: &[u8]) {
    while !rest.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(rest);
        let Ok(httparse::Status::Complete(length)) = parsed else {
            panic!("{parsed:?}: {}", String::from_utf8_lossy(rest))
        };
        let target = request.path.unwrap_or_default();
        let held = http::Uri::try_from(target).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(held.path_and_query().map(|held| held.as_str()), Some(target));
        let all = |name: &str| {
            let same = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            same.map(|header| String::from_utf8_lossy(header.value).trim().to_ascii_lowercase()).collect::<Vec<_>>()
        };
        let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
        rest = &rest[length..];
        rest = match (&lengths[..], &codings[..]) {
            ([], []) => rest,
            ([length], []) => {
                let length = length.parse::<u64>().unwrap_or_else(|error| panic!("{length:?}: {error}"));
                &rest[usize::try_from(length).unwrap_or(usize::MAX).min(rest.len())..]
            }
            ([], codings) => {
                assert!(codings.last().is_some_and(|coding| coding.ends_with("chunked")), "{codings:?}");
                skip_chunks(rest)
            }
            both => panic!("{both:?}"),
        };
    }
}

/// What follows a chunked body, of which the end may be missing.
fn skip_chunks(mut rest: &[u8]) -> &[u8] {
    loop {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            assert!(rest.is_empty(), "half a size line: {rest:?}");
            return rest;
        };
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        let Some(size) = size else { panic!("{}", String::from_utf8_lossy(&rest[..end])) };
        rest = &rest[end + 2..];
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length >= rest.len() && size > 0 {
            return &rest[rest.len()..];
        }
        let behind = &rest[length..];
        match behind {
            [] => return behind,
            [b'\r', b'\n', after @ ..] if size == 0 => return after,
            [b'\r', b'\n', after @ ..] => rest = after,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
}

/// Panics unless a size line that is taken says what a plain reading of its digits says.
pub fn size_line(line: &[u8]) {
    if let Ok(chunk) = chunks::size_line(line) {
        let digits = std::str::from_utf8(&line[..chunk.digits]).unwrap_or_default();
        assert_eq!(u64::from_str_radix(digits, 16), Ok(chunk.size));
        assert!(line.get(chunk.digits).is_none_or(|next| b"; \t".contains(next)));
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
    }
}

/// Panics unless a header of the PROXY protocol is read alike, however it arrives.
pub fn proxy(bytes: &[u8]) {
    for versions in [ProxyProtocol::V1, ProxyProtocol::V2, ProxyProtocol::Auto] {
        let read = |end: usize| proxy_protocol::read(&bytes[..end], versions, || Ok(()));
        let whole = read(bytes.len());
        let first = (0..=bytes.len()).map(read).find(|result| *result != Ok(Beginning::Unknown));
        match (&whole, first.unwrap_or(Ok(Beginning::Unknown))) {
            // Of a line that is too long the first bytes are shown; they are the same.
            (Ok(whole), Ok(first)) => assert_eq!(*whole, first),
            (Err(whole), Err(first)) => assert_eq!(whole.status, first.status),
            (whole, first) => panic!("{whole:?}, but {first:?} when it had begun"),
        }
        if let Ok(Beginning::Header(length, _)) = whole {
            assert!(length <= bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [&str; 40] = [
        "GET ",
        "POST ",
        "get ",
        "/",
        "/a?b",
        "http://x/",
        "*",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/2.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        "Host: x\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length:",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding:",
        "Expect: 100-continue\r\n",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "0\r\n",
        "5;a=b\r\n",
        "hello",
        "A: b\r\n",
        "A : b\r\n",
        "A:\r\n b\r\n",
        "\0",
        "\u{e9}",
        ":",
        "chunked",
        "5",
        "GET / HTTP/1.1\r\n\r\n",
    ];

    const FIELDS: [&str; 8] = [
        "A: b\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "A : b\r\n",
        "A: b\r\n c\r\n",
    ];

    /// Pieces of requests in any order, some bytes changed.
    fn stream(random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = vec![random.u8(1..8)];
        let add = |bytes: &mut Vec<u8>, from: &[&str], random: &mut fastrand::Rng| {
            bytes.extend(from[random.usize(..from.len())].bytes());
        };
        for _ in 0..random.usize(..4) {
            let target = [random.u8(0x21..0x7f), random.u8(0x21..0x7f)];
            bytes.extend(format!("POST /{} HTTP/1.1\r\n", target.escape_ascii()).bytes());
            for _ in 0..random.usize(..4) {
                add(&mut bytes, &FIELDS, random);
            }
            bytes.extend(b"\r\n");
        }
        for _ in 0..random.usize(..20) {
            add(&mut bytes, &PARTS, random);
        }
        if random.bool() {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes
    }

    #[test]
    fn they_hold_for_requests_put_together_at_random() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..20_000 {
            guard(&stream(&mut random));
        }
    }

    #[test]
    fn they_hold_for_size_lines_and_proxy_headers_at_random() {
        let mut random = fastrand::Rng::with_seed(4);
        let some = |random: &mut fastrand::Rng, from: &[&str]| {
            (0..random.usize(0..8)).flat_map(|_| from[random.usize(..from.len())].bytes()).collect::<Vec<u8>>()
        };
        for _ in 0..20_000 {
            size_line(&some(
                &mut random,
                &["0", "5", "aF", ";", "a", "=", "\"", "\\", " ", "\t", "\r", "\n", "\u{e9}"],
            ));
            let binary = "\r\n\r\n\0\r\nQUIT\n";
            proxy(&some(
                &mut random,
                &[binary, "!\x11\0\x0c", " \0\0\0", "PROXY ", "TCP4 ", "1.2.3.4 ", "80", " ", "\r\n", "x"],
            ));
        }
    }
}
