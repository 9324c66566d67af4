"""Reads the request body in the way that the path names, and answers with what it got, as JSON."""

import json


def read_in(way, source):
    if way == "/read":
        return [source.read()]
    if way == "/read-sized":
        return [source.read(3), source.read(0), source.read(4), source.read(), source.read(), source.read(5)]
    if way == "/read-none":
        return [source.read(-1)]
    if way == "/readline":
        return [source.readline(), source.readline(2), source.readline(100), source.readline(), source.readline()]
    if way == "/readlines":
        return source.readlines()
    if way == "/iterate":
        return list(source)
    raise LookupError(way)


def application(environ, start_response):
    parts = read_in(environ["PATH_INFO"], environ["wsgi.input"])
    body = json.dumps([part.decode("latin-1") for part in parts]).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
