"""`plain`, with ways to die, and a gate that tells who waits at it."""

import ctypes
import os
import time

from plain import answer
from plain import application as plain


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/segfault":
        ctypes.string_at(0)
    if path == "/hoard":
        return answer(start_response, hoard(int(query)))
    if path == "/orphan":
        return answer(start_response, str(make_orphan(query)))
    if path == "/wait":
        with open(query + ".part", "w") as note:
            note.write(str(os.getpid()))
        os.rename(query + ".part", query + ".entered")
        while not os.path.exists(query):
            time.sleep(0.01)
        return answer(start_response, "passed")
    return plain(environ, start_response)


def hoard(megabytes):
    """Take this much memory, page by page."""
    held = bytearray(megabytes << 20)
    for page in range(0, len(held), 4096):
        held[page] = 1
    return "had %d" % len(held)


def make_orphan(gate):
    """Leave behind a process without a parent, which ends when there is the file `gate`; its pid."""
    read, write = os.pipe()
    between = os.fork()
    if between == 0:
        orphan = os.fork()
        if orphan == 0:
            os.write(write, b"%d" % os.getpid())
            while not os.path.exists(gate):
                time.sleep(0.01)
        os._exit(0)
    os.waitpid(between, 0)
    return int(os.read(read, 20))
