"""Iterables that write down when they are closed, and by which thread, chosen by the path."""

import os
import threading
import time


def note(word):
    with open("notes", "a") as file:
        file.write(word + "\n")


def wait_for(name):
    open(name + ".entered", "w").close()
    while not os.path.exists(name):
        time.sleep(0.01)


class Closing:
    """Says `closed` when it is closed, and whether by the thread that made it."""

    def __init__(self, pieces):
        self.pieces, self.thread = iter(pieces), threading.get_ident()

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        note("closed" if threading.get_ident() == self.thread else "closed elsewhere")


class Reader:
    """Something to read from that is no file; it has no end."""

    def __init__(self):
        self.thread = threading.get_ident()

    def read(self, size=-1):
        open("reading", "w").close()
        return b"x" * size

    close = Closing.close


def endless():
    open("begun", "w").close()
    while True:
        yield b"x" * 65536


def late():
    wait_for("gate")
    yield b"late"


def failing(first):
    yield from first
    raise LookupError("on purpose")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/notes":
        text = open("notes").read().encode() if os.path.exists("notes") else b""
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]
    if path == "/never-started":
        return Closing([b"body"])
    start_response("200 OK", [])
    if path == "/fits":
        return Closing(b"x" * 65536 for _ in range(14))
    if path == "/endless":
        return Closing(endless())
    if path == "/late":
        return Closing(late())
    if path == "/fails-first":
        return Closing(failing([]))
    if path == "/fails-later":
        return Closing(failing([b"first"]))
    if path == "/not-bytes":
        return Closing([b"first", "second"])
    if path == "/wrapped":
        return environ["wsgi.file_wrapper"](Reader(), 65536)
    return Closing([b"one", b"two"])
