"""`ferricorn._hosting`, `_server`, `_requests`: hooks, and the objects they are called with."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ferricorn._hosting import Host
from ferricorn._loading import BadConfiguration
from ferricorn._requests import Request, RequestHooks, Response


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def exception(self, message: str, *arguments: Any, exc_info: Any = True) -> None:
        self.lines.append(("exception", message % arguments if arguments else message))

    def warning(self, message: str, *arguments: Any, exc_info: Any = True) -> None:
        self.lines.append(("warning", message))

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        self.lines.append(("access", f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {resp.status} {resp.sent}"))


def host(**values: Any) -> Host:
    made = Host(values)
    made.server.log = Log()
    return made


def worker_of(made: Host) -> Any:
    made.before_fork(1)
    made.worker_is_born()
    return made.worker


def test_hooks_are_checked_for_what_they_take() -> None:
    """The sentence names hook, file and line, how many arguments come, and what the function takes."""

    def when_ready() -> None:
        pass

    with pytest.raises(BadConfiguration) as caught:
        Host({"when_ready": when_ready}, {"when_ready": "conf.py, line 3"})
    name = when_ready.__qualname__
    place = f"`when_ready = <{name}()>` from conf.py, line 3"
    assert str(caught.value) == f"{place}: is called with 1 argument, it takes () -> 'None'"
    for value, words in [
        (3, "`pre_fork = 3`: must be a function"),
        ("name", "`pre_fork = 'name'`: a function is named as package.module.function"),
        ("no_such_module.hook", "`pre_fork = 'no_such_module.hook'`: cannot be imported: No module named 'no_such_module'"),
    ]:
        with pytest.raises(BadConfiguration) as caught:
            Host({"pre_fork": value})
        assert str(caught.value) == words


def test_whatever_can_be_called_is_a_hook() -> None:
    """Bound methods, partials, classes, built-ins and functions with more parameters that are named."""
    for hook in [functools.partial(max, "x"), [].append, dict, lambda server, *, more=1: None]:
        Host({"when_ready": hook})


def test_hooks_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dotted name is imported."""
    (tmp_path / "named_hooks.py").write_text("def ready(server):\n    server.was_ready = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = host(when_ready="named_hooks.ready")
    made.when_ready()
    assert made.server.was_ready


def test_workers_come_and_go() -> None:
    """The object that pre_fork has seen is the one in WORKERS, and the one that child_exit gets."""
    seen: list[Any] = []
    made = host(pre_fork=lambda server, worker: seen.append(worker), child_exit=lambda server, worker: seen.append(worker))
    made.before_fork(3)
    assert str(seen[0]) == "<Worker [booting]>"
    made.forked(4711)
    assert made.server.WORKERS == {4711: seen[0]} and seen[0].pid == 4711 and seen[0].age == 3
    made.born(4712, 4)
    made.ended(4711, 3, True)
    made.ended(4712, 4, False)
    assert seen[1] is seen[0] and len(seen) == 2 and made.server.WORKERS == {}


def test_the_number_of_workers_can_be_asked_for() -> None:
    """Setting num_workers calls nworkers_changed and is passed on once."""
    calls: list[tuple[int, int | None]] = []
    made = host(workers=2, nworkers_changed=lambda server, new, old: calls.append((new, old)))
    made.workers_changed(2, None)
    assert made.take_wanted() is None
    made.server.num_workers = 5
    assert (calls, made.take_wanted(), made.take_wanted()) == ([(2, None), (5, 2)], 5, None)
    assert made.server.num_workers == 5


def test_a_worker_knows_how_far_it_is() -> None:
    """booted is False in post_worker_init and True after it."""
    states: list[bool] = []
    made = host(post_worker_init=lambda worker: states.append(worker.booted))
    worker = worker_of(made)
    assert worker.pid == os.getpid()
    made.loaded(print)
    assert (states, worker.booted, worker.wsgi) == ([False], True, print)


def test_worker_exit_may_fail() -> None:
    """The failure is logged, and the worker's end goes on."""
    made = host(worker_exit=lambda server, worker: 1 / 0)
    worker_of(made)
    made.worker_exits()
    assert made.server.log.lines == [("warning", "Exception during worker exit:")]


def request(uri: str = "/a/b?c=d", **values: Any) -> Request:
    given = {"method": "GET", "version": (1, 1), "headers": [("HOST", "x")], "scheme": "http", "peer": ("127.0.0.1", 9)}
    return Request(uri=uri, number=1, **(given | values))


def test_targets_are_taken_apart() -> None:
    """As Gunicorn does: a path that begins with two slashes is a path."""
    for uri, parts in [
        ("/a/b?c=d", ("/a/b", "c=d", "")),
        ("//a/b?c", ("//a/b", "c", "")),
        ("http://host/x?y", ("/x", "y", "")),
        ("*", ("*", "", "")),
    ]:
        made = request(uri)
        assert (made.path, made.query, made.fragment) == parts, uri


def test_responses_know_their_framing() -> None:
    """Without a length the body of a 1.1 response is chunked, where it may have one."""
    assert Response(request(), "200 OK", [], 5, False).chunked
    assert not Response(request(), "200 OK", [("Content-Length", "5")], 5, False).chunked
    assert not Response(request(version=(1, 0)), "200 OK", [], 5, False).chunked
    assert not Response(request(method="HEAD"), "200 OK", [], 0, False).chunked
    assert not Response(request(), "204 No Content", [], 0, False).chunked
    made = Response(request(), "404 Not Found", [("content-length", "7")], 7, False)
    assert (made.status_code, made.response_length, made.should_close()) == (404, 7, False)
    assert Response(request(headers=[("CONNECTION", "Close")]), "200 OK", [], 0, False).should_close()


ENVIRON = {"REQUEST_METHOD": "GET", "RAW_URI": "/x"}


def hooks(logs: bool = False, **values: Any) -> tuple[RequestHooks, Host]:
    made = host(**values)
    worker_of(made)
    found = made.request_hooks(logs)
    assert found is not None
    return found, made


def test_nobody_watches_requests_for_nothing() -> None:
    """Without hooks and without a logger in Python there is nothing to call."""
    made = host()
    worker_of(made)
    assert made.request_hooks(False) is None


def test_pre_request_may_change_headers() -> None:
    """Headers come back only if they were changed."""
    found, made = hooks(pre_request=lambda worker, req: req.headers.append(("X-A", "1")) if req.query else None)
    assert found.before(request("/")) is None
    assert found.before(request("/?q")) == [("HOST", "x"), ("X-A", "1")]
    assert made.worker is not None and made.worker.nr == 2


def test_post_request_takes_four_three_or_two_arguments() -> None:
    """And what it raises is logged."""
    calls: list[tuple[Any, ...]] = []
    for hook in [
        lambda worker, req, environ, resp: calls.append((req.path, environ["RAW_URI"], resp.status)),
        lambda worker, req, environ: calls.append((req.path, environ["RAW_URI"])),
        lambda worker, req: calls.append((req.path,)),
    ]:
        found, _ = hooks(post_request=hook)
        found.after(request(), ENVIRON, "200 OK", [], 0, timedelta(), None)
    assert calls == [("/a/b", "/x", "200 OK"), ("/a/b", "/x"), ("/a/b",)]
    found, made = hooks(post_request=lambda worker, req: 1 / 0)
    found.after(request(), ENVIRON, "200 OK", [], 0, timedelta(), None)
    assert made.server.log.lines == [("exception", "Exception in post_request hook")]


def test_post_request_is_not_called_for_what_pre_request_refused() -> None:
    """There is no environ then."""
    found, made = hooks(post_request=lambda worker, req: 1 / 0)
    found.after(request(), None, None, None, 0, timedelta(), "500 Internal Server Error")
    assert made.server.log.lines == []


def test_failed_requests_are_logged_as_500() -> None:
    """Whether there was an environ or not."""
    found, made = hooks(logs=True)
    found.after(request(), ENVIRON, "200 OK", [], 9, timedelta(), None)
    found.after(request(), ENVIRON, "200 OK", [], 9, timedelta(), "500 Internal Server Error")
    found.after(request(), None, None, None, 0, timedelta(), "500 Internal Server Error")
    access = [line for kind, line in made.server.log.lines if kind == "access"]
    assert access == ["GET /x 200 OK 9", "GET /x 500 Internal Server Error 0", "GET /a/b?c=d 500 Internal Server Error 0"]
