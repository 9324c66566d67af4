//! HTTP/2 without TLS: `http2_cleartext`.

use std::process::Command;

use crate::harness::http2::{Http2, PREFACE, SETTINGS, frame};
use crate::harness::target::binaries;
use crate::harness::{Launch, Server};

const PRIOR: &str = "--threads 4 --http-protocols h2,h1 --http2-cleartext prior-knowledge";

fn start(arguments: &str) -> Server {
    Launch::app("http2_app").args(arguments).start()
}

/// A trusted peer begins with HTTP/2.
#[test]
fn prior_knowledge_is_enough() {
    let server = start(PRIOR);
    Http2::begin(server.connect()).assert_serves(1);
    let mut slow = server.connect();
    for byte in PREFACE {
        slow.send([*byte]);
    }
    slow.send(frame(SETTINGS, 0, 0, &[]));
    assert_eq!(slow.take(9).unwrap()[3], SETTINGS);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/http2.py");
    let url = format!("http://127.0.0.1:{}", server.address().port());
    let output = Command::new(binaries().join("python")).arg(script).arg(url).output().expect("the client runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A trusted peer that begins with anything else has been set up wrong, and is told.
#[test]
fn trusted_peers_must_begin_with_it() {
    let server = start(PRIOR);
    let response = server.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status(), 400);
    assert!(
        response.text().contains("Expected HTTP/2 connection preface, got b&#x27;GET / HTTP/1.1\\r\\nHost: lo&#x27;")
    );
    server.wait_line(
        "Invalid request from ip=127.0.0.1: Expected HTTP/2 connection preface, got b'GET / HTTP/1.1\\r\\nHost: lo'",
    );
}

/// Other peers are served as without the setting.
#[test]
fn others_speak_http_1() {
    let server = start(&format!("{PRIOR} --forwarded-allow-ips 10.1.1.1"));
    server.get("/").expect(200, "hello");
    let mut client = server.connect();
    client.send(PREFACE);
    assert_eq!(client.response().status(), 400);
}

/// Without `h2` among the protocols, or without the setting, nobody speaks HTTP/2.
#[test]
fn both_settings_are_needed() {
    for arguments in ["--http2-cleartext prior-knowledge", "--http-protocols h2,h1"] {
        let server = start(&format!("--threads 2 {arguments}"));
        server.get("/").expect(200, "hello");
        let mut client = server.connect();
        client.send(PREFACE);
        assert_eq!(client.response().status(), 400);
    }
}

/// The upgrade of a connection is refused with what to do instead.
#[test]
fn there_is_no_upgrade() {
    only_ferricorn!("Gunicorn upgrades");
    for word in ["upgrade", "both"] {
        let finished = Launch::app("plain").args("--http-protocols h2,h1 --http2-cleartext").arg(word).run();
        finished.expect(1, &[&format!("`http2_cleartext = '{word}'` (--http2-cleartext)"), "say prior-knowledge"]);
    }
}
