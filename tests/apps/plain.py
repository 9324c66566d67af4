"""A plain application: greets, tells its pid, echoes, answers tokens, waits for a gate."""

import os
import time


def answer(start_response, body, status="200 OK"):
    if isinstance(body, str):
        body = body.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def wait_for(name):
    """Says `<name>.entered` and waits until the test has made the file `name`."""
    open(name + ".entered", "w").close()
    while not os.path.exists(name):
        time.sleep(0.01)


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/":
        return answer(start_response, "hello")
    if path == "/pid":
        return answer(start_response, str(os.getpid()))
    if path == "/token":
        return answer(start_response, "token=" + query)
    if path == "/echo":
        return answer(start_response, environ["wsgi.input"].read())
    if path == "/ignore":
        return answer(start_response, "ignored")
    if path == "/gate":
        wait_for(query)
        return answer(start_response, "passed")
    if path == "/env":
        return answer(start_response, os.environ.get(query, "(unset)"))
    if path == "/print":
        print("printed by the application")
        return answer(start_response, "printed")
    if path == "/error":
        raise LookupError("the application failed on purpose")
    if path == "/exit":
        os._exit(int(query))
    return answer(start_response, "no such page", "404 Not Found")
