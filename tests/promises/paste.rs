//! `--paste`: the application is what a PasteDeploy file says.

use crate::harness::target::program;
use crate::harness::{Launch, process};

/// An application factory that answers with what it was made with.
const FACTORY: &str = "from plain import answer
def make(global_config, **local):
    def application(environ, start_response):
        town = global_config.get('town'), global_config.get('shop')
        return answer(start_response, repr((town, sorted(local.items()))))
    return application
";

/// Two applications, and a section for servers.
const INI: &str = "[DEFAULT]\ntown = Bonn
[app:main]\npaste.app_factory = factory:make\ncolour = blue
[app:other]\npaste.app_factory = factory:make\ncolour = red
[server:main]\nuse = egg:gunicorn#main\nworkers = many\ntimeout = 44\n";

/// A command line without an application, in a directory with the file.
fn launch() -> Launch {
    Launch::bare().file("factory.py", FACTORY).file("shop.ini", INI)
}

/// `--paste FILE` serves the file's main application, `--paster` does the same, and an application named besides is ignored.
#[test]
fn the_main_application_is_served() {
    for args in ["--paste shop.ini", "--paster ./shop.ini", "--paste shop.ini -- plain"] {
        launch().args(args).start().get("/").expect(200, "(('Bonn', None), [('colour', 'blue')])");
    }
}

/// `FILE#NAME` serves another application of the file.
#[test]
fn another_application_can_be_named() {
    launch().args("--paste shop.ini#other").start().get("/").expect(200, "(('Bonn', None), [('colour', 'red')])");
}

/// `--paste-global` adds to what every application of the file gets, and beats the file's defaults.
#[test]
fn global_values_can_be_added() {
    let server = launch().args("--paste shop.ini --paste-global shop=tyres --paste-global town=Ulm").start();
    server.get("/").expect(200, "(('Ulm', 'tyres'), [('colour', 'blue')])");
}

/// The process title names the file, with its whole path and without the application's name.
#[test]
fn the_title_names_the_file() {
    let server = launch().args("--paste shop.ini#other").start();
    server.get("/");
    let path = server.workdir().join("shop.ini");
    assert_eq!(process::title(server.pid()), format!("{}: master [{}]", program(), path.display()));
}

/// The file's section for servers is no configuration of this command: other sources decide, and its values are not looked at.
#[test]
fn the_servers_section_is_not_read() {
    let finished = launch().conf("workers = 3\n").args("--paste shop.ini --print-config").run();
    finished.expect(0, &[]);
    let holds = |name: &str, value: &str| {
        let found = finished.stdout.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(found.is_some_and(|line| line.ends_with(&format!(" = {value}"))), "{name}: {found:?}");
    };
    holds("workers", "3");
    holds("timeout", "30");
    holds("paste", "shop.ini");
}

/// A file with a `[loggers]` section is the configuration of `logging` too.
#[test]
fn the_file_can_configure_logging() {
    let logging = "[loggers]\nkeys=root,error\n[handlers]\nkeys=out\n[formatters]\nkeys=short
[logger_root]\nlevel=WARNING\nhandlers=out
[logger_error]\nlevel=INFO\nhandlers=out\npropagate=0\nqualname=gunicorn.error
[handler_out]\nclass=StreamHandler\nformatter=short\nargs=(sys.stdout,)
[formatter_short]\nformat=PASTE %(levelname)s %(message)s\n";
    let launch = launch().bind("unix:socket").file("shop.ini", &format!("{INI}{logging}")).args("--paste shop.ini");
    let server = launch.start();
    server.get("/").expect(200, "(('Bonn', None), [('colour', 'blue')])");
    server.wait_for("the log", || server.stdout().contains("PASTE INFO Listening at: unix:socket").then_some(()));
}

/// A file that is missing or no INI file is exit 1 and named.
#[test]
fn a_bad_file_is_refused() {
    launch().args("--paste missing.ini").run().expect(1, &["Error: ", "missing.ini' not found"]);
    launch().file("broken.ini", "nonsense").args("--paste broken.ini").run().expect(1, &["Error: ", "broken.ini"]);
}

/// An application that the file does not have, or that cannot be made, is a boot failure: exit 3.
#[test]
fn a_missing_application_is_a_boot_failure() {
    launch().args("--paste shop.ini#nothing").run().expect(3, &["No section 'nothing'", "Worker failed to boot."]);
    let missing = "[app:main]\npaste.app_factory = no_such_module:make\n";
    launch().file("shop.ini", missing).args("--paste shop.ini").run().expect(3, &["no_such_module"]);
}

/// `--check-config` loads the file's application.
#[test]
fn the_application_can_be_checked() {
    launch().args("--check-config --paste shop.ini").run().expect(0, &[]);
    launch().args("--check-config --paste shop.ini#nothing").run().expect(1, &["No section 'nothing'"]);
}
