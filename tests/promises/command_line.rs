//! The command line: argparse's grammar, exit codes, checks and prints.

use crate::harness::Launch;
use crate::harness::finished::Finished;
use crate::harness::target::{GUNICORN_VERSION, program};
use regex_lite::Regex;

/// Runs `--print-config` with `args` and gives the output.
#[track_caller]
fn printed(launch: Launch) -> String {
    let finished = launch.args("--print-config").run();
    finished.expect(0, &[]);
    finished.stdout
}

/// Panics unless `--print-config` printed `name = value`.
#[track_caller]
fn assert_setting(output: &str, name: &str, value: &str) {
    let line = output.lines().find(|line| line.split(" = ").next().is_some_and(|start| start.trim_end() == name));
    let shown = line.and_then(|line| line.split_once(" = ")).map(|(_, value)| value);
    assert_eq!(shown, Some(value), "setting {name} in\n{output}");
}

/// Runs `args` before `plain` and expects a usage error that says `word`.
#[track_caller]
fn assert_usage_error(args: &str, word: &str) {
    let finished = Launch::app("plain").args(args).run();
    finished.expect(2, &["usage: ", &format!("{}: error: ", program()), word]);
    assert!(!finished.stderr.contains("Starting"), "something was started:\n{}", finished.stderr);
}

/// Long options take `=` or a blank, and any unambiguous prefix; short ones may be glued to their value.
#[test]
fn options_are_written_in_every_gnu_form() {
    for args in ["--workers 3", "--workers=3", "--workers 2 --workers 3", "-w 3", "-w3", "--workers 3 --timeo 9"] {
        assert_setting(&printed(Launch::app("plain").args(args)), "workers", "3");
    }
    let glued = printed(Launch::app("plain").no_bind().args("-Rw3 --bin 127.0.0.1:1 --graceful=7"));
    assert_setting(&glued, "enable_stdio_inheritance", "True");
    assert_setting(&glued, "workers", "3");
    assert_setting(&glued, "bind", "['127.0.0.1:1']");
    assert_setting(&glued, "graceful_timeout", "7");
}

/// The application may stand before, between or after the options; `--` ends the options.
#[test]
fn the_application_stands_anywhere() {
    for args in ["plain --workers 3", "--workers 3 plain", "--preload plain --workers 3", "--workers 3 -- plain"] {
        let output = printed_anywhere(args);
        assert_setting(&output, "workers", "3");
    }
}

/// Like `printed`, with `--print-config` first, so that `--` may end the options.
#[track_caller]
fn printed_anywhere(args: &str) -> String {
    let finished = Launch::bare().args("--print-config").args(args).run();
    finished.expect(0, &[]);
    finished.stdout
}

/// `--version` and `-v` print one line and exit 0; Gunicorn's version is the one promised.
#[test]
fn the_version_is_printed() {
    for flag in ["--version", "-v"] {
        let finished = Launch::bare().no_bind().args(flag).run();
        finished.expect(0, &[]);
        match program() {
            "gunicorn" => assert_eq!(finished.stdout, format!("gunicorn (version {GUNICORN_VERSION})\n")),
            name => assert!(
                Regex::new(&format!(r"^{name} \(version \d+\.\d+\.\d+\S*\)")).unwrap().is_match(&finished.stdout)
            ),
        }
    }
}

/// `--help` lists the options on standard output and exits 0.
#[test]
fn help_is_printed() {
    let finished = Launch::bare().no_bind().args("--help").run();
    finished.expect(0, &[]);
    for word in ["--bind", "--workers", "--access-logfile", "--max-requests-jitter", "--check-config"] {
        assert!(finished.stdout.contains(word), "{word} is missing in\n{}", finished.stdout);
    }
}

/// An unknown flag is a usage error, exit 2, that names it.
#[test]
fn an_unknown_flag_is_refused() {
    assert_usage_error("--nonsense", "--nonsense");
}

/// A number that is none is a usage error, exit 2, that names flag and value.
#[test]
fn a_bad_number_is_refused() {
    assert_usage_error("--workers x", "'x'");
    assert_usage_error("--workers x", "--workers");
}

/// A prefix that fits several options is a usage error, exit 2.
#[test]
fn an_ambiguous_prefix_is_refused() {
    assert_usage_error("--worker 2", "--worker");
}

/// A second positional argument after options is a usage error, exit 2.
#[test]
fn a_second_application_is_refused() {
    Launch::bare().args("plain --workers 2 other").run().expect(2, &["other"]);
}

/// Without an application nothing starts: exit 1 and a sentence.
#[test]
fn an_application_is_required() {
    Launch::bare().run().expect(1, &["Error: No application module specified."]);
}

/// A value out of range is exit 1 and a sentence that names it.
#[test]
fn a_value_out_of_range_is_refused() {
    for args in ["--workers=-1", "--timeout=-1", "--max-requests=-5"] {
        Launch::app("plain").args(args).run().expect(1, &["Error: ", &args[args.len() - 2..]]);
    }
    Launch::app("plain").bind("127.0.0.1:port").run().expect(1, &["'port' is not a valid port number"]);
}

/// `--check-config` is silent and exits 0 when configuration and application are sound; it opens no socket.
#[test]
fn a_sound_configuration_is_checked_silently() {
    let finished = Launch::app("plain").bind("unix:socket").args("--pid server.pid --check-config").run();
    finished.expect(0, &[]);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
    assert!(!finished.workdir.has("socket") && !finished.workdir.has("server.pid"));
}

/// `--check-config` exits 1 and says what is wrong with the application.
#[test]
fn a_missing_application_fails_the_check() {
    let check = |app: &str| -> Finished { Launch::app(app).args("--check-config").run() };
    check("no_such_module").expect(1, &["Error while loading the application", "no_such_module"]);
    check("specs:nothing").expect(1, &["Error while loading the application", "nothing"]);
    check("specs:not_callable").expect(1, &["Error while loading the application", "callable"]);
}

/// `--print-config` prints each setting in its final value, one a line, sorted by name.
#[test]
fn the_configuration_is_printed() {
    let launch = Launch::app("plain").no_bind().args("-b 127.0.0.1:5001 -b unix:x -w 3 --preload --access-logfile -");
    let output = printed(launch.args("--max-requests 1000 --keep-alive 5 --name shop"));
    for (name, value) in [
        ("bind", "['127.0.0.1:5001', 'unix:x']"),
        ("workers", "3"),
        ("preload_app", "True"),
        ("accesslog", "-"),
        ("max_requests", "1000"),
        ("keepalive", "5"),
        ("proc_name", "shop"),
        ("timeout", "30"),
        ("pidfile", "None"),
        ("graceful_timeout", "30"),
        ("loglevel", "info"),
        ("worker_class", "sync"),
        ("reload", "False"),
    ] {
        assert_setting(&output, name, value);
    }
    let names: Vec<_> = output.lines().filter_map(|line| line.split(" = ").next()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

/// `PORT` makes the default address `0.0.0.0:$PORT`, and `--bind` beats it.
#[test]
fn port_comes_from_the_environment() {
    assert_setting(&printed(Launch::app("plain").no_bind()), "bind", "['127.0.0.1:8000']");
    let port = || Launch::app("plain").no_bind().env("PORT", "5001");
    assert_setting(&printed(port()), "bind", "['0.0.0.0:5001']");
    assert_setting(&printed(port().args("-b 127.0.0.1:1")), "bind", "['127.0.0.1:1']");
}

/// `WEB_CONCURRENCY` is the default number of workers; a value that is no number is exit 1.
#[test]
fn concurrency_comes_from_the_environment() {
    let launch = || Launch::app("plain").env("WEB_CONCURRENCY", "7");
    assert_setting(&printed(launch()), "workers", "7");
    assert_setting(&printed(launch().args("--workers 2")), "workers", "2");
    Launch::app("plain").env("WEB_CONCURRENCY", "x").run().expect(1, &["WEB_CONCURRENCY"]);
}

/// The command line beats `GUNICORN_CMD_ARGS`, which beats the configuration file; lists are replaced, not merged.
#[test]
fn the_nearer_source_wins() {
    let conf = "workers = 2\ntimeout = 12\ngraceful_timeout = 12\nbind = ['127.0.0.1:1', '127.0.0.1:2']\n";
    let launch = Launch::app("plain").no_bind().conf(conf);
    let launch = launch.env("GUNICORN_CMD_ARGS", "--workers 3 --timeout 13 --bind 127.0.0.1:3 --name 'two words'");
    let output = printed(launch.args("--workers 4"));
    for (name, value) in [("workers", "4"), ("timeout", "13"), ("graceful_timeout", "12")] {
        assert_setting(&output, name, value);
    }
    assert_setting(&output, "bind", "['127.0.0.1:3']");
    assert_setting(&output, "proc_name", "two words");
}

/// A usage error in `GUNICORN_CMD_ARGS` is one on the command line: exit 2.
#[test]
fn usage_errors_in_the_environment_count() {
    Launch::app("plain").env("GUNICORN_CMD_ARGS", "--workers x").run().expect(2, &["'x'"]);
}
