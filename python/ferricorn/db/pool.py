"""psycopg2's pools, as a face of the one that there is anyway: for applications that are built around them."""

from __future__ import annotations

from typing import Any

from ferricorn import db
from ferricorn.db._errors import Error


class PoolError(Error):
    """The pool was not used as it can be."""


class AbstractConnectionPool:
    """Lends connections to the database that these arguments name."""

    def __init__(self, minconn: int, maxconn: int, *arguments: Any, **keywords: Any) -> None:
        self.minconn = int(minconn)
        self.maxconn = int(maxconn)
        self.closed = False
        self._arguments = arguments
        self._keywords = {"pool_min": self.minconn, "pool_max": self.maxconn, **keywords}
        self._lent: dict[Any, Any] = {}

    def getconn(self, key: Any = None) -> Any:
        """Return a connection; waits for one as long as the pool's settings say."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is not None and key in self._lent:
            return self._lent[key]
        connection = db.connect(*self._arguments, **self._keywords)
        self._lent[id(connection) if key is None else key] = connection
        return connection

    def putconn(self, conn: Any, key: Any = None, close: bool = False) -> None:
        """Give a connection back; what is not committed is rolled back."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = next((known for known, lent in self._lent.items() if lent is conn), None)
        if key is None or self._lent.pop(key, None) is None:
            raise PoolError("trying to put unkeyed connection")
        conn.close()

    def closeall(self) -> None:
        """Give all connections back, and lend no more."""
        if self.closed:
            raise PoolError("connection pool is closed")
        for connection in self._lent.values():
            connection.close()
        self._lent.clear()
        self.closed = True


class SimpleConnectionPool(AbstractConnectionPool):
    """psycopg2's, for one thread."""


class ThreadedConnectionPool(AbstractConnectionPool):
    """psycopg2's, for several threads."""
