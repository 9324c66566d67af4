"""`WorkerTmp`: when a worker last showed life, for those who ask the worker's `tmp`.

The server's own heartbeats are elsewhere; what is noted here is what hooks and applications note by `worker.notify()`.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any


class WorkerTmp:
    """A time on the monotonic clock, in a file that has no name."""

    def __init__(self, cfg: Any) -> None:
        """Note nothing yet. The file is made when somebody asks for its descriptor, or notes a time."""
        self._directory: str | None = cfg.worker_tmp_dir
        self._born = time.time()
        self._descriptor: int | None = None

    def notify(self) -> None:
        """Note the time."""
        now = time.monotonic()
        os.utime(self.fileno(), (now, now))

    def last_update(self) -> float:
        """Return the time that was noted last, on the monotonic clock; at first the time of day of its making."""
        return self._born if self._descriptor is None else os.fstat(self._descriptor).st_mtime

    def fileno(self) -> int:
        """Return the descriptor of the file that keeps the time."""
        if self._descriptor is None:
            self._descriptor, path = tempfile.mkstemp(prefix="wgunicorn-", dir=self._directory)
            os.unlink(path)
        return self._descriptor

    def close(self) -> None:
        """Forget the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
