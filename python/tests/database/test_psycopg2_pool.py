"""psycopg2's pools: ours are a face of the pool that there is anyway, and the same to whoever borrows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .drivers import Driver


@pytest.fixture(params=["SimpleConnectionPool", "ThreadedConnectionPool"])
def pool(request: pytest.FixtureRequest, driver: Driver) -> Iterator[Any]:
    """Of at most three connections, whose rows are dicts."""
    make = getattr(driver.submodule("pool"), request.param)
    pool = make(1, 3, driver.dsn, cursor_factory=driver.extras.RealDictCursor)
    yield pool
    if not pool.closed:
        pool.closeall()


def test_lends_and_takes_back(pool: Any) -> None:
    first, keyed, third = pool.getconn(), pool.getconn("key"), pool.getconn()
    assert len({id(connection) for connection in (first, keyed, third)}) == 3
    assert pool.getconn("key") is keyed
    # Under which key it was lent the pool knows itself.
    for connection in (keyed, first):
        pool.putconn(connection)
    another = pool.getconn("key")
    cursor = another.cursor()
    cursor.execute("SELECT 1 AS one")
    assert cursor.fetchall() == [{"one": 1}]
    pool.putconn(another, "key")
    pool.putconn(third)


def test_what_was_not_committed_is_rolled_back(pool: Any, driver: Driver) -> None:
    connection = pool.getconn()
    connection.cursor().execute("SELECT 1")
    pool.putconn(connection)
    for _ in range(3):
        status = pool.getconn().get_transaction_status()
        assert status == driver.extensions.TRANSACTION_STATUS_IDLE


def test_what_is_not_lent_is_not_taken_back(pool: Any, driver: Driver) -> None:
    error, stranger, connection = driver.submodule("pool").PoolError, driver.connect(), pool.getconn()
    with pytest.raises(error, match="unkeyed"):
        pool.putconn(stranger)
    stranger.close()
    pool.putconn(connection)
    with pytest.raises(error, match="unkeyed"):
        pool.putconn(connection)


def test_a_closed_pool_lends_nothing(pool: Any, driver: Driver) -> None:
    error, connection = driver.submodule("pool").PoolError, pool.getconn()
    pool.closeall()
    assert connection.closed
    for use in (pool.getconn, lambda: pool.putconn(connection), pool.closeall):
        with pytest.raises(error, match="closed"):
            use()


def test_each_pool_leads_where_it_was_told(driver: Driver) -> None:
    pools = [driver.submodule("pool").ThreadedConnectionPool(1, 1, driver.dsn, application_name=name) for name in "ab"]
    names = []
    for pool in pools + pools:
        connection = pool.getconn()
        cursor = connection.cursor()
        cursor.execute("SHOW application_name")
        names += cursor.fetchone()
        assert "application_name" in connection.dsn and "password" not in connection.dsn.replace("password=xxx", "")
        pool.putconn(connection)
    for pool in pools:
        pool.closeall()
    assert names == ["a", "b", "a", "b"]
