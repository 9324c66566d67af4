"""The part of `make bench-db` without a load: one connection of each driver, in turn, within one worker of Ferricorn, where they
differ in nothing else: on its main thread, which does the I/O of everybody meanwhile, and on a thread of its own. What is
measured is in apps/micro.py.
"""

from __future__ import annotations

import json
import os
import urllib.request
from functools import partial
from itertools import product
from pathlib import Path

from servers import serving

Micro = list[tuple[str, dict[str, float]]]

# By what a row says of the thread: what makes the worker one whose calls are made there.
THREADS = {"": (), ", in a thread": ("--threads", "2")}


def measure_one_connection(binaries: Path, urls: dict[str, str], rounds: int) -> Micro:
    """The rows of the table; `urls` has the ways to the database by name."""
    results: Micro = []
    sentence = "The single connection did not work."
    for (route, url), (where, options) in product(urls.items(), THREADS.items()):
        environment = {**os.environ, "DATABASE_URL": url}
        start = partial(command, binaries, options)
        with serving(start, b"ready", sentence, path="/ready", env=environment) as server:
            try:
                answer = ask(server.port, f"/?rounds={rounds}")
            except OSError:
                raise server.failed(sentence) from None
        results += [(f"{row}, {route}{where}", seconds) for row, seconds in answer.items()]
    return results


def command(binaries: Path, options: tuple[str, ...], port: int) -> list[str]:
    """One worker, as long as it takes."""
    bind = f"127.0.0.1:{port}"
    worker = ["--workers", "1", "--timeout", "0", *options]
    return [str(binaries / "ferricorn"), "--bind", bind, *worker, "micro:application"]


def ask(port: int, path: str) -> dict[str, dict[str, float]]:
    """The answer as JSON."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
        answer: dict[str, dict[str, float]] = json.load(response)
        return answer


def render(micro: Micro) -> str:
    """Seconds as microseconds, and how many times as fast ours is."""
    if not micro:
        return ""
    lines = ["| one connection | psycopg2 µs | ferricorn.db µs | times as fast |", "|---|--:|--:|--:|"]
    for name, seconds in micro:
        theirs, ours = seconds["psycopg2"], seconds["ferricorn.db"]
        lines.append(f"| {name} | {theirs * 1e6:,.0f} | {ours * 1e6:,.0f} | {theirs / ours:.2f} |")
    return "\n".join(lines)
