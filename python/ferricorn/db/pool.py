"""psycopg2's pools, as a face of the one that there is anyway: for applications that are built around them."""

from __future__ import annotations

from typing import Any

from ferricorn.db._errors import Error
from ferricorn.db._source import source


class PoolError(Error):
    """The pool was not used as it can be."""


class AbstractConnectionPool:
    """Lends connections to the database that these arguments name."""

    def __init__(
        self,
        minconn: int,
        maxconn: int,
        dsn: str | None = None,
        connection_factory: Any = None,
        cursor_factory: Any = None,
        **keywords: Any,
    ) -> None:
        self.minconn = int(minconn)
        self.maxconn = int(maxconn)
        self.closed = False
        self._source = source(dsn, {"pool_min": self.minconn, "pool_max": self.maxconn, **keywords})
        self._factories = connection_factory, cursor_factory
        self._lent: dict[Any, Any] = {}
        # The key of each connection, by its identity.
        self._keys: dict[int, Any] = {}

    def getconn(self, key: Any = None) -> Any:
        """Return a connection; waits for one as long as the pool's settings say."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is not None and key in self._lent:
            return self._lent[key]
        connection = self._source.connect(*self._factories)
        if key is None:
            key = id(connection)
        self._lent[key] = connection
        self._keys[id(connection)] = key
        return connection

    def putconn(self, conn: Any, key: Any = None, close: bool = False) -> None:
        """Give a connection back; what is not committed is rolled back."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = self._keys.get(id(conn))
        lent = None if key is None else self._lent.pop(key, None)
        if lent is None:
            raise PoolError("trying to put unkeyed connection")
        del self._keys[id(lent)]
        conn.close()

    def closeall(self) -> None:
        """Give all connections back, and lend no more."""
        if self.closed:
            raise PoolError("connection pool is closed")
        for connection in self._lent.values():
            connection.close()
        self._lent.clear()
        self._keys.clear()
        self.closed = True


class SimpleConnectionPool(AbstractConnectionPool):
    """psycopg2's, for one thread."""


class ThreadedConnectionPool(AbstractConnectionPool):
    """psycopg2's, for several threads."""
