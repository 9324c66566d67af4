//! A client that speaks HTTP/2 in frames, also wrong ones. It sends what it is told, answers nothing by itself, and
//! reads one frame at a time.

use super::connection::{Address, Connection};
use super::http::Fault;
use super::tls::TlsClient;

/// What a client begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of frames.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Codes of errors.
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or a GOAWAY.
    #[track_caller]
    pub(crate) fn code(&self) -> u32 {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => panic!("{self:?} has no code"),
        };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// The status of a response, as far as it is one of those with a number of their own in HPACK, or 413.
    pub(crate) fn status(&self) -> Option<u16> {
        let indexed = [(0x88, 200), (0x89, 204), (0x8b, 304), (0x8c, 400), (0x8d, 404), (0x8e, 500)];
        // The name `:status`, then the digits in Huffman's code.
        if self.payload.windows(5).any(|bytes| bytes == [0x48, 0x83, 0x68, 0x2c, 0xff]) {
            return Some(413);
        }
        // The first block of a connection may begin with the size of the table.
        let first = self.payload.iter().find(|byte| **byte & 0xe0 != 0x20)?;
        indexed.iter().find(|(byte, _)| byte == first).map(|(_, status)| *status)
    }
}

/// A connection of HTTP/2.
#[derive(Debug)]
pub(crate) struct Http2 {
    pub(crate) connection: Connection,
}

impl Http2 {
    /// Agrees on HTTP/2 with TLS, and exchanges settings.
    #[track_caller]
    pub(crate) fn open(address: &Address) -> Self {
        let mut client = Self::greet(address);
        client.send(SETTINGS, 0, 0, &[]);
        client
    }

    /// The same without settings of its own.
    #[track_caller]
    pub(crate) fn greet(address: &Address) -> Self {
        let connection = Connection::open_tls(address, &TlsClient::speaks(&["h2"])).expect("a connection");
        assert_eq!(connection.session().alpn_protocol(), Some(&b"h2"[..]));
        let mut client = Self { connection };
        client.connection.send(PREFACE);
        client
    }

    /// Begins with HTTP/2 on a connection without TLS.
    pub(crate) fn begin(mut connection: Connection) -> Self {
        connection.send(PREFACE);
        let mut client = Self { connection };
        client.send(SETTINGS, 0, 0, &[]);
        client
    }

    /// Sends a frame.
    #[track_caller]
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_send(kind, flags, stream, payload).unwrap_or_else(|fault| panic!("cannot send: {fault:?}"));
    }

    /// Sends a frame, if the other side takes it.
    pub(crate) fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), Fault> {
        self.connection.try_send(&frame(kind, flags, stream, payload))
    }

    /// Sends the head of a request without a body.
    #[track_caller]
    pub(crate) fn get(&mut self, stream: u32, target: &str) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", target, &[]));
    }

    /// Reads one frame, or says why there is none.
    pub(crate) fn try_frame(&mut self) -> Result<Frame, Fault> {
        let head = self.connection.take(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Ok(Frame { kind: head[3], flags: head[4], stream, payload: self.connection.take(length)? })
    }

    /// Reads until a frame is one that is looked for, and gives it.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut is_it: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.try_frame().unwrap_or_else(|fault| panic!("{fault:?} before {what}"));
            if is_it(&frame) {
                return frame;
            }
        }
    }

    /// Reads until a stream has a response, and gives its status.
    #[track_caller]
    pub(crate) fn status(&mut self, stream: u32) -> Option<u16> {
        self.until("a response", |frame| frame.kind == HEADERS && frame.stream == stream).status()
    }

    /// Reads until a stream or the connection ends with an error, and gives its code.
    #[track_caller]
    pub(crate) fn error(&mut self) -> u32 {
        let ends = |frame: &Frame| frame.kind == RST_STREAM || (frame.kind == GOAWAY && frame.code() != 0);
        self.until("an error", ends).code()
    }

    /// Reads the body of a response to its end.
    #[track_caller]
    pub(crate) fn body(&mut self, stream: u32) -> Vec<u8> {
        let mut body = Vec::new();
        self.until("the end of a body", |frame| {
            if frame.kind == DATA && frame.stream == stream {
                body.extend_from_slice(&frame.payload);
            }
            frame.stream == stream && frame.kind <= HEADERS && frame.flags & END_STREAM != 0
        });
        body
    }

    /// Whether the connection still serves.
    #[track_caller]
    pub(crate) fn assert_serves(&mut self, stream: u32) {
        self.get(stream, "/");
        assert_eq!(self.status(stream), Some(200));
        assert_eq!(self.body(stream), b"hello");
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A block of headers for a request over TLS.
pub(crate) fn head(method: &str, target: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", target)];
    block(&[&pseudo[..], more].concat())
}

/// A block of headers: literals, without tables and Huffman's code.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            put_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length in seven bits, and as many more as it takes.
fn put_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}
