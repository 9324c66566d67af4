"""Applications under the eye of wsgiref.validate, which raises on any breach of PEP 3333."""

import io
import sys
from wsgiref.validate import validator


def plain(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"valid"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def stream(environ, start_response):
    for line in environ["wsgi.input"]:
        assert line.endswith(b"\n")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"part %d\n" % number for number in range(3))


def written(environ, start_response):
    source = environ["wsgi.input"]
    lines = [source.readline(), *source.readlines(), source.read(1)]
    write = start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    write(b"%d lines, " % len(lines))
    print("written to wsgi.errors", file=environ["wsgi.errors"], flush=True)
    return [b"and ", b"more"]


def file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"read"), 2)


def nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def replaced(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise LookupError("on second thoughts")
    except LookupError:
        start_response("503 Second Thoughts", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"replaced"]


ANSWERS = {"/stream": stream, "/written": written, "/file": file, "/nothing": nothing, "/replaced": replaced}


def choose(environ, start_response):
    return ANSWERS.get(environ["PATH_INFO"], plain)(environ, start_response)


application = validator(choose)
