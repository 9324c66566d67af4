"""The least an application can do: what is measured is the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

BODY = b"Hello, world!"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers every request alike. The list is copied because a server may change the one it gets."""
    start_response("200 OK", HEADERS.copy())
    return [BODY]
