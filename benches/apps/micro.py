"""One connection of each driver, in turn: one row by its key, and 10 000 rows of mixed types into dictionaries.

`?rounds=` says how often; the answer has the median time of one execution in seconds, for each row of the table and driver.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any
from urllib.parse import parse_qs

import psycopg2
import psycopg2.extras
from ferricorn import db
from ferricorn.db.extras import RealDictCursor

ONE_ROW = "SELECT id, first_name, last_name, email, phone, created_at FROM customers WHERE id = %s"
MANY_ROWS = """
    SELECT n AS id, n::bigint * 1000003 AS big, n % 2 = 0 AS flag, n / 7.0::float8 AS ratio, (n / 100.0)::numeric(10, 2) AS price,
           'customer number ' || n AS name, DATE '2026-01-01' + n % 365 AS day, TIMESTAMPTZ '2026-01-01' + n * interval '1 minute' AS at,
           CASE WHEN n % 3 = 0 THEN NULL ELSE 'note' END AS note
    FROM generate_series(1, 10000) n"""

# Repeated this often in one measurement, so that the clock does not matter.
TIMES = {"one row": 300, "10 000 rows": 3}


def one_row(cursor: Any, number: int) -> None:
    """As an endpoint asks for a record."""
    cursor.execute(ONE_ROW, (number % 200 + 1,))
    assert cursor.fetchone()["id"] == number % 200 + 1


def many_rows(cursor: Any, _number: int) -> None:
    """As an export asks for all of them."""
    cursor.execute(MANY_ROWS)
    assert len(cursor.fetchall()) == 10_000


CASES: dict[str, Callable[[Any, int], None]] = {"one row": one_row, "10 000 rows": many_rows}


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """The drivers take turns, in one transaction each."""
    dsn = os.environ["DATABASE_URL"]
    connections = {
        "psycopg2": psycopg2.connect(dsn, cursor_factory=psycopg2.extras.RealDictCursor),
        "ferricorn.db": db.connect(cursor_factory=RealDictCursor),
    }
    results: dict[str, dict[str, list[float]]] = {case: {name: [] for name in connections} for case in CASES}
    for number in range(3 * rounds):
        for case, run in CASES.items():
            for name, connection in connections.items():
                with connection.cursor() as cursor:
                    # The first execution of a round is for the caches.
                    run(cursor, number)
                    start = time.perf_counter()
                    for turn in range(TIMES[case]):
                        run(cursor, turn)
                    results[case][name].append((time.perf_counter() - start) / TIMES[case])
    for connection in connections.values():
        connection.close()
    return {case: {name: median(times) for name, times in drivers.items()} for case, drivers in results.items()}


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """`/ready`, or the measurement."""
    if environ["PATH_INFO"] == "/ready":
        body = b"ready"
    else:
        rounds = int(parse_qs(environ["QUERY_STRING"]).get("rounds", ["3"])[0])
        body = json.dumps(measure(rounds)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
