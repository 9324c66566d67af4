"""One connection pool per process, made when the first query needs it.

A server with --preload imports the application in its parent and forks: a connection opened
before the fork would be one socket in many processes. So nothing connects on import, and a
pool that exists at a fork all the same is forgotten in the child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backend.driver import driver, extensions, extras, pool
from backend.settings import Settings

Connection = extensions.connection

_settings: Settings | None = None
_pool: pool.ThreadedConnectionPool | None = None
_pool_lock = threading.Lock()


def configure(settings: Settings) -> None:
    """Says which database to use; a pool of earlier settings is closed."""
    global _settings
    close_pool()
    _settings = settings


def connect() -> Connection:
    """A connection that no pool has, for who wants one of its own and closes it."""
    if _settings is None:
        raise RuntimeError("configure() has not been called")
    return driver.connect(cursor_factory=extras.RealDictCursor, **_settings.connection)


def get_pool() -> pool.ThreadedConnectionPool:
    """This process's pool. If the database is away this raises, and the next call tries again."""
    global _pool
    with _pool_lock:
        if _pool is None:
            if _settings is None:
                raise RuntimeError("configure() has not been called")
            _pool = pool.ThreadedConnectionPool(
                _settings.pool_min,
                _settings.pool_max,
                cursor_factory=extras.RealDictCursor,
                **_settings.connection,
            )
        return _pool


def close_pool() -> None:
    """Closes every connection of this process."""
    global _pool
    with _pool_lock:
        if _pool is not None:
            _pool.closeall()
            _pool = None


@contextmanager
def get_db_connection() -> Iterator[Connection]:
    """Lends a connection for one unit of work.

    Nothing is committed unless the caller says `connection.commit()`; an exception rolls back;
    the connection goes back to the pool either way.
    """
    lender = get_pool()
    connection = lender.getconn()
    try:
        yield connection
    except BaseException:
        # A connection that broke cannot roll back, and the error worth seeing is the first one.
        if not connection.closed:
            connection.rollback()
        raise
    finally:
        lender.putconn(connection)


def _forget_inherited_pool() -> None:
    """Runs in a forked child: the connections stay the parent's, and so does a lock held by its threads.

    Dropping them is safe: psycopg2 says goodbye to the server only from the process that connected.
    """
    global _pool, _pool_lock
    _pool = None
    _pool_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_inherited_pool)
