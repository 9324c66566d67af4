"""Errors: the class, the code and the details of each, and what a program may do after one."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

from .drivers import Driver
from .test_parameters import one

CASES = [
    ("SELEC 1", "SyntaxError", "ProgrammingError", "42601"),
    ("SELECT * FROM absent", "UndefinedTable", "ProgrammingError", "42P01"),
    ("SELECT absent FROM pg_class", "UndefinedColumn", "ProgrammingError", "42703"),
    ("SELECT absent()", "UndefinedFunction", "ProgrammingError", "42883"),
    ("SELECT 1/0", "DivisionByZero", "DataError", "22012"),
    ("SELECT 'x'::int", "InvalidTextRepresentation", "DataError", "22P02"),
    ("SELECT 100000::int2", "NumericValueOutOfRange", "DataError", "22003"),
    ("SELECT '2026-02-30'::date", "DatetimeFieldOverflow", "DataError", "22008"),
    ("INSERT INTO faulty VALUES (1, 'a'), (1, 'b')", "UniqueViolation", "IntegrityError", "23505"),
    ("INSERT INTO faulty VALUES (NULL, 'a')", "NotNullViolation", "IntegrityError", "23502"),
    ("INSERT INTO faulty VALUES (-1, 'a')", "CheckViolation", "IntegrityError", "23514"),
    ("INSERT INTO faulty VALUES (1, 'too long')", "StringDataRightTruncation", "DataError", "22001"),
    ("INSERT INTO faulty (a, parent) VALUES (1, 99)", "ForeignKeyViolation", "IntegrityError", "23503"),
    ("DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'P0001'; END $$", "RaiseException", "InternalError", "P0001"),
    ("SELECT pg_sleep(5)", "QueryCanceled", "OperationalError", "57014"),
    ("SELECT * FROM pg_authid", "InsufficientPrivilege", "ProgrammingError", "42501"),
    ("SELECT '1 second'::interval + 'x'::text", "UndefinedFunction", "ProgrammingError", "42883"),
    ("DROP TABLE pg_class", "InsufficientPrivilege", "ProgrammingError", "42501"),
    ("VACUUM", "ActiveSqlTransaction", "InternalError", "25001"),
]


@pytest.fixture
def faulty(cursor: Any) -> Any:
    """A table with one of each constraint."""
    cursor.execute(
        "CREATE TEMPORARY TABLE faulty (a int PRIMARY KEY CHECK (a > 0), b varchar(3), parent int REFERENCES faulty (a)) ON COMMIT DROP;"
        "SET LOCAL statement_timeout = '100ms'"
    )
    return cursor


@pytest.mark.parametrize(
    ("statement", "name", "parent", "code"), CASES, ids=[name + code for _, name, _, code in CASES]
)
def test_class_and_code(driver: Driver, faulty: Any, statement: str, name: str, parent: str, code: str) -> None:
    kind = getattr(driver.errors, name)
    assert driver.errors.lookup(code) is kind
    with pytest.raises(driver.module.Error) as caught:
        faulty.execute(statement)
    error = caught.value
    assert type(error) is kind and isinstance(error, getattr(driver.module, parent))
    assert error.pgcode == error.diag.sqlstate == code
    assert error.diag.severity == "ERROR" and error.diag.message_primary
    assert str(error).startswith(error.diag.message_primary) and error.diag.message_primary in error.pgerror
    assert error.cursor is faulty


def test_details(driver: Driver, faulty: Any) -> None:
    with pytest.raises(driver.errors.UniqueViolation) as caught:
        faulty.execute("INSERT INTO faulty VALUES (1, 'a'), (1, 'b')")
    error, diag = caught.value, caught.value.diag
    assert (
        diag.constraint_name == "faulty_pkey" and diag.table_name == "faulty" and diag.schema_name.startswith("pg_temp")
    )
    assert diag.message_detail == "Key (a)=(1) already exists." and diag.message_hint is None
    assert diag.source_file and diag.source_line and diag.source_function
    assert error.pgerror.startswith(
        'ERROR:  duplicate key value violates unique constraint "faulty_pkey"\nDETAIL:  Key (a)=(1)'
    )
    assert str(error).startswith("duplicate key value") and "DETAIL:  Key (a)=(1) already exists." in str(error)


def test_position_and_hint(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.errors.UndefinedColumn) as caught:
        cursor.execute("SELECT relnam FROM pg_class")
    diag = caught.value.diag
    assert diag.statement_position == "8" and "relname" in diag.message_hint
    assert "LINE 1: SELECT relnam FROM pg_class" in caught.value.pgerror


def test_context_of_a_function(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.errors.RaiseException) as caught:
        cursor.execute(
            "DO $$ BEGIN RAISE EXCEPTION 'own' USING DETAIL = 'more', HINT = 'try', COLUMN = 'c', DATATYPE = 'd'; END $$"
        )
    diag = caught.value.diag
    assert (diag.message_detail, diag.message_hint, diag.column_name, diag.datatype_name) == ("more", "try", "c", "d")
    assert "PL/pgSQL function" in diag.context


def test_codes_of_ones_own(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.module.Error) as caught:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'XX999'; END $$")
    assert caught.value.pgcode == "XX999" and isinstance(caught.value, driver.module.InternalError)
    with pytest.raises(KeyError):
        driver.errors.lookup("XX999")


def test_unicode_in_messages(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.errors.UndefinedTable, match="größe 🦀"):
        cursor.execute('SELECT * FROM "größe 🦀"')


def test_errors_travel(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.errors.DivisionByZero) as caught:
        cursor.execute("SELECT 1/0")
    for error in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert (
            type(error) is driver.errors.DivisionByZero and error.pgcode == "22012" and str(error) == str(caught.value)
        )


def test_errors_of_the_module(driver: Driver) -> None:
    error = driver.module.Error("by hand")
    assert (
        error.pgcode is None and error.pgerror is None and error.diag.message_primary is None and error.cursor is None
    )
    assert issubclass(driver.extensions.QueryCanceledError, driver.module.OperationalError)
    assert driver.errors.QueryCanceled is not driver.extensions.QueryCanceledError
    assert issubclass(driver.errors.QueryCanceled, driver.extensions.QueryCanceledError)


def test_local_mistakes_have_no_code(driver: Driver, cursor: Any) -> None:
    cursor.execute("SELECT 1")
    with pytest.raises(driver.module.ProgrammingError) as caught:
        cursor.execute("SELECT %s", (object(),))
    assert caught.value.pgcode is None
    assert one(cursor, "SELECT 2") == 2


@pytest.mark.parametrize("when", ["at the end", "deferred"])
def test_copy_that_fails_after_its_data(driver: Driver, connection: Any, when: str) -> None:
    """Triggers fire, and constraints are looked at, when the server has sent everything."""
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS copied_late (x int UNIQUE DEFERRABLE INITIALLY DEFERRED); TRUNCATE copied_late")
    cursor.execute("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too late'; END $$")
    if when == "at the end":
        cursor.execute("DROP TRIGGER IF EXISTS late ON copied_late")
        cursor.execute("CREATE TRIGGER late AFTER INSERT ON copied_late EXECUTE FUNCTION refuse()")
        expected: Any = driver.module.InternalError
        words = "too late"
    else:
        connection.commit()
        connection.autocommit = True
        expected, words = driver.module.IntegrityError, "duplicate key"
    file = io.StringIO()
    with pytest.raises(expected, match=words):
        cursor.copy_expert("COPY (INSERT INTO copied_late VALUES (1), (1) RETURNING x) TO STDOUT", file)
    assert file.getvalue() == "1\n1\n"
    if when == "at the end":
        connection.rollback()
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


def test_names_that_look_like_placeholders(driver: Driver, connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("""CREATE FUNCTION pg_temp.of_percent("a%s" int, "%(b)s" int) RETURNS int LANGUAGE sql AS 'SELECT $1 - $2'""")
    if driver.ours:
        # psycopg2 takes the name for a placeholder.
        cursor.callproc("pg_temp.of_percent", {"%(b)s": 2, "a%s": 5})
        assert cursor.fetchone() == (3,)
