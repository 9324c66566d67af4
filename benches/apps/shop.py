"""The auto shop for `make bench-db`: its own query endpoints, with a choice of how they come to a connection, and a clock around it.

SHOP_CONNECTIONS: `pool` (the shop as it is) or `each` (a connection is made for a request and closed after it).
BENCH_ACQUIRE: the directory where each process keeps a histogram of the times that requests have waited for a connection.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

SHOP = Path(__file__).resolve().parents[2] / "examples" / "autoshop"
sys.path.insert(0, str(SHOP))

from acquire import Histogram  # noqa: E402
from backend import database_pool  # noqa: E402


@contextmanager
def connection_of_its_own() -> Iterator[Any]:
    """What an application without a pool does."""
    connection = database_pool.connect()
    try:
        yield connection
    finally:
        connection.close()


def timed(borrow: Callable[[], AbstractContextManager[Any]], histogram: Histogram) -> Callable[[], Any]:
    """The same, with a look at the clock before and after."""

    @contextmanager
    def get_db_connection() -> Iterator[Any]:
        start = time.perf_counter()
        with borrow() as connection:
            histogram.add(time.perf_counter() - start)
            yield connection

    return get_db_connection


def make_application() -> Any:
    """The shop; its modules take `get_db_connection` by name when they are imported, so it is replaced first."""
    kinds = {"pool": database_pool.get_db_connection, "each": connection_of_its_own}
    borrow = kinds[os.environ.get("SHOP_CONNECTIONS", "pool")]
    directory = os.environ.get("BENCH_ACQUIRE")
    database_pool.get_db_connection = timed(borrow, Histogram(Path(directory))) if directory else borrow
    from backend.app import create_app

    return create_app()


application = make_application()
