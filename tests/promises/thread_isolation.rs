//! gthread: what libraries keep per thread is each request's own, and what applications do with threads of their own
//! works as it does elsewhere.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Launch, Server};

/// A Flask application whose requests meet between writing to `g` and reading from it.
const FLASK: &str = "
from flask import Flask, g, request
from threaded import meet
application = Flask(__name__)

@application.get('/')
def index():
    had = hasattr(g, 'token')
    g.token = request.args['token']
    meet()
    return {'had': had, 'token': g.token, 'asked': request.args['token']}
";

/// A scoped session of SQLAlchemy's: keyed by thread, emptied after each request.
const SQLALCHEMY: &str = "
import json
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from plain import answer
from threaded import meet
engine = create_engine('sqlite:///shop.db')
session = scoped_session(sessionmaker(bind=engine))

def application(environ, start_response):
    token = environ['QUERY_STRING'].partition('=')[2]
    had = session.registry.has()
    session().info['token'] = token
    rows = session.execute(text('select :token'), {'token': token}).scalar()
    meet()
    said = {'had': had, 'token': session().info['token'], 'asked': rows}
    session.remove()
    return answer(start_response, json.dumps(said))
";

/// A Django application whose requests meet while each has its connection to the database open.
const DJANGO: &str = "
import os
from django.conf import settings
settings.configure(
    DEBUG=False, ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__, SECRET_KEY='of a test',
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.abspath('shop.db')}},
)
import django
from django.core.wsgi import get_wsgi_application
from django.db import connection, connections
from django.http import JsonResponse
from django.urls import path
from threaded import meet

def index(request):
    had = connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute('select %s', [request.GET['token']])
        asked = cursor.fetchone()[0]
    connections['default'].token = request.GET['token']
    meet()
    return JsonResponse({'had': had, 'token': connections['default'].token, 'asked': asked})

urlpatterns = [path('', index)]
application = get_wsgi_application()
";

/// What four requests that meet say, each of which was given a token of its own.
#[track_caller]
fn meet(server: &Server, target: &str) -> Vec<(String, Value)> {
    let tokens = ["one", "two", "three", "four"];
    let connections = tokens.map(|token| {
        let mut connection = server.connect();
        connection.send(format!("GET {target}{token} HTTP/1.1\r\nHost: x\r\n\r\n"));
        connection
    });
    let mut said = Vec::new();
    for (token, mut connection) in tokens.into_iter().zip(connections) {
        let response = connection.response();
        assert_eq!(response.status(), 200, "{response:?}");
        said.push((token.to_owned(), serde_json::from_str(&response.text()).expect("JSON")));
    }
    said
}

/// Lets requests of an application meet twice; each finds its own token and nothing of the round before.
#[track_caller]
fn assert_isolated(name: &str, app: &str) {
    let server = Launch::app(name).file(&format!("{name}.py"), app).args("--threads 4").start();
    for _ in 0..2 {
        for (token, said) in meet(&server, "/?token=") {
            assert_eq!((&said["token"], &said["asked"]), (&Value::from(token.as_str()), &Value::from(token.as_str())));
            assert_eq!(said["had"], false, "{said}");
        }
    }
}

/// `threading.local` and `contextvars` hold what this request put there, whatever the others put.
#[test]
fn thread_locals_and_contexts_are_a_requests_own() {
    let server = Launch::app("threaded").args("--threads 4").start();
    for (token, said) in meet(&server, "/keep?") {
        assert_eq!((&said["local"], &said["context"]), (&Value::from(token.as_str()), &Value::from(token.as_str())));
    }
}

/// Flask's `g` and `request` are each request's own.
#[test]
fn flask_is_isolated() {
    assert_isolated("flasked", FLASK);
}

/// SQLAlchemy's scoped sessions are each thread's own.
#[test]
fn sqlalchemy_sessions_are_isolated() {
    assert_isolated("alchemy", SQLALCHEMY);
}

/// Django's database connections are each thread's own, and closed after each request.
#[test]
fn django_connections_are_isolated() {
    assert_isolated("djangoed", DJANGO);
}

/// Applications start threads, pools, event loops and processes from their requests.
#[test]
fn requests_may_use_threads_of_their_own() {
    let app = "
import asyncio, subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor
from plain import answer
from threaded import meet
pool = ThreadPoolExecutor(2)

async def later():
    await asyncio.sleep(0.01)
    return 'loop'

def application(environ, start_response):
    meet()
    said = []
    thread = threading.Thread(target=said.append, args=('thread',))
    thread.start()
    thread.join()
    said.append(pool.submit(lambda: 'pool').result())
    said.append(asyncio.run(later()))
    said.append(subprocess.run([sys.executable, '-c', 'print(\"process\")'], capture_output=True, text=True).stdout.strip())
    return answer(start_response, ' '.join(said))
";
    let server = Launch::app("busy").file("busy.py", app).args("--threads 4").start();
    let connections = [(); 4].map(|()| {
        let mut connection = server.connect();
        connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection
    });
    for mut connection in connections {
        connection.response().expect(200, "thread pool loop process");
    }
}

/// At the end of a worker, handlers registered with `atexit` run, on the main thread.
#[test]
fn atexit_handlers_run_with_threads() {
    let app = "
import atexit, threading
from threaded import application
atexit.register(lambda: open('left.' + threading.current_thread().name, 'w').close())
";
    let server = Launch::app("leaving").file("leaving.py", app).args("--threads 4").start();
    server.get("/").expect(200, "hello");
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert!(server.workdir().has("left.MainThread"), "no handler has run");
}

/// At a graceful end threads end too, and with them what they kept.
#[test]
fn what_threads_keep_is_dropped_at_the_end() {
    let app = "
import os, threading
from plain import answer
from threaded import meet
local = threading.local()

class Kept:
    def __del__(self, open=open, ident=threading.get_ident):
        open('dropped', 'a').write('x')

def application(environ, start_response):
    local.kept = Kept()
    meet()
    return answer(start_response, 'kept')
";
    let server = Launch::app("keeping").file("keeping.py", app).args("--threads 4").start();
    let connections = [(); 4].map(|()| {
        let mut connection = server.connect();
        connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        connection
    });
    for mut connection in connections {
        connection.response().expect(200, "kept");
    }
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    assert_eq!(server.workdir().read("dropped"), "xxxx");
}
