//! The configuration file: Python, found in the current directory or named, applied by its globals.

use crate::harness::Launch;

/// `gunicorn.conf.py` in the current directory is read unasked, and its settings are applied.
#[test]
fn the_file_in_the_current_directory_is_read() {
    let conf = "import os\nworkers = 1 + 1\naccesslog = '-'\nraw_env = ['COLOUR=' + 'red']\n";
    let server = Launch::app("plain").conf(conf).start();
    server.wait_workers(2);
    server.get("/env?COLOUR").expect(200, "red");
    server.wait_for("the access line", || server.stdout().contains("/env?COLOUR").then_some(()));
}

/// `-c` names another file, as a path, as `file:path` or as `python:module`.
#[test]
fn another_file_can_be_named() {
    for name in ["other.py", "file:other.py", "./other.py", "python:other"] {
        let launch = Launch::app("plain").conf("workers = 9\n").file("other.py", "workers = 4\n");
        let finished = launch.args("--print-config --config").arg(name).run();
        finished.expect(0, &[]);
        assert!(finished.stdout.lines().any(|line| line.starts_with("workers ") && line.ends_with("= 4")), "{name}");
    }
}

/// `-c` in `GUNICORN_CMD_ARGS` names the file as well.
#[test]
fn the_environment_can_name_the_file() {
    let launch = Launch::app("plain").file("other.py", "raw_env = ['FROM=other']\n");
    let server = launch.env("GUNICORN_CMD_ARGS", "-c other.py").start();
    server.get("/env?FROM").expect(200, "other");
}

/// Globals that are no setting are ignored, whatever they hold.
#[test]
fn unknown_globals_are_ignored() {
    let conf = "import sys\nfavourite = object()\ndef helper():\n    raise SystemExit(9)\nWORKERS = 9\n_workers = 8\n";
    let server = Launch::app("plain").conf(conf).start();
    server.wait_workers(1);
    server.get("/").expect(200, "hello");
}

/// `wsgi_app` in the file names the application, and the command line beats it.
#[test]
fn the_file_can_name_the_application() {
    let server = Launch::bare().conf("wsgi_app = 'plain:application'\n").start();
    server.get("/").expect(200, "hello");
    let server = Launch::app("specs:named").conf("wsgi_app = 'plain:application'\n").start();
    server.get("/").expect(200, "('named',) []");
}

/// `bind` in the file may be a string or a list.
#[test]
fn the_file_can_bind() {
    let server = Launch::app("plain").no_bind().conf("bind = '127.0.0.1:0'\n").start();
    server.get("/").expect(200, "hello");
    let server = Launch::app("plain").no_bind().conf("bind = ['127.0.0.1:0', 'unix:socket']\n").start();
    assert_eq!(server.addresses().len(), 2);
}

/// A syntax error in the file is exit 1 and names file and line; nothing is started.
#[test]
fn a_syntax_error_names_file_and_line() {
    let finished = Launch::app("plain").conf("workers = 2\nbind = (\n").run();
    finished.expect(1, &["Failed to read config file", "gunicorn.conf.py", "line 2", "SyntaxError"]);
}

/// An exception in the file is exit 1 with its traceback.
#[test]
fn an_exception_in_the_file_is_shown() {
    let finished = Launch::app("plain").conf("workers = 2\nraise LookupError('no such shop')\n").run();
    finished.expect(1, &["Failed to read config file", "gunicorn.conf.py", "line 2", "LookupError: no such shop"]);
}

/// A value of the wrong kind is exit 1 and names setting and value.
#[test]
fn a_bad_value_in_the_file_is_named() {
    Launch::app("plain").conf("workers = 'many'\n").run().expect(1, &["workers", "many"]);
    Launch::app("plain").conf("timeout = -2\n").run().expect(1, &["timeout", "-2"]);
}

/// A named file that is missing is exit 1.
#[test]
fn a_missing_file_is_refused() {
    Launch::app("plain").args("-c missing.py").run().expect(1, &["'missing.py' doesn't exist"]);
}

/// `--env` and `raw_env` set variables before the application is imported.
#[test]
fn the_environment_is_set_before_the_import() {
    let app = "import os\nseen = os.environ['COLOUR']\nfrom specs import make\napplication = make(seen)\n";
    let server = Launch::app("early").file("early.py", app).args("--env COLOUR=blue").start();
    server.get("/").expect(200, "('blue',) []");
}

/// `--chdir` is where the application is found and runs; `--pythonpath` is searched first.
#[test]
fn the_application_is_found_in_its_directory() {
    let here = "import os\nfrom specs import make\napplication = make(os.path.basename(os.getcwd()))\n";
    let server = Launch::app("here").file("inner/here.py", here).args("--chdir inner").start();
    server.get("/").expect(200, "('inner',) []");
    let launch = Launch::app("far").file("lib/far.py", "from specs import make\napplication = make('far')\n");
    launch.args("--pythonpath lib").start().get("/").expect(200, "('far',) []");
}

/// What a configuration file defines for itself is its own business, however strange.
#[test]
fn globals_that_are_no_settings_may_be_anything() {
    let file = "loop = {}\nloop['loop'] = loop\nsurrogate = '\\udc80'\n\
                class Odd:\n    def __repr__(self): raise ValueError('no')\n\
                odd = Odd()\n";
    Launch::app("plain").file("gunicorn.conf.py", file).start().get("/").expect(200, "hello");
}
