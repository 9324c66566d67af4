"""Calls start_response in every right and wrong way, chosen by the path."""

import sys


def length(count):
    return [("Content-Type", "text/plain"), ("Content-Length", str(count))]


def twice_with_exc_info(start_response):
    start_response("200 OK", length(2))
    try:
        raise LookupError("on second thoughts")
    except LookupError:
        start_response("503 Second Thoughts", length(6), sys.exc_info())
    return [b"second"]


def too_late(start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    try:
        raise LookupError("after the headers were sent")
    except LookupError:
        start_response("500 Too Late", length(4), sys.exc_info())
    yield b"never"


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/twice-with-exc-info":
        return twice_with_exc_info(start_response)
    if path == "/too-late":
        return too_late(start_response)
    if path == "/twice":
        start_response("200 OK", length(2))
        start_response("200 OK", length(2))
        return [b"no"]
    if path == "/write":
        write = start_response("200 OK", length(11))
        write(b"written, ")
        return [b"ok"]
    if path == "/status-bytes":
        start_response(b"200 OK", length(2))
        return [b"no"]
    if path == "/status-without-number":
        start_response("OK", length(2))
        return [b"no"]
    if path == "/status-line-end":
        start_response("200 OK\r\nX-Injected: b", length(2))
        return [b"no"]
    if path == "/header-name":
        start_response("200 OK", [("Bad Name", "x")])
        return [b"no"]
    if path == "/header-value":
        start_response("200 OK", [("X-Split", "a\r\nX-Injected: b")])
        return [b"no"]
    if path == "/body-text":
        start_response("200 OK", length(2))
        return ["no"]
    if path == "/in-generator":
        return in_generator(start_response)
    start_response("404 Not Found", length(0))
    return []


def in_generator(start_response):
    start_response("200 OK", length(9))
    yield b"generated"
