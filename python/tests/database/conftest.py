"""One cluster and its PgBouncers for the whole run; a fresh connection for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .drivers import WAYS, Driver
from .services import Bouncer, Cluster, Service, ServiceError, install, newer_pgbouncer


# Started by test_sqlalchemy.py, with a plugin that would take over this run.
collect_ignore = ["dialect_suite"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Nobody stops this one: tests that break things make their own."""
    install()
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def bouncer(cluster: Cluster) -> Iterator[Bouncer]:
    """The installed PgBouncer, in transaction mode."""
    with Bouncer(cluster) as bouncer:
        yield bouncer


@pytest.fixture(scope="session")
def newer_bouncer(cluster: Cluster) -> Iterator[Bouncer]:
    """One that follows prepared statements."""
    try:
        binary = newer_pgbouncer()
    except ServiceError as error:
        pytest.skip(str(error))
    with Bouncer(cluster, binary) as bouncer:
        yield bouncer


ROUTES = {"direct": "cluster", "pgbouncer": "bouncer", "pgbouncer-new": "newer_bouncer"}


@pytest.fixture(params=WAYS, ids="-".join)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Both drivers, every route."""
    name, route = request.param
    service: Service = request.getfixturevalue(ROUTES[route])
    return Driver(name, route, service)


@pytest.fixture
def connection(driver: Driver) -> Iterator[Any]:
    """Rolled back and closed afterwards, whatever the test has done with it."""
    connection = driver.connect()
    yield connection
    connection.close()


@pytest.fixture
def cursor(connection: Any) -> Any:
    """Of that connection."""
    return connection.cursor()
