"""The shop's requests without any server: what no server can exceed, with the same driver and as many processes.

`benches/database.py` starts it, in the shop's environment. It says `ready` when the application has answered a few, and calls it for so
many seconds once it is told to; then it says how many calls that were.

    python benches/no_server.py SECONDS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from alone import Application, call, environ

# One query each, and a list with its count: two. In turn, with ids that exist.
PATHS = ("/api/customers/%d", "/api/vehicles/%d", "/api/work-orders/%d", "/api/customers?per_page=20&page=%d")
WARM_UP = 100


def requests() -> Iterator[dict[str, Any]]:
    """One after the other, without end."""
    for turn in count(1):
        path, _, query = (PATHS[turn % len(PATHS)] % (turn % 10 + 1)).partition("?")
        yield {**environ(), "PATH_INFO": path, "QUERY_STRING": query}


def ask(application: Application, request: dict[str, Any]) -> None:
    """One call, whose answer must be a good one."""
    seen: list[str] = []
    call(application, request, lambda status, headers, exc_info=None: seen.append(status))
    if seen != ["200 OK"]:
        sys.exit(f"{request['PATH_INFO']} was answered with {seen}.")


def main() -> None:
    seconds = float(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).parent / "apps"))
    from shop import application

    ahead = requests()
    for _ in range(WARM_UP):
        ask(application, next(ahead))
    print("ready", flush=True)
    sys.stdin.readline()
    calls, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        ask(application, next(ahead))
        calls += 1
    print(calls)


if __name__ == "__main__":
    main()
