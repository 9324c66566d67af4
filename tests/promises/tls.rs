//! TLS: the same server, with a certificate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{CipherSuite, ProtocolVersion};

use crate::harness::connection::Address;
use crate::harness::http::Fault;
use crate::harness::tls::{Identity, TlsClient, secure, self_signed};
use crate::harness::{Connection, Launch};

/// A certificate makes `https://` of every address, and the application knows.
#[test]
fn a_certificate_turns_tls_on() {
    let server = secure("environ").start();
    server.wait_log("Listening at: https://127.0.0.1:");
    let environ: serde_json::Value = serde_json::from_str(&server.get("/a?b").text()).expect("JSON");
    assert_eq!(environ["wsgi.url_scheme"], "https");
    assert_eq!(environ["SERVER_PROTOCOL"], "HTTP/1.1");
    assert_eq!(environ["RAW_URI"], "/a?b");
    assert!(environ.get("HTTP_VERSION").is_none());
}

/// Certificate and key may share a file.
#[test]
fn one_file_is_enough() {
    let Identity { certificate, key } = self_signed("both");
    let launch = Launch::app("plain").file("both.pem", &format!("{key}{certificate}"));
    launch.args("--certfile both.pem").start().get("/").expect(200, "hello");
}

/// Both versions of TLS that are still in use are spoken.
#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let server = secure("plain").start();
    for (client, version) in
        [(TlsClient::tls12(), ProtocolVersion::TLSv1_2), (TlsClient::tls13(), ProtocolVersion::TLSv1_3)]
    {
        let mut connection = Connection::open_tls(&server.address(), &client).unwrap();
        connection.get("/").expect(200, "hello");
        assert_eq!(connection.session().protocol_version(), Some(version));
    }
}

/// `ciphers` chooses among the suites of TLS 1.2, and leaves those of TLS 1.3 alone.
#[test]
fn ciphers_choose() {
    let server = secure("plain").args("--ciphers ECDHE-ECDSA-AES128-GCM-SHA256").start();
    let mut connection = Connection::open_tls(&server.address(), &TlsClient::tls12()).unwrap();
    connection.get("/").expect(200, "hello");
    let suite = connection.session().negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    let other = TlsClient::tls12().suites(&[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]);
    assert!(Connection::open_tls(&server.address(), &other).is_err());
    Connection::open_tls(&server.address(), &TlsClient::tls13()).unwrap().get("/").expect(200, "hello");
}

/// Connections are kept over TLS as without it, and requests may be sent ahead.
#[test]
fn connections_are_kept_and_pipelined() {
    let server = secure("plain").args("--threads 2").start();
    let mut connection = server.connect();
    connection.get("/").expect(200, "hello");
    connection.send("GET /token?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /token?2 HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.response().expect(200, "token=1");
    connection.response().expect(200, "token=2");
}

/// Ten megabytes arrive unharmed, in both directions, as bytes and from a file.
#[test]
fn long_bodies_arrive_unharmed() {
    let server = secure("plain").start();
    let body: Vec<u8> = (0..10_000_000_u32).map(|number| (number % 251) as u8).collect();
    let mut connection = server.connect();
    connection.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    connection.send(&body);
    assert!(connection.response().body == body);
    let framing = secure("framing").start();
    framing.write("file", &"0123456789abcdef".repeat(200_000));
    assert_eq!(framing.get("/file?file").body.len(), 3_200_000);
    assert_eq!(framing.get("/big?3200000").body.len(), 3_200_000);
}

/// A body that is streamed arrives piece by piece.
#[test]
fn pieces_arrive_at_once() {
    let server = secure("framing").start();
    let mut connection = server.connect();
    connection.send("GET /held?gate HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.chunk_after_head(), b"first");
    server.write("gate", "");
    assert_eq!(connection.chunk(), b"second");
}

/// A client that has sent its request and says that it will send no more gets its answer.
#[test]
fn half_closed_connections_are_answered() {
    let server = secure("plain").start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.finish_sending();
    connection.response().expect(200, "hello");
}

/// Early hints go through TLS, before the response.
#[test]
fn early_hints_go_through_tls() {
    let app = "def application(environ, start_response):\n\
               \x20   environ['wsgi.early_hints']([('Link', '</a.css>; rel=preload')])\n\
               \x20   start_response('200 OK', [('Content-Length', '2')])\n\
               \x20   return [b'ok']\n";
    let server = secure("hinting").file("hinting.py", app).start();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = connection.head();
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a.css>; rel=preload")));
    connection.response().expect(200, "ok");
}

/// The end of a connection is told by TLS, so that nobody can cut a response short unnoticed.
#[test]
fn the_end_is_told() {
    only_ferricorn!("Gunicorn closes the socket without a word");
    let server = secure("plain").args("--keep-alive 1").start();
    let mut closed = server.connect();
    closed.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    closed.response().expect(200, "hello");
    assert_eq!(closed.drain(), b"");
    assert!(!closed.ended_abruptly);
    let mut idle = server.connect();
    idle.get("/").expect(200, "hello");
    assert_eq!(idle.drain(), b"");
    assert!(!idle.ended_abruptly);
    let mut refused = server.connect();
    refused.send("GET / HTTP/1.1\r\nno colon\r\n\r\n");
    assert_eq!(refused.response().status(), 400);
    assert_eq!(refused.drain(), b"");
    assert!(!refused.ended_abruptly);
}

/// Whoever does not speak TLS gets no answer, and a line in the log.
#[test]
fn other_protocols_are_not_answered() {
    let server = secure("plain").start();
    let Address::Tls(address) = server.address() else { panic!("no TLS") };
    for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0; 100]] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"");
    }
    server.wait_line("Invalid request from ip=127.0.0.1: ");
    server.get("/").expect(200, "hello");
}

/// Clients that connect and say nothing, or half a greeting, keep nobody waiting.
#[test]
fn silent_clients_hold_nobody() {
    let server = secure("plain").args("--threads 4").start();
    let Address::Tls(address) = server.address() else { panic!("no TLS") };
    let silent = TcpStream::connect(address).unwrap();
    let mut halting = TcpStream::connect(address).unwrap();
    halting.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    for _ in 0..3 {
        server.get("/").expect(200, "hello");
    }
    drop((silent, halting));
}

/// A trusted proxy's word about the scheme counts more than our own TLS.
#[test]
fn a_proxy_knows_better() {
    let server = secure("environ").start();
    let response = server.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n");
    assert!(response.text().contains(r#""wsgi.url_scheme": "http""#));
}

/// An application can ask what was agreed on.
#[test]
fn the_socket_tells_of_tls() {
    let app = "def application(environ, start_response):\n\
               \x20   socket = environ['gunicorn.socket']\n\
               \x20   body = repr((socket.version(), socket.cipher(), socket.getpeercert())).encode()\n\
               \x20   start_response('200 OK', [('Content-Length', str(len(body)))])\n\
               \x20   return [body]\n";
    let server = secure("asking").file("asking.py", app).args("--ciphers ECDHE-ECDSA-AES128-GCM-SHA256").start();
    let mut connection = Connection::open_tls(&server.address(), &TlsClient::tls12()).unwrap();
    let text = connection.get("/").text();
    assert!(text.starts_with("('TLSv1.2', ('ECDHE-ECDSA-AES128-GCM-SHA256', 'TLSv1.2', 128), None)"), "{text}");
}

/// A request that was cut short with its connection is not served.
#[test]
fn what_is_cut_short_is_not_served() {
    only_ferricorn!("Gunicorn's application reads what there is");
    let server = secure("plain").start();
    let mut connection = server.connect();
    connection.send("POST /exit?9 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    drop(connection);
    let mut other = server.connect();
    other.get("/").expect(200, "hello");
    assert_eq!(other.try_response_to("GET"), Err(Fault::Closed));
    assert!(!server.log().contains("exited"));
}

/// A handshake, and then the first head, must be over in `client_head_timeout`, however busily a client sends bytes of it.
#[test]
fn a_handshake_has_its_time() {
    only_ferricorn!("Gunicorn has no such setting");
    let server = secure("plain").args("--client-head-timeout 1").start();
    let Address::Tls(address) = server.address() else { panic!("no TLS") };
    let connect = || TcpStream::connect(address).unwrap();
    let (silent, mut halting, mut trickling) = (connect(), connect(), connect());
    halting.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    // A greeting that goes on for hours at this pace.
    let trickle = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc][..], &[0; 1000]].concat();
    let ended = trickle.iter().any(|byte| {
        std::thread::sleep(Duration::from_millis(10));
        trickling.write_all(&[*byte]).is_err()
    });
    assert!(ended, "a client may take its time");
    for mut socket in [silent, halting] {
        assert_eq!(socket.read(&mut [0; 10]).unwrap(), 0);
    }
    assert_eq!(server.connect().drain(), b"");
    server.get("/").expect(200, "hello");
}
