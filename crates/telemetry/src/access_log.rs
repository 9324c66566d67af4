//! The access log: one line per request in the operator's format, which is Gunicorn's notation
//! (`%(h)s`, `%({user-agent}i)s`), parsed once and then only filled in.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use base64::Engine;
use ferricorn_application::{Connection, Peer, target};
use http::request::Parts;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::log_file::LogFile;
use crate::timestamp;

/// A format that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'%' at position {position} does not begin '%(name)s' or '%%'")]
pub struct FormatError {
    /// Where the faulty `%` is, in characters from 0.
    pub position: usize,
}

/// A parsed format.
#[derive(Debug)]
pub struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Atom(char),
    RequestHeader(String),
    ResponseHeader(String),
    Environ(String),
}

/// What there is to say about one request.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The request's head.
    pub request: &'a Parts,
    /// Where it came from.
    pub connection: &'a Connection,
    /// The response's status code.
    pub status: u16,
    /// The application's response headers; may be empty when [`Format::wants_response_headers`]
    /// says no.
    pub response_headers: &'a HeaderMap,
    /// Body bytes handed to the connection, framing not counted.
    pub sent: u64,
    /// From the arrival of the head to the end of the response.
    pub elapsed: Duration,
    /// Values of the application's for `{name}e`.
    pub annotations: &'a [(String, String)],
}

impl Format {
    /// Parses the notation. Unknown names are legal and print `-`, as in Gunicorn.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('%') {
            plain.push_str(&rest[..start]);
            let behind = &rest[start + 1..];
            if let Some(after) = behind.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let name_and_rest = behind.strip_prefix('(').and_then(|inner| inner.split_once(")s"));
            let Some((name, after)) = name_and_rest else {
                return Err(FormatError { position: text[..text.len() - behind.len() - 1].chars().count() });
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::named(name));
            rest = after;
        }
        plain.push_str(rest);
        plain.push('\n');
        pieces.push(Piece::Text(plain));
        Ok(Self { pieces })
    }

    /// The names asked for as `{name}e`, lower case.
    pub fn environ_names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Environ(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the format asks for response headers.
    pub fn wants_response_headers(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::ResponseHeader(_)))
    }

    /// Appends the line for this entry, line end included.
    pub fn append(&self, line: &mut Vec<u8>, entry: &Entry<'_>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Atom('t') => timestamp::append_access_notation(line),
                Piece::Atom(atom) => entry.append_atom(*atom, line),
                Piece::RequestHeader(name) => append_header(&entry.request.headers, name, line),
                Piece::ResponseHeader(name) => append_header(entry.response_headers, name, line),
                Piece::Environ(name) => {
                    let value = entry.annotations.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                    append_escaped(line, value.map_or("-".as_bytes(), |(_, value)| value.as_bytes()));
                }
            }
        }
    }
}

impl Piece {
    fn named(name: &str) -> Self {
        let inner = name.strip_prefix('{').and_then(|rest| {
            let (inner, kind) = rest.rsplit_once('}')?;
            Some((inner.to_ascii_lowercase(), kind))
        });
        match inner {
            Some((inner, "i")) => return Self::RequestHeader(inner),
            Some((inner, "o")) => return Self::ResponseHeader(inner),
            Some((inner, "e")) => return Self::Environ(inner),
            _ => {}
        }
        let mut characters = name.chars();
        match (characters.next(), characters.next()) {
            (Some(atom), None) if "hlutrmUqHsBbfaTMDLp".contains(atom) => Self::Atom(atom),
            _ => Self::Text("-".to_owned()),
        }
    }
}

impl Entry<'_> {
    fn append_atom(&self, atom: char, line: &mut Vec<u8>) {
        match atom {
            'h' => self.append_remote_address(line),
            'u' => append_escaped(line, &self.basic_user().unwrap_or_else(|| b"-".to_vec())),
            'r' => {
                append_escaped(line, self.request.method.as_str().as_bytes());
                line.push(b' ');
                append_escaped(line, target::raw(self.request).as_bytes());
                line.push(b' ');
                line.extend_from_slice(target::protocol(self.request).as_bytes());
            }
            'm' => append_escaped(line, self.request.method.as_str().as_bytes()),
            'U' => append_escaped(line, &Cow::from(percent_decode_str(target::path(self.request)))),
            'q' => append_escaped(line, target::query(self.request).as_bytes()),
            'H' => line.extend_from_slice(target::protocol(self.request).as_bytes()),
            's' => append_number(line, u128::from(self.status)),
            'B' | 'b' => append_number(line, u128::from(self.sent)),
            'f' => append_header(&self.request.headers, "referer", line),
            'a' => append_header(&self.request.headers, "user-agent", line),
            'T' => append_number(line, u128::from(self.elapsed.as_secs())),
            'D' => append_number(line, self.elapsed.as_micros()),
            'M' => append_number(line, self.elapsed.as_millis()),
            'L' => {
                let (seconds, micros) = (self.elapsed.as_secs(), self.elapsed.subsec_micros());
                line.extend_from_slice(format!("{seconds}.{micros:06}").as_bytes());
            }
            'p' => line.extend_from_slice(format!("<{}>", std::process::id()).as_bytes()),
            _ => line.push(b'-'),
        }
    }

    fn append_remote_address(&self, line: &mut Vec<u8>) {
        if let Some(proxied) = self.connection.proxied.get() {
            let client = proxied.ends.as_ref().map_or("None", |(client, _)| client.address.as_str());
            line.extend_from_slice(client.as_bytes());
            return;
        }
        match &self.connection.remote {
            Peer::Tcp(address) => line.extend_from_slice(address.ip().to_string().as_bytes()),
            Peer::Unix(_) => line.push(b'-'),
        }
    }

    fn basic_user(&self) -> Option<Vec<u8>> {
        let value = self.request.headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, encoded) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim_ascii()).ok()?;
        let user = decoded.split(|byte| *byte == b':').next()?;
        (!user.is_empty()).then(|| user.to_vec())
    }
}

fn append_number(line: &mut Vec<u8>, number: u128) {
    line.extend_from_slice(number.to_string().as_bytes());
}

fn append_header(headers: &HeaderMap, name: &str, line: &mut Vec<u8>) {
    append_escaped(line, headers.get(name).map_or(b"-".as_slice(), |value| value.as_bytes()));
}

/// Quotes and control characters come from clients and must not be able to forge a line.
fn append_escaped(line: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            0..0x20 | 0x7f => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            _ => line.push(byte),
        }
    }
}

/// The access log of one worker: gathers lines and writes them together.
#[derive(Debug)]
pub struct AccessLog {
    file: LogFile,
    format: Format,
    /// Lines that are not yet written; see [`AccessLog::flush`].
    pending: Vec<u8>,
}

impl AccessLog {
    /// Logs to this file in this format.
    pub fn new(file: LogFile, format: Format) -> Self {
        Self { file, format, pending: Vec::new() }
    }

    /// The format in use.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Adds a line.
    pub fn record(&mut self, entry: &Entry<'_>) {
        self.format.append(&mut self.pending, entry);
    }

    /// Writes what has gathered. The worker calls it whenever it turns to its connections, so
    /// that a line is at most a fraction of a millisecond late.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write(&self.pending);
        self.pending.clear();
        written
    }

    /// Opens the file anew after a rotation.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.reopen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: &str) -> String {
        let (request, ()) = http::Request::get("/p%C3%A4th%0a%22?q=1")
            .header("user-agent", "cur\"l")
            .header("authorization", "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==")
            .body(())
            .unwrap()
            .into_parts();
        let mut response_headers = HeaderMap::new();
        response_headers.insert("x-answer", "42".parse().unwrap());
        let connection = Connection {
            tls: Default::default(),
            remote: Peer::Tcp("127.0.0.1:1234".parse().unwrap()),
            local: Peer::Tcp("127.0.0.1:8000".parse().unwrap()),
            proxied: Default::default(),
            socket: Box::new(std::io::stdin()),
        };
        let entry = Entry {
            request: &request,
            connection: &connection,
            status: 200,
            response_headers: &response_headers,
            sent: 13,
            elapsed: Duration::from_micros(2_034_567),
            annotations: &[("SOME_KEY".to_owned(), "v".to_owned())],
        };
        let mut out = Vec::new();
        Format::parse(format).unwrap().append(&mut out, &entry);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fills_in_every_atom() {
        assert_eq!(line("%(h)s %(l)s %(u)s %(m)s %(H)s %(s)s"), "127.0.0.1 - aladdin GET HTTP/1.1 200\n");
        assert_eq!(line("%(U)s|%(q)s|%(a)s|%(f)s"), "/päth\\x0a\\\"|q=1|cur\\\"l|-\n");
        assert_eq!(line("%(T)s %(D)s %(M)s %(L)s %(B)s %(b)s"), "2 2034567 2034 2.034567 13 13\n");
        assert_eq!(line("%({X-Answer}o)s %({user-agent}i)s %({some_key}e)s %({no}i)s"), "42 cur\\\"l v -\n");
        assert_eq!(line("100%% %(unknown)s"), "100% -\n");
        assert_eq!(line("%(p)s"), format!("<{}>\n", std::process::id()));
    }

    #[test]
    fn says_where_a_format_is_wrong() {
        assert_eq!(Format::parse("ä %s").unwrap_err(), FormatError { position: 2 });
        assert_eq!(Format::parse("%(h").unwrap_err(), FormatError { position: 0 });
    }
}
