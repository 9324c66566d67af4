//! Every form of application and spec is served as it is.

use crate::harness::{Launch, Server};

/// A spec is a module, a module and a name, or a call with literal arguments.
#[test]
fn a_spec_has_several_forms() {
    for (spec, answer) in [
        ("specs", "('the default',) []"),
        ("specs:application", "('the default',) []"),
        ("specs:named", "('named',) []"),
        ("specs:make()", "() []"),
        ("specs:make('x', k=1)", "('x',) [('k', 1)]"),
        ("specs:make(['a', {'b': None}], debug=True)", "(['a', {'b': None}],) [('debug', True)]"),
    ] {
        Launch::app(spec).start().get("/").expect(200, answer);
    }
}

/// An application may be in a package, and may be any callable object.
#[test]
fn an_application_may_be_an_object_in_a_package() {
    let object = "from plain import answer\nclass Shop:\n    def __call__(self, environ, start_response):\n        \
        return answer(start_response, 'open')\napplication = Shop()\n";
    let launch =
        Launch::app("backend.wsgi:application").file("backend/__init__.py", "").file("backend/wsgi.py", object);
    launch.start().get("/").expect(200, "open");
}

/// An application may be a generator function, or a class whose instances are the response.
#[test]
fn an_application_may_be_a_generator_or_a_class() {
    let code = "class Page:
    def __init__(self, environ, start_response):
        self.start = start_response
    def __iter__(self):
        self.start('200 OK', [('Content-Length', '4')])
        yield b'page'
def generate(environ, start_response):
    start_response('200 OK', [('Content-Length', '9')])
    yield b'generated'
";
    for (name, answer) in [("Page", "page"), ("generate", "generated")] {
        Launch::app(&format!("forms:{name}")).file("forms.py", code).start().get("/").expect(200, answer);
    }
}

/// `wsgiref.validate` finds no breach of PEP 3333 around applications that use all of it, in a sync worker and in one with threads.
#[test]
fn wsgiref_validates_the_server() {
    for class in ["sync", "gthread"] {
        let server = Launch::app("validated").args("--worker-class").args(class).start();
        validate(&server);
        assert!(!server.log().contains("Error"), "{}", server.log());
    }
}

#[track_caller]
fn validate(server: &Server) {
    let parts = "part 0\npart 1\npart 2\n";
    let body = |framing: &str| format!("HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n{framing}\r\n\r\n");
    let (length, chunked) = (body("Content-Length: 4"), body("Transfer-Encoding: chunked"));
    for (request, answer) in [
        ("GET /?a=b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "valid"),
        ("GET /stream HTTP/1.0\r\n\r\n".to_owned(), parts),
        ("GET /a%20b/%C3%A4?x=%20 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\n\r\n".to_owned(), "valid"),
        (format!("POST / {length}body"), "body"),
        (format!("POST /stream {length}a\nb\n"), parts),
        (format!("POST /stream {chunked}2\r\na\n\r\n0\r\n\r\n"), parts),
        (format!("POST /written {length}a\nb\n"), "3 lines, and more"),
        (format!("PUT /file {length}body"), "read"),
        (format!("PATCH /written {chunked}4\r\na\nb\n\r\n0\r\n\r\n"), "3 lines, and more"),
    ] {
        server.ask(&request).expect(200, answer);
    }
    for (method, target, status) in [
        ("HEAD", "/", 200),
        ("HEAD", "/stream", 200),
        ("HEAD", "/file", 200),
        ("DELETE", "/nothing", 204),
        ("OPTIONS", "/", 200),
        ("GET", "/replaced", 503),
    ] {
        let mut connection = server.connect();
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(connection.response_to(method).status(), status, "{method} {target}");
    }
}

/// The import and every call happen on Python's main thread, so that `signal.signal` works.
#[test]
fn the_application_runs_on_the_main_thread() {
    let code = "import signal, threading
from plain import answer
signal.signal(signal.SIGUSR2, lambda *_: None)
def application(environ, start_response):
    signal.signal(signal.SIGALRM, lambda *_: None)
    return answer(start_response, threading.current_thread().name)
";
    Launch::app("threaded").file("threaded.py", code).start().get("/").expect(200, "MainThread");
}

/// Threads that the application starts go on running while no request does.
#[test]
fn the_applications_threads_run_on() {
    let code = "import threading, time
from plain import application
def tick():
    for number in range(1000):
        open('ticks', 'a').write('x')
        time.sleep(0.02)
threading.Thread(target=tick, daemon=True).start()
";
    let server = Launch::app("ticking").file("ticking.py", code).start();
    server.get("/").expect(200, "hello");
    server.wait_for("ten ticks", || (server.workdir().read("ticks").len() >= 10).then_some(()));
}

/// Handlers registered with `atexit` run when a worker leaves.
#[test]
fn atexit_handlers_run() {
    let code =
        "import atexit\nfrom plain import application\natexit.register(lambda: open('left', 'w').write('bye'))\n";
    let server = Launch::app("leaving").file("leaving.py", code).start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(nix::sys::signal::Signal::SIGTERM), 0);
    assert_eq!(server.workdir().read("left"), "bye");
}
