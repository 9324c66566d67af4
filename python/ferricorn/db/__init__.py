"""Postgres through the worker's own pool: DB-API 2.0, with psycopg2's habits.

    from ferricorn import db

    with db.get_db_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM customers WHERE id = %s", (number,))
        row = cursor.fetchone()

Outside the server (scripts, shells, tests) it works alike, with a pool of that process's own.
"""

from __future__ import annotations

import datetime
import time
from types import TracebackType
from typing import Any, Final

from ferricorn._ferricorn import db as _db
from ferricorn.db._connection import connection
from ferricorn.db._cursor import cursor
from ferricorn.db._errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    PoolTimeout,
    ProgrammingError,
    Warning,  # noqa: A004 - DB-API's name
)
from ferricorn.db._source import source as _source
from ferricorn.db._types import BINARY, DATETIME, NUMBER, ROWID, STRING, Binary, Json

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Json",
    "NotSupportedError",
    "OperationalError",
    "PoolTimeout",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "connection",
    "cursor",
    "get_db_connection",
    "paramstyle",
    "status",
    "threadsafety",
]

apilevel: Final = "2.0"
threadsafety: Final = 2
paramstyle: Final = "pyformat"

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 - DB-API's name
    """Return the date at so many seconds since the epoch, where this process is."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802 - DB-API's name
    """Return the time of day at so many seconds since the epoch, where this process is."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802 - DB-API's name
    """Return the time at so many seconds since the epoch, where this process is."""
    return Timestamp(*time.localtime(ticks)[:6])


def connect(dsn: str | None = None, connection_factory: Any = None, cursor_factory: Any = None, **keywords: Any) -> Any:
    """Take a connection from the pool of the database that the environment names, or that is named here.

    `keywords` are libpq's (`host`, `dbname`, `user`, ...) and the names of the pool's settings (`pool_max`, ...). All who
    name the same share a pool. `close()` gives the connection back.
    """
    return _source(dsn, keywords).connect(connection_factory, cursor_factory)


class get_db_connection:  # noqa: N801 - a function to those who use it
    """A connection for a block: `with get_db_connection() as connection:`.

    Nothing is committed unless the block says `connection.commit()`; an exception rolls back; the end of the block gives
    the connection back.
    """

    def __init__(self, dsn: str | None = None, cursor_factory: Any = None, **keywords: Any) -> None:
        self._source = _source(dsn, keywords)
        self._cursor_factory = cursor_factory
        self._connection: Any = None

    def __enter__(self) -> Any:
        self._connection = self._source.connect(cursor_factory=self._cursor_factory)
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # An open transaction is rolled back with it.
        self._connection.close()


def status() -> list[dict[str, Any]]:
    """Return how this process's pools are, one dict for each database.

    `size`, `idle`, `lent`, `waiting`: connections now. `leases`, `failures`, `queries`, `errors`: how many so far.
    `acquire_p50_ms`, `query_p99_ms` and so on: how long connections were waited for and statements took, in milliseconds.
    """
    return _db.status()
