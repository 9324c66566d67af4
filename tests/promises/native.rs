//! A native application: its command line, its configuration, how it boots, and what its panics come to.

use nix::sys::signal::Signal;

use crate::harness::Launch;
use crate::harness::process::{alive, wait_gone};

/// Why all of this is only promised by us.
pub(super) const NATIVE: &str = "Gunicorn serves no native applications";

/// The program's own flags stand beside the server's; those of Python are not in the help.
#[test]
fn flags_of_both_are_in_the_help() {
    only_ferricorn!(NATIVE);
    let help = Launch::native().no_bind().args("--help").run();
    assert_eq!(help.code, 0, "{}", help.stderr);
    for words in ["The native application of the tests", "--greeting", "--workers", "--max-requests", "Server Socket"] {
        assert!(help.stdout.contains(words), "{words}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("--threads") && !help.stdout.contains("--paste"), "{}", help.stdout);
    let server = Launch::native().args("--greeting welcome --workers 2").start();
    server.get("/").expect(200, "welcome");
    assert_eq!(server.wait_line("Using worker: ").message, "Using worker: native");
}

/// A command line that makes no sense ends with status 2, one that asks for what is of Python with 1 and a sentence.
#[test]
fn bad_flags_are_told() {
    only_ferricorn!(NATIVE);
    Launch::native().args("--wokers 2").run().expect(2, &["--wokers", "--workers"]);
    Launch::native().args("-w many").run().expect(2, &["argument -w/--workers: invalid int value: 'many'"]);
    Launch::native()
        .args("--threads 4")
        .run()
        .expect(1, &["`threads = 4` (--threads)", "answers many requests at once"]);
    Launch::native().args("--worker-class gthread").run().expect(1, &["`worker_class = 'gthread'`", "leave it out"]);
    Launch::native().args("--bind nowhere:x").run().expect(1, &["'x' is not a valid port number."]);
}

/// Settings come from `ferricorn.toml`; a Python file is none of this program's business, and is refused by name.
#[test]
fn settings_come_from_toml() {
    only_ferricorn!(NATIVE);
    let server = Launch::native()
        .file("ferricorn.toml", "workers = 2\nraw_env = [\"OIL=5W30\"]\n")
        .conf("raise SystemExit('this is for another server')\n")
        .start();
    server.wait_workers(2);
    server.get("/env?OIL").expect(200, "5W30");
    let facts = server.get("/facts").text();
    assert!(facts.starts_with("slot=") && facts.ends_with(" workers=2"), "{facts}");
    let refused = Launch::native().conf("workers = 2\n").args("-c gunicorn.conf.py").run();
    refused.expect(1, &["gunicorn.conf.py: native reads settings from TOML only"]);
    let unknown = Launch::native().file("ferricorn.toml", "wokers = 2\n").run();
    unknown.expect(1, &["ferricorn.toml, line 1: there is no setting `wokers`, did you mean `workers`?"]);
}

/// A factory that fails, or panics, ends the first start with status 3 and the reason.
#[test]
fn a_factory_that_fails_is_a_boot_failure() {
    only_ferricorn!(NATIVE);
    let failed = Launch::native().args("--factory fail --workers 2").run();
    failed.expect(3, &["Exception in worker process", "there is no oil", "Reason: Worker failed to boot."]);
    let panicked = Launch::native().args("--factory panic").run();
    panicked.expect(3, &["panic: out of oil (at ", "native.rs:", "Reason: Worker failed to boot."]);
}

/// A server is ready when its factory has made a service; one that still waits can be told to leave.
#[test]
fn a_factory_may_take_its_time() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--factory wait").start();
    server.wait_file("factory.entered");
    let mut early = server.connect();
    early.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    server.write("factory", "");
    early.response().expect(200, "hello");
    let server = Launch::native().args("--factory wait").start();
    server.wait_file("factory.entered");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
}

/// A handler that panics is answered with a 500, and logged with what it was at; the worker lives.
#[test]
fn a_panic_is_a_500() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--access-logfile access.log").start();
    let worker = server.serving_pid();
    for _ in 0..3 {
        let response = server.get("/panic?a=b");
        assert_eq!(response.status(), 500);
        assert!(response.text().contains("<title>Internal Server Error</title>"), "{}", response.text());
    }
    let line = server.wait_line("Panic in GET /panic: out of oil (at ");
    assert_eq!((line.level.as_str(), line.message.contains("native.rs:")), ("ERROR", true), "{}", line.message);
    assert_eq!(server.serving_pid(), worker);
    server.wait_for("the access log", || {
        server.workdir().read("access.log").contains("\"GET /panic?a=b HTTP/1.1\" 500 ").then_some(())
    });
}

/// With `--recycle-after-panic` the worker is replaced as by max_requests: nobody notices.
#[test]
fn a_panic_may_recycle_the_worker() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--recycle-after-panic").start();
    let worker = server.serving_pid();
    assert_eq!(server.get("/panic").status(), 500);
    wait_gone(worker);
    assert!(alive(server.serving_pid()));
    assert!(!server.log().contains("exited with code"), "{}", server.log());
}

/// A panic, or an error, in the middle of a response ends the connection, so that its client notices.
#[test]
fn a_response_that_breaks_off_is_noticed() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().start();
    for (target, reason) in [
        ("/broken-pieces", "The response to GET /broken-pieces broke off: the tap ran dry"),
        ("/panic-in-pieces", "The response to GET /panic-in-pieces broke off: panic: out of water (at "),
    ] {
        let mut connection = server.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let rest = String::from_utf8_lossy(&connection.drain()).into_owned();
        assert!(rest.matches("piece.").count() == 3 && !rest.ends_with("0\r\n\r\n"), "{rest}");
        server.wait_log(reason);
    }
    server.get("/pieces").expect(200, "piece.piece.piece.");
}

/// A request that has had no answer for `request_timeout` gets a 504; its handler is dropped where it waits, and the worker lives.
#[test]
fn a_request_that_takes_too_long_is_a_504() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--request-timeout 0.3").start();
    let worker = server.serving_pid();
    let mut late = server.connect();
    late.send("GET /gate?never HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(late.response().status(), 504);
    server.wait_line("GET /gate has taken ");
    server.wait_log("s (request_timeout) and is ended");
    assert_eq!(server.serving_pid(), worker);
}

/// A handler that blocks its worker for longer than `timeout` ends it, as in Python.
#[test]
fn a_handler_that_blocks_meets_the_timeout() {
    only_ferricorn!(NATIVE);
    let server = Launch::native().args("--timeout 1").start();
    let worker = server.serving_pid();
    let mut stuck = server.connect();
    stuck.send("GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_log(&format!("WORKER TIMEOUT (pid:{worker})"));
    wait_gone(worker);
    assert!(server.log().contains("GET /block"), "{}", server.log());
    server.get("/").expect(200, "hello");
}
