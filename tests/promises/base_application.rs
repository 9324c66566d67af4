//! Scripts that subclass `BaseApplication`: a server that is started from Python, with options in place of a command line.

use nix::sys::signal::Signal;

use crate::harness::target::program;
use crate::harness::{Launch, log};

/// The documented pattern: options in a dict, an application object, `run()`.
const STANDALONE: &str = "
class Standalone(BaseApplication):
    def __init__(self, application, options=None):
        self.options = options or {}
        self.application = application
        super().__init__()

    def load_config(self):
        for key, value in self.options.items():
            if key in self.cfg.settings and value is not None:
                self.cfg.set(key.lower(), value)

    def load(self):
        return self.application
";

/// The script `serve.py`: the pattern, then `rest`. The package is the target's own.
fn script(rest: &str) -> Launch {
    let text = format!("from {}.app.base import BaseApplication\n{STANDALONE}{rest}", program());
    Launch::python("serve.py").file("serve.py", &text)
}

/// The documented example serves with its options, and ends with 0 on TERM.
#[test]
fn the_documented_example_serves() {
    let server = script(
        "
from plain import answer
def application(environ, start_response):
    return answer(start_response, 'by a script')
if __name__ == '__main__':
    Standalone(application, {'bind': '127.0.0.1:0', 'workers': 2, 'unknown': 3, 'proc_name': None}).run()
",
    )
    .start();
    server.get("/").expect(200, "by a script");
    let workers = server.wait_workers(2);
    assert!(!workers.contains(&server.pid()));
    assert_eq!(server.wait_line("Listening at: ").pid, server.pid());
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    server.wait_nothing_running();
}

/// A script can be a module that is started with `-m`, and may be given arguments that are its own business.
#[test]
fn a_module_and_its_arguments_will_do() {
    let rest = "
import sys
from plain import answer
def application(environ, start_response):
    return answer(start_response, ' '.join(sys.argv[1:]))
if __name__ == '__main__':
    Standalone(application, {'bind': '127.0.0.1:0'}).run()
";
    let text = format!("from {}.app.base import BaseApplication\n{STANDALONE}{rest}", program());
    let launch = Launch::python("-m shop.serve --workers many plain").file("shop/serve.py", &text);
    let server = launch.file("shop/__init__.py", "").start();
    server.get("/").expect(200, "--workers many plain");
    server.wait_workers(1);
}

/// HUP starts new workers, which call `load()` anew: what it imports is the code that is on disk now.
#[test]
fn hup_loads_anew() {
    let text = |version: &str| format!("from specs import make\napplication = make('{version}')\n");
    let server = script(
        "
class Lazy(Standalone):
    def load(self):
        from changing import application
        return application
if __name__ == '__main__':
    Lazy(None, {'bind': '127.0.0.1:0'}).run()
",
    )
    .file("changing.py", &text("old"))
    .start();
    server.get("/").expect(200, "('old',) []");
    server.write("changing.py", &text("new"));
    server.signal(Signal::SIGHUP);
    server.wait_for("the new code", || (server.get("/").text() == "('new',) []").then_some(()));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
}

/// HUP runs `load_config` anew.
#[test]
fn hup_configures_anew() {
    let server = script(
        "
class Configured(Standalone):
    def load_config(self):
        super().load_config()
        self.cfg.set('workers', int(open('workers').read()))
if __name__ == '__main__':
    from plain import application
    Configured(application, {'bind': '127.0.0.1:0'}).run()
",
    )
    .file("workers", "1")
    .start();
    server.wait_workers(1);
    server.write("workers", "2");
    server.signal(Signal::SIGHUP);
    server.wait_for("a third worker in all", || (log::booted(&server.log()).len() == 3).then_some(()));
    server.wait_workers(2);
}

/// Hooks are functions among the options.
#[test]
fn hooks_are_options() {
    let server = script(
        "
def when_ready(server):
    server.log.info('ready, says a hook')
def post_fork(server, worker):
    worker.log.info('forked, says a hook')
if __name__ == '__main__':
    from plain import application
    Standalone(application, {'bind': '127.0.0.1:0', 'when_ready': when_ready, 'post_fork': post_fork}).run()
",
    )
    .start();
    assert!(!server.workers().contains(&server.wait_line("ready, says a hook").pid));
    assert_eq!(server.wait_line("forked, says a hook").pid, server.wait_workers(1)[0]);
}

/// With `preload_app` the application is loaded before the first worker.
#[test]
fn the_application_can_be_preloaded() {
    let server = script(
        "
import os
from plain import answer
class Preloaded(Standalone):
    def load(self):
        loaded = os.getpid()
        def application(environ, start_response):
            return answer(start_response, str(loaded == os.getpid()))
        return application
if __name__ == '__main__':
    Preloaded(None, {'bind': '127.0.0.1:0', 'preload_app': os.path.exists('preload')}).run()
",
    );
    let preloading = script("").file("serve.py", &server.workdir().read("serve.py")).file("preload", "");
    server.start().get("/").expect(200, "True");
    preloading.start().get("/").expect(200, "False");
}

/// An option with a bad value is exit 1 and a sentence.
#[test]
fn a_bad_option_is_refused() {
    for (options, words) in [("{'workers': 'many'}", ["Error: ", "many"]), ("{'timeout': -1}", ["Error: ", "-1"])] {
        let rest = format!(
            "\nif __name__ == '__main__':\n    from plain import application\n    Standalone(application, {options}).run()\n"
        );
        script(&rest).run().expect(1, &words);
    }
}

/// An option that is no setting is exit 1 and named, if the script hands it on.
#[test]
fn an_unknown_option_is_refused() {
    let rest = "
class Careless(Standalone):
    def load_config(self):
        self.cfg.set('wrokers', 2)
if __name__ == '__main__':
    Careless(None).run()
";
    script(rest).run().expect(1, &["wrokers"]);
}

/// A `load` that raises is a boot failure: exit 3, with the traceback.
#[test]
fn a_load_that_raises_is_a_boot_failure() {
    let rest = "
class Failing(Standalone):
    def load(self):
        raise LookupError('nothing to load')
if __name__ == '__main__':
    Failing(None, {'bind': '127.0.0.1:0'}).run()
";
    script(rest).run().expect(3, &["Traceback", "LookupError: nothing to load", "Worker failed to boot."]);
}
