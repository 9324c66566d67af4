"""The part of `make bench-db` without a load: one connection of each driver, in turn, within one worker of Ferricorn, where they
differ in nothing else. What is measured is in apps/micro.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

from compare import APPS_DIRECTORY, BenchError, answers, free_port, stop

Micro = list[tuple[str, dict[str, float]]]


def measure_one_connection(binaries: Path, urls: dict[str, str], rounds: int) -> Micro:
    """The rows of the table; `urls` has the ways to the database by name."""
    results: Micro = []
    for route, url in urls.items():
        port = free_port()
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command(binaries, port),
                cwd=APPS_DIRECTORY,
                env={**os.environ, "DATABASE_URL": url},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                answer = ask(process, port, f"/?rounds={rounds}")
            finally:
                stop(process)
            if answer is None:
                log.seek(0)
                raise BenchError(f"The single connection did not work.\n{log.read().decode(errors='replace')[-2000:]}")
        results += [(f"{row}, {route}", seconds) for row, seconds in answer.items()]
    return results


def command(binaries: Path, port: int) -> list[str]:
    """One worker, as long as it takes."""
    bind = f"127.0.0.1:{port}"
    return [str(binaries / "ferricorn"), "--bind", bind, "--workers", "1", "--timeout", "0", "micro:application"]


def ask(process: subprocess.Popen[bytes], port: int, path: str) -> dict[str, dict[str, float]] | None:
    """The answer as JSON; None if there is none."""
    if not answers(process, port, b"ready", "/ready"):
        return None
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
        answer: dict[str, dict[str, float]] = json.load(response)
        return answer
    return None


def render(micro: Micro) -> str:
    """Seconds as microseconds, and how many times as fast ours is."""
    if not micro:
        return ""
    lines = ["| one connection | psycopg2 µs | ferricorn.db µs | times as fast |", "|---|--:|--:|--:|"]
    for name, seconds in micro:
        theirs, ours = seconds["psycopg2"], seconds["ferricorn.db"]
        lines.append(f"| {name} | {theirs * 1e6:,.0f} | {ours * 1e6:,.0f} | {theirs / ours:.2f} |")
    return "\n".join(lines)
