"""One connection of each driver, in turn: one row by its key, in the ways in which an application asks for it, and 10 000 rows of
mixed types into dictionaries.

`?rounds=` says how often; the answer has the median time of one execution in seconds, for each row of the table and driver. The
database's own time is in all of them, and is the same for both.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from statistics import median
from typing import Any
from urllib.parse import parse_qs

import psycopg2
import psycopg2.extras
import psycopg2.pool
from ferricorn import db
from ferricorn.db.extras import RealDictCursor

ONE_ROW = "SELECT id, first_name, last_name, email, phone, created_at FROM customers WHERE id = %s"
MANY_ROWS = """
    SELECT n AS id, n::bigint * 1000003 AS big, n % 2 = 0 AS flag, n / 7.0::float8 AS ratio, (n / 100.0)::numeric(10, 2) AS price,
           'customer number ' || n AS name, DATE '2026-01-01' + n % 365 AS day, TIMESTAMPTZ '2026-01-01' + n * interval '1 minute' AS at,
           CASE WHEN n % 3 = 0 THEN NULL ELSE 'note' END AS note
    FROM generate_series(1, 10000) n"""


class Driver:
    """What both have, under the names that are psycopg2's."""

    def __init__(self, dsn: str, *, ours: bool) -> None:
        self.dictionaries = RealDictCursor if ours else psycopg2.extras.RealDictCursor
        self.connect = db.connect if ours else psycopg2.connect
        self.dsn = dsn
        self._pool = None if ours else psycopg2.pool.ThreadedConnectionPool(1, 4, dsn)

    def lend(self) -> AbstractContextManager[Any]:
        """A connection of the pool's for a block; what is open at its end is rolled back."""
        return self._lent() if self._pool else db.get_db_connection()

    @contextmanager
    def _lent(self) -> Iterator[Any]:
        connection = self._pool.getconn()
        try:
            yield connection
        finally:
            connection.rollback()
            self._pool.putconn(connection)

    def close(self) -> None:
        """Its pool ends with it."""
        if self._pool:
            self._pool.closeall()


Step = Callable[[int], None]
Case = Callable[[Driver], AbstractContextManager[Step]]


def one_row(*, autocommit: bool, dictionaries: bool) -> Case:
    """As an endpoint asks for a record, on a connection that it has."""

    @contextmanager
    def prepared(driver: Driver) -> Iterator[Step]:
        connection = driver.connect(driver.dsn)
        connection.autocommit = autocommit
        key: Any = "id" if dictionaries else 0
        with connection.cursor(cursor_factory=driver.dictionaries if dictionaries else None) as cursor:

            def step(number: int) -> None:
                cursor.execute(ONE_ROW, (number % 200 + 1,))
                assert cursor.fetchone()[key] == number % 200 + 1

            yield step
        connection.close()

    return prepared


@contextmanager
def lent(driver: Driver) -> Iterator[Step]:
    """With a connection from the pool each time."""

    def step(number: int) -> None:
        with driver.lend() as connection, connection.cursor() as cursor:
            cursor.execute(ONE_ROW, (number % 200 + 1,))
            assert cursor.fetchone()[0] == number % 200 + 1

    yield step


@contextmanager
def many_rows(driver: Driver) -> Iterator[Step]:
    """As an export asks for all of them."""
    connection = driver.connect(driver.dsn)
    with connection.cursor(cursor_factory=driver.dictionaries) as cursor:

        def step(_number: int) -> None:
            cursor.execute(MANY_ROWS)
            assert len(cursor.fetchall()) == 10_000

        yield step
    connection.close()


# How often it is done in one block, so that the clock does not matter, and how many blocks there are in a round. They are short
# where what else the machine does would hit one driver more than the other.
CASES: dict[str, tuple[Case, int, int]] = {
    "one row": (one_row(autocommit=False, dictionaries=False), 50, 40),
    "one row into a dict": (one_row(autocommit=False, dictionaries=True), 50, 40),
    "one row, autocommit": (one_row(autocommit=True, dictionaries=False), 50, 40),
    "one row, a connection from the pool for it": (lent, 50, 40),
    "10 000 rows into dicts": (many_rows, 1, 3),
}


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """The drivers take turns, block by block, on connections that stay."""
    dsn = os.environ["DATABASE_URL"]
    results: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        drivers = {"psycopg2": Driver(dsn, ours=False), "ferricorn.db": Driver(dsn, ours=True)}
        for driver in drivers.values():
            stack.callback(driver.close)
        for case, (prepare, times, blocks) in CASES.items():
            with ExitStack() as prepared:
                steps = {name: prepared.enter_context(prepare(driver)) for name, driver in drivers.items()}
                figures: dict[str, list[float]] = {name: [] for name in steps}
                for number in range(rounds * blocks):
                    for name in sorted(steps, reverse=number % 2 == 0):
                        figures[name].append(time_of(steps[name], times))
            results[case] = {name: median(own) for name, own in figures.items()}
    return results


def time_of(step: Step, times: int) -> float:
    """Of one step, on average. The first is for the caches."""
    step(0)
    start = time.perf_counter()
    for number in range(times):
        step(number)
    return (time.perf_counter() - start) / times


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """`/ready`, or the measurement."""
    if environ["PATH_INFO"] == "/ready":
        body = b"ready"
    else:
        rounds = int(parse_qs(environ["QUERY_STRING"]).get("rounds", ["3"])[0])
        body = json.dumps(measure(rounds)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
