"""How fast an application of benches/apps is without any server: what no server can exceed.

    taskset -c 0 .venv/bin/python benches/alone.py flask_json
"""

from __future__ import annotations

import importlib
import io
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROUNDS = 5
CALLS = 20_000
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def environ() -> dict[str, Any]:
    """What a server would pass for `GET / HTTP/1.1`."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def call(application: Application, request: dict[str, Any], start_response: Callable[..., Any]) -> None:
    """Calls the application, takes its whole body and closes it: what a server does with it, and nothing else."""
    body = application(request, start_response)
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


def calls_per_second(application: Application) -> float:
    """Again and again."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call(application, environ(), lambda status, headers, exc_info=None: None)
    return CALLS / (time.perf_counter() - started)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent / "apps"))
    name = sys.argv[1] if len(sys.argv) > 1 else "flask_json"
    application = importlib.import_module(name).application
    rates = [calls_per_second(application) for _ in range(ROUNDS)]
    print(f"{name}: {statistics.median(rates):,.0f} calls/s ({min(rates):,.0f} to {max(rates):,.0f})")


if __name__ == "__main__":
    main()
