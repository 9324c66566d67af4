"""What the HTTP/2 client in `tests/clients` asks for."""

import environ
from plain import application as plain


def application(env, start_response):
    path = env["PATH_INFO"]
    if path == "/environ":
        return environ.application(env, start_response)
    if path == "/pieces":
        start_response("200 OK", [])
        return (b"piece %d\n" % number for number in range(100))
    if path == "/cookies":
        start_response("200 OK", [("Set-Cookie", "b=2"), ("X-Between", "1"), ("Set-Cookie", "a=1")])
        return [b"ok"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    if path == "/hop-by-hop":
        start_response("200 OK", [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-Kept", "yes")])
        return [b"ok"]
    if path == "/hints":
        env["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        start_response("200 OK", [])
        return [b"ok"]
    if path == "/failing":
        start_response("200 OK", [("Content-Length", "100")])
        return failing()
    if path.startswith("/short"):
        start_response("200 OK", [("Content-Length", "100")])
        return [b"first"] if path == "/short" else (piece for piece in (b"first", b"second"))
    if path == "/endless":
        start_response("200 OK", [])
        return Endless()
    return plain(env, start_response)


def failing():
    yield b"first"
    raise LookupError("the body failed on purpose")


class Endless:
    """Pieces without end; says so in the file `closed` when it is closed."""

    def __iter__(self):
        return self

    def __next__(self):
        return b"x" * 65536

    def close(self):
        with open("closed", "w") as file:
            file.write("closed\n")
