//! What the server says when it starts and stops, and what the kernel shows of it.

use nix::sys::signal::Signal;
use regex_lite::Regex;

use crate::harness::target::{GUNICORN_VERSION, program};
use crate::harness::{Launch, Server, process};

/// The messages of the server's log without pids and ports; what only one of the targets says is left out.
fn messages(server: &Server) -> Vec<(String, String)> {
    let number = Regex::new(r"\d{2,}").expect("the pattern is well formed");
    let standard = server.lines().into_iter().filter(|line| !line.message.starts_with("Control socket"));
    standard.map(|line| (line.level, number.replace_all(&line.message, "N").into_owned())).collect()
}

/// Starting and stopping write the standard lines, in Gunicorn's order, at level INFO.
#[test]
fn the_standard_lines_come_in_order() {
    let server = Launch::app("plain").start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let info = |text: &str| ("INFO".to_owned(), text.to_owned());
    let mut seen = messages(&server);
    assert!(seen.remove(0).1.starts_with(&format!("Starting {} ", program())));
    let wanted = [
        "Listening at: http://N.0.0.1:N (N)",
        "Using worker: sync",
        "Booting worker with pid: N",
        "Handling signal: term",
        "Worker exiting (pid: N)",
        "Shutting down: Master",
    ]
    .map(info);
    assert_eq!(seen, wanted);
}

/// The first line names the program and its version; Gunicorn's is the one whose behaviour we promise.
#[test]
fn the_first_line_names_the_version() {
    let server = Launch::app("plain").start();
    let first = server.lines().remove(0).message;
    match program() {
        "gunicorn" => assert_eq!(first, format!("Starting gunicorn {GUNICORN_VERSION}")),
        name => {
            let version = Regex::new(&format!(r"^Starting {name} \d+\.\d+\.\d+")).unwrap();
            assert!(version.is_match(&first), "{first}");
        }
    }
}

/// Every line that the server itself writes has Gunicorn's form: time with zone, pid, level, message.
#[test]
fn every_line_has_gunicorns_format() {
    let server = Launch::app("plain").args("--workers 2").start();
    server.wait_workers(2);
    server.stop(Signal::SIGTERM);
    let text = server.log();
    assert_eq!(text.lines().count(), server.lines().len(), "some line has another form:\n{text}");
}

/// `Listening at:` ends with the master's pid, and `Booting worker` lines are written by the workers themselves.
#[test]
fn lines_name_the_pids_they_are_about() {
    let server = Launch::app("plain").args("--workers 2").start();
    let workers = server.wait_workers(2);
    let listening = server.wait_line("Listening at: ");
    assert_eq!(listening.pid, server.pid());
    assert!(listening.message.ends_with(&format!(" ({})", server.pid())), "{}", listening.message);
    for worker in workers {
        assert_eq!(server.wait_line(&format!("Booting worker with pid: {worker}")).pid, worker);
        assert_eq!(process::parent(worker), Some(server.pid()), "a worker is the master's own child");
    }
}

/// From its first hook on a worker's parent is the master: what looks whether that has changed may start there.
#[test]
fn the_parent_is_the_master_from_the_start() {
    let conf = "import os\ndef post_fork(server, worker):\n    open('parents', 'a').write('%d\\n' % os.getppid())\n";
    let server = Launch::app("plain").conf(conf).args("--workers 4").start();
    let parents = || Some(server.workdir().read("parents")).filter(|parents| parents.lines().count() == 4);
    let parents = server.wait_for("four workers", parents);
    assert!(parents.lines().all(|parent| parent == server.pid().to_string()), "{parents}");
}

/// `ps` shows `<program>: master [name]` and `<program>: worker [name]`; the name is the application's spec.
#[test]
fn titles_name_program_role_and_application() {
    let server = Launch::app("plain:application").start();
    let worker = server.wait_workers(1)[0];
    server.get("/").expect(200, "hello");
    assert_eq!(process::title(server.pid()), format!("{}: master [plain:application]", program()));
    assert_eq!(process::title(worker), format!("{}: worker [plain:application]", program()));
}

/// `--name` replaces the application's spec in the titles.
#[test]
fn titles_carry_the_chosen_name() {
    let server = Launch::app("plain").args("--name autoshop").start();
    let worker = server.wait_workers(1)[0];
    server.get("/").expect(200, "hello");
    assert_eq!(process::title(server.pid()), format!("{}: master [autoshop]", program()));
    assert_eq!(process::title(worker), format!("{}: worker [autoshop]", program()));
}
