"""Where connections come from: what was said of a database, worked out once for all who say the same."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ferricorn._ferricorn import db as _db
from ferricorn.db import _errors, _place
from ferricorn.db._connection import connection

# Names and values, beyond the environment.
_Said = tuple[tuple[str, str], ...]


class Source:
    """A database as it was named."""

    def __init__(self, said: _Said) -> None:
        self._said = said
        self._source = _db.Source(said)
        # For the connections to show.
        self._dsn: str | None = None

    def connect(self, connection_factory: Any = None, cursor_factory: Any = None) -> Any:
        """Take a connection from this process's pool."""
        session = self._source.open(*_place.caller())
        if self._dsn is None:
            self._dsn = _without_password(self._said)
        made = (connection_factory or connection)(session, self._dsn)
        if cursor_factory is not None:
            made.cursor_factory = cursor_factory
        return made


def source(dsn: str | None, keywords: Mapping[str, Any]) -> Source:
    """Return the one for these arguments of `connect()`."""
    if keywords.get("async") or keywords.get("async_"):
        raise _errors.NotSupportedError("asynchronous connections: there are none here")
    said = [] if dsn is None else [("dsn", str(dsn))]
    said += [
        (name, str(value)) for name, value in keywords.items() if value is not None and name not in ("async", "async_")
    ]
    return _known(tuple(said))


@lru_cache(128)
def _known(said: _Said) -> Source:
    return Source(said)


def _without_password(said: _Said) -> str:
    """Return what was said as a connection string that may be shown."""
    words = []
    for name, value in said:
        pairs = _db.split_dsn(value) if name == "dsn" else [(name, value)]
        words += [f"{key}={'xxx' if key == 'password' else text}" for key, text in pairs]
    return " ".join(words)
