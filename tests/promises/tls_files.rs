//! Certificates and keys: when they are read, and what becomes of those that are no use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::strict::{Load, Mode};
use crate::harness::tls::{Identity, TlsClient, der, secure, self_signed};
use crate::harness::{Connection, Launch, Server};

/// Whether a new connection is shown this certificate.
fn shows(server: &Server, identity: &Identity) -> Option<()> {
    let connection = Connection::open_tls(&server.address(), &TlsClient::default()).ok()?;
    let shown = connection.session().peer_certificates()?.first()?.clone();
    (shown == der(identity)).then_some(())
}

fn put(server: &Server, identity: &Identity) {
    server.write("cert.pem", &identity.certificate);
    server.write("key.pem", &identity.key);
}

/// A file that is not there ends the start with exit 1, and is named.
#[test]
fn a_missing_file_ends_the_start() {
    let Identity { certificate, key } = self_signed("first");
    let launch = || Launch::app("plain").file("cert.pem", &certificate).file("key.pem", &key);
    launch().args("--certfile nope.pem --keyfile key.pem").run().expect(1, &["nope.pem"]);
    launch().args("--certfile cert.pem --keyfile nope.pem").run().expect(1, &["nope.pem"]);
}

/// Everything that is wrong with a file is told at the start, in one sentence, before anything is bound.
#[test]
fn useless_files_end_the_start() {
    only_ferricorn!("Gunicorn looks at its files when a client comes");
    let (first, second) = (self_signed("first"), self_signed("second"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let launch = || {
        let launch = Launch::app("plain").file("cert.pem", &first.certificate).file("key.pem", &first.key);
        launch.file("other.pem", &second.key).file("text.pem", "no PEM\n").file("locked.pem", encrypted)
    };
    for (arguments, sentence) in [
        ("--certfile text.pem --keyfile key.pem", "certfile 'text.pem' has no certificate in PEM"),
        ("--certfile cert.pem --keyfile text.pem", "keyfile 'text.pem' has no private key in PEM"),
        ("--certfile cert.pem", "keyfile 'cert.pem' has no private key in PEM"),
        (
            "--certfile cert.pem --keyfile other.pem",
            "keyfile 'other.pem' is not the key of the first certificate in certfile 'cert.pem'",
        ),
        ("--certfile cert.pem --keyfile locked.pem", "the key in 'locked.pem' is encrypted"),
        ("--keyfile key.pem", "a key needs its certificate"),
        ("--certfile cert.pem --keyfile key.pem --ca-certs text.pem", "ca_certs 'text.pem' has no certificate in PEM"),
        ("--certfile cert.pem --keyfile key.pem --cert-reqs 2", "needs ca_certs"),
        ("--certfile cert.pem --keyfile key.pem --cert-reqs 7", "must be 0, 1 or 2"),
        ("--certfile cert.pem --keyfile key.pem --ciphers RC4-SHA", "there is no cipher RC4-SHA, supported are ECDHE-"),
    ] {
        let finished = launch().args(arguments).run();
        finished.expect(1, &["\nError: ", sentence]);
        assert!(!finished.stderr.contains("Listening at"), "{}", finished.stderr);
    }
}

/// `--check-config` looks at them too: it is what one runs before a reload.
#[test]
fn check_config_looks_at_certificates() {
    only_ferricorn!("Gunicorn's does not");
    secure("plain").args("--check-config").run().expect(0, &[]);
    let broken = secure("plain").file("key.pem", "no PEM\n");
    broken.args("--check-config").run().expect(1, &["keyfile 'key.pem' has no private key in PEM"]);
}

/// HUP brings a new certificate into use.
#[test]
fn hup_brings_a_new_certificate() {
    let server = secure("plain").start();
    server.get("/").expect(200, "hello");
    let second = self_signed("second");
    assert_eq!(shows(&server, &second), None);
    put(&server, &second);
    server.signal(Signal::SIGHUP);
    server.wait_for("the new certificate", || shows(&server, &second));
    server.get("/").expect(200, "hello");
}

/// No request is lost over it.
#[test]
fn a_new_certificate_costs_no_request() {
    only_ferricorn!("Gunicorn closes kept connections without a word");
    let server = secure("plain").args("--workers 2").start();
    server.wait_workers(2);
    let load = Load::start(&server.address(), &[Mode::KeepAlive, Mode::Close, Mode::KeepAlive, Mode::Close]);
    for name in ["second", "third"] {
        server.wait_progress(&load, 30);
        let next = self_signed(name);
        put(&server, &next);
        server.signal(Signal::SIGHUP);
        server.wait_for("the new certificate", || shows(&server, &next));
    }
    server.wait_progress(&load, 30);
    let tally = load.finish();
    assert!(tally.anomalies.is_empty() && tally.right > 90, "{tally:?}");
}

/// A certificate that is no use fails the reload, and the old one serves on.
#[test]
fn a_useless_certificate_fails_the_reload() {
    only_ferricorn!("Gunicorn looks at its files when a client comes");
    let server = secure("plain").start();
    let workers = server.wait_workers(1);
    server.write("cert.pem", "no PEM\n");
    server.signal(Signal::SIGHUP);
    server.wait_log("certfile 'cert.pem' has no certificate in PEM");
    server.wait_log("Reload failed, the old workers go on serving");
    server.get("/").expect(200, "hello");
    assert_eq!(server.workers(), workers);
}

/// The key is read with the privileges of the start, also at HUP: workers need none.
#[test]
fn workers_need_not_be_able_to_read_the_key() {
    only_ferricorn!("Gunicorn's workers read the key for each connection");
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let launch = secure("plain").args("--user 65534 --group 65534");
    fs::set_permissions(launch.workdir().join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(launch.workdir().path(), Permissions::from_mode(0o755)).unwrap();
    let server = launch.start();
    server.get("/").expect(200, "hello");
    let second = self_signed("second");
    put(&server, &second);
    server.signal(Signal::SIGHUP);
    server.wait_for("the new certificate", || shows(&server, &second));
    server.get("/").expect(200, "hello");
}

/// `ssl_context` changes the context that it is given.
#[test]
fn the_hook_changes_the_context() {
    let conf = "import ssl\n\
                def ssl_context(conf, default_ssl_context_factory):\n\
                \x20   context = default_ssl_context_factory()\n\
                \x20   context.minimum_version = ssl.TLSVersion.TLSv1_3\n\
                \x20   context.load_cert_chain('other.pem', conf.keyfile + '2')\n\
                \x20   return context\n";
    let second = self_signed("second");
    let launch = secure("plain").conf(conf).file("other.pem", &second.certificate).file("key.pem2", &second.key);
    let server = launch.start();
    server.get("/").expect(200, "hello");
    assert_eq!(shows(&server, &second), Some(()));
    assert!(Connection::open_tls(&server.address(), &TlsClient::tls12()).is_err());
}

/// Whether a client that asks for this name is shown this certificate.
fn shows_to(server: &Server, name: &'static str, identity: &Identity) -> bool {
    let connection = Connection::open_tls(&server.address(), &TlsClient::asks_for(name)).expect("a connection");
    connection.session().peer_certificates().expect("a certificate")[0] == der(identity)
}

/// `ssl_context` may choose a certificate by the name that a client asks for (SNI), among contexts that are there or made for it.
#[test]
fn the_hook_chooses_by_name() {
    let conf = "def ssl_context(conf, default_ssl_context_factory):\n\
                \x20   def other():\n\
                \x20       context = default_ssl_context_factory()\n\
                \x20       context.load_cert_chain('other.pem', 'other.key')\n\
                \x20       return context\n\
                \x20   ready = other()\n\
                \x20   def choose(socket, name, context):\n\
                \x20       if name in ('ready.test', 'made.test'):\n\
                \x20           socket.context = ready if name == 'ready.test' else other()\n\
                \x20       elif name == 'failing.test':\n\
                \x20           raise LookupError('failed on purpose')\n\
                \x20       elif name == 'unknown.test':\n\
                \x20           return 112\n\
                \x20   context = default_ssl_context_factory()\n\
                \x20   context.sni_callback = choose\n\
                \x20   return context\n";
    let (first, other) = (self_signed("first"), self_signed("other"));
    for threads in ["1", "4"] {
        let launch = Launch::app("plain").file("cert.pem", &first.certificate).file("key.pem", &first.key);
        let launch = launch.file("other.pem", &other.certificate).file("other.key", &other.key).conf(conf);
        let server = launch.args("--certfile cert.pem --keyfile key.pem --threads").arg(threads).start();
        for name in ["ready.test", "made.test", "ready.test"] {
            assert!(shows_to(&server, name, &other), "{name}");
        }
        assert!(shows_to(&server, "elsewhere.test", &first));
        for name in ["unknown.test", "failing.test"] {
            assert!(Connection::open_tls(&server.address(), &TlsClient::asks_for(name)).is_err(), "{name}");
        }
        server.wait_log("LookupError: failed on purpose");
        server.get("/").expect(200, "hello");
    }
}

/// Certificates that the hook has ready are read with the privileges of the start.
#[test]
fn workers_need_not_be_able_to_read_what_they_choose() {
    only_ferricorn!("Gunicorn's workers read the key for each connection");
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let conf = "def ssl_context(conf, default_ssl_context_factory):\n\
                \x20   other = default_ssl_context_factory()\n\
                \x20   other.load_cert_chain('other.pem', 'other.key')\n\
                \x20   context = default_ssl_context_factory()\n\
                \x20   context.sni_callback = lambda socket, name, context: setattr(socket, 'context', other)\n\
                \x20   return context\n";
    let other = self_signed("other");
    let launch = secure("plain").file("other.pem", &other.certificate).file("other.key", &other.key).conf(conf);
    fs::set_permissions(launch.workdir().join("other.key"), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(launch.workdir().path(), Permissions::from_mode(0o755)).unwrap();
    let server = launch.args("--user 65534 --group 65534").start();
    assert!(shows_to(&server, "any.test", &other));
}

/// What of a context cannot be taken over ends the start with a sentence.
#[test]
fn what_the_hook_cannot_change_is_refused() {
    only_ferricorn!("Gunicorn's TLS is OpenSSL");
    for (line, sentence) in [
        ("context.set_alpn_protocols(['x'])", "http_protocols"),
        ("context.load_verify_locations(capath='.')", "from a file only"),
        ("context.load_default_certs()", "the system's authorities"),
        ("context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)", "must return the context that"),
        ("context.maximum_version = ssl.TLSVersion.TLSv1_1", "TLSv1_1 is not spoken"),
        ("context.set_ciphers('AES128-SHA')", "there is no cipher AES128-SHA"),
    ] {
        let conf = format!(
            "import ssl\ndef ssl_context(conf, default_ssl_context_factory):\n    \
             context = default_ssl_context_factory()\n    {line}\n    return context\n"
        );
        secure("plain").conf(&conf).run().expect(1, &["Error: `ssl_context`: ", sentence]);
    }
    let failing = "def ssl_context(conf, factory):\n    raise LookupError('failed on purpose')\n";
    secure("plain").conf(failing).run().expect(1, &["Traceback", "LookupError: failed on purpose"]);
}
