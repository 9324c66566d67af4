"""`Worker`: a worker process as hooks see it, and the base of the worker classes."""

from __future__ import annotations

import random
import signal
import sys
from typing import Any, Callable

from ferricorn.workers.workertmp import WorkerTmp


class Worker:
    """A worker. Setting `alive` to False makes it leave after the current request."""

    SIGNALS = [getattr(signal, f"SIG{name}") for name in "ABRT HUP QUIT INT TERM USR1 USR2 WINCH CHLD".split()]
    PIPE: list[int] = []

    # The application; the attribute is there once it is loaded.
    wsgi: Callable[..., Any]

    def __init__(self, age: int, ppid: int, sockets: Any, app: Any, timeout: float, cfg: Any, log: Any) -> None:
        """Describe a worker that has not been forked yet."""
        self.age = age
        self.pid: int | str = "[booting]"
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.booted = False
        self.aborted = False
        self.reloader: Any = None
        self.nr = 0
        self.max_requests = _limit(cfg)
        self.tmp = WorkerTmp(cfg)
        self._alive = True

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    @property
    def alive(self) -> bool:
        """Whether the worker is to go on."""
        return self._alive

    @alive.setter
    def alive(self, value: bool) -> None:
        leaves = self._alive and not value
        self._alive = bool(value)
        if leaves:
            self.retire()

    def retire(self) -> None:
        """Leave after the current request. Called once `alive` has become False."""

    def notify(self) -> None:
        """Show life."""
        self.tmp.notify()


def _limit(cfg: Any) -> int:
    """Return after how many requests the worker is to be replaced."""
    if cfg.max_requests <= 0:
        return sys.maxsize
    return cfg.max_requests + random.randint(0, cfg.max_requests_jitter)
