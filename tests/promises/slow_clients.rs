//! Slow clients hold up nobody, even with a single worker.

use std::time::Duration;

use crate::harness::Launch;
use crate::harness::http::Fault;
use crate::harness::wait::stays;

/// Why this is only promised by us.
const BLOCKS: &str = "a slow client blocks Gunicorn's sync worker";

/// A client that connects and says nothing does not block another.
#[test]
fn a_silent_client_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let server = Launch::app("plain").start();
    let mut silent = server.connect();
    server.get("/").expect(200, "hello");
    silent.get("/").expect(200, "hello");
}

/// A client whose head trickles in does not block another.
#[test]
fn a_slow_head_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let server = Launch::app("plain").start();
    let mut slow = server.connect();
    slow.send("GET /token?slow HTTP/1.1\r\nHo");
    server.get("/").expect(200, "hello");
    slow.send("st: x\r\n\r\n");
    slow.response().expect(200, "token=slow");
}

/// A client whose body trickles in does not block another, and the body arrives complete.
#[test]
fn a_slow_upload_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let server = Launch::app("plain").start();
    let mut slow = server.connect();
    slow.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    server.get("/").expect(200, "hello");
    slow.send("567");
    server.get("/").expect(200, "hello");
    slow.send("89");
    slow.response().expect(200, "0123456789");
}

/// A client that does not read its large response does not block another, and gets it complete once it reads.
#[test]
fn a_slow_download_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let server = Launch::app("framing").start();
    let mut slow = server.connect();
    slow.send("GET /big?33554432 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    for _ in 0..3 {
        server.get("/length").expect(200, "hello");
    }
    assert_eq!(slow.take(32 << 20).map(|body| body.len()), Ok(32 << 20));
}

/// A response that fits the buffer of 1 MiB does not hold the application either when it is made piece by piece: it is closed, and others
/// are served, while the client has taken nothing.
#[test]
fn a_stream_that_fits_the_buffer_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let server = Launch::app("closing").start();
    let mut slow = server.connect();
    slow.send("GET /fits HTTP/1.0\r\n\r\n");
    server.wait_for("close()", || (server.workdir().read("notes") == "closed\n").then_some(()));
    server.get("/").expect(200, "onetwo");
    assert_eq!(slow.head().status, 200);
    assert_eq!(slow.drain().len(), 14 * 65536);
}

/// A file of any size does not hold the application: it is read as its client takes it.
#[test]
fn a_slow_download_of_a_file_blocks_nobody() {
    only_ferricorn!(BLOCKS);
    let launch = Launch::app("framing").file("sparse", "");
    let sparse = std::fs::OpenOptions::new().write(true).open(launch.workdir().join("sparse"));
    sparse.and_then(|file| file.set_len(64 << 20)).expect("a file can be made longer");
    let server = launch.start();
    let mut slow = server.connect();
    slow.send("GET /file?sparse HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    for _ in 0..3 {
        server.get("/length").expect(200, "hello");
    }
    assert_eq!(slow.take(64 << 20).map(|body| body.len()), Ok(64 << 20));
}

/// Many idle connections do not keep a new one from being served.
#[test]
fn idle_connections_block_nobody() {
    only_ferricorn!("Gunicorn's sync worker keeps no connection alive");
    let server = Launch::app("plain").args("--keep-alive 30").start();
    let mut idle: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for connection in &mut idle {
        connection.get("/").expect(200, "hello");
    }
    server.get("/").expect(200, "hello");
    for connection in &mut idle {
        connection.get("/").expect(200, "hello");
    }
}

/// A client that stops reading a streamed response does not cost the worker its life, however long it takes.
#[test]
fn a_stalled_reader_does_not_cost_a_worker() {
    only_ferricorn!("Gunicorn's sync worker is killed for its client's slowness");
    let app = "def application(environ, start_response):\n    \
               start_response('200 OK', [])\n    \
               return (b'x' * 65536 for _ in range(512))\n";
    let server = Launch::app("streamed").file("streamed.py", app).args("--timeout 2").start();
    let mut slow = server.connect();
    slow.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    assert!(stays(Duration::from_millis(5000), || !server.log().contains("WORKER TIMEOUT")));
    assert_eq!(slow.take(32 << 20).map(|body| body.len()), Ok(32 << 20));
}

/// `client_head_timeout` ends a client that says nothing, and one whose head trickles in, but none that is served.
#[test]
fn a_head_has_its_time() {
    only_ferricorn!("Gunicorn has no such settings");
    let server = Launch::app("plain").args("--client-head-timeout 1 --keep-alive 30").start();
    let mut served = server.connect();
    served.get("/").expect(200, "hello");
    let (mut silent, mut slow, mut second) = (server.connect(), server.connect(), server.connect());
    slow.send("GET / HTTP/1.1\r\nHo");
    second.get("/").expect(200, "hello");
    second.send("GET / HTTP/1.1\r\nHo");
    for connection in [&mut silent, &mut slow, &mut second] {
        assert_eq!(connection.drain(), b"");
    }
    served.get("/").expect(200, "hello");
}

/// `client_stall_timeout` ends a client that stops in the middle of its body, and one that takes nothing of its response, though it
/// goes on sending.
#[test]
fn a_client_that_stalls_is_given_up() {
    only_ferricorn!("Gunicorn has no such settings");
    let server = Launch::app("framing").args("--client-stall-timeout 1").start();
    let (mut uploads, mut downloads) = (server.connect(), server.connect());
    uploads.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    downloads.send("GET /big?33554432 HTTP/1.1\r\nHost: x\r\n\r\nGET /more HTTP/1.1\r\n");
    assert_eq!(downloads.head().status, 200);
    assert_eq!(uploads.drain(), b"");
    server.wait_for("the end of the download", || downloads.try_send(b"x").is_err().then_some(()));
    assert!(downloads.take(32 << 20).is_err());
}

/// `worker_connections` is how many connections a worker has open. Others are not refused: they wait until one of those has ended.
#[test]
fn connections_beyond_the_limit_wait() {
    let server = Launch::app("plain").args("--worker-class gthread --threads 2 --worker-connections 2").start();
    let (first, second) = (server.connect(), server.connect());
    let mut third = server.connect();
    third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    third.patience(Duration::from_millis(700));
    assert_eq!(third.try_response_to("GET").unwrap_err(), Fault::Timeout);
    drop(first);
    third.patience(Duration::from_secs(20));
    third.response().expect(200, "hello");
    drop(second);
}
