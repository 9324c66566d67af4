"""How long requests have waited for a connection: written by the servers' processes, read by benches/database.py."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

# From 1 µs up, each bucket 5 % wider than the one before it; the last ones are minutes.
BUCKETS = 400
GROWTH = 1.05


class Histogram:
    """Counts in a file that outlives the process, whatever ends it. One writer; with threads a count may get lost."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._edges = [1e-6 * GROWTH**n for n in range(BUCKETS)]
        self._pid = 0
        self._counts: mmap.mmap

    def add(self, seconds: float) -> None:
        """One more."""
        if self._pid != os.getpid():
            self._open()
        low, high = 0, BUCKETS - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if seconds <= self._edges[middle] else (middle + 1, high)
        (count,) = struct.unpack_from("<I", self._counts, 4 * low)
        struct.pack_into("<I", self._counts, 4 * low, count + 1)

    def _open(self) -> None:
        """A worker was forked since: its file is its own."""
        self._pid = os.getpid()
        with open(self._directory / str(self._pid), "w+b") as file:
            file.truncate(4 * BUCKETS)
            self._counts = mmap.mmap(file.fileno(), 4 * BUCKETS)


def read(directory: Path, part: float) -> float | None:
    """The time within which this part of all requests had a connection, in seconds; None if nobody asked for one."""
    counts = [0] * BUCKETS
    for path in directory.iterdir():
        for number, (count,) in enumerate(struct.iter_unpack("<I", path.read_bytes())):
            counts[number] += count
    wanted, seen = part * sum(counts), 0
    for number, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return 1e-6 * GROWTH**number
    return None
