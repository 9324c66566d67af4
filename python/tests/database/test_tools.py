"""The tools of these tests do what the tests believe."""

from __future__ import annotations

import psycopg2
import pytest

from .services import Bouncer, Cluster
from .stalling import Stalling


def test_stalling_proxy_forwards_and_stops(cluster: Cluster) -> None:
    with Stalling((cluster.host, cluster.port)) as proxy:
        connection = psycopg2.connect(proxy.url())
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        proxy.stall()
        with pytest.raises(psycopg2.OperationalError, match="timeout expired"):
            psycopg2.connect(proxy.url(), connect_timeout=2)
        proxy.go_on()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 2")
            assert cursor.fetchone() == (2,)
        connection.close()


def test_shipped_pgbouncer_configuration(bouncer: Bouncer) -> None:
    """What it says is what it is taken for: transaction mode, 25 connections and 5 more, 600 clients, at most 50 to a database."""
    connection = psycopg2.connect(bouncer.url("pgbouncer"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SHOW CONFIG")
        config = {row[0]: row[1] for row in cursor.fetchall()}
    connection.close()
    expected = {
        "pool_mode": "transaction",
        "default_pool_size": "25",
        "min_pool_size": "5",
        "reserve_pool_size": "5",
        "max_client_conn": "600",
        "max_db_connections": "50",
    }
    assert {name: config[name] for name in expected} == expected
