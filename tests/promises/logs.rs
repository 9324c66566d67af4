//! Where the logs go, what they hold at which level, and how they are rotated.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::Launch;

/// Without `--access-logfile` no request is logged anywhere.
#[test]
fn the_access_log_is_off_by_default() {
    let server = Launch::app("plain").start();
    server.get("/pid");
    server.stop(Signal::SIGTERM);
    assert_eq!(server.stdout(), "");
    assert!(!server.log().contains("GET /pid"));
}

/// `--access-logfile -` writes the bare access line to standard output, the error log stays on standard error.
#[test]
fn a_dash_sends_the_access_log_to_stdout() {
    let server = Launch::app("plain").args("--access-logfile -").start();
    server.get("/");
    server.wait_for("the access line", || server.stdout().contains("\"GET / HTTP/1.1\" 200 5").then_some(()));
    assert!(server.stdout().starts_with("127.0.0.1 - - ["), "{}", server.stdout());
    assert!(server.log().contains("Listening at: "));
}

/// `--error-logfile FILE` (also `--log-file`) takes the error log, and standard error stays empty.
#[test]
fn the_error_log_goes_to_its_file() {
    let server = Launch::app("plain").error_log("error.log").start();
    server.stop(Signal::SIGTERM);
    assert!(server.log().contains("Shutting down: Master"));
    assert_eq!(server.workdir().read("stderr"), "");
}

/// Log files are appended to, never truncated.
#[test]
fn log_files_are_appended_to() {
    let server = Launch::app("plain").file("error.log", "from an earlier life\n").error_log("error.log").start();
    server.stop(Signal::SIGTERM);
    assert!(server.log().starts_with("from an earlier life\n"));
}

/// `--log-level warning` hides the INFO lines and shows what is worse.
#[test]
fn the_level_hides_what_is_below_it() {
    let server = Launch::app("plain").bind("unix:socket").args("--log-level warning").start();
    server.get("/error");
    server.wait_log("Error handling request GET /error");
    server.stop(Signal::SIGTERM);
    assert!(server.lines().iter().all(|line| line.level != "INFO"), "{}", server.log());
}

/// USR1 opens the log files anew: after a rename (logrotate) both logs go on in fresh files, in master and workers.
#[test]
fn usr1_reopens_the_log_files() {
    let server = Launch::app("plain").args("--access-logfile access.log").error_log("error.log").start();
    server.get("/?before");
    let access = |name: &str, what: &str| server.workdir().read(name).contains(what).then_some(());
    server.wait_for("the first access line", || access("access.log", "/?before"));
    let address = server.address();
    for name in ["access.log", "error.log"] {
        fs::rename(server.workdir().join(name), server.workdir().join(format!("{name}.1"))).unwrap();
    }
    server.signal(Signal::SIGUSR1);
    server.wait_for("fresh files", || {
        (server.workdir().has("access.log") && server.workdir().has("error.log")).then_some(())
    });
    // The workers are told after the master has reopened its own: ask until the line comes in the fresh file.
    server.wait_for("an access line in the fresh file", || {
        let mut connection = crate::harness::Connection::open(&address).unwrap();
        connection.get("/?after");
        access("access.log", "/?after")
    });
    server.stop(Signal::SIGTERM);
    assert!(server.log().contains("Shutting down: Master"), "{}", server.log());
    assert!(!server.workdir().read("error.log.1").contains("Shutting down"));
}

/// `--capture-output` sends what the application prints to the error log.
#[test]
fn captured_output_goes_to_the_error_log() {
    let server = Launch::app("plain").args("--capture-output").error_log("error.log").start();
    server.get("/print").expect(200, "printed");
    server.wait_log("printed by the application");
    assert_eq!(server.stdout(), "");
}

/// Without `--capture-output` what the application prints stays on standard output.
#[test]
fn output_is_left_alone_by_default() {
    let server = Launch::app("plain").start();
    server.get("/print").expect(200, "printed");
    server.wait_for("the print", || server.stdout().contains("printed by the application").then_some(()));
    assert!(!server.log().contains("printed by"));
}

/// The application's own `logging` is left as the application sets it up.
#[test]
fn the_applications_logging_is_untouched() {
    let app = "import logging\nlogging.basicConfig(filename='own.log')\nlogging.error('mine')\nfrom plain import application\n";
    let server = Launch::app("logs_itself").file("logs_itself.py", app).start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.workdir().read("own.log"), "ERROR:root:mine\n");
}

/// A worker that is still importing when USR1 comes writes to the fresh files too.
#[test]
fn usr1_reaches_workers_that_still_boot() {
    let app = "open('importing', 'w').close()\nimport os, time\n\
               while not os.path.exists('go'): time.sleep(0.01)\n\
               from plain import application\n";
    let launch = Launch::app("late").file("late.py", app).args("--access-logfile access.log");
    let server = launch.error_log("error.log").start();
    server.wait_file("importing");
    fs::rename(server.workdir().join("access.log"), server.workdir().join("access.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    server.wait_log("Handling signal: usr1");
    server.write("go", "");
    server.wait_for("an access line in the fresh file", || {
        server.get("/?late").expect(200, "hello");
        server.workdir().read("access.log").contains("/?late").then_some(())
    });
}
