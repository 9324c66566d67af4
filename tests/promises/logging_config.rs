//! `logconfig`, `logconfig_dict` and `logconfig_json`: the configuration of `logging` decides over every line of the server's.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Launch, Server};

/// An INI file that sends errors and accesses to standard output, in a format of its own.
const INI: &str = "[loggers]\nkeys=root,error,access\n[handlers]\nkeys=out\n[formatters]\nkeys=short
[logger_root]\nlevel=WARNING\nhandlers=out
[logger_error]\nlevel=INFO\nhandlers=out\npropagate=0\nqualname=gunicorn.error
[logger_access]\nlevel=INFO\nhandlers=out\npropagate=0\nqualname=gunicorn.access
[handler_out]\nclass=StreamHandler\nformatter=short\nargs=(sys.stdout,)
[formatter_short]\nformat=INI %(levelname)s %(name)s %(process)d %(message)s\n";

/// A module with a formatter that makes each record a JSON object.
const JSON_LINES: &str = "import json, logging
class Formatter(logging.Formatter):
    def format(self, record):
        text = super().format(record)
        return json.dumps({'level': record.levelname, 'logger': record.name, 'pid': record.process, 'text': text})
";

/// A configuration file whose `logconfig_dict` sends every line through `JSON_LINES` to the file `lines.log`.
const DICT: &str = "logconfig_dict = {
    'version': 1,
    'disable_existing_loggers': False,
    'root': {'level': 'INFO', 'handlers': []},
    'formatters': {'json': {'()': 'json_lines.Formatter'}},
    'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'lines.log', 'formatter': 'json'}},
    'loggers': {
        'gunicorn.error': {'level': 'INFO', 'handlers': ['file'], 'propagate': False},
        'gunicorn.access': {'level': 'INFO', 'handlers': ['file'], 'propagate': False},
        'shop': {'level': 'INFO', 'handlers': ['file'], 'propagate': False},
    },
}
";

/// A server that listens at a unix socket, so that no log line is needed to find it.
fn launch(app: &str) -> Launch {
    Launch::app(app).bind("unix:socket").file("json_lines.py", JSON_LINES)
}

/// The JSON lines that the server has written to `name`, all of which have to be JSON.
#[track_caller]
fn lines(server: &Server, name: &str) -> Vec<Value> {
    let text = server.workdir().read(name);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Waits for a JSON line in `name` whose text contains `text`.
#[track_caller]
fn wait_line(server: &Server, name: &str, text: &str) -> Value {
    let holds = |line: &Value| line["text"].as_str().is_some_and(|found| found.contains(text));
    server.wait_for(&format!("`{text}` in {name}"), || lines(server, name).into_iter().find(holds))
}

/// Every line goes through the dictionary's formatter: the master's, the workers', the access lines, those with tracebacks.
#[test]
fn every_line_goes_through_the_dictionary() {
    let server = launch("plain").conf(DICT).start();
    server.get("/token?a").expect(200, "token=a");
    let access = wait_line(&server, "lines.log", "GET /token?a HTTP/1.1");
    assert_eq!((&access["logger"], &access["level"]), (&json!("gunicorn.access"), &json!("INFO")));
    assert_eq!(server.get("/error").status(), 500);
    let error = wait_line(&server, "lines.log", "Error handling request GET /error");
    assert_eq!((&error["logger"], &error["level"]), (&json!("gunicorn.error"), &json!("ERROR")));
    assert!(error["text"].as_str().is_some_and(|text| text.contains("LookupError: the application failed on purpose")));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    for message in
        ["Starting ", "Listening at: unix:socket", "Using worker: sync", "Handling signal: term", "Shutting down"]
    {
        assert_eq!(wait_line(&server, "lines.log", message)["pid"], server.pid().as_raw(), "{message}");
    }
    let booting = wait_line(&server, "lines.log", "Booting worker with pid: ");
    assert_eq!(booting["text"], format!("Booting worker with pid: {}", booting["pid"]));
    assert_eq!((server.log(), server.stdout()), (String::new(), String::new()));
}

/// The loggers that the dictionary gives to the application are set up in the worker.
#[test]
fn the_dictionary_serves_the_application_too() {
    let app = "import logging\nlogging.getLogger('shop').info('imported')\nfrom plain import application\n";
    let server = launch("logs").file("logs.py", app).conf(DICT).start();
    assert_eq!(wait_line(&server, "lines.log", "imported")["logger"], "shop");
}

/// What hooks log goes the same way, in the master's hooks and in the workers'.
#[test]
fn hooks_log_through_the_dictionary() {
    let hooks = "def when_ready(server): server.log.warning('ready')\ndef post_fork(server, worker): worker.log.info('forked')\n";
    let server = launch("plain").conf(&format!("{DICT}{hooks}")).start();
    assert_eq!(wait_line(&server, "lines.log", "ready")["level"], "WARNING");
    wait_line(&server, "lines.log", "forked");
}

/// The dictionary lies over built-in defaults: naming one formatter is enough to change the format.
#[test]
fn the_dictionary_lies_over_defaults() {
    let conf = "logconfig_dict = {'formatters': {'generic': {'format': 'SHORT %(levelname)s %(message)s'}}}\n";
    let server = launch("plain").conf(conf).start();
    server.get("/").expect(200, "hello");
    server.wait_log("SHORT INFO Listening at: ");
    server.wait_for("the access line", || server.stdout().contains("SHORT INFO  - - [").then_some(()));
}

/// A dictionary that makes no sense is exit 1.
#[test]
fn a_bad_dictionary_is_refused() {
    launch("plain")
        .conf("logconfig_dict = {'handlers': {'x': {'class': 'no.such'}}}\n")
        .run()
        .expect(1, &["handler", "'x'"]);
    launch("plain").conf("logconfig_dict = 3\n").run().expect(1, &["logconfig_dict", "3"]);
}

/// `--log-config` names an INI file for `logging`; the access log is on with it.
#[test]
fn an_ini_file_decides() {
    let server = launch("plain").file("log.ini", INI).args("--log-config log.ini").start();
    server.get("/token?a").expect(200, "token=a");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let text = server.stdout();
    let master = format!("INI INFO gunicorn.error {} ", server.pid());
    assert!(text.contains(&format!("{master}Listening at: unix:socket")), "{text}");
    assert!(text.contains(&format!("{master}Shutting down: Master")), "{text}");
    assert!(text.contains("INI INFO gunicorn.access ") && text.contains("\"GET /token?a HTTP/1.1\" 200 7"), "{text}");
    assert_eq!(server.log(), "");
}

/// A missing or broken INI file is exit 1 and named.
#[test]
fn a_bad_ini_file_is_refused() {
    launch("plain").args("--log-config none.ini").run().expect(1, &["Error: ", "'none.ini' not found"]);
    launch("plain").file("log.ini", "nonsense").args("--log-config log.ini").run().expect(1, &["Error: ", "log.ini"]);
}

/// `--log-config-json` names a file with the dictionary as JSON.
#[test]
fn a_json_file_decides() {
    let config = json!({"version": 1, "formatters": {"generic": {"format": "JSON %(levelname)s %(message)s"}}});
    let server = launch("plain").file("log.json", &config.to_string()).args("--log-config-json log.json").start();
    server.wait_log("JSON INFO Listening at: ");
    launch("plain").file("log.json", "{").args("--log-config-json log.json").run().expect(1, &["Error: "]);
}

/// The dictionary beats the JSON file, which beats the INI file.
#[test]
fn the_dictionary_beats_the_files() {
    let format =
        |word: &str| json!({"version": 1, "formatters": {"generic": {"format": format!("{word} %(message)s")}}});
    let files = || launch("plain").file("log.ini", INI).file("log.json", &format("JSON").to_string());
    let server = files().args("--log-config log.ini --log-config-json log.json").start();
    server.wait_log("JSON Listening at: ");
    let conf = format!("logconfig_dict = {}\n", format("DICT"));
    let server = files().args("--log-config log.ini --log-config-json log.json").conf(&conf).start();
    server.wait_log("DICT Listening at: ");
}

/// USR1 opens the dictionary's files anew, in master and workers: after a rename both write to a fresh file.
#[test]
fn usr1_reopens_the_files_of_the_dictionary() {
    let server = launch("plain").conf(DICT).start();
    server.get("/?before");
    wait_line(&server, "lines.log", "/?before");
    fs::rename(server.workdir().join("lines.log"), server.workdir().join("lines.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    server.wait_for("an access line in the fresh file", || {
        server.get("/?after");
        server.workdir().read("lines.log").contains("/?after").then_some(())
    });
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    wait_line(&server, "lines.log", "Shutting down: Master");
    assert!(!server.workdir().read("lines.log.1").contains("Shutting down"));
}

/// HUP applies the dictionary that is in the file now, to the master's lines too.
#[test]
fn hup_applies_the_new_dictionary() {
    let server = launch("plain").conf(DICT).start();
    let before = wait_line(&server, "lines.log", "Booting worker")["pid"].clone();
    server.write("gunicorn.conf.py", &DICT.replace("lines.log", "other.log"));
    server.signal(Signal::SIGHUP);
    assert_ne!(wait_line(&server, "other.log", "Booting worker")["pid"], before);
    // An old worker may still serve, and log as it was told.
    server.wait_for("an access line in the new file", || {
        server.get("/?fresh");
        server.workdir().read("other.log").contains("/?fresh").then_some(())
    });
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    wait_line(&server, "other.log", "Shutting down: Master");
}
