"""Transactions: when one begins and ends, what commits, what an error does to it, and its modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .drivers import Driver
from .test_parameters import one


@pytest.fixture
def table(driver: Driver) -> Iterator[str]:
    """A table that other connections see."""
    connection = driver.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shared; CREATE TABLE shared (x int UNIQUE)")
    yield "shared"
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'; DROP TABLE shared")
    connection.close()


def rows(driver: Driver) -> list[int]:
    """What somebody else sees."""
    connection = driver.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT x FROM shared ORDER BY x")
        seen = [x for (x,) in cursor.fetchall()]
    connection.close()
    return seen


def test_commit_is_explicit(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    cursor.execute("INSERT INTO shared VALUES (1)")
    assert rows(driver) == []
    connection.commit()
    assert rows(driver) == [1]
    cursor.execute("INSERT INTO shared VALUES (2)")
    connection.rollback()
    cursor.execute("INSERT INTO shared VALUES (3)")
    connection.close()
    assert rows(driver) == [1]


def test_one_transaction_until_its_end(connection: Any, cursor: Any) -> None:
    first = one(cursor, "SELECT txid_current()")
    assert one(connection.cursor(), "SELECT txid_current()") == first
    connection.commit()
    assert one(cursor, "SELECT txid_current()") != first


def test_status(driver: Driver, connection: Any, cursor: Any) -> None:
    e = driver.extensions
    states = lambda: (connection.status, connection.get_transaction_status(), connection.info.transaction_status)  # noqa: E731
    assert states() == (e.STATUS_READY, e.TRANSACTION_STATUS_IDLE, e.TRANSACTION_STATUS_IDLE)
    cursor.execute("SELECT 1")
    assert states() == (e.STATUS_BEGIN, e.TRANSACTION_STATUS_INTRANS, e.TRANSACTION_STATUS_INTRANS)
    with pytest.raises(driver.module.Error):
        cursor.execute("SELECT 1/0")
    assert states() == (e.STATUS_BEGIN, e.TRANSACTION_STATUS_INERROR, e.TRANSACTION_STATUS_INERROR)
    connection.rollback()
    assert states() == (e.STATUS_READY, e.TRANSACTION_STATUS_IDLE, e.TRANSACTION_STATUS_IDLE)


def test_error_aborts_the_transaction(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    cursor.execute("INSERT INTO shared VALUES (1)")
    with pytest.raises(driver.errors.UniqueViolation):
        cursor.execute("INSERT INTO shared VALUES (1)")
    with pytest.raises(driver.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")
    connection.commit()
    assert rows(driver) == []
    cursor.execute("INSERT INTO shared VALUES (5)")
    connection.commit()
    assert rows(driver) == [5]


def test_savepoints(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    cursor.execute("INSERT INTO shared VALUES (1)")
    cursor.execute("SAVEPOINT here")
    with pytest.raises(driver.errors.UniqueViolation):
        cursor.execute("INSERT INTO shared VALUES (1)")
    cursor.execute("ROLLBACK TO SAVEPOINT here")
    cursor.execute("INSERT INTO shared VALUES (2)")
    connection.commit()
    assert rows(driver) == [1, 2]


def test_transaction_said_in_sql(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    # COMMIT in a statement ends the transaction as well as commit() does. psycopg2 does not notice, so that the next statement
    # is in no transaction; ferricorn.db begins the next one.
    cursor.execute("INSERT INTO shared VALUES (1)")
    cursor.execute("COMMIT")
    assert rows(driver) == [1]
    cursor.execute("INSERT INTO shared VALUES (2)")
    cursor.execute("ROLLBACK")
    connection.commit()
    assert rows(driver) == ([1] if driver.ours else [1, 2])


def test_transaction_said_in_sql_with_autocommit(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    connection.autocommit = True
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO shared VALUES (3)")
    assert rows(driver) == []
    cursor.execute("COMMIT")
    assert rows(driver) == [3]


# with connection


def test_with_connection_commits_and_rolls_back(driver: Driver, connection: Any, table: str) -> None:
    with connection as entered, connection.cursor() as cursor:
        assert entered is connection
        cursor.execute("INSERT INTO shared VALUES (1)")
    with pytest.raises(ZeroDivisionError), connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (2)")
        raise ZeroDivisionError
    assert connection.closed == 0 and rows(driver) == [1]
    with pytest.raises(driver.errors.UniqueViolation), connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (1)")
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (3)")
    assert rows(driver) == [1, 3]


def test_with_connection_does_not_nest(driver: Driver, connection: Any) -> None:
    with connection, pytest.raises(driver.module.ProgrammingError):
        with connection:
            pass


def test_with_connection_and_autocommit(driver: Driver, connection: Any, table: str) -> None:
    connection.autocommit = True
    with pytest.raises(ZeroDivisionError), connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (1)")
        raise ZeroDivisionError
    assert rows(driver) == [] and connection.autocommit is True


# autocommit


def test_autocommit(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    assert connection.autocommit is False
    connection.autocommit = True
    cursor.execute("INSERT INTO shared VALUES (1)")
    assert rows(driver) == [1] and connection.get_transaction_status() == driver.extensions.TRANSACTION_STATUS_IDLE
    with pytest.raises(driver.errors.UniqueViolation):
        cursor.execute("INSERT INTO shared VALUES (1)")
    cursor.execute("INSERT INTO shared VALUES (2)")
    connection.autocommit = False
    cursor.execute("INSERT INTO shared VALUES (3)")
    connection.rollback()
    assert rows(driver) == [1, 2]


def test_autocommit_allows_what_no_transaction_does(connection: Any, cursor: Any, table: str) -> None:
    connection.autocommit = True
    cursor.execute("VACUUM shared")
    cursor.execute("CREATE INDEX CONCURRENTLY shared_x ON shared (x)")


def test_modes_are_not_for_the_middle_of_a_transaction(driver: Driver, connection: Any, cursor: Any) -> None:
    cursor.execute("SELECT 1")
    for change in ({"autocommit": True}, {"readonly": True}, {"isolation_level": "SERIALIZABLE"}):
        with pytest.raises(driver.module.ProgrammingError, match="inside a transaction"):
            connection.set_session(**change)
    with pytest.raises(driver.module.ProgrammingError):
        connection.autocommit = True
    connection.rollback()
    connection.autocommit = True


# Isolation and modes


def test_isolation_levels(driver: Driver, connection: Any, cursor: Any) -> None:
    e = driver.extensions
    shown = {
        e.ISOLATION_LEVEL_READ_UNCOMMITTED: "read uncommitted",
        e.ISOLATION_LEVEL_READ_COMMITTED: "read committed",
        e.ISOLATION_LEVEL_REPEATABLE_READ: "repeatable read",
        e.ISOLATION_LEVEL_SERIALIZABLE: "serializable",
    }
    assert connection.isolation_level == e.ISOLATION_LEVEL_DEFAULT or connection.isolation_level is None
    for level, name in shown.items():
        connection.set_isolation_level(level)
        assert connection.isolation_level == level
        assert one(cursor, "SHOW transaction_isolation") == name
        connection.rollback()
    connection.set_isolation_level(e.ISOLATION_LEVEL_AUTOCOMMIT)
    assert connection.autocommit is True
    connection.autocommit = False
    connection.isolation_level = "repeatable read"
    assert one(cursor, "SHOW transaction_isolation") == "repeatable read"
    connection.rollback()
    connection.isolation_level = None
    assert one(cursor, "SHOW transaction_isolation") == "read committed"
    connection.rollback()
    with pytest.raises(ValueError):
        connection.isolation_level = "sometimes"


def test_session_modes(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    connection.set_session("SERIALIZABLE", readonly=True, deferrable=True)
    assert (connection.readonly, connection.deferrable) == (True, True)
    shown = [one(cursor, f"SHOW transaction_{mode}") for mode in ("isolation", "read_only", "deferrable")]
    assert shown == ["serializable", "on", "on"]
    with pytest.raises(driver.errors.ReadOnlySqlTransaction):
        cursor.execute("INSERT INTO shared VALUES (1)")
    connection.rollback()
    connection.readonly = False
    assert one(cursor, "SHOW transaction_read_only") == "off"
    connection.rollback()
    connection.set_session(isolation_level="DEFAULT", readonly="default", deferrable=None)
    assert connection.readonly is None
    cursor.execute("INSERT INTO shared VALUES (1)")
    connection.commit()
    assert rows(driver) == [1]


def test_modes_do_not_reach_the_next_user(driver: Driver, connection: Any, cursor: Any) -> None:
    connection.set_session("SERIALIZABLE", readonly=True)
    cursor.execute("SELECT 1")
    connection.close()
    for _ in range(3):
        other = driver.connect()
        cursor = other.cursor()
        assert (
            one(cursor, "SHOW transaction_read_only") == "off"
            and one(cursor, "SHOW transaction_isolation") == "read committed"
        )
        other.close()


def test_serialization_failure(driver: Driver, connection: Any, table: str) -> None:
    other = driver.connect()
    for session in (connection, other):
        session.set_session("SERIALIZABLE")
        with session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM shared")
            cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (1)")
    with other.cursor() as cursor:
        cursor.execute("INSERT INTO shared VALUES (2)")
    connection.commit()
    with pytest.raises(driver.errors.SerializationFailure) as caught:
        other.commit()
    assert isinstance(caught.value, driver.extensions.TransactionRollbackError)
    other.close()
    assert rows(driver) == [1]


def test_deferred_constraint_fails_at_commit(driver: Driver, connection: Any, cursor: Any, table: str) -> None:
    cursor.execute(
        "ALTER TABLE shared ADD CONSTRAINT later UNIQUE (x) DEFERRABLE INITIALLY DEFERRED, DROP CONSTRAINT shared_x_key"
    )
    cursor.execute("INSERT INTO shared VALUES (1), (1)")
    with pytest.raises(driver.errors.UniqueViolation):
        connection.commit()
    connection.commit()
    assert rows(driver) == []


# Cancelling and resetting


def test_reset(driver: Driver, connection: Any, cursor: Any) -> None:
    connection.set_session(readonly=True)
    cursor.execute("SELECT 1")
    connection.reset()
    assert connection.get_transaction_status() == driver.extensions.TRANSACTION_STATUS_IDLE
    assert connection.readonly in (None, False)


def test_transaction_of_a_closed_cursor_goes_on(connection: Any) -> None:
    with connection.cursor() as cursor:
        first = one(cursor, "SELECT txid_current()")
    with connection.cursor() as cursor:
        assert one(cursor, "SELECT txid_current()") == first
