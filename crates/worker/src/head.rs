//! Reads a head, or a trailer, line by line as it arrives, and judges it.

use ferricorn_application::target::AsSent;

use crate::fields::{self, Fields, Framing, Section};
use crate::refusal::Refusal;
use crate::request_line::{self, RequestLine};
use crate::rules::{self, Rules, is_blank};

/// Where reading stands. Positions are counted from the section's first byte, and bytes that have
/// been looked at are not looked at again.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of the line that is read.
    start: usize,
    /// Up to here there is no end of it.
    searched: usize,
}

enum Line<'a> {
    /// A line without its end, and whether the next one is a continuation that is not permitted.
    Text(&'a [u8], bool),
    /// The empty line that ends the section.
    End,
    /// It has not arrived yet.
    Unfinished,
}

/// A line that ends in a bare line feed.
struct Bare;

impl Lines {
    fn at(start: usize) -> Self {
        Self { start, searched: start }
    }

    /// The next line, if it is a usual one: all of it is here, no control characters are in it, and no continuation follows.
    fn next_usual<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        // Of a line that was looked at before, the beginning would be looked at again.
        let rest = bytes.get(self.start..).filter(|_| self.searched == self.start)?;
        let length = rules::text_length(rest);
        match rest[length..] {
            [b'\r', b'\n', next, ..] if length > 0 && !is_blank(next) => {
                *self = Self::at(self.start + length + 2);
                Some(&rest[..length])
            }
            _ => None,
        }
    }

    /// The next line; continuations belong to it if that is permitted.
    fn next<'a>(&mut self, bytes: &'a [u8], permits_folding: bool) -> Result<Line<'a>, Bare> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) else {
                self.searched = bytes.len();
                return Ok(Line::Unfinished);
            };
            let feed = self.searched + found;
            if feed == self.start || bytes[feed - 1] != b'\r' {
                return Err(Bare);
            }
            if feed - 1 == self.start {
                self.start = feed + 1;
                return Ok(Line::End);
            }
            let Some(next) = bytes.get(feed + 1) else {
                self.searched = feed;
                return Ok(Line::Unfinished);
            };
            let folded = is_blank(*next);
            if folded && permits_folding {
                self.searched = feed + 1;
                continue;
            }
            let line = &bytes[self.start..feed - 1];
            *self = Self::at(feed + 1);
            return Ok(Line::Text(line, folded));
        }
    }
}

fn bare_in_fields() -> Refusal {
    Refusal::field(b"bare LF as line terminator")
}

/// A head that may be served.
#[derive(Debug)]
pub(crate) struct Head {
    /// Its bytes.
    pub(crate) length: usize,
    /// What follows it.
    pub(crate) framing: Framing,
    /// What the parser is told in its place.
    pub(crate) replacement: Option<Vec<u8>>,
    /// What the parser is not told.
    pub(crate) sent: Option<Box<AsSent>>,
    /// Its method is CONNECT, which the parser is not told.
    pub(crate) connects: bool,
    /// No request can follow on this connection.
    pub(crate) closes: bool,
}

/// A head on its way.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    lines: Lines,
    /// The request line, once it is judged, and where the fields begin.
    line: Option<(RequestLine, usize)>,
    fields: Fields,
}

impl HeadReader {
    /// Goes on reading; `bytes` are all from the head's first byte on. `None`: more is needed.
    pub(crate) fn read(&mut self, bytes: &[u8], rules: &Rules) -> Result<Option<Head>, Refusal> {
        if self.line.is_none() && !self.read_request_line(bytes, rules)? {
            return Ok(None);
        }
        loop {
            while let Some(line) = self.lines.next_usual(bytes) {
                self.fields.take_usual(line, rules)?;
            }
            match self.lines.next(bytes, rules.permits_folding).map_err(|_: Bare| bare_in_fields())? {
                Line::Text(line, folded) => self.fields.take(line, folded, rules)?,
                Line::End => return self.finish(bytes, rules).map(Some),
                Line::Unfinished => break,
            }
        }
        let fields_at = self.line.as_ref().map_or(0, |(_, fields_at)| *fields_at);
        if bytes.len() - fields_at > rules.head_size() {
            return Err(Refusal::long_fields("max buffer headers"));
        }
        Ok(None)
    }

    /// Whether the line has been read.
    fn read_request_line(&mut self, bytes: &[u8], rules: &Rules) -> Result<bool, Refusal> {
        // One empty line before it is tolerated.
        if self.lines.start == 0 && bytes.first() == Some(&b'\r') {
            match bytes.get(1) {
                Some(b'\n') => self.lines = Lines::at(2),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        let start = self.lines.start;
        let Some(found) = memchr::memchr(b'\n', &bytes[self.lines.searched..]) else {
            self.lines.searched = bytes.len();
            let length = bytes.len() - start;
            // The last two bytes may belong to the end of the line.
            return if is_over(length.saturating_sub(2), rules) {
                Err(Refusal::long_line(length, rules.request_line))
            } else {
                Ok(false)
            };
        };
        let feed = self.lines.searched + found;
        // As it would have been if the end had arrived later.
        if is_over((feed - start).saturating_sub(2), rules) {
            return Err(Refusal::long_line(feed - start - 1, rules.request_line));
        }
        if feed == start || bytes[feed - 1] != b'\r' {
            return Err(Refusal::request_line(b"bare LF as line terminator"));
        }
        let line = &bytes[start..feed - 1];
        if is_over(line.len(), rules) {
            return Err(Refusal::long_line(line.len(), rules.request_line));
        }
        self.lines = Lines::at(feed + 1);
        self.line = Some((request_line::judge(line, rules)?, feed + 1));
        Ok(true)
    }

    fn finish(&mut self, bytes: &[u8], rules: &Rules) -> Result<Head, Refusal> {
        let length = self.lines.start;
        let (line, fields_at) = self.line.take().unwrap_or_default();
        let framing = self.fields.framing(line.version)?;
        let head = &bytes[..length];
        let replacement = match &line.replacement {
            None if !self.fields.edited => None,
            None => Some(self.edited(&head[..fields_at], &head[fields_at..], rules)),
            Some(text) => Some(self.edited(&[text, &b"\r\n"[..]].concat(), &head[fields_at..], rules)),
        };
        let closes = line.connects || self.fields.has_other_coding;
        Ok(Head { length, framing, replacement, sent: line.sent, connects: line.connects, closes })
    }

    fn edited(&self, line: &[u8], section: &[u8], rules: &Rules) -> Vec<u8> {
        let mut text = line.to_vec();
        if !self.fields.edited {
            text.extend_from_slice(section);
            return text;
        }
        let mut lines = Lines::default();
        while let Ok(Line::Text(line, _)) = lines.next(section, rules.permits_folding) {
            fields::append_edited(line, rules, &mut text);
        }
        text.extend_from_slice(b"\r\n");
        text
    }
}

fn is_over(length: usize, rules: &Rules) -> bool {
    rules.request_line > 0 && length > rules.request_line
}

/// The trailer of a chunked body on its way.
#[derive(Debug)]
pub(crate) struct TrailerReader {
    lines: Lines,
    fields: Fields,
}

impl TrailerReader {
    pub(crate) fn new() -> Self {
        Self { lines: Lines::default(), fields: Fields::of(Section::Trailer) }
    }

    /// Goes on reading; `bytes` are all from the trailer's first byte on. Gives its length once it
    /// is complete.
    pub(crate) fn read(&mut self, bytes: &[u8], rules: &Rules) -> Result<Option<usize>, Refusal> {
        loop {
            match self.lines.next(bytes, rules.permits_folding).map_err(|_: Bare| bare_in_fields())? {
                Line::Text(line, folded) => self.fields.take(line, folded, rules)?,
                Line::End => return Ok(Some(self.lines.start)),
                Line::Unfinished if bytes.len() > rules.head_size() => {
                    return Err(Refusal::long_fields("limit request trailer section size"));
                }
                Line::Unfinished => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads byte by byte, then all at once; both must come to the same.
    fn read(text: &[u8], rules: &Rules) -> Result<Option<Head>, Refusal> {
        let whole = HeadReader::default().read(text, rules);
        let mut reader = HeadReader::default();
        let in_pieces = (1..=text.len()).map(|end| reader.read(&text[..end], rules));
        let in_pieces = in_pieces.into_iter().find(|result| !matches!(result, Ok(None))).unwrap_or(Ok(None));
        assert_eq!(format!("{whole:?}"), format!("{in_pieces:?}"), "{}", String::from_utf8_lossy(text));
        whole
    }

    #[test]
    fn a_usual_head_goes_on_as_it_is() {
        let text = b"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
        let head = read(text, &Rules::default()).unwrap().unwrap();
        assert_eq!((head.length, head.framing, head.replacement), (text.len(), Framing::Length(3), None));
        assert!(!head.closes && head.sent.is_none());
        assert!(read(b"GET / HTTP/1.1\r\n\r\n", &Rules::default()).unwrap().is_some());
        assert!(read(b"GET / HTTP/1.1\r\nA: b\r\n", &Rules::default()).unwrap().is_none());
    }

    #[test]
    fn a_head_may_be_told_in_other_words() {
        let rules = Rules { permits_folding: true, ..Rules::default() };
        let head = read(b"GET /#x HTTP/1.1\r\nA: b\r\n\tc\r\nD:  e\r\n\r\n", &rules).unwrap().unwrap();
        assert_eq!(head.replacement.unwrap(), b"GET / HTTP/1.1\r\nA: b c\r\nD: e\r\n\r\n");
        let head = read(b"GET /#x HTTP/1.1\r\nD:  e\r\n\r\n", &rules).unwrap().unwrap();
        assert_eq!(head.replacement.unwrap(), b"GET / HTTP/1.1\r\nD:  e\r\n\r\n");
    }

    #[test]
    fn lines_must_end_as_lines_do() {
        for text in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\nX: y\r\n\r\n",
            "\nGET / HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\n A: b\r\n\r\n",
        ] {
            assert!(read(text.as_bytes(), &Rules::default()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_head_has_bounds() {
        let rules = Rules { request_line: 16, fields: 2, field_size: 10, ..Rules::default() };
        assert!(read(b"GET /a HTTP/1.1\r\nA: b\r\nC: 34567\r\n\r\n", &rules).is_ok());
        assert_eq!(
            HeadReader::default().read(b"GET /abc HTTP/1.1\r\n", &rules).unwrap_err(),
            Refusal::long_line(17, 16)
        );
        assert_eq!(HeadReader::default().read(&[b'A'; 19], &rules).unwrap_err(), Refusal::long_line(19, 16));
        let endless = [&b"GET / HTTP/1.1\r\nA: "[..], &[b'b'; 30]].concat();
        let (line, field) = (&[b'x'; 30][..], &b"\nA: b\r\n\r\n"[..]);
        for bad in [[b"GET /", line, field].concat(), [b"GET /", line, b" HTTP/1.1\r\n"].concat()] {
            for piece in [1, 7, bad.len()] {
                let mut reader = HeadReader::default();
                let ends = (piece..=bad.len()).step_by(piece).chain([bad.len()]);
                let refusal = ends.map(|end| reader.read(&bad[..end], &rules)).find_map(Result::err).unwrap();
                assert_eq!(refusal.status.as_u16(), 414, "{refusal:?} in pieces of {piece}");
            }
        }
        let refusal = read(&endless, &rules).unwrap_err();
        assert_eq!(refusal, Refusal::long_fields("max buffer headers"));
    }

    #[test]
    fn a_trailer_ends_with_an_empty_line() {
        let rules = Rules { fields: 2, field_size: 10, ..Rules::default() };
        let read = |text: &[u8]| TrailerReader::new().read(text, &rules);
        assert_eq!(read(b"\r\nGET"), Ok(Some(2)));
        assert_eq!(read(b"A: b\r\n\r\n"), Ok(Some(8)));
        assert_eq!(read(b"A: b\r\n"), Ok(None));
        for text in [&b"A: b\n\r\n"[..], b"Host: x\r\n\r\n", b"a\r\n\r\n", &[b'x'; 40]] {
            assert!(read(text).is_err());
        }
    }
}
