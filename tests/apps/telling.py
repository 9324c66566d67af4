"""Answers with what it was told: the environ, as far as JSON has words for it, and the body."""

import json


def application(environ, start_response):
    said = {key: value for key, value in environ.items() if isinstance(value, (str, bool, int, tuple))}
    said["keys without words"] = sorted(environ.keys() - said.keys())
    said["body"] = environ["wsgi.input"].read().decode("latin-1")
    text = json.dumps(said).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    start_response("200 OK", headers + [("X-Method", environ["REQUEST_METHOD"])])
    return [text]
