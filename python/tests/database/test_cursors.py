"""Cursors: what they fetch and in which shape, what they say about it, and those that live in the server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from .drivers import Driver
from .test_parameters import one


def series(cursor: Any, count: int) -> None:
    """Numbers from 1 and their names."""
    cursor.execute("SELECT n AS number, 'n' || n AS name FROM generate_series(1, %s) n ORDER BY n", (count,))


# Fetching


def test_fetching(cursor: Any) -> None:
    series(cursor, 5)
    assert cursor.rowcount == 5 and cursor.rownumber == 0
    assert cursor.fetchone() == (1, "n1") and cursor.rownumber == 1
    assert cursor.fetchmany() == [(2, "n2")] and cursor.arraysize == 1
    assert cursor.fetchmany(2) == [(3, "n3"), (4, "n4")]
    assert cursor.fetchall() == [(5, "n5")] and cursor.rownumber == 5
    assert cursor.fetchone() is None and cursor.fetchall() == [] and cursor.fetchmany(3) == []
    cursor.arraysize = 3
    series(cursor, 5)
    assert len(cursor.fetchmany()) == 3 and len(cursor.fetchmany(size=9)) == 2


def test_iterating(cursor: Any) -> None:
    series(cursor, 3)
    assert next(cursor) == (1, "n1")
    assert [number for number, _ in cursor] == [2, 3]
    with pytest.raises(StopIteration):
        next(cursor)


def test_scrolling(driver: Driver, cursor: Any) -> None:
    series(cursor, 5)
    cursor.scroll(2)
    assert cursor.fetchone()[0] == 3
    cursor.scroll(-2)
    assert cursor.fetchone()[0] == 2
    cursor.scroll(4, mode="absolute")
    assert cursor.fetchone()[0] == 5
    for step, mode in ((5, "relative"), (-9, "relative"), (5, "absolute")):
        with pytest.raises((driver.module.ProgrammingError, IndexError)):
            cursor.scroll(step, mode)


def test_nothing_to_fetch(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.module.ProgrammingError, match="no results to fetch"):
        cursor.fetchone()
    cursor.execute("CREATE TEMPORARY TABLE nothing (x int) ON COMMIT DROP")
    for fetch in (cursor.fetchone, cursor.fetchall, cursor.fetchmany, lambda: next(cursor)):
        with pytest.raises(driver.module.ProgrammingError, match="no results to fetch"):
            fetch()
    cursor.execute("SELECT FROM generate_series(1, 2)")
    assert cursor.fetchall() == [(), ()] and cursor.rowcount == 2


def test_closed(driver: Driver, connection: Any) -> None:
    cursor = connection.cursor()
    assert cursor.closed is False and connection.closed == 0
    cursor.close()
    cursor.close()
    assert cursor.closed is True
    with pytest.raises(driver.module.InterfaceError, match="cursor already closed"):
        cursor.execute("SELECT 1")
    with connection.cursor() as inside:
        inside.execute("SELECT 1")
    assert inside.closed
    other = connection.cursor()
    connection.close()
    connection.close()
    assert connection.closed
    for action in (lambda: other.execute("SELECT 1"), connection.cursor, connection.commit, connection.rollback):
        with pytest.raises(driver.module.InterfaceError, match="closed"):
            action()


# What a cursor says


def test_description(driver: Driver, cursor: Any) -> None:
    assert cursor.description is None
    cursor.execute(
        "SELECT 1 AS i, 'a'::varchar(10) AS v, 1.5::numeric(10, 2) AS n, now() AS t, ''::text AS \"odd name\", 1 AS i"
    )
    rows = [tuple(column) for column in cursor.description]
    assert [row[0] for row in rows] == ["i", "v", "n", "t", "odd name", "i"]
    assert [row[1] for row in rows] == [23, 1043, 1700, 1184, 25, 23]
    assert [row[3] for row in rows] == [4, 10, 10, 8, -1, 4] and rows[2][4:6] == (10, 2)
    assert rows[0][2] is None and rows[0][6] is None
    column = cursor.description[0]
    assert (column.name, column.type_code) == ("i", 23)
    module = driver.module
    assert rows[0][1] == module.NUMBER and rows[1][1] == module.STRING
    assert module.STRING != rows[0][1]
    cursor.execute("CREATE TEMPORARY TABLE told (x int) ON COMMIT DROP")
    assert cursor.description is None
    cursor.execute("INSERT INTO told VALUES (1) RETURNING x")
    assert cursor.description[0][0] == "x"


def test_rowcount_and_statusmessage(cursor: Any) -> None:
    assert cursor.rowcount == -1 and cursor.statusmessage is None
    cursor.execute("CREATE TEMPORARY TABLE counted (x int) ON COMMIT DROP")
    assert (cursor.rowcount, cursor.statusmessage) == (-1, "CREATE TABLE")
    cursor.execute("INSERT INTO counted SELECT generate_series(1, %s)", (4,))
    assert (cursor.rowcount, cursor.statusmessage) == (4, "INSERT 0 4")
    cursor.execute("UPDATE counted SET x = 0 WHERE x > 2")
    assert (cursor.rowcount, cursor.statusmessage) == (2, "UPDATE 2")
    cursor.execute("SELECT * FROM counted")
    assert (cursor.rowcount, cursor.statusmessage) == (4, "SELECT 4")
    cursor.execute("DELETE FROM counted WHERE x > 100")
    assert (cursor.rowcount, cursor.statusmessage) == (0, "DELETE 0")
    cursor.execute("SET LOCAL work_mem = '4MB'")
    assert (cursor.rowcount, cursor.statusmessage) == (-1, "SET")
    cursor.execute("DO $$ BEGIN END $$")
    assert cursor.statusmessage == "DO"


def test_query_and_connection(connection: Any, cursor: Any) -> None:
    assert cursor.connection is connection and cursor.query is None
    cursor.execute("SELECT %s, '%%'", ("it's",))
    assert cursor.query == b"SELECT 'it''s', '%'"
    assert cursor.name is None and cursor.lastrowid in (0, None)
    assert cursor.setinputsizes([1]) is None and cursor.setoutputsize(1) is None


def test_callproc(driver: Driver, cursor: Any) -> None:
    cursor.callproc("upper", ("a",))
    assert cursor.fetchall() == [("A",)]
    cursor.callproc("pg_backend_pid")
    assert cursor.fetchone()[0] > 0
    cursor.callproc("make_interval", {"hours": 2})
    assert str(cursor.fetchone()[0]) == "2:00:00"


# Shapes


def test_real_dict_cursor(driver: Driver, connection: Any) -> None:
    with connection.cursor(cursor_factory=driver.extras.RealDictCursor) as cursor:
        series(cursor, 3)
        row = cursor.fetchone()
        assert row == {"number": 1, "name": "n1"} and isinstance(row, dict) and list(row) == ["number", "name"]
        assert type(row) is (dict if driver.ours else driver.extras.RealDictRow)
        assert cursor.fetchmany(1) == [{"number": 2, "name": "n2"}]
        assert [dict(row) for row in cursor] == [{"number": 3, "name": "n3"}]
        row["added"] = 1
        cursor.execute("SELECT 1 AS a, 2 AS b, 3 AS a")
        assert cursor.fetchall() == [{"a": 3, "b": 2}]


def test_dict_cursor(driver: Driver, connection: Any) -> None:
    with connection.cursor(cursor_factory=driver.extras.DictCursor) as cursor:
        series(cursor, 2)
        row = cursor.fetchone()
        assert row[0] == row["number"] == 1 and row[1] == row["name"] == "n1" and row[-1] == "n1"
        assert row == [1, "n1"] and len(row) == 2 and list(row) == [1, "n1"] and row[0:1] == [1]
        assert dict(row) == {"number": 1, "name": "n1"} and row.get("absent", 5) == 5 and "name" in row
        assert list(row.keys()) == ["number", "name"] and list(row.items())[0] == ("number", 1)
        row["name"] = "changed"
        assert row[1] == "changed"
        with pytest.raises(KeyError):
            row["absent"]
        with pytest.raises(IndexError):
            row[5]
        assert [row["number"] for row in cursor] == [2]


def test_named_tuple_cursor(driver: Driver, connection: Any) -> None:
    with connection.cursor(cursor_factory=driver.extras.NamedTupleCursor) as cursor:
        series(cursor, 2)
        row = cursor.fetchone()
        assert row == (1, "n1") and row.number == 1 and row._asdict() == {"number": 1, "name": "n1"}
        assert [type(row).__name__ for row in cursor.fetchall()] == ["Record"]
        cursor.execute('SELECT 1 AS "odd name", 2 AS "_x", 3 AS "1st"')
        row = cursor.fetchone()
        assert row == (1, 2, 3) and row.odd_name == 1


def test_factory_of_the_connection(driver: Driver) -> None:
    connection = driver.connect(cursor_factory=driver.extras.RealDictCursor)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchone() == {"one": 1}
        with connection.cursor(cursor_factory=driver.extensions.cursor) as plain:
            plain.execute("SELECT 1")
            assert plain.fetchone() == (1,)
    connection.cursor_factory = None
    assert one(connection.cursor(), "SELECT 1") == 1
    connection.close()


def test_cursor_subclasses(driver: Driver, connection: Any) -> None:
    class Counting(driver.extras.RealDictCursor):  # type: ignore[name-defined,misc]
        statements = 0

        def execute(self, query: Any, vars: Any = None) -> Any:
            self.statements += 1
            return super().execute(query, vars)

    with connection.cursor(cursor_factory=Counting) as cursor:
        cursor.execute("SELECT %s AS a", (1,))
        assert cursor.fetchone() == {"a": 1} and cursor.statements == 1


# Many at once


def test_executemany(cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE many (a int, b text) ON COMMIT DROP")
    cursor.executemany("INSERT INTO many VALUES (%s, %s)", [(n, f"it's {n}") for n in range(300)])
    assert one(cursor, "SELECT count(*) || ' ' || sum(a) FROM many") == "300 44850"
    cursor.executemany("UPDATE many SET b = %(b)s WHERE a = %(a)s", ({"a": n, "b": None} for n in range(5)))
    assert one(cursor, "SELECT count(*) FROM many WHERE b IS NULL") == 5
    cursor.executemany("INSERT INTO many VALUES (%s, %s)", [])
    cursor.executemany("INSERT INTO many VALUES (%s, %s)", [(None, 1), (2, None)])


def test_executemany_stops_at_an_error(driver: Driver, connection: Any, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE stopped (a int PRIMARY KEY) ON COMMIT DROP")
    with pytest.raises(driver.errors.UniqueViolation):
        cursor.executemany("INSERT INTO stopped VALUES (%s)", [(1,), (2,), (1,), (3,)])
    with pytest.raises(driver.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")


def test_executemany_with_autocommit_keeps_what_came_before_an_error(driver: Driver, connection: Any, cursor: Any) -> None:
    connection.autocommit = True
    cursor.execute("DROP TABLE IF EXISTS stopped_alone; CREATE TABLE stopped_alone (a int PRIMARY KEY)")
    with pytest.raises(driver.errors.UniqueViolation):
        cursor.executemany("INSERT INTO stopped_alone VALUES (%s)", [(1,), (2,), (1,), (3,)])
    assert one(cursor, "SELECT array_agg(a ORDER BY a) FROM stopped_alone") == [1, 2]
    cursor.execute("DROP TABLE stopped_alone")


def test_executemany_has_no_results(driver: Driver, cursor: Any) -> None:
    cursor.executemany("SELECT %s", [(1,), (2,)])
    with pytest.raises(driver.module.ProgrammingError, match="no results to fetch"):
        cursor.fetchall()


def test_execute_values(driver: Driver, cursor: Any) -> None:
    execute_values = driver.extras.execute_values
    cursor.execute("CREATE TEMPORARY TABLE valued (a int, b text, c numeric DEFAULT 7) ON COMMIT DROP")
    execute_values(cursor, "INSERT INTO valued (a, b) VALUES %s", [(n, f"100% {n}") for n in range(250)])
    assert cursor.rowcount == 50 and one(cursor, "SELECT count(*) FROM valued") == 250
    got = execute_values(
        cursor, "INSERT INTO valued (a, b) VALUES %s RETURNING a", [(n, None) for n in range(250, 480)], fetch=True
    )
    assert [row[0] for row in got] == list(range(250, 480))
    execute_values(
        cursor, "UPDATE valued SET b = v.b FROM (VALUES %s) AS v (a, b) WHERE valued.a = v.a", [(1, "x"), (2, "y")]
    )
    assert cursor.rowcount == 2
    execute_values(
        cursor, "INSERT INTO valued VALUES %s", [{"a": 900, "b": "d"}], template="(%(a)s, %(b)s, 1 + 1)", page_size=10
    )
    cursor.execute("SELECT b, c FROM valued WHERE a = 900 AND b LIKE 'd%'")
    assert cursor.fetchone() == ("d", Decimal(2))
    assert execute_values(cursor, "INSERT INTO valued (a) VALUES %s RETURNING a", [], fetch=True) == []
    for statement in ("INSERT INTO valued", "INSERT INTO valued VALUES %s, %s"):
        with pytest.raises(ValueError):
            execute_values(cursor, statement, [(1,)])


def test_execute_batch(driver: Driver, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE batched (a int) ON COMMIT DROP")
    driver.extras.execute_batch(cursor, "INSERT INTO batched VALUES (%s)", [(n,) for n in range(250)], page_size=100)
    assert one(cursor, "SELECT count(*) FROM batched") == 250


# COPY


def test_copy_expert(driver: Driver, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE copied (a int, b text) ON COMMIT DROP")
    cursor.copy_expert("COPY copied FROM STDIN WITH (FORMAT csv)", io.StringIO('1,one\n2,"it\'s, ü"\n'))
    assert cursor.rowcount == 2
    cursor.copy_expert("COPY copied FROM STDIN", io.BytesIO(b"3\t\\N\n"))
    text = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT WITH CSV HEADER", text)
    assert text.getvalue() == 'a,b\n1,one\n2,"it\'s, ü"\n3,\n' and cursor.rowcount == 3
    octets = io.BytesIO()
    cursor.copy_expert("COPY copied TO STDOUT", octets, 4096)
    assert octets.getvalue() == "1\tone\n2\tit's, ü\n3\t\\N\n".encode()


def test_copy_of_much(driver: Driver, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE much (a int, b text) ON COMMIT DROP")
    lines = "".join(f"{n}\t{'x' * 100}\n" for n in range(30_000))
    cursor.copy_expert("COPY much FROM STDIN", io.StringIO(lines))
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM much ORDER BY a) TO STDOUT", out)
    assert out.getvalue() == lines


def test_copy_that_fails(driver: Driver, connection: Any, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE refused (a int) ON COMMIT DROP")
    with pytest.raises(driver.module.DataError):
        cursor.copy_expert("COPY refused FROM STDIN", io.StringIO("1\nx\n"))
    connection.rollback()

    class Broken(io.StringIO):
        def read(self, *_: Any) -> str:
            raise ZeroDivisionError

    cursor.execute("CREATE TEMPORARY TABLE refused (a int) ON COMMIT DROP")
    with pytest.raises((ZeroDivisionError, driver.module.Error)):
        cursor.copy_expert("COPY refused FROM STDIN", Broken())
    connection.rollback()
    assert one(cursor, "SELECT 1") == 1


def test_copy_from_and_to(driver: Driver, cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE old (a int, b text) ON COMMIT DROP")
    cursor.copy_from(io.StringIO("1|x\n2|-\n"), "old", sep="|", null="-", columns=("a", "b"))
    out = io.StringIO()
    cursor.copy_to(out, "old", sep="|", null="-")
    assert out.getvalue() == "1|x\n2|-\n"


# Cursors in the server


def test_named_cursor(driver: Driver, connection: Any) -> None:
    with connection.cursor("watched") as cursor:
        assert cursor.name == "watched" and cursor.itersize == 2000
        cursor.itersize = 7
        cursor.execute("SELECT n AS number FROM generate_series(1, %s) n", (20,))
        assert cursor.fetchone() == (1,) and cursor.description[0][0] == "number"
        assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
        assert [number for (number,) in cursor] == list(range(5, 21))
        assert cursor.fetchone() is None
    with pytest.raises(driver.module.Error), connection.cursor() as other:
        other.execute("FETCH 1 FROM watched")


def test_named_cursor_reads_in_pieces(driver: Driver, connection: Any) -> None:
    with connection.cursor() as other:
        other.execute("CREATE SEQUENCE pieces")
        with connection.cursor('odd "name') as cursor:
            cursor.itersize = 10
            cursor.execute("SELECT nextval('pieces') FROM generate_series(1, 1000)")
            rows: Iterator[Any] = iter(cursor)
            assert next(rows) == (1,)
            assert one(other, "SELECT last_value FROM pieces") == 10


def test_named_cursor_with_a_shape(driver: Driver, connection: Any) -> None:
    with connection.cursor("shaped", cursor_factory=driver.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT 1 AS a UNION ALL SELECT 2")
        assert cursor.fetchall() == [{"a": 1}, {"a": 2}]


def test_named_cursor_scrolls(driver: Driver, connection: Any) -> None:
    with connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT generate_series(1, 9)")
        cursor.scroll(4)
        assert cursor.fetchone() == (5,)
        cursor.scroll(0, "absolute")
        assert cursor.fetchone() == (1,)


def test_named_cursor_needs_a_transaction(driver: Driver, connection: Any) -> None:
    connection.autocommit = True
    cursor = connection.cursor("alone")
    with pytest.raises(driver.module.ProgrammingError, match="can't use a named cursor outside of transactions"):
        cursor.execute("SELECT 1")


def test_named_cursor_executes_once(driver: Driver, connection: Any) -> None:
    cursor = connection.cursor("once")
    cursor.execute("SELECT 1")
    with pytest.raises(driver.module.ProgrammingError):
        cursor.execute("SELECT 2")
    connection.rollback()
    with pytest.raises(driver.module.ProgrammingError):
        connection.cursor("never").executemany("SELECT %s", [(1,)])


# What the server says on the side


def test_notices(connection: Any, cursor: Any) -> None:
    cursor.execute("DO $$ BEGIN RAISE NOTICE 'first'; RAISE WARNING 'it''s %', 2; END $$")
    assert connection.notices[-2:] == ["NOTICE:  first\n", "WARNING:  it's 2\n"]
    for _ in range(60):
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'again'; END $$")
    assert len(connection.notices) == 50
