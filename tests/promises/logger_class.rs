//! `logger_class`, and the loggers that applications find: `gunicorn.error` and `gunicorn.access` of `logging`.

use nix::sys::signal::Signal;

use crate::harness::connection::{Address, Connection};
use crate::harness::{Launch, eventually};

/// A subclass of Gunicorn's logger, as deployments write it: a format, an atom, and no lines for health checks.
const MINE: &str = "from gunicorn.glogging import Logger
class Mine(Logger):
    error_fmt = 'MINE %(process)d %(levelname)s %(message)s'
    def setup(self, cfg):
        super().setup(cfg)
        self.info('set up for %s', cfg.proc_name)
    def atoms(self, resp, req, environ, request_time):
        atoms = super().atoms(resp, req, environ, request_time)
        atoms['shop'] = environ.get('PATH_INFO', '?').upper()
        return atoms
    def access(self, resp, req, environ, request_time):
        if req.path != '/pid':
            super().access(resp, req, environ, request_time)
accesslog = '-'
access_log_format = '%(shop)s %(s)s %(B)s %({host}i)s %({content-type}o)s %(r)s'
";

/// A server that listens at a unix socket, so that no log line is needed to find it.
fn launch(app: &str) -> Launch {
    Launch::app(app).bind("unix:socket")
}

/// A subclass of `gunicorn.glogging.Logger` writes every line: the master's, the workers' and the access lines.
#[test]
fn a_subclass_writes_every_line() {
    let dotted = format!("{MINE}logger_class = 'mine.Mine'\n");
    for conf in [format!("{MINE}logger_class = Mine\n"), dotted] {
        let server = launch("plain").file("mine.py", MINE).conf(&conf).start();
        server.get("/pid");
        server.get("/token?a").expect(200, "token=a");
        assert_eq!(server.get("/error").status(), 500);
        server.wait_log(" ERROR Error handling request GET /error\nTraceback (most recent call last):");
        assert_eq!(server.stop(Signal::SIGTERM), 0);
        let master = format!("MINE {} INFO ", server.pid());
        assert!(server.log().contains(" INFO set up for plain"), "{}", server.log());
        for message in ["Starting ", "Listening at: unix:socket", "Handling signal: term", "Shutting down"] {
            assert!(server.log().contains(&format!("{master}{message}")), "{message} in\n{}", server.log());
        }
        assert!(server.log().contains(" INFO Booting worker with pid: "), "{}", server.log());
        assert!(server.log().lines().all(|line| !line.starts_with('[')), "{}", server.log());
        let mut access = server.stdout().lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(access.remove(0), "/TOKEN 200 7 localhost text/plain GET /token?a HTTP/1.1");
        assert_eq!(access.len(), 1, "one line for the failed request, none for /pid: {access:?}");
    }
}

/// The `resp`, `req` and `environ` that `access` gets are the request's, and `request_time` is a timedelta.
#[test]
fn access_gets_the_request() {
    let conf = "from gunicorn.glogging import Logger
from noting_hooks import note
class Noting(Logger):
    def access(self, resp, req, environ, request_time):
        note('access', status=resp.status, sent=resp.sent, uri=req.uri, method=req.method, host=dict(req.headers)['HOST'],
             query=environ['QUERY_STRING'], peer=environ['REMOTE_ADDR'], days=request_time.days,
             short=request_time.total_seconds() < 20, headers=resp.headers)
logger_class = Noting
accesslog = '-'
";
    let server = Launch::app("plain").conf(conf).start();
    server.get("/token?a").expect(200, "token=a");
    let note = server.wait_noted("access", 1).remove(0);
    let names = ["status", "sent", "uri", "method", "host", "query", "peer", "days", "short"];
    let wanted = serde_json::json!(["200 OK", 7, "/token?a", "GET", "localhost", "a", "127.0.0.1", 0, true]);
    assert_eq!(serde_json::json!(names.map(|name| note[name].clone())), wanted);
    assert_eq!(note["headers"], serde_json::json!([["Content-Type", "text/plain"], ["Content-Length", "7"]]));
}

/// A class that is not there is exit 1 and named; one that fails in its set-up is exit 1 with the traceback.
#[test]
fn a_bad_class_is_refused() {
    launch("plain").args("--logger-class no_such_module.Logger").run().expect(1, &["no_such_module.Logger"]);
    let failing = "from gunicorn.glogging import Logger\nclass Failing(Logger):
    def setup(self, cfg):\n        raise LookupError('no set-up')\nlogger_class = Failing\n";
    launch("plain").conf(failing).run().expect(1, &["Traceback", "LookupError: no set-up"]);
}

/// A class that its module does not have is exit 1 and named.
#[test]
fn a_missing_class_is_named() {
    only_ferricorn!("Gunicorn says that a str is not callable, with a traceback");
    let refused = launch("plain").conf("logger_class = 'noting_hooks.Logger'\n").run();
    refused.expect(1, &["logger_class", "noting_hooks", "Logger"]);
}

/// An application finds the server's loggers with handlers and level, also without any configuration of logging.
#[test]
fn the_application_finds_the_servers_loggers() {
    let app = "import logging
server = logging.getLogger('gunicorn.error')
own = logging.getLogger('shop')
own.handlers = server.handlers
own.setLevel(server.level)
own.info('said by the shop')
own.debug('never said')
server.warning('said by way of the server: %s', server.propagate)
from plain import application
";
    let server = Launch::app("flasky").file("flasky.py", app).start();
    assert_eq!(server.wait_line("said by the shop").level, "INFO");
    assert_eq!(server.wait_line("said by way of the server: False").level, "WARNING");
    assert!(!server.log().contains("never said"));
}

/// The loggers follow `--error-logfile`, `--log-level` and `--access-logfile`.
#[test]
fn the_loggers_follow_the_settings() {
    let app = "import logging
error, access = logging.getLogger('gunicorn.error'), logging.getLogger('gunicorn.access')
error.error('%s %s %s', error.level, len(error.handlers), len(access.handlers))
from plain import application
";
    let launch = || Launch::app("asks").file("asks.py", app);
    assert_eq!(launch().start().wait_line("20 1 0").level, "ERROR");
    let server = launch().args("--log-level debug --access-logfile access.log").error_log("error.log").start();
    assert_eq!(server.wait_line("10 1 1").level, "ERROR");
}

/// USR1 reopens the error log for Python's loggers as well.
#[test]
fn usr1_reopens_the_log_of_the_loggers() {
    let app = "import logging\nfrom plain import answer\ndef application(environ, start_response):
    logging.getLogger('gunicorn.error').info('asked for %s', environ['QUERY_STRING'])
    return answer(start_response, 'said')
";
    let server = launch("says").file("says.py", app).error_log("error.log").start();
    server.get("/?before").expect(200, "said");
    server.wait_log("asked for before");
    std::fs::rename(server.workdir().join("error.log"), server.workdir().join("error.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    server.wait_for("a line in the fresh file", || {
        server.get("/?after").expect(200, "said");
        server.log().contains("asked for after").then_some(())
    });
}

/// `-R` with `--daemon` keeps a redirected standard error, and with it the error log.
#[test]
fn a_daemon_can_keep_its_output() {
    let launched = launch("plain").args("-R --daemon").run();
    assert_eq!(launched.code, 0);
    let dir = &launched.workdir;
    let mut connection = eventually("a daemon", || Connection::open(&Address::Unix(dir.join("socket"))).ok());
    connection.get("/print").expect(200, "printed");
    eventually("the log", || dir.read("stderr").contains("Listening at: unix:socket").then_some(()));
    eventually("the print", || dir.read("stdout").contains("printed by the application").then_some(()));
}
