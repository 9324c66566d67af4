//! Values that no setting takes: each ends the start with its exit status and a sentence, whichever source it comes from.

use crate::harness::Launch;
use crate::harness::target::{Target, target};

/// One value that is none: the setting, the value as Python (and TOML) writes it, the flag that says the same, if there is
/// one, and the exit status of the flag: 2 where the value is not even of the right form, else 1.
type Bad = (&'static str, &'static str, &'static str, i32);

/// Numbers.
const NUMBERS: [Bad; 19] = [
    ("workers", "'many'", "--workers many", 2),
    ("workers", "-1", "--workers=-1", 1),
    ("workers", "1.5", "--workers 1.5", 2),
    ("threads", "-1", "--threads=-1", 1),
    ("worker_connections", "'x'", "--worker-connections x", 2),
    ("worker_connections", "-1", "--worker-connections=-1", 1),
    ("max_requests", "-1", "--max-requests=-1", 1),
    ("max_requests_jitter", "-1", "--max-requests-jitter=-1", 1),
    ("timeout", "'soon'", "--timeout soon", 2),
    ("timeout", "-1", "-t -1", 1),
    ("graceful_timeout", "-1", "--graceful-timeout=-1", 1),
    ("keepalive", "-1", "--keep-alive=-1", 1),
    ("backlog", "-1", "--backlog=-1", 1),
    ("limit_request_line", "-1", "--limit-request-line=-1", 1),
    ("limit_request_fields", "-1", "--limit-request-fields=-1", 1),
    ("limit_request_field_size", "'x'", "--limit-request-field_size x", 2),
    ("umask", "'0999'", "--umask 0999", 2),
    ("control_socket_mode", "'x'", "--control-socket-mode x", 2),
    ("http2_max_frame_size", "1", "--http2-max-frame-size 1", 1),
];

/// Words of which only some are taken, addresses, names, paths.
const WORDS: [Bad; 17] = [
    ("reload_engine", "'psychic'", "--reload-engine psychic", 1),
    ("header_map", "'nonsense'", "--header-map nonsense", 1),
    ("proxy_protocol", "'v9'", "--proxy-protocol v9", 1),
    ("http_protocols", "'h9'", "--http-protocols h9", 1),
    ("http2_cleartext", "'nonsense'", "--http2-cleartext nonsense", 1),
    ("http_parser", "'nonsense'", "--http-parser nonsense", 1),
    ("asgi_loop", "'nonsense'", "--asgi-loop nonsense", 1),
    ("asgi_lifespan", "'nonsense'", "--asgi-lifespan nonsense", 1),
    ("forwarded_allow_ips", "'nonsense'", "--forwarded-allow-ips nonsense", 1),
    ("forwarded_allow_ips", "'10.0.0.0/99'", "--forwarded-allow-ips 10.0.0.0/99", 1),
    ("proxy_allow_ips", "'nonsense'", "--proxy-allow-from nonsense", 1),
    ("statsd_host", "'localhost:x'", "--statsd-host localhost:x", 1),
    ("user", "'nosuchuser'", "--user nosuchuser", 1),
    ("group", "'nosuchgroup'", "--group nosuchgroup", 1),
    ("chdir", "'/no/such/place'", "--chdir /no/such/place", 1),
    ("reload_extra_files", "'missing.txt'", "--reload-extra-file missing.txt", 1),
    ("worker_class", "'nonsense'", "--worker-class nonsense", 1),
];

/// Values of another kind than the setting's, which only a file can hold.
const KINDS: [Bad; 20] = [
    ("bind", "3", "", 1),
    ("bind", "['127.0.0.1:0', 3]", "", 1),
    ("raw_env", "[3]", "", 1),
    ("reload", "'yes'", "", 1),
    ("reload", "3", "", 1),
    ("daemon", "'maybe'", "", 1),
    ("reload_extra_files", "3", "", 1),
    ("chdir", "3", "", 1),
    ("pidfile", "3", "", 1),
    ("workers", "[]", "", 1),
    ("user", "[]", "", 1),
    ("accesslog", "3", "", 1),
    ("loglevel", "3", "", 1),
    ("secure_scheme_headers", "'x'", "", 1),
    ("logconfig_dict", "'x'", "", 1),
    ("forwarder_headers", "3", "", 1),
    ("worker_class", "3", "", 1),
    ("logger_class", "3", "", 1),
    ("pre_request", "'nonsense'", "", 1),
    ("proc_name", "3", "", 1),
];

/// Settings that Gunicorn does not have, and a value with which it starts and serves nobody.
const OWN: [Bad; 6] = [
    ("worker_connections", "0", "--worker-connections 0", 1),
    ("limit_request_body", "-1", "--limit-request-body=-1", 1),
    ("limit_request_body", "'1M'", "--limit-request-body 1M", 2),
    ("client_body_buffer_size", "'x'", "--client-body-buffer-size x", 2),
    ("server_header", "'caf\u{e9}'", "--server-header caf\u{e9}", 1),
    ("server_software", "'caf\u{e9}'", "--server-software caf\u{e9}", 1),
];

/// The value as it stands in a sentence: without the quotes of a text.
fn bare(value: &str) -> &str {
    value.trim_matches('\'')
}

/// Runs `launch` and expects the sentence about a bad value.
#[track_caller]
fn assert_refused(launch: Launch, status: i32, (setting, value, flag, _): &Bad, origin: &str) {
    let finished = launch.run();
    finished.expect(status, &[]);
    assert!(!finished.stderr.contains("Booting worker"), "{}", finished.stderr);
    let flag = flag.split([' ', '=']).next().unwrap_or_default();
    match (target(), status) {
        (Target::Gunicorn, _) => finished.expect(status, &["rror: "]),
        (Target::Ferricorn, 2) => finished.expect(status, &["error: ", flag, bare(value), origin]),
        (Target::Ferricorn, _) => finished.expect(status, &["Error: ", setting, bare(value), origin]),
    };
}

/// Puts each of `table` into a configuration file.
#[track_caller]
fn assert_refused_in_files(table: &[Bad]) {
    for bad @ (setting, value, ..) in table {
        let launch = Launch::app("plain").conf(&format!("\n{setting} = {value}\n"));
        let launch = if *setting == "bind" { launch.no_bind() } else { launch };
        assert_refused(launch, 1, bad, "gunicorn.conf.py, line 2");
    }
}

/// Bad numbers in the configuration file are exit 1.
#[test]
fn numbers_in_the_file() {
    assert_refused_in_files(&NUMBERS);
}

/// Bad words, addresses and paths in the configuration file are exit 1.
#[test]
fn words_in_the_file() {
    assert_refused_in_files(&WORDS);
}

/// Values of the wrong kind in the configuration file are exit 1.
#[test]
fn kinds_in_the_file() {
    assert_refused_in_files(&KINDS);
}

/// Bad numbers on the command line are exit 2 if they are no numbers, else 1.
#[test]
fn numbers_on_the_command_line() {
    for bad @ (_, _, flag, status) in &NUMBERS {
        assert_refused(Launch::app("plain").args(flag), *status, bad, "");
    }
}

/// Bad words, addresses and paths on the command line are exit 1.
#[test]
fn words_on_the_command_line() {
    for bad @ (_, _, flag, status) in &WORDS {
        assert_refused(Launch::app("plain").args(flag), *status, bad, "command line");
    }
}

/// The same in GUNICORN_CMD_ARGS.
#[test]
fn flags_in_the_environment() {
    for bad @ (_, _, flag, status) in NUMBERS.iter().chain(&WORDS) {
        assert_refused(Launch::app("plain").env("GUNICORN_CMD_ARGS", flag), *status, bad, "GUNICORN_CMD_ARGS");
    }
}

/// The same for settings of our own.
#[test]
fn own_settings() {
    only_ferricorn!("Gunicorn does not know them");
    assert_refused_in_files(&OWN);
    for bad @ (_, _, flag, status) in &OWN {
        assert_refused(Launch::app("plain").args(flag), *status, bad, "");
    }
}

/// The same in TOML, with the line.
#[test]
fn values_in_toml() {
    only_ferricorn!("Gunicorn reads Python alone");
    for bad @ (setting, value, ..) in NUMBERS.iter().chain(&WORDS).chain(&KINDS).chain(&OWN) {
        let launch = Launch::app("plain").file("ferricorn.toml", &format!("\n{setting} = {value}\n"));
        let launch = if *setting == "bind" { launch.no_bind() } else { launch };
        assert_refused(launch, 1, bad, "ferricorn.toml, line 2");
    }
}

/// Bad values of environment variables are exit 1, and the variable is named.
#[test]
fn values_of_variables() {
    for (variable, value) in
        [("WEB_CONCURRENCY", "many"), ("WEB_CONCURRENCY", "-1"), ("FORWARDED_ALLOW_IPS", "nonsense")]
    {
        let finished = Launch::app("plain").env(variable, value).run();
        finished.expect(1, &["rror: ", value]);
        if target() == Target::Ferricorn {
            finished.expect(1, &[variable]);
        }
    }
}

/// A pair of `raw_env` without `=` and a port that is none are exit 1 at the start.
#[test]
fn what_is_noticed_at_the_start() {
    for launch in [Launch::app("plain").args("--env x"), Launch::app("plain").conf("raw_env = ['x']\n")] {
        launch.run().expect(1, &["rror: ", "'x'"]);
    }
    for bind in ["127.0.0.1:port", "127.0.0.1:99999x"] {
        Launch::app("plain").bind(bind).run().expect(1, &["Error: ", "is not a valid port number"]);
    }
}
