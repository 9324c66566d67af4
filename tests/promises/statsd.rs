//! `--statsd-host`: what is measured is sent, one datagram a metric.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use regex_lite::Regex;

use crate::harness::Launch;
use crate::harness::wait::PATIENCE;

/// Three datagrams about each request, in order; those about other things are passed over.
#[track_caller]
fn assert_measured(mut next: impl FnMut() -> String, prefix: &str, statuses: &[u16], tags: &str) {
    let mut next = || loop {
        let datagram = next();
        if datagram.strip_prefix(prefix).expect("the prefix").starts_with("gunicorn.request") {
            break datagram;
        }
    };
    let duration = format!(r"^{}gunicorn\.request\.duration:\d+\.\d{{1,3}}\|ms{}$", escaped(prefix), escaped(tags));
    let duration = Regex::new(&duration).expect("the pattern is well formed");
    for status in statuses {
        let measured = next();
        assert!(duration.is_match(&measured), "{measured}");
        assert_eq!(next(), format!("{prefix}gunicorn.requests:1|c|@1.0{tags}"));
        assert_eq!(next(), format!("{prefix}gunicorn.request.status.{status}:1|c|@1.0{tags}"));
    }
}

fn escaped(text: &str) -> String {
    text.replace('.', r"\.").replace('|', r"\|")
}

fn text(buffer: &[u8]) -> String {
    String::from_utf8_lossy(buffer).into_owned()
}

/// Every answer of the application is measured, errors and all, with prefix and tags.
#[test]
fn requests_are_measured() {
    let statsd = UdpSocket::bind("127.0.0.1:0").unwrap();
    statsd.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = statsd.local_addr().unwrap();
    let args = format!("--statsd-host {address} --statsd-prefix shop --dogstatsd-tags a:b,c");
    let server = Launch::app("plain").args(&args).start();
    for (target, status) in [("/", 200), ("/nowhere", 404), ("/error", 500)] {
        assert_eq!(server.get(target).status(), status);
    }
    let mut buffer = [0; 512];
    let next = || statsd.recv(&mut buffer).map(|length| text(&buffer[..length])).expect("a datagram");
    assert_measured(next, "shop.", &[200, 404, 500], "|#a:b,c");
}

/// A unix socket does as well.
#[test]
fn requests_are_measured_on_a_unix_socket() {
    let launch = Launch::app("plain");
    let path = launch.workdir().join("statsd");
    let statsd = UnixDatagram::bind(&path).unwrap();
    statsd.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = launch.args(&format!("--statsd-host unix://{}", path.display())).start();
    server.get("/").expect(200, "hello");
    let mut buffer = [0; 512];
    let next = || statsd.recv(&mut buffer).map(|length| text(&buffer[..length])).expect("a datagram");
    assert_measured(next, "", &[200], "");
}
