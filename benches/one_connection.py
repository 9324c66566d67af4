"""The part of `make bench-db` without a load: one connection of each driver, in turn, within one worker of Ferricorn, where they
differ in nothing else. What is measured is in apps/micro.py.
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

from servers import serving

Micro = list[tuple[str, dict[str, float]]]


def measure_one_connection(binaries: Path, urls: dict[str, str], rounds: int) -> Micro:
    """The rows of the table; `urls` has the ways to the database by name."""
    results: Micro = []
    sentence = "The single connection did not work."
    for route, url in urls.items():
        environment = {**os.environ, "DATABASE_URL": url}
        with serving(lambda port: command(binaries, port), b"ready", sentence, path="/ready", env=environment) as server:
            try:
                answer = ask(server.port, f"/?rounds={rounds}")
            except OSError:
                raise server.failed(sentence) from None
        results += [(f"{row}, {route}", seconds) for row, seconds in answer.items()]
    return results


def command(binaries: Path, port: int) -> list[str]:
    """One worker, as long as it takes."""
    bind = f"127.0.0.1:{port}"
    return [str(binaries / "ferricorn"), "--bind", bind, "--workers", "1", "--timeout", "0", "micro:application"]


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
