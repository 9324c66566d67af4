//! A request that is not served: what its client and the log are told.

use std::fmt::Write;

use bytes::Bytes;
use ferricorn_application::{Head, error_page};
use http::StatusCode;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The reason phrase, and the heading of the page.
    pub(crate) reason: &'static str,
    /// What the page says.
    pub(crate) detail: String,
    /// What the log says.
    pub(crate) cause: String,
}

impl Refusal {
    /// 400, with the same words for client and log.
    pub(crate) fn bad(cause: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: "Bad Request", detail: cause.clone(), cause }
    }

    /// 400, where the page says of what kind the error is.
    fn bad_part(kind: &str, cause: String) -> Self {
        Self { detail: format!("{kind} '{cause}'"), ..Self::bad(cause) }
    }

    pub(crate) fn request_line(line: &[u8]) -> Self {
        Self::bad_part("Invalid Request Line", format!("Invalid HTTP request line: {}", quoted(line)))
    }

    pub(crate) fn method(method: &[u8]) -> Self {
        Self::bad_part("Invalid Method", format!("Invalid HTTP method: {}", quoted(method)))
    }

    /// `version`: in quotes if it is none, in brackets if it is one that is not spoken.
    pub(crate) fn version(version: &str) -> Self {
        Self::bad_part("Invalid HTTP Version", format!("Invalid HTTP Version: {version}"))
    }

    pub(crate) fn field(line_or_name: &[u8]) -> Self {
        Self::bad(format!("Invalid HTTP Header: {}", quoted(line_or_name)))
    }

    pub(crate) fn field_name(name: &[u8]) -> Self {
        Self::bad(format!("Invalid HTTP header name: {}", quoted(name)))
    }

    pub(crate) fn folding(name: &[u8]) -> Self {
        Self::bad(format!("Obsolete line folding is unacceptable: {}", quoted(name)))
    }

    pub(crate) fn expectation(value: &[u8]) -> Self {
        let cause = format!("Unable to comply with expectation: {}", quoted(value));
        Self { status: StatusCode::EXPECTATION_FAILED, reason: "Expectation Failed", ..Self::bad(cause) }
    }

    /// The reason phrase is Gunicorn's, which proxies and tests may have seen.
    pub(crate) fn coding(value: &[u8]) -> Self {
        let cause = format!("Unsupported transfer coding: {}", quoted(value));
        Self { status: StatusCode::NOT_IMPLEMENTED, ..Self::bad(cause) }
    }

    pub(crate) fn long_line(length: usize, limit: usize) -> Self {
        let cause = format!("Request Line is too large ({length} > {limit})");
        Self { status: StatusCode::URI_TOO_LONG, reason: "URI Too Long", ..Self::bad(cause) }
    }

    pub(crate) fn long_fields(cause: &str) -> Self {
        let kind = Self::bad_part("Error parsing headers:", cause.to_owned());
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self { status, reason: "Request Header Fields Too Large", ..kind }
    }

    /// `length`: what has been announced.
    pub(crate) fn long_body(length: u64, limit: u64) -> Self {
        let cause = format!("Request Body is too large ({length} > {limit})");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, reason: "Content Too Large", ..Self::bad(cause) }
    }

    /// A peer that is to begin with HTTP/2 has not.
    pub(crate) fn preface(begins: &[u8]) -> Self {
        Self::bad(format!("Expected HTTP/2 connection preface, got b{}", quoted_bytes(begins)))
    }

    pub(crate) fn proxy_line(line: &[u8]) -> Self {
        let cause = format!("Invalid PROXY line: {}", quoted(line));
        Self { detail: format!("'{cause}'"), ..Self::bad(cause) }
    }

    /// Gunicorn blames itself for these.
    pub(crate) fn proxy_header(what: &str) -> Self {
        let bad = Self::bad(format!("Invalid PROXY header: {what}"));
        let (status, reason) = (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
        Self { status, reason, detail: String::new(), ..bad }
    }

    /// This peer may not speak the PROXY protocol.
    pub(crate) fn proxy(address: &str) -> Self {
        let bad = Self::bad(format!("Proxy request from {} not allowed", quoted(address.as_bytes())));
        Self { status: StatusCode::FORBIDDEN, reason: "Forbidden", detail: "Request forbidden".to_owned(), ..bad }
    }

    /// There is no room for the body. Where there is none is the operator's business.
    pub(crate) fn storage(cause: String) -> Self {
        let bad = Self::bad("The request body cannot be stored.".to_owned());
        Self { status: StatusCode::INSUFFICIENT_STORAGE, reason: "Insufficient Storage", cause, ..bad }
    }

    /// Whether its client is likely to be sending a body still, and may have a lot of it left.
    pub(crate) fn is_of_body(&self) -> bool {
        matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::INSUFFICIENT_STORAGE)
    }

    /// Tells the operator.
    pub(crate) fn log(&self, address: &str) {
        if self.status == StatusCode::INSUFFICIENT_STORAGE {
            log::error!("{}", self.cause);
        } else {
            log::warn!("Invalid request from ip={address}: {}", self.cause);
        }
    }

    pub(crate) fn chunk_size(text: &[u8]) -> Self {
        Self::bad(format!("Invalid chunk size: b{}", quoted_bytes(text)))
    }

    pub(crate) fn chunk_end(text: &[u8]) -> Self {
        Self::bad(format!("Invalid chunk terminator is not '\\r\\n': b{}", quoted_bytes(text)))
    }

    pub(crate) fn chunk_extension(cause: &str) -> Self {
        Self::bad(format!("Invalid chunk extension: {cause}"))
    }

    /// The response, in a form that any version of HTTP can send.
    pub(crate) fn page(&self) -> (Head, Bytes) {
        error_page::page_with_reason(self.status, self.reason, &self.detail)
    }

    /// The response, with which the connection ends.
    pub(crate) fn response(&self) -> Vec<u8> {
        let page = error_page::html(self.reason, &self.detail);
        let (status, length) = (self.status.as_u16(), page.chars().count());
        let head = format!(
            "HTTP/1.1 {status} {}\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n",
            self.reason
        );
        // One byte for each character: those of the request are taken for Latin-1.
        head.chars().chain(page.chars()).map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
    }
}

/// The bytes as Latin-1 text in quotes, in Python's notation, which Gunicorn's log lines have.
pub(crate) fn quoted(text: &[u8]) -> String {
    quote(text, |byte| byte >= 0xa1 && byte != 0xad)
}

/// The bytes in quotes, in Python's notation, without the `b`.
fn quoted_bytes(text: &[u8]) -> String {
    quote(text, |_| false)
}

/// `shows`: which bytes above ASCII stand for themselves.
fn quote(text: &[u8], shows: impl Fn(u8) -> bool) -> String {
    let mark = if text.contains(&b'\'') && !text.contains(&b'"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for byte in text {
        match *byte {
            b'\\' => quoted.push_str("\\\\"),
            b'\t' => quoted.push_str("\\t"),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            byte if char::from(byte) == mark => quoted.extend(['\\', mark]),
            byte @ 0x20..=0x7e => quoted.push(char::from(byte)),
            byte if shows(byte) => quoted.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => drop(write!(quoted, "\\x{byte:02x}")),
        }
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_pythons() {
        for (bytes, expected) in [
            (&b"a b"[..], "'a b'"),
            (b"it's", "\"it's\""),
            (b"'\"", "'\\'\"'"),
            (b"\\\t\n\r\0\x7f", "'\\\\\\t\\n\\r\\x00\\x7f'"),
            (b"\xe9\xa0\xad", "'\u{e9}\\xa0\\xad'"),
        ] {
            assert_eq!(quoted(bytes), expected);
        }
        assert_eq!(quoted_bytes(b"\xe9"), "'\\xe9'");
    }

    #[test]
    fn a_response_is_well_formed() {
        let response = Refusal::request_line(b"<\xe9>").response();
        let head = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: ";
        assert!(response.starts_with(head));
        let text: String = response.iter().map(|byte| char::from(*byte)).collect();
        let (head, page) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", page.chars().count())));
        assert!(page.contains(
            "\n    Invalid Request Line &#x27;Invalid HTTP request line: &#x27;&lt;\u{e9}&gt;&#x27;&#x27;\n"
        ));
    }
}
