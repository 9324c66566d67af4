"""Applications under the eye of wsgiref.validate, which raises on any breach of PEP 3333."""

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


def choose(environ, start_response):
    return (stream if environ["PATH_INFO"] == "/stream" else plain)(environ, start_response)


application = validator(choose)
