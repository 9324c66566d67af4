"""`Arbiter`: the class of the `server` that hooks are called with."""

from __future__ import annotations

import signal
from typing import Any


class Arbiter:
    """The master, as its hooks see it. The class names what all of them have; only the server makes one."""

    # The exit statuses of a worker that cannot load the application, or finds that it is none.
    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    START_CTX: dict[Any, Any] = {}
    LISTENERS: list[Any] = []
    # The workers by their pid: one dict for the process, which is seen without an instance too.
    WORKERS: dict[int, Any] = {}

    SIGNALS = [getattr(signal, f"SIG{name}") for name in "HUP QUIT INT TERM TTIN TTOU USR1 USR2 WINCH".split()]
    SIG_NAMES = {number.value: number.name.removeprefix("SIG").lower() for number in signal.Signals}

    cfg: Any
    app: Any
    log: Any
    pid: int
    num_workers: int
