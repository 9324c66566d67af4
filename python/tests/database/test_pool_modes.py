"""PgBouncer in transaction mode is what is assumed: what needs a session is refused with words, everything else works."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from .services import Bouncer, Cluster, Service
from .test_parameters import one

db = pytest.importorskip("ferricorn.db")

SESSION = [
    "SET work_mem = '1MB'",
    "SET SESSION work_mem = '1MB'",
    "set /* really */ timezone to 'UTC'",
    "SET TIME ZONE 'UTC'",
    "SET ROLE NONE",
    "LISTEN something",
    "UNLISTEN *",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_catalog.pg_try_advisory_lock_shared(1)",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "CREATE TEMP TABLE t (x int)",
    "CREATE TEMPORARY TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t (x int) ON COMMIT DELETE ROWS",
    "SELECT 1 INTO TEMP t",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
    "CREATE TABLE pg_temp.t (x int)",
    "LOAD 'auto_explain'",
    "DISCARD ALL",
    "RESET ALL",
    "SELECT 1; SET work_mem = '1MB'",
]

FINE = [
    "SET LOCAL work_mem = '1MB'",
    "SET TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL DEFERRED",
    "SELECT pg_advisory_xact_lock(1)",
    "NOTIFY something, 'x'",
    "CREATE TEMP TABLE t (x int) ON COMMIT DROP",
    "DECLARE c CURSOR FOR SELECT 1",
    "SELECT 'SET work_mem'",
    "SELECT 1 AS listen",
    "UPDATE pg_temp.t SET x = 1",
    "SHOW work_mem",
    "EXPLAIN SELECT 1",
    "DO $$ BEGIN EXECUTE 'SELECT 1'; END $$",
    "-- LISTEN x\nSELECT 1",
    'SELECT 1 AS "LISTEN"',
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS 'SELECT 1'",
]


@pytest.mark.parametrize("statement", SESSION)
def test_what_needs_a_session_is_refused(bouncer: Bouncer, statement: str) -> None:
    with db.get_db_connection(bouncer.url()) as connection:
        cursor = connection.cursor()
        assert one(cursor, "SELECT 1") == 1
        with pytest.raises(db.NotSupportedError, match="pool_mode|DB_POOL_MODE") as caught:
            cursor.execute(statement)
        assert caught.value.pgcode is None
        # It has not been sent, so the transaction is as it was.
        assert one(cursor, "SELECT 2") == 2


@pytest.mark.parametrize("statement", FINE)
def test_what_a_transaction_can_is_not(bouncer: Bouncer, statement: str) -> None:
    with db.get_db_connection(bouncer.url()) as connection:
        cursor = connection.cursor()
        if "pg_temp.t" in statement:
            cursor.execute("CREATE TEMP TABLE t (x int) ON COMMIT DROP")
        cursor.execute(statement)


@pytest.mark.parametrize("statement", [s for s in SESSION if not s.startswith(("EXECUTE", "DISCARD"))])
def test_with_a_session_everything_works(cluster: Cluster, statement: str) -> None:
    with db.get_db_connection(cluster.url(), pool_mode="direct") as connection:
        if "LOAD" in statement:
            pytest.skip("for superusers")
        connection.cursor().execute(statement)


@pytest.mark.parametrize("mode", ["direct", "session"])
def test_settings_of_a_session_do_not_reach_the_next_user(cluster: Cluster, mode: str) -> None:
    settings = {"pool_mode": mode, "pool_max": 1, "pool_timeout": 5}
    for change in (
        "SET work_mem = '5MB'",
        "PREPARE prepared AS SELECT 1",
        "CREATE TEMP TABLE left_behind (x int)",
        "LISTEN l",
    ):
        with db.get_db_connection(cluster.url(), **settings) as connection:
            cursor = connection.cursor()
            cursor.execute(change)
            connection.commit()
        with db.get_db_connection(cluster.url(), **settings) as connection:
            cursor = connection.cursor()
            assert one(cursor, "SHOW work_mem") == "4MB"
            assert one(cursor, "SELECT count(*) FROM pg_prepared_statements") == 0
            assert one(cursor, "SELECT to_regclass('pg_temp.left_behind')") is None
            assert one(cursor, "SELECT count(*) FROM pg_listening_channels()") == 0


# Several processes, whose statements must not meet in PgBouncer's connections

PROGRAM = """
import json, sys
from ferricorn import db
got = set()
for turn in range(60):
    with db.get_db_connection(sys.argv[1]) as connection:
        cursor = connection.cursor(name=f"c{turn}") if turn % 3 == 0 else connection.cursor()
        cursor.execute("SELECT 'happy'::feeling, ROW(1, 'sad')::feelings, ARRAY['sad']::feeling[], %s, %s", (sys.argv[2], turn))
        row = cursor.fetchone()
        got.add(json.dumps([str(value) for value in row[:4]]))
        cursor.close()
        if turn % 5 == 0:
            connection.cursor().executemany("SELECT %s", [(n,) for n in range(20)])
        connection.commit()
print(json.dumps(sorted(got)))
"""


@pytest.mark.parametrize("which", ["bouncer", "newer_bouncer"])
def test_several_processes_with_types_of_the_database(
    request: pytest.FixtureRequest, cluster: Cluster, which: str
) -> None:
    cluster.superuser(
        "DROP TYPE IF EXISTS feelings, feeling CASCADE; CREATE TYPE feeling AS ENUM ('sad', 'happy');"
        "CREATE TYPE feelings AS (n int, f feeling)",
        "autoshop",
    )
    bouncer: Service = request.getfixturevalue(which)
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, bouncer.url(), f"p{n}"], stdout=subprocess.PIPE, text=True)
        for n in range(6)
    ]
    for number, process in enumerate(processes):
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert json.loads(said) == [json.dumps(["happy", "(1,sad)", "['sad']", f"p{number}"])]


def test_more_clients_than_connections(cluster: Cluster) -> None:
    with Bouncer(cluster, default_pool_size="2", reserve_pool_size="0", min_pool_size="0") as bouncer:
        connections = [db.connect(bouncer.url(), pool_max=12) for _ in range(12)]
        got: list[Any] = []
        for connection in connections:
            got.append(one(connection.cursor(), "SELECT 1"))
            connection.commit()
        assert got == [1] * 12
        for connection in connections:
            connection.close()
