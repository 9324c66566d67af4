"""Some requests take long: `/?ms=200` sleeps for 200 ms, as a call that waits for a database would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

BODY = b"Hello, world!"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers every request alike, only not as soon."""
    query = environ["QUERY_STRING"]
    if query.startswith("ms="):
        time.sleep(int(query.removeprefix("ms=")) / 1000)
    start_response("200 OK", HEADERS.copy())
    return [BODY]
