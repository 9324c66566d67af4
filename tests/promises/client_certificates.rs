//! Certificates of clients: `cert_reqs` and `ca_certs`.

use crate::harness::http::{Fault, Response};
use crate::harness::tls::{Authority, TlsClient, secure, self_signed};
use crate::harness::{Connection, Server};

/// Tells whom the client's certificate names.
const NAMING: &str = "def application(environ, start_response):\n\
                      \x20   certificate = environ['gunicorn.socket'].getpeercert()\n\
                      \x20   names = [value for part in (certificate or {}).get('subject', ()) for _, value in part]\n\
                      \x20   body = ' '.join(names or ['nobody']).encode()\n\
                      \x20   start_response('200 OK', [('Content-Length', str(len(body)))])\n\
                      \x20   return [body]\n";

fn server(authority: &Authority, requirement: u8) -> Server {
    let launch = secure("naming").file("naming.py", NAMING).file("ca.pem", &authority.certificate);
    launch.args(&format!("--ca-certs ca.pem --cert-reqs {requirement}")).start()
}

/// One request, up to where it fails: in the handshake, or, with TLS 1.3, just after it.
fn ask(server: &Server, client: &TlsClient) -> Result<Response, Fault> {
    let mut connection = Connection::open_tls(&server.address(), client)?;
    connection.try_send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    connection.try_response_to("GET")
}

/// 2: who has no certificate, or one that nobody vouches for, is not served.
#[test]
fn certificates_can_be_required() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let server = server(&authority, 2);
    ask(&server, &TlsClient::with(&authority.client("alice"))).unwrap().expect(200, "alice");
    assert!(ask(&server, &TlsClient::default()).is_err());
    assert!(ask(&server, &TlsClient::with(&stranger.client("mallory"))).is_err());
    assert!(ask(&server, &TlsClient::with(&self_signed("mallory"))).is_err());
    server.wait_line("Invalid request from ip=127.0.0.1: ");
}

/// 1: who has none is served, who has a wrong one is not.
#[test]
fn certificates_can_be_optional() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let server = server(&authority, 1);
    ask(&server, &TlsClient::with(&authority.client("alice"))).unwrap().expect(200, "alice");
    ask(&server, &TlsClient::default()).unwrap().expect(200, "nobody");
    assert!(ask(&server, &TlsClient::with(&stranger.client("mallory"))).is_err());
}

/// 0: nobody is asked.
#[test]
fn certificates_are_not_asked_for_unless_told() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let server = server(&authority, 0);
    ask(&server, &TlsClient::with(&stranger.client("mallory"))).unwrap().expect(200, "nobody");
}
