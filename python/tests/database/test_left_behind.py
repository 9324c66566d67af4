"""What a borrower leaves, the next one does not find, and the database is told at once, whoever else uses the pool or not."""

from __future__ import annotations

import gc
import threading

import pytest

from .services import Cluster
from .stalling import Stalling
from .test_faults import eventually
from .test_parameters import one

db = pytest.importorskip("ferricorn.db")

DIRECT = {"pool_mode": "direct", "pool_max": 1}


def locks(cluster: Cluster, number: int) -> str:
    """How many have this advisory lock."""
    return cluster.superuser(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {number}")


@pytest.mark.parametrize("more", ["SELECT 1", "PREPARE left_behind AS SELECT 1"])
def test_locks_of_a_closed_connection_go_at_once(cluster: Cluster, more: str) -> None:
    connection = db.connect(cluster.url(), **DIRECT)
    cursor = connection.cursor()
    cursor.execute("SELECT pg_advisory_lock(77)")
    cursor.execute(more)
    connection.commit()
    assert locks(cluster, 77) == "1"
    connection.close()
    eventually("the lock is gone", lambda: locks(cluster, 77) == "0")


def test_transaction_of_a_forgotten_connection_ends_at_once(cluster: Cluster) -> None:
    connection = db.connect(cluster.url())
    cursor = connection.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock(78)")
    assert locks(cluster, 78) == "1"
    del connection, cursor
    gc.collect()
    eventually("the lock is gone", lambda: locks(cluster, 78) == "0")


@pytest.mark.parametrize(
    "creation",
    ["CREATE OR REPLACE TEMP VIEW pg_class AS SELECT 1 AS x", "CREATE TABLE pg_temp.left_over (x int)"],
)
def test_temporary_objects_go(cluster: Cluster, creation: str) -> None:
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        connection.cursor().execute(creation)
        connection.commit()
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        mine = "SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = pg_my_temp_schema()"
        assert one(connection.cursor(), mine) == 0


def test_session_that_does_not_forget_is_not_lent_again(cluster: Cluster) -> None:
    """The time limit that the borrower has set ends what undoes it."""
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        cursor = connection.cursor()
        for number in range(300):
            cursor.execute(f"CREATE TEMP TABLE forgotten_{number} (x text)")
        connection.commit()
        cursor.execute("SET search_path = 'nowhere'; SET statement_timeout = '1ms'")
        connection.commit()
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        cursor = connection.cursor()
        assert one(cursor, "SHOW search_path") == '"$user", public'
        assert one(cursor, "SHOW statement_timeout") == "0"


def test_answer_to_the_last_rollback_is_nobodys(cluster: Cluster) -> None:
    for _ in range(20):
        with db.get_db_connection(cluster.url(), pool_max=1) as connection:
            connection.cursor().execute("SELECT 1")
        # The answer to the ROLLBACK comes when the next statement is on its way.
        with db.get_db_connection(cluster.url(), pool_max=1) as connection, connection.cursor() as cursor:
            with pytest.raises(db.ProgrammingError):
                cursor.execute("SELEC 1")
            assert connection.get_transaction_status() == 3
            assert cursor.statusmessage is None


def test_cancel_that_is_late_hits_nobody(cluster: Cluster) -> None:
    with Stalling((cluster.host, cluster.port)) as proxy:
        connection = db.connect(proxy.url(), **DIRECT)
        pid = one(connection.cursor(), "SELECT pg_backend_pid()")
        connection.commit()
        proxy.stall()
        late = threading.Thread(target=connection.cancel)
        late.start()
        eventually("the request is on its way", lambda: proxy.connections() == 2)
        connection.close()
        with pytest.raises(db.InterfaceError, match="already closed"):
            connection.cancel()
        proxy.go_on()
        late.join()
        # Whoever comes next is somewhere else.
        with db.get_db_connection(proxy.url(), **DIRECT) as connection:
            assert one(connection.cursor(), "SELECT pg_backend_pid()") != pid


def test_statement_does_not_run_without_its_transaction(cluster: Cluster) -> None:
    # What stands for BEGIN here is refused when it runs, as BEGIN is if a request to cancel hits it.
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS unopened (x int); TRUNCATE unopened")
        connection.commit()
        connection._session.opening = "SELECT 1 / 0"
        with pytest.raises(db.DataError, match="division by zero"):
            cursor.execute("INSERT INTO unopened VALUES (1)")
        connection._session.opening = "BEGIN"
        assert one(cursor, "SELECT count(*) FROM unopened") == 0


def test_stream_that_nobody_understands_is_not_lent_again(cluster: Cluster) -> None:
    """COPY hidden from us: the server waits for data that nobody sends."""
    with db.get_db_connection(cluster.url(), **DIRECT) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS copied_into (x int)")
        connection.commit()
        with pytest.raises(db.ProgrammingError, match="copy_expert"):
            cursor.execute("COPY copied_into FROM STDOUT")
        assert one(cursor, "SELECT 1") == 1
