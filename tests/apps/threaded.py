"""What shows how requests share a process: they meet, keep what is theirs, tell their thread."""

import contextvars
import json
import os
import threading

from framing import application as framing
from plain import answer
from plain import application as plain

TOGETHER = 4
PATIENCE = 20

barrier = threading.Barrier(TOGETHER)
local = threading.local()
context = contextvars.ContextVar("context", default=None)


def meet():
    """Returns once as many requests as there are threads are in here."""
    barrier.wait(PATIENCE)


def keep(token):
    """What this thread kept of earlier requests, and what it has of this one after the others set theirs."""
    before = getattr(local, "count", 0)
    local.count, local.token = before + 1, token
    context.set(token)
    meet()
    return {"before": before, "local": local.token, "context": context.get()}


def about_thread():
    thread = threading.current_thread()
    return {
        "name": thread.name,
        "ident": thread.ident,
        "is_main": thread is threading.main_thread(),
        "daemon": thread.daemon,
        "pid": os.getpid(),
    }


def counted():
    """A body without an end; the file `yielded` says how many pieces there have been."""
    for number in range(1, 1 << 30):
        with open("yielded.new", "w") as file:
            file.write(str(number))
        os.replace("yielded.new", "yielded")
        yield b"x" * 65536


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/meet":
        meet()
        return answer(start_response, "met")
    if path == "/keep":
        return answer(start_response, json.dumps(keep(query)))
    if path == "/thread":
        return answer(start_response, json.dumps(about_thread()))
    if path == "/meet-thread":
        meet()
        return answer(start_response, json.dumps(about_thread()))
    if path == "/touch":
        open(query, "w").close()
        return answer(start_response, "touched")
    if path == "/leave":
        raise SystemExit(3)
    if path == "/counted":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return counted()
    if path in ("/held", "/endless", "/failing", "/closing"):
        return framing(environ, start_response)
    return plain(environ, start_response)
