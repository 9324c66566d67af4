"""Requests that take longer than they may, each in its own way, and what becomes of them."""

import functools
import itertools
import json
import threading
import time

try:
    from ferricorn import RequestTimeout
except ImportError:  # under another server
    RequestTimeout = SystemExit

from plain import answer
from plain import application as plain


def note(name):
    open(name, "w").close()


def spin(seconds):
    """Runs Python code for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def with_care(seconds):
    """Cleans up, and thinks that it handles every error."""
    try:
        spin(seconds)
    except Exception:
        note("swallowed")
    finally:
        note("cleaned")


def stubbornly(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            spin(1)
        except BaseException:
            note("swallowed")


def in_c(_seconds):
    """Holds the GIL in one C function, for ever."""
    sum(itertools.repeat(1, 10**13))


def waiting_for_a_lock(seconds):
    threading.Event().wait(seconds)


WAYS = {
    "/spin": spin,
    "/sleep": time.sleep,
    "/care": with_care,
    "/stubborn": stubbornly,
    "/c": in_c,
    "/lock": waiting_for_a_lock,
}


def stream(seconds):
    yield b"first"
    spin(seconds)
    yield b"last"


class Closing:
    """A body that is complete before its end is."""

    def __init__(self, seconds):
        self._seconds = seconds

    def __iter__(self):
        return iter([b"whole"])

    def close(self):
        spin(self._seconds)
        note("closed")


class EndingInC:
    """A body whose end is a wait in C, after which no Python code of this request runs any more."""

    def __init__(self, seconds):
        self.close = functools.partial(time.sleep, seconds)

    def __iter__(self):
        return iter([b"whole"])


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path in WAYS:
        note("entered")
        WAYS[path](float(query))
        return answer(start_response, "done")
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return stream(float(query))
    if path == "/closing":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return Closing(float(query))
    if path == "/ending":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return EndingInC(float(query))
    if path == "/own":
        try:
            spin(float(query))
        except RequestTimeout as late:
            return answer(start_response, json.dumps([type(late).__mro__[1].__name__, str(late)]), "503 Too Slow")
    if path == "/endless":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return itertools.repeat(b"x" * 65536)
    if path == "/short":
        return answer(start_response, str(sum(number * number for number in range(3000))))
    return plain(environ, start_response)
