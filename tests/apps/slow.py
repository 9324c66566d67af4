"""Requests that take too long, each in its own way."""

import itertools
import time

from plain import application as plain


def hang(query):
    time.sleep(60)


def hang_stubbornly(query):
    """Swallows every exception that should end it."""
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


def hang_in_c(query):
    """Holds the GIL in one C function: no Python code, and so no signal handler of Python, runs."""
    sum(itertools.repeat(1, 10**13))


WAYS = {"/hang": hang, "/hang-stubbornly": hang_stubbornly, "/hang-in-c": hang_in_c}


def application(environ, start_response):
    way = WAYS.get(environ["PATH_INFO"])
    if way is None:
        return plain(environ, start_response)
    open("hanging", "w").close()
    way(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", "0")])
    return []
