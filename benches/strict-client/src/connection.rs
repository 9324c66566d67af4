//! One client connection: sends exactly the bytes it is given, reads exactly one response at a time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use crate::http::{Fault, Framing, Head, Response};
use crate::tls::TlsClient;

/// How long anything may take that should happen at once, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A TCP port with TLS.
    Tls(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Address {
    /// Reads an address as it stands in the log: `http://127.0.0.1:8000`, `https://...`, `unix:path`, relative to `dir`.
    #[track_caller]
    pub fn parse(text: &str, dir: &Path) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::Unix(dir.join(path));
        }
        let (secure, host) = match text.strip_prefix("https://") {
            Some(host) => (true, host),
            None => (false, text.trim_start_matches("http://")),
        };
        let host = host.replace("0.0.0.0", "127.0.0.1");
        let address = host.parse().unwrap_or_else(|_| panic!("`{text}` is no address"));
        if secure { Self::Tls(address) } else { Self::Tcp(address) }
    }

    /// The TCP port.
    #[track_caller]
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address.port(),
            Self::Unix(path) => panic!("{} has no port", path.display()),
        }
    }
}

/// A connected socket of any kind.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

/// An open connection and what it has received beyond the last response.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Bytes received and not yet consumed.
    buffer: Vec<u8>,
    /// TLS ended, and the server had not said so.
    pub ended_abruptly: bool,
}

impl Connection {
    /// Connects.
    pub fn open(address: &Address) -> Result<Self, Fault> {
        let stream = match address {
            Address::Tcp(address) => Stream::Tcp(TcpStream::connect_timeout(address, PATIENCE)?),
            Address::Tls(_) => return Self::open_tls(address, &TlsClient::default()),
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        let connection = Self { stream, buffer: Vec::new(), ended_abruptly: false };
        connection.patience(PATIENCE);
        Ok(connection)
    }

    /// Connects with TLS, and shakes hands.
    pub fn open_tls(address: &Address, client: &TlsClient) -> Result<Self, Fault> {
        let (Address::Tcp(address) | Address::Tls(address)) = address else { panic!("no TLS over {address:?}") };
        let mut socket = TcpStream::connect_timeout(address, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut session = client.session();
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let connection = Self {
            stream: Stream::Tls(Box::new(StreamOwned::new(session, socket))),
            buffer: Vec::new(),
            ended_abruptly: false,
        };
        connection.patience(PATIENCE);
        Ok(connection)
    }

    /// What was agreed on with TLS.
    #[track_caller]
    pub fn session(&self) -> &ClientConnection {
        match &self.stream {
            Stream::Tls(stream) => &stream.conn,
            other => panic!("no TLS on {other:?}"),
        }
    }

    /// How long a read may wait.
    pub fn patience(&self, limit: Duration) {
        let set = match &self.stream {
            Stream::Tcp(stream) => stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(limit))),
            Stream::Tls(stream) => {
                stream.sock.set_nodelay(true).and_then(|()| stream.sock.set_read_timeout(Some(limit)))
            }
            Stream::Unix(stream) => stream.set_read_timeout(Some(limit)),
        };
        set.expect("a connected socket takes a timeout");
    }

    /// The client's own port.
    #[track_caller]
    pub fn local_port(&self) -> u16 {
        match &self.stream {
            Stream::Tcp(stream) => stream.local_addr().expect("a connected socket has an address").port(),
            Stream::Tls(stream) => stream.sock.local_addr().expect("a connected socket has an address").port(),
            Stream::Unix(_) => panic!("a unix socket has no port"),
        }
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).unwrap_or_else(|fault| panic!("cannot send: {fault:?}"));
    }

    /// Sends bytes, if the other side takes them.
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes)?,
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush())?,
            Stream::Unix(stream) => stream.write_all(bytes)?,
        }
        Ok(())
    }

    /// Says that no more bytes will be sent.
    pub fn finish_sending(&mut self) {
        let done = match &mut self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.conn.complete_io(&mut stream.sock).map(drop)
            }
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        match done {
            // Who is gone need not be told.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            done => done.expect("a connected socket can be shut down"),
        }
    }

    /// Sends a GET that leaves the connection open, and reads the response.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.response()
    }

    /// Reads one response.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Reads the response to a request of `method`.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).unwrap_or_else(|fault| panic!("no response: {fault:?}, buffer {:?}", self.shown()))
    }

    /// Reads the response to a request of `method`, or says why there is none.
    pub fn try_response_to(&mut self, method: &str) -> Result<Response, Fault> {
        let head = self.try_head()?;
        let framing = head.framing(method);
        let body = match framing {
            Framing::None => Vec::new(),
            Framing::Length(length) => self.take(length)?,
            Framing::Chunked => self.chunks()?,
            Framing::Close => self.rest()?,
        };
        Ok(Response { head, framing, body })
    }

    /// Reads one head and nothing of the body.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        self.try_head().unwrap_or_else(|fault| panic!("no head: {fault:?}, buffer {:?}", self.shown()))
    }

    /// Reads one chunk of a chunked body; the empty one is the last.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        self.try_chunk().unwrap_or_else(|fault| panic!("no chunk: {fault:?}, buffer {:?}", self.shown()))
    }

    /// Reads a head and the first chunk after it.
    #[track_caller]
    pub fn chunk_after_head(&mut self) -> Vec<u8> {
        self.head();
        self.chunk()
    }

    /// Waits for the end of the connection, a clean one or a reset, and gives what came before it.
    #[track_caller]
    pub fn drain(&mut self) -> Vec<u8> {
        match self.rest() {
            Ok(rest) => rest,
            Err(Fault::Reset) => std::mem::take(&mut self.buffer),
            Err(fault) => panic!("the connection was not closed: {fault:?}"),
        }
    }

    /// Reads one head, or says why there is none.
    pub fn try_head(&mut self) -> Result<Head, Fault> {
        let end = self.find(b"\r\n\r\n")?;
        let head = self.consume(end + 4);
        Head::parse(&head[..end])
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        loop {
            let chunk = self.try_chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    fn try_chunk(&mut self) -> Result<Vec<u8>, Fault> {
        let end = self.find(b"\r\n").map_err(in_body)?;
        let line = String::from_utf8_lossy(&self.consume(end + 2)[..end]).into_owned();
        let size = usize::from_str_radix(&line, 16).map_err(|_| Fault::Garbled(format!("chunk size {line:?}")))?;
        let data = self.take(size)?;
        match self.take(2)?.as_slice() {
            b"\r\n" => Ok(data),
            other => Err(Fault::Garbled(format!("chunk end {other:?}"))),
        }
    }

    /// Waits until the buffer holds `mark` and says where.
    fn find(&mut self, mark: &[u8]) -> Result<usize, Fault> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(at);
            }
            match self.fill() {
                Ok(0) if self.buffer.is_empty() => return Err(Fault::Closed),
                Ok(0) | Err(Fault::Reset) if !self.buffer.is_empty() => return Err(Fault::Truncated),
                Ok(_) => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Reads exactly `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        while self.buffer.len() < count {
            if self.fill().map_err(in_body)? == 0 {
                return Err(Fault::Truncated);
            }
        }
        Ok(self.consume(count))
    }

    fn rest(&mut self) -> Result<Vec<u8>, Fault> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    fn consume(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }

    /// Reads once more; 0 is the end.
    fn fill(&mut self) -> Result<usize, Fault> {
        let mut room = [0; 65536];
        let count = match &mut self.stream {
            Stream::Tcp(stream) => retried(|| stream.read(&mut room))?,
            // Gunicorn ends TLS without a word.
            Stream::Tls(stream) => match retried(|| stream.read(&mut room)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.ended_abruptly = true;
                    0
                }
                read => read?,
            },
            Stream::Unix(stream) => retried(|| stream.read(&mut room))?,
        };
        self.buffer.extend(&room[..count]);
        Ok(count)
    }

    /// What is in the buffer, for a panic message.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(500)]).into_owned()
    }
}

/// A connection that ends inside a body has truncated it, however it ended.
fn in_body(fault: Fault) -> Fault {
    match fault {
        Fault::Closed | Fault::Reset => Fault::Truncated,
        other => other,
    }
}

/// A read that a signal interrupted is read again.
fn retried(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
