//! Responses as parsed bytes. Strict: what does not follow the grammar is a fault, not a guess.

use std::io;

/// What went wrong with one exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the first byte of a response.
    Closed,
    /// The connection was closed in the middle of a response.
    Truncated,
    /// Nothing came in time.
    Timeout,
    /// The bytes are no HTTP response.
    Garbled(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused | Kind::NotFound => Self::Refused,
            Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted => Self::Reset,
            Kind::WouldBlock | Kind::TimedOut => Self::Timeout,
            _ => Self::Garbled(error.to_string()),
        }
    }
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: HEAD, 1xx, 204, 304.
    None,
    /// `Content-Length`.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection.
    Close,
}

/// The status line and the headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `HTTP/1.1`.
    pub version: String,
    /// `200`.
    pub status: u16,
    /// `OK`.
    pub reason: String,
    /// In the order of arrival, names as they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Parses everything up to, not including, the empty line.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let text: String = text.iter().map(|byte| char::from(*byte)).collect();
        let garbled = || Fault::Garbled(text.clone());
        let mut lines = text.split("\r\n");
        let mut status = lines.next().unwrap_or_default().splitn(3, ' ');
        let version = status
            .next()
            .filter(|v| v.starts_with("HTTP/") && v.len() == "HTTP/1.1".len())
            .ok_or_else(garbled)?
            .to_owned();
        let code =
            status.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok()).ok_or_else(garbled)?;
        let reason = status.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').ok_or_else(garbled)?;
            Ok::<_, Fault>((name.to_owned(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Result<_, _>>()?;
        Ok(Self { version, status: code, reason, headers })
    }

    /// The first value of `name`, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of `name`, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// How the body of this response to `method` ends.
    pub fn framing(&self, method: &str) -> Framing {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        if method == "HEAD" || self.status < 200 || self.status == 204 || self.status == 304 {
            Framing::None
        } else if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            Framing::Chunked
        } else {
            length.map_or(Framing::Close, Framing::Length)
        }
    }

    /// Whether the server says that it will close the connection (or never said that it keeps it, on HTTP/1.0).
    pub fn closes(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default();
        match self.version.as_str() {
            "HTTP/1.0" => !connection.eq_ignore_ascii_case("keep-alive"),
            _ => connection.eq_ignore_ascii_case("close"),
        }
    }
}

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status line and headers.
    pub head: Head,
    /// How the body's end was told.
    pub framing: Framing,
    /// The body, decoded.
    pub body: Vec<u8>,
}

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Panics unless the status is `status` and the body `body`.
    #[track_caller]
    pub fn expect(&self, status: u16, body: &str) -> &Self {
        assert_eq!((self.status(), self.text().as_str()), (status, body), "{:?}", self.head);
        self
    }
}
