//! Configuration files and applications that import from `gunicorn`: they work whether Gunicorn is installed or not.

use crate::harness::Launch;
use crate::harness::target::apps;

/// What configuration files import in the wild.
const IMPORTS: &str = "import gunicorn
import gunicorn.arbiter
import gunicorn.config
import gunicorn.errors
import gunicorn.util
from gunicorn import glogging, util
from gunicorn.app.base import Application, BaseApplication
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import AppImportError, ConfigError, HaltServer
from gunicorn.glogging import CONFIG_DEFAULTS, Logger
from gunicorn.instrument.statsd import Statsd
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker
assert gunicorn.__version__ == '27.0.1', gunicorn.__version__
assert gunicorn.version_info == (27, 0, 1)
assert gunicorn.SERVER_SOFTWARE.startswith('gunicorn'), gunicorn.SERVER_SOFTWARE
assert 'formatters' in CONFIG_DEFAULTS and issubclass(Statsd, Logger) and issubclass(SyncWorker, Worker)
assert Config().settings['workers'].get() == 1
def when_ready(server: Arbiter) -> None:
    server.log.info('ready with %s', util.http_date(0))
def post_fork(server: Arbiter, worker: Worker) -> None:
    worker.log.info('known: %s', worker.pid in Arbiter.WORKERS or 'not yet')
";

/// Replaces the finder of modules by one that does not find Gunicorn.
const HIDING: &str = "import sys
from importlib.machinery import PathFinder
class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        hidden = fullname.partition('.')[0] == 'gunicorn'
        return None if hidden else super().find_spec(fullname, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
";

/// A logger as deployments write it.
const QUIET: &str = "from gunicorn.glogging import Logger
class Quiet(Logger):
    error_fmt = 'QUIET %(levelname)s %(message)s'
    def access(self, resp, req, environ, request_time):
        if req.path != '/pid':
            super().access(resp, req, environ, request_time)
logger_class = Quiet
accesslog = 'access.log'
";

/// A server of `app` whose Python does not find Gunicorn.
fn without_gunicorn(app: &str) -> Launch {
    let launch = Launch::app(app).file("hiding/sitecustomize.py", HIDING);
    let path = format!("{}:{}", launch.workdir().join("hiding").display(), apps().display());
    launch.env("PYTHONPATH", &path)
}

/// Reads `conf` with `launch` and sees its hooks at work.
#[track_caller]
fn assert_imports(launch: Launch) {
    let server = launch.conf(IMPORTS).start();
    server.get("/").expect(200, "hello");
    server.wait_line("ready with Thu, 01 Jan 1970 00:00:00 GMT");
    server.wait_line("known: ");
}

/// Sees that the logger of `QUIET` writes every line.
#[track_caller]
fn assert_quiet(launch: Launch) {
    let server = launch.bind("unix:socket").conf(QUIET).start();
    server.get("/pid");
    server.get("/").expect(200, "hello");
    server.wait_log("QUIET INFO Listening at: unix:socket");
    server.wait_log("QUIET INFO Booting worker with pid: ");
    let access = || Some(server.workdir().read("access.log")).filter(|text| text.contains("GET / "));
    assert!(!server.wait_for("an access line", access).contains("/pid"));
}

/// What configuration files import is there.
#[test]
fn the_usual_imports_work() {
    assert_imports(Launch::app("plain"));
}

/// What configuration files import is there without Gunicorn.
#[test]
fn the_usual_imports_work_without_gunicorn() {
    only_ferricorn!("Gunicorn is not there without Gunicorn");
    assert_imports(without_gunicorn("plain"));
}

/// A subclass of `gunicorn.glogging.Logger` works.
#[test]
fn a_logger_can_be_subclassed() {
    assert_quiet(Launch::app("plain"));
}

/// A subclass of `gunicorn.glogging.Logger` works without Gunicorn.
#[test]
fn a_logger_can_be_subclassed_without_gunicorn() {
    only_ferricorn!("Gunicorn is not there without Gunicorn");
    assert_quiet(without_gunicorn("plain"));
}

/// Applications can import the same.
#[test]
fn applications_can_import() {
    let app = "from gunicorn.glogging import Logger\nimport gunicorn.util\nfrom plain import application\n";
    Launch::app("imports").file("imports.py", app).start().get("/").expect(200, "hello");
    if crate::harness::target::program() == "ferricorn" {
        without_gunicorn("imports").file("imports.py", app).start().get("/").expect(200, "hello");
    }
}

/// Without Gunicorn the server's own objects are those of the names that were imported.
#[test]
fn the_stand_ins_are_the_real_things() {
    only_ferricorn!("Gunicorn is not there without Gunicorn");
    let conf = "from gunicorn.glogging import Logger\nfrom gunicorn.workers.base import Worker\nfrom gunicorn.arbiter import Arbiter
def post_fork(server, worker):
    worker.log.info('%s %s %s', isinstance(server.log, Logger), isinstance(worker, Worker), isinstance(server, Arbiter))
";
    without_gunicorn("plain").conf(conf).start().wait_line("True True True");
}

/// What has no stand-in is an import error that says so.
#[test]
fn what_has_no_stand_in_is_named() {
    only_ferricorn!("Gunicorn is not there without Gunicorn");
    let finished = without_gunicorn("plain").conf("import gunicorn.workers.ggevent\n").run();
    finished.expect(1, &["gunicorn.workers.ggevent", "ferricorn"]);
}
