"""`plain`, with calls of several lengths, that say who has made them."""

import os
import time

from plain import answer, wait_for
from plain import application as plain

# Of the tokens that are sent, those that end like this take long.
LONG = "7"


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/who":
        facts = [environ.get(name, "-") for name in ("REMOTE_ADDR", "REMOTE_PORT", "PROXY_ADDR", "SERVER_PORT")]
        return answer(start_response, " ".join([str(os.getpid()), *facts]))
    if path == "/work":
        time.sleep(0.005)
        return answer(start_response, str(os.getpid()))
    if path == "/sleep":
        time.sleep(int(query) / 1000)
        return answer(start_response, "slept")
    if path == "/stream":
        return stream(start_response, query)
    if path == "/gate":
        wait_for(query)
        return answer(start_response, str(os.getpid()))
    if path == "/token" and query.endswith(LONG):
        time.sleep(0.03)
    return plain(environ, start_response)


def stream(start_response, gate):
    """Pieces until there is the file `gate`."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    while not os.path.exists(gate):
        yield b"."
        time.sleep(0.01)
    yield b"passed"
