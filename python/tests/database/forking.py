"""What a forked process finds in what it has inherited."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

PATIENCE = 10


def in_a_child(find: Callable[[], str]) -> str:
    """What this gives in a forked process, or what it fails with."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # A child that waits for a lock is ended by this.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        try:
            found = find()
        except BaseException as error:  # noqa: BLE001 - the parent is told
            found = repr(error)
        os.write(writing, found.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        found = told.read()
    os.waitpid(child, 0)
    return found
