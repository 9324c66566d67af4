"""Responses of every framing, chosen by the path."""

import json
import os
import time


def wait_for(name):
    """Says `<name>.entered` and waits until the test has made the file `name`."""
    open(name + ".entered", "w").close()
    while not os.path.exists(name):
        time.sleep(0.01)


class Closing:
    """An iterable that appends a line to `closed` when it is closed."""

    def __init__(self, chunks):
        self.chunks = iter(chunks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    def close(self):
        with open("closed", "a") as log:
            log.write("closed\n")


def held(name):
    yield b"first"
    wait_for(name)
    yield b"second"


def failing():
    yield b"first"
    raise LookupError("the body failed on purpose")


def endless():
    open("endless.entered", "w").close()
    while True:
        yield b"x" * 65536


def text(*more):
    return [("Content-Type", "text/plain"), *more]


def length(count):
    return ("Content-Length", str(count))


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/list":
        start_response("200 OK", text())
        return [b"one", b"", b"two", b"three"]
    if path == "/length":
        start_response("200 OK", text(length(5)))
        return [b"he", b"llo"]
    if path == "/too-long":
        start_response("200 OK", text(length(5)))
        return [b"hello", b" and more"]
    if path == "/too-short":
        start_response("200 OK", text(length(50)))
        return [b"hello"]
    if path == "/missing":
        start_response("200 OK", text(length(50)))
        return []
    if path == "/empty":
        start_response("200 OK", text())
        return []
    if path == "/status":
        number, _, reason = query.partition("-")
        headers = [("X-Kind", "bare")]
        if number not in ("204", "304"):
            headers.append(length(0))
        start_response(number + " " + reason.replace("-", " "), headers)
        return []
    if path == "/not-modified":
        start_response("304 Not Modified", [("ETag", '"x"'), length(5)])
        return []
    if path == "/held":
        start_response("200 OK", text())
        return Closing(held(query))
    if path == "/closing":
        start_response("200 OK", text())
        return Closing([b"a", b"b"])
    if path == "/failing":
        start_response("200 OK", text())
        return Closing(failing())
    if path == "/failing-at-once":
        start_response("200 OK", text())
        return Closing(iter(lambda: 1 / 0, None))
    if path == "/endless":
        start_response("200 OK", text())
        return Closing(endless())
    if path == "/big":
        start_response("200 OK", text(length(int(query))))
        return [b"0123456789abcdef" * (int(query) // 16)]
    if path == "/file":
        start_response("200 OK", text(length(os.path.getsize(query))))
        return environ["wsgi.file_wrapper"](open(query, "rb"), 8192)
    if path == "/file-tail":
        name, _, offset = query.partition("@")
        source = open(name, "rb")
        source.seek(int(offset))
        start_response("200 OK", text())
        return environ["wsgi.file_wrapper"](source)
    if path == "/cookies":
        start_response("200 OK", text(("Set-Cookie", "b=2"), ("X-Between", "1"), ("Set-Cookie", "a=1"), length(2)))
        return [b"ok"]
    if path == "/hop-by-hop":
        hop = [("Server", "application"), ("Date", "yesterday"), ("Connection", "keep-alive"), ("Keep-Alive", "timeout=9")]
        start_response("200 OK", [*hop, ("Transfer-Encoding", "chunked"), ("X-Kept", "yes"), length(2)])
        return [b"ok"]
    start_response("404 Not Found", text())
    return [json.dumps(path).encode()]
