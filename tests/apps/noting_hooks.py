"""Server hooks that write down every call of theirs: one JSON object a line, appended to the file `notes`.

A configuration file takes what it wants: `from noting_hooks import *`, or single hooks by their dotted names.
"""

import json
import os


def note(hook, **said):
    with open("notes", "a") as notes:
        notes.write(json.dumps({"hook": hook, "pid": os.getpid(), **said}) + "\n")


def of_server(server):
    return {"server": getattr(server, "pid", None), "workers": sorted(server.WORKERS)}


def of_worker(worker):
    return {"worker": worker.pid, "age": worker.age}


def nworkers_changed(server, new, old):
    note("nworkers_changed", new=new, old=old, **of_server(server))


def on_starting(server):
    note("on_starting", **of_server(server))


def when_ready(server):
    note("when_ready", **of_server(server))


def on_reload(server):
    note("on_reload", **of_server(server))


def pre_fork(server, worker):
    note("pre_fork", **of_server(server), **of_worker(worker))


def post_fork(server, worker):
    note("post_fork", **of_server(server), **of_worker(worker))


def post_worker_init(worker):
    note("post_worker_init", **of_worker(worker))


def worker_int(worker):
    note("worker_int", **of_worker(worker))


def worker_abort(worker):
    note("worker_abort", **of_worker(worker))


def worker_exit(server, worker):
    note("worker_exit", **of_server(server), **of_worker(worker))


def child_exit(server, worker):
    note("child_exit", **of_server(server), **of_worker(worker))


def on_exit(server):
    note("on_exit", **of_server(server))


def pre_request(worker, req):
    note("pre_request", uri=req.uri, **of_worker(worker))


def post_request(worker, req, environ, resp):
    note("post_request", uri=req.uri, path=environ["PATH_INFO"], status=resp.status, **of_worker(worker))
