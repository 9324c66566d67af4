"""A running server with an application that asks a database."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .services import end, free_port, listens

PATIENCE = 20.0

# One route for each thing a test wants done; what a route returns is the answer, an error of the driver's is a 503 with its words.
APPLICATION = """
import os, threading
from urllib.parse import parse_qs
from ferricorn import db

def one(connection, statement, values=None):
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return cursor.fetchone()[0]

def pid(query):
    with db.get_db_connection() as connection:
        return one(connection, "SELECT pg_backend_pid()")

def leak(query):
    connection = db.connect()  # here it is taken
    connection.cursor().execute("INSERT INTO leaked VALUES (1)")
    leaks.append(connection)
    return "leaked"

def count(query):
    with db.get_db_connection() as connection:
        return one(connection, "SELECT count(*) FROM leaked")

def fail(query):
    connection = db.connect()
    leaks.append(connection)
    connection.cursor().execute("SELECT 1/0")

def sleep(query):
    with db.get_db_connection() as connection:
        one(connection, "SELECT pg_sleep(60)::text || %s", (query,))
    return "slept"

def slow(query):
    with db.get_db_connection() as connection:
        return one(connection, "SELECT 'slow ' || %s || pg_sleep(0.2)::text", ("a secret parameter",))

def threaded(query):
    got = []
    threads = [threading.Thread(target=lambda: got.append(pid(""))) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return len(got)

def nested(query):
    with db.get_db_connection() as outer, db.get_db_connection() as inner:
        return one(outer, "SELECT 1") + one(inner, "SELECT 2")

def stream(query):
    with db.get_db_connection() as connection:
        with connection.cursor("streamed") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT n FROM generate_series(1, 1000) n")
            for (n,) in cursor:
                yield f"{n}\\n".encode()

def status(query):
    return db.status()

leaks = []
routes = dict(pid=pid, leak=leak, count=count, fail=fail, sleep=sleep, slow=slow, threaded=threaded, nested=nested, status=status)

def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    if name == "stream":
        start_response("200 OK", [])
        return stream("")
    try:
        body, line = str(routes[name](environ["QUERY_STRING"])), "200 OK"
    except db.Error as error:
        body, line = f"{type(error).__name__}: {error}", "503 Service Unavailable"
    body = body.encode()
    start_response(line, [("Content-Length", str(len(body)))])
    return [body]
"""


class Serving:
    """Ferricorn in a directory of its own, ended by its pid."""

    def __init__(self, dsn: str, *arguments: str, application: str = APPLICATION, **environment: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="ferricorn-serving-")
        self.directory = Path(self._directory.name)
        (self.directory / "app.py").write_text(application, encoding="utf-8")
        self.port = free_port()
        self._command = [
            *(str(Path(sys.executable).parent / "ferricorn"), "--bind", f"127.0.0.1:{self.port}"),
            *(*arguments, "app:application"),
        ]
        self._environment = {**os.environ, "DATABASE_URL": dsn, **environment}

    def __enter__(self) -> Serving:
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_until("it listens", lambda: listens("127.0.0.1", self.port))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            print(self.log())
        self._end()

    def _end(self) -> None:
        end(self.process, signal.SIGTERM)
        self._directory.cleanup()

    def log(self) -> str:
        """Everything it has written so far."""
        return (self.directory / "log").read_text(errors="replace")

    def lines(self, *words: str) -> list[str]:
        """The lines of the log that have all of these words."""
        return [line for line in self.log().splitlines() if all(word in line for word in words)]

    def get(self, path: str) -> tuple[int, str]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ask(self, path: str) -> socket.socket:
        """A request whose answer is not waited for."""
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return client

    def wait_until(self, what: str, holds: Callable[[], Any]) -> Any:
        """Waits for a truth; fails when the server ends before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = holds()
            if found:
                return found
            assert self.process.poll() is None, f"the server ended before: {what}\n{self.log()}"
            assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain for: {what}\n{self.log()}"
            time.sleep(0.02)
