//! Metrics for a statsd server, in the datagrams that Gunicorn's own sender makes: one a metric.
//!
//! A datagram that cannot be sent is lost without a word, as is the custom: whoever measures must
//! not be in the way of what is measured.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use ferricorn_settings::{Settings, StatsdAddress};

use crate::database::Counts;

/// A way to a statsd server.
#[derive(Debug)]
pub struct Statsd {
    socket: Socket,
    prefix: String,
    /// With what introduces them; empty without tags.
    tags: String,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket, SocketAddr),
    /// Not connected: a server that was started anew is found again.
    Unix(UnixDatagram, PathBuf),
}

impl Statsd {
    /// `None` where no metrics are wanted, and where Python's logger sends them: it counts what
    /// it logs, and may have been given other metrics to send. The error says all of it.
    pub fn open(settings: &Settings) -> io::Result<Option<Self>> {
        let Some(address) = &settings.statsd_host else { return Ok(None) };
        if settings.logger_is_custom || settings.logs_in_python {
            return Ok(None);
        }
        let socket = match address {
            StatsdAddress::Udp { host, port } => open_udp(host, *port).map_err(|error| {
                io::Error::new(error.kind(), format!("Cannot send metrics to statsd_host {host}:{port}: {error}"))
            })?,
            StatsdAddress::Unix { path } => open_unix(path.clone())?,
        };
        let tags = match settings.dogstatsd_tags.as_str() {
            "" => String::new(),
            tags => format!("|#{tags}"),
        };
        Ok(Some(Self { socket, prefix: settings.statsd_prefix.clone(), tags }))
    }

    /// A request has been answered, this long after its head had arrived.
    pub fn request(&self, status: u16, elapsed: Duration) {
        self.send("gunicorn.request.duration", format_args!("{}|ms", milliseconds(elapsed)));
        self.count("gunicorn.requests");
        self.count(&format!("gunicorn.request.status.{status}"));
    }

    /// A line of the error log: `critical`, `error`, `warning`, or `exception` for an error with
    /// its traceback. Gunicorn counts no others.
    pub fn log(&self, level: &str) {
        self.count(&format!("gunicorn.log.{level}"));
    }

    /// So many workers there are now.
    pub fn gauge_workers(&self, workers: usize) {
        self.send("gunicorn.workers", format_args!("{workers}|g"));
    }

    /// So many connections wait to be accepted.
    pub fn backlog(&self, connections: u32) {
        self.send("gunicorn.backlog", format_args!("{connections}|h"));
    }

    /// So many requests wait for their call in this worker.
    pub fn queue(&self, requests: usize) {
        self.send("ferricorn.queue", format_args!("{requests}|h"));
    }

    /// A request has waited too long for its call.
    pub fn queue_timeout(&self) {
        self.count("ferricorn.queue_timeouts");
    }

    /// A call has taken too long.
    pub fn request_timeout(&self) {
        self.count("ferricorn.request_timeouts");
    }

    /// What all workers' database pools have done since this was sent last, and how many connections they have.
    pub fn database(&self, counts: &Counts, open: u64, idle: u64) {
        let numbers = [("queries", counts.statements), ("errors", counts.failures), ("pool_timeouts", counts.timeouts)];
        for (name, number) in numbers {
            self.send(&format!("ferricorn.db.{name}"), format_args!("{number}|c"));
        }
        for (name, number) in [("connections", open), ("connections.idle", idle)] {
            self.send(&format!("ferricorn.db.{name}"), format_args!("{number}|g"));
        }
        for (name, times) in [("query", counts.query), ("acquire", counts.acquire)] {
            for (quantile, time) in times.usual_quantiles() {
                if let Some(time) = time {
                    self.send(&format!("ferricorn.db.{name}.{quantile}"), format_args!("{}|g", milliseconds(time)));
                }
            }
        }
    }

    fn count(&self, name: &str) {
        self.send(name, format_args!("1|c|@1.0"));
    }

    fn send(&self, name: &str, value: std::fmt::Arguments<'_>) {
        let datagram = format!("{}{name}:{value}{}", self.prefix, self.tags);
        // Lost without a word: see the module.
        let _ = match &self.socket {
            Socket::Udp(socket, address) => socket.send_to(datagram.as_bytes(), address),
            Socket::Unix(socket, path) => socket.send_to(datagram.as_bytes(), path),
        };
    }
}

/// Names resolve to IPv4 only, as in Gunicorn.
fn open_udp(host: &str, port: u16) -> io::Result<Socket> {
    let wants_v6 = host.contains(':');
    let address = (host, port)
        .to_socket_addrs()?
        .find(|address| address.is_ipv6() == wants_v6)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no IPv4 address"))?;
    let ours: SocketAddr = if wants_v6 { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(ours)?;
    socket.set_nonblocking(true)?;
    Ok(Socket::Udp(socket, address))
}

fn open_unix(path: PathBuf) -> io::Result<Socket> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(Socket::Unix(socket, path))
}

/// With as many digits as there are microseconds to tell of, and at least one, as Python writes it.
fn milliseconds(elapsed: Duration) -> String {
    let text = format!("{}.{:03}", elapsed.as_millis(), elapsed.subsec_micros() % 1000);
    match text.trim_end_matches('0') {
        whole if whole.ends_with('.') => format!("{whole}0"),
        short => short.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ferricorn_settings::{Context, Layer, Origin, Value, resolve};

    use super::*;

    fn open(values: &[(&str, &str)]) -> io::Result<Option<Statsd>> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), Value::text(*value))).collect();
        let layer = Layer::new(Origin::CommandLine, values);
        Statsd::open(&resolve(&[layer], Some("app"), &Context::from_environment()).unwrap().settings)
    }

    /// A server, and how it is named.
    fn server() -> (UdpSocket, String) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let name = format!("localhost:{}", server.local_addr().unwrap().port());
        (server, name)
    }

    fn received(server: &UdpSocket, count: usize) -> Vec<String> {
        let mut buffer = [0; 512];
        let mut next =
            || server.recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
        (0..count).map(|_| next().unwrap()).collect()
    }

    #[test]
    fn each_metric_is_a_datagram_as_gunicorn_sends_it() {
        let (server, name) = server();
        let statsd = open(&[("statsd_host", &name), ("statsd_prefix", "shop")]).unwrap().unwrap();
        statsd.request(404, Duration::from_micros(1_124_470));
        statsd.log("warning");
        statsd.gauge_workers(2);
        statsd.backlog(7);
        statsd.queue(3);
        statsd.queue_timeout();
        statsd.request_timeout();
        let expected = [
            "shop.gunicorn.request.duration:1124.47|ms",
            "shop.gunicorn.requests:1|c|@1.0",
            "shop.gunicorn.request.status.404:1|c|@1.0",
            "shop.gunicorn.log.warning:1|c|@1.0",
            "shop.gunicorn.workers:2|g",
            "shop.gunicorn.backlog:7|h",
            "shop.ferricorn.queue:3|h",
            "shop.ferricorn.queue_timeouts:1|c|@1.0",
            "shop.ferricorn.request_timeouts:1|c|@1.0",
        ];
        assert_eq!(received(&server, expected.len()), expected);
    }

    #[test]
    fn tags_come_last() {
        let (server, name) = server();
        let statsd = open(&[("statsd_host", &name), ("dogstatsd_tags", "a:b,c")]).unwrap().unwrap();
        statsd.log("error");
        statsd.gauge_workers(1);
        let expected = ["gunicorn.log.error:1|c|@1.0|#a:b,c", "gunicorn.workers:1|g|#a:b,c"];
        assert_eq!(received(&server, 2), expected);
    }

    #[test]
    fn a_unix_server_may_come_later_and_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statsd");
        let statsd = open(&[("statsd_host", &format!("unix://{}", path.display()))]).unwrap().unwrap();
        statsd.gauge_workers(1);
        for workers in [2, 3] {
            let server = UnixDatagram::bind(&path).unwrap();
            statsd.gauge_workers(workers);
            let mut buffer = [0; 64];
            let length = server.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], *format!("gunicorn.workers:{workers}|g").as_bytes());
            drop(server);
            std::fs::remove_file(&path).unwrap();
            statsd.gauge_workers(9);
        }
    }

    #[test]
    fn nothing_is_sent_that_python_sends_or_nobody_wants() {
        assert!(open(&[]).unwrap().is_none());
        let host = ("statsd_host", "localhost:9");
        assert!(open(&[host, ("logger_class", "shop.Logger")]).unwrap().is_none());
        assert!(open(&[host]).unwrap().is_some());
        let error = open(&[("statsd_host", "[not-an-address:x]:9")]).unwrap_err().to_string();
        assert!(error.starts_with("Cannot send metrics to statsd_host not-an-address:x:9: "), "{error}");
    }

    #[test]
    fn durations_are_written_as_python_writes_them() {
        for (microseconds, text) in [
            (0, "0.0"),
            (57, "0.057"),
            (1000, "1.0"),
            (10_500, "10.5"),
            (100_000_000, "100000.0"),
            (1_002_030, "1002.03"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(microseconds)), text);
        }
    }
}
