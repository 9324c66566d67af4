"""Answers with the WSGI environ as JSON: each value, or its type's name where JSON has no word for it."""

import json


def plain(value):
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, tuple):
        return list(value)
    return "<%s>" % type(value).__name__


def application(environ, start_response):
    shown = {key: plain(value) for key, value in environ.items()}
    for key, name in [("wsgi.input", "read readline readlines __iter__"), ("wsgi.errors", "write writelines flush")]:
        shown["methods of " + key] = [method for method in name.split() if callable(getattr(environ[key], method, None))]
    shown["file_wrapper is callable"] = callable(environ["wsgi.file_wrapper"])
    shown["environ is a dict"] = type(environ) is dict
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
