"""`ferricorn.workers` and `ferricorn.arbiter`: the objects of hooks, side by side with the original's."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import gunicorn.arbiter
import gunicorn.workers.base
import pytest
from ferricorn.arbiter import Arbiter
from ferricorn.config import Config
from ferricorn.workers.base import Worker
from ferricorn.workers.gthread import ThreadWorker
from ferricorn.workers.sync import SyncWorker
from ferricorn.workers.workertmp import WorkerTmp

BOTH = (Worker, gunicorn.workers.base.Worker)


def made(kind: type[Any] = Worker, **values: Any) -> Any:
    return kind(3, 4, ["socket"], "app", 15.0, Config.of(values), "log")


def test_a_new_worker_is_like_the_originals() -> None:
    """Attribute by attribute, and as text."""
    for kind in (Worker, SyncWorker, ThreadWorker):
        ours, theirs = made(kind), made(BOTH[1])
        for name in (
            "age",
            "pid",
            "ppid",
            "sockets",
            "app",
            "timeout",
            "log",
            "booted",
            "aborted",
            "alive",
            "nr",
            "reloader",
        ):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert not hasattr(ours, "wsgi") and not hasattr(theirs, "wsgi")
        assert str(ours) == str(theirs) == "<Worker [booting]>"
        assert (ours.SIGNALS, ours.PIPE) == (theirs.SIGNALS, theirs.PIPE)
        theirs.tmp.close()
    ours.pid = 5
    assert str(ours) == "<Worker 5>"


def test_a_worker_draws_its_number_of_requests() -> None:
    """Between the least and the most; without a limit it is the greatest number."""
    assert made().max_requests == sys.maxsize
    drawn = {made(max_requests=10, max_requests_jitter=2).max_requests for _ in range(200)}
    assert drawn == {10, 11, 12}


def test_a_worker_retires_once() -> None:
    """When `alive` becomes False, and not again."""
    retired: list[Worker] = []
    kind = type("Retiring", (Worker,), {"retire": lambda self: retired.append(self)})
    worker = made(kind)
    worker.alive = True
    assert retired == []
    worker.alive = False
    worker.alive = False
    assert (retired, worker.alive) == ([worker], False)
    plain = made()
    plain.alive = False
    assert not plain.alive


def test_a_worker_shows_life(tmp_path: Path) -> None:
    """On the monotonic clock, as the original does, in a file without a name."""
    for kind in BOTH:
        worker = made(kind, worker_tmp_dir=str(tmp_path))
        assert abs(worker.tmp.last_update() - time.time()) < 60
        before = time.monotonic()
        worker.notify()
        assert before - 1 <= worker.tmp.last_update() <= time.monotonic()
        seen = os.fstat(worker.tmp.fileno())
        assert stat.S_ISREG(seen.st_mode) and seen.st_nlink == 0
        worker.tmp.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_made_when_it_is_needed() -> None:
    """Most servers never ask for it."""
    tmp = WorkerTmp(Config())
    tmp.last_update()
    tmp.close()
    number = tmp.fileno()
    assert tmp.fileno() == number
    tmp.close()
    with pytest.raises(OSError):
        os.fstat(number)


def test_the_arbiter_names_what_the_original_does() -> None:
    """Signals, exit statuses, and the dict of workers."""
    for name in ("WORKER_BOOT_ERROR", "APP_LOAD_ERROR", "SIGNALS", "WORKERS", "LISTENERS", "START_CTX"):
        assert getattr(Arbiter, name) == getattr(gunicorn.arbiter.Arbiter, name), name
    # Several names are the same number; which one of them it has is nobody's business.
    assert set(Arbiter.SIG_NAMES) == set(gunicorn.arbiter.Arbiter.SIG_NAMES)
    assert [Arbiter.SIG_NAMES[number] for number in Arbiter.SIGNALS] == [
        gunicorn.arbiter.Arbiter.SIG_NAMES[number] for number in Arbiter.SIGNALS
    ]
