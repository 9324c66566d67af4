//! Looks at what a client sends before hyper does, and lets through only what Gunicorn would take.
//!
//! Hyper forgives much: bare line feeds, a length beside a coding, a length said twice. Where two
//! parsers in a row forgive differently, one request can be smuggled inside another. So heads,
//! chunk sizes and trailers are judged here, as bytes and whole; hyper sees none that was not
//! judged good, and sees in other words what it could not hold. Bodies are followed, so that it is
//! known where the next head begins.
//!
//! The guard holds no bytes and does no I/O: `wire` asks it how many bytes of those it has may go on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ferricorn_application::target::AsSent;

use crate::chunks;
use crate::fields::Framing;
use crate::head::{HeadReader, TrailerReader};
use crate::proxy_protocol::Preface;
use crate::refusal::Refusal;
use crate::rules::Rules;

/// What is to be done with the first of the bytes that were shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many may go on as they are.
    Pass(usize),
    /// In place of so many this is to go on.
    Replace(usize, Vec<u8>),
    /// They cannot be judged before more have arrived. All must be shown again, with more behind.
    More,
}

/// What is expected next.
enum State {
    /// What a proxy says about the connection, perhaps.
    Preface(Preface),
    Head(HeadReader),
    /// Bytes of a body whose length is known.
    Body(u64),
    /// The line with a chunk's size; this much of it has no end.
    ChunkSize(usize),
    /// Bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailer(TrailerReader),
}

/// What the parser is not told of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) sent: Option<Box<AsSent>>,
    /// Its method is CONNECT.
    pub(crate) connects: bool,
    /// No request can follow on this connection.
    pub(crate) closes: bool,
}

/// What those who read from the connection and those who answer on it tell each other.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Heads that went on to the parser.
    passed: Cell<u64>,
    /// Heads that came back from it.
    parsed: Cell<u64>,
    /// For those requests about which there is something to say: number and note.
    notes: RefCell<VecDeque<(u64, Note)>>,
    /// Why the connection ends. Nothing that arrives after this is read as HTTP.
    pub(crate) refusal: RefCell<Option<Refusal>>,
    /// It was in the middle of a request's body, which a native application may have seen the beginning of.
    pub(crate) refused_body: Cell<bool>,
}

impl Notes {
    fn pass(&self, note: Note) {
        let number = self.passed.get();
        self.passed.set(number + 1);
        if note != Note::default() {
            self.notes.borrow_mut().push_back((number, note));
        }
    }

    /// Whether the parser has told of every request that it was given.
    pub(crate) fn are_even(&self) -> bool {
        self.passed.get() == self.parsed.get()
    }

    /// What is known of the next request that comes from the parser.
    pub(crate) fn take(&self) -> Note {
        let number = self.parsed.get();
        self.parsed.set(number + 1);
        let mut notes = self.notes.borrow_mut();
        let is_noted = notes.front().is_some_and(|(noted, _)| *noted == number);
        let note = if is_noted { notes.pop_front() } else { None };
        note.map(|(_, note)| note).unwrap_or_default()
    }
}

/// See the module.
pub(crate) struct Guard {
    state: State,
    /// Bytes of the chunked body that is arriving, announced so far.
    announced: u64,
    rules: Rc<Rules>,
    notes: Rc<Notes>,
}

impl Guard {
    /// `preface`: whether, and from whom, something is expected before the first head.
    pub(crate) fn new(rules: Rc<Rules>, notes: Rc<Notes>, preface: Option<Preface>) -> Self {
        let state = preface.map_or_else(|| State::Head(HeadReader::default()), State::Preface);
        Self { state, announced: 0, rules, notes }
    }

    /// Whether what comes next is a head, of which nothing has been shown.
    pub(crate) fn awaits_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Judges the first of these bytes.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        match &mut self.state {
            _ if bytes.is_empty() => Ok(Step::More),
            State::Preface(preface) => match preface.read(bytes)? {
                None => Ok(Step::More),
                Some(length) => {
                    self.state = State::Head(HeadReader::default());
                    if length > 0 { Ok(Step::Replace(length, Vec::new())) } else { self.step(bytes) }
                }
            },
            State::Head(reader) => match reader.read(bytes, &self.rules)? {
                None => Ok(Step::More),
                Some(head) => {
                    self.state = match head.framing {
                        Framing::Length(0) => State::Head(HeadReader::default()),
                        Framing::Length(length) if length > self.rules.body => {
                            return Err(Refusal::long_body(length, self.rules.body));
                        }
                        Framing::Length(length) => State::Body(length),
                        Framing::Chunked => State::ChunkSize(0),
                    };
                    self.notes.pass(Note { sent: head.sent, connects: head.connects, closes: head.closes });
                    Ok(pass_or_replace(head.length, head.replacement))
                }
            },
            State::Body(left) => {
                let passed = count_down(left, bytes.len());
                if *left == 0 {
                    self.state = State::Head(HeadReader::default());
                }
                Ok(Step::Pass(passed))
            }
            State::ChunkSize(searched) => {
                let Some(found) = memchr::memchr(b'\n', &bytes[*searched..]) else {
                    *searched = bytes.len();
                    return self.wait_for_size(bytes);
                };
                let length = *searched + found + 1;
                self.begin_chunk(&bytes[..length])
            }
            State::Chunk(left) => {
                let passed = count_down(left, bytes.len());
                if *left == 0 {
                    self.state = State::ChunkEnd;
                }
                Ok(Step::Pass(passed))
            }
            State::ChunkEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkSize(0);
                    Ok(Step::Pass(2))
                }
                [_] => Ok(Step::More),
                _ => Err(Refusal::chunk_end(&bytes[..2])),
            },
            State::Trailer(reader) => match reader.read(bytes, &self.rules)? {
                None => Ok(Step::More),
                Some(length) => {
                    self.state = State::Head(HeadReader::default());
                    // WSGI has no place for trailers, and the parser has bounds of its own for them.
                    Ok(pass_or_replace(length, (length > 2).then(|| b"\r\n".to_vec())))
                }
            },
        }
    }

    /// Whether the next byte belongs to a request's body, as it is sent.
    pub(crate) fn is_within_body(&self) -> bool {
        !matches!(self.state, State::Preface(_) | State::Head(_))
    }

    fn wait_for_size(&self, bytes: &[u8]) -> Result<Step, Refusal> {
        if bytes.len() > self.rules.field_size {
            let cause = format!("line over {} bytes with no terminator", self.rules.field_size);
            return Err(Refusal::chunk_size(cause.as_bytes()));
        }
        Ok(Step::More)
    }

    /// `line`: with its end.
    fn begin_chunk(&mut self, line: &[u8]) -> Result<Step, Refusal> {
        let Some(text) = line.strip_suffix(b"\r\n") else { return Err(Refusal::chunk_size(line)) };
        let chunk = chunks::size_line(text)?;
        self.announced = self.announced.saturating_add(chunk.size);
        if self.announced > self.rules.body {
            return Err(Refusal::long_body(self.announced, self.rules.body));
        }
        self.state = match chunk.size {
            0 => {
                self.announced = 0;
                State::Trailer(TrailerReader::new())
            }
            size => State::Chunk(size),
        };
        // Extensions mean nothing to anybody here, and the parser has bounds of its own for them.
        let plain = (chunk.digits < text.len()).then(|| [&line[..chunk.digits], b"\r\n"].concat());
        Ok(pass_or_replace(line.len(), plain))
    }
}

fn pass_or_replace(length: usize, replacement: Option<Vec<u8>>) -> Step {
    match replacement {
        None => Step::Pass(length),
        Some(text) => Step::Replace(length, text),
    }
}

/// How many of these bytes are among those that are left; they are not left afterwards.
fn count_down(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> (Guard, Rc<Notes>) {
        guard_by(Rules::default())
    }

    fn guard_by(rules: Rules) -> (Guard, Rc<Notes>) {
        let notes = Rc::new(Notes::default());
        (Guard::new(Rc::new(rules), Rc::clone(&notes), None), notes)
    }

    /// What the parser would see of a stream that arrives in pieces of this size, and how it ends.
    fn seen(stream: &[u8], piece: usize) -> (Vec<u8>, Option<String>) {
        seen_by(guard().0, stream, piece)
    }

    fn seen_by(mut guard: Guard, stream: &[u8], piece: usize) -> (Vec<u8>, Option<String>) {
        let (mut held, mut seen) = (Vec::new(), Vec::new());
        for piece in stream.chunks(piece) {
            held.extend_from_slice(piece);
            loop {
                match guard.step(&held) {
                    Ok(Step::Pass(count)) => seen.extend(held.drain(..count)),
                    Ok(Step::Replace(count, text)) => {
                        held.drain(..count);
                        seen.extend(text);
                    }
                    Ok(Step::More) => break,
                    Err(refusal) => return (seen, Some(refusal.cause)),
                }
            }
        }
        (seen, None)
    }

    /// Panics unless the parser sees this, however the stream arrives.
    #[track_caller]
    fn assert_seen(stream: &str, expected: &str, refusal: Option<&str>) {
        for piece in [1, 2, 3, 7, stream.len()] {
            let (seen, refused) = seen(stream.as_bytes(), piece);
            assert_eq!(String::from_utf8_lossy(&seen), expected, "pieces of {piece}");
            assert_eq!(refused.as_deref(), refusal, "pieces of {piece}");
        }
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn good_requests_go_on_and_bodies_are_followed() {
        let length = "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / \nHTTP";
        let chunked = format!("{CHUNKED}5\r\n\nGET \r\na\r\n0123456789\r\n0\r\n\r\n");
        let stream = format!("{GET}{length}{GET}{chunked}{GET}");
        assert_seen(&stream, &stream, None);
    }

    #[test]
    fn nothing_bad_reaches_the_parser() {
        let twice = "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx";
        assert_seen(&format!("{GET}{twice}{GET}"), GET, Some("Invalid HTTP Header: 'CONTENT-LENGTH'"));
        let head = format!("{GET}{CHUNKED}");
        for (chunks, passed, cause) in [
            ("z\r\n", "", "Invalid chunk size: b'z'"),
            ("5\n", "", "Invalid chunk size: b'5\\n'"),
            ("1\r\nxy", "1\r\nx", ""),
            ("1;a=\r\nx", "", "Invalid chunk extension: invalid chunk extension"),
            ("0\r\nHost: x\r\n\r\n", "0\r\n", "Invalid HTTP header name: 'HOST'"),
            ("0\r\nA: b\n\r\n", "0\r\n", "Invalid HTTP Header: 'bare LF as line terminator'"),
        ] {
            let (seen, refused) = seen(format!("{head}{chunks}{GET}").as_bytes(), 1);
            assert_eq!(String::from_utf8_lossy(&seen), format!("{head}{passed}"), "{chunks:?}");
            assert!(refused.unwrap().starts_with(cause));
        }
    }

    #[test]
    fn extensions_and_trailers_stay_behind() {
        let sent = format!("{CHUNKED}3 ;a=\"b\"\r\nabc\r\n0;c\r\nD: e\r\nF: g\r\n\r\n{GET}");
        assert_seen(&sent, &format!("{CHUNKED}3\r\nabc\r\n0\r\n\r\n{GET}"), None);
    }

    #[test]
    fn a_size_line_has_bounds() {
        let long = format!("{CHUNKED}{}", "0".repeat(9000));
        assert!(seen(long.as_bytes(), 100).1.unwrap().starts_with("Invalid chunk size: b'line over 8190 bytes"));
    }

    #[test]
    fn a_body_has_a_bound_and_the_next_one_has_the_same() {
        let refused = |stream: &str| seen_by(guard_by(Rules { body: 5, ..Rules::default() }).0, stream.as_bytes(), 1);
        let length = |length: usize| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        let good = format!("{}hello{CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", length(5));
        let twice = format!("{good}{good}");
        assert_eq!(refused(&twice), (twice.clone().into_bytes(), None));
        let cause = || Some("Request Body is too large (6 > 5)".to_owned());
        assert_eq!(refused(&format!("{good}{}hello!", length(6))), (good.clone().into_bytes(), cause()));
        let begun = format!("{good}{CHUNKED}3\r\nabc\r\n");
        assert_eq!(refused(&format!("{begun}3\r\ndef\r\n")), (begun.into_bytes(), cause()));
    }

    #[test]
    fn notes_belong_to_their_requests() {
        let (mut guard, notes) = guard();
        for target in ["/a", "/b#c", "/d"] {
            guard.step(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        }
        assert_eq!(notes.take(), Note::default());
        assert_eq!(notes.take().sent.unwrap().target.unwrap().raw(), "/b#c");
        assert_eq!(notes.take(), Note::default());
    }
}
