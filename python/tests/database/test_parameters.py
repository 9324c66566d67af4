"""Statements and their parameters: what is a placeholder and what is not, how values get in, what is refused before anything is sent."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from .drivers import Driver


def one(cursor: Any, statement: str, parameters: Any = None) -> Any:
    """The only value of the only row."""
    cursor.execute(statement, parameters)
    rows = cursor.fetchall()
    assert len(rows) == 1 and len(rows[0]) == 1
    return rows[0][0]


# Placeholders


def test_positional_and_named(cursor: Any) -> None:
    assert one(cursor, "SELECT %s || %s", ("a", "b")) == "ab"
    assert one(cursor, "SELECT %s::int + %s::int", [1, 2]) == 3
    assert one(cursor, "SELECT %(a)s || %(b)s || %(a)s", {"a": "x", "b": "y", "unused": object()}) == "xyx"


def test_percent_signs(cursor: Any) -> None:
    # Without parameters nothing is special, with them %% is one percent sign, wherever it stands.
    assert one(cursor, "SELECT 'abc' LIKE 'a%'") is True
    assert one(cursor, "SELECT '%s %% %(x)s'") == "%s %% %(x)s"
    assert one(cursor, "SELECT 'abc' LIKE 'a%%' AND %s", (True,)) is True
    assert one(cursor, "SELECT '100%%' || %s", ("!",)) == "100%!"
    assert one(cursor, "SELECT 7 %% %s", (4,)) == 3
    assert one(cursor, "SELECT %s LIKE %s", ("a%b", "a\\%_")) is True


@pytest.mark.parametrize("empty", [(), [], {}])
def test_no_parameters_are_parameters_all_the_same(cursor: Any, empty: Any) -> None:
    assert one(cursor, "SELECT '%%'", empty) == "%"
    assert one(cursor, "SELECT '%%'", None) == "%%"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'it''s ' || %s",
        "SELECT E'it\\'s ' || %s",
        "SELECT $$it's $$ || %s",
        "SELECT $a$it's $a$ || %s",
        "SELECT /* it's */ 'it''s ' || %s",
        "SELECT /* nested /* it's */ */ 'it''s ' || %s",
        "SELECT -- it's\n 'it''s ' || %s",
        "SELECT U&'it\\0027s ' || %s",
        """SELECT "it's"."?column?" || %s FROM (SELECT 'it''s ') AS "it's" """,
    ],
)
def test_quotes_do_not_hide_placeholders_behind_them(cursor: Any, statement: str) -> None:
    assert one(cursor, statement, ("here",)) == "it's here"


def test_question_marks_and_dollars_are_text(cursor: Any) -> None:
    assert one(cursor, """SELECT '{"a": 1}'::jsonb ? %s""", ("a",)) is True
    assert one(cursor, "SELECT '$1 ?' || %s", (" $2",)) == "$1 ? $2"
    assert one(cursor, "SELECT %s", ("$1 %s %(x)s %%",)) == "$1 %s %(x)s %%"


def test_same_statement_with_other_types(cursor: Any) -> None:
    # Nothing about a statement may be remembered from its first parameters.
    for value in (1, "text", 1.5, None, Decimal("2.50"), True, 10**12, 10**30, date(2026, 1, 2)):
        assert one(cursor, "SELECT %s", (value,)) == value


# Values where text would not do


def test_tuples_for_in(cursor: Any) -> None:
    assert one(cursor, "SELECT 2 IN %s", ((1, 2, 3),)) is True
    assert one(cursor, "SELECT 'b' IN %s", (("a", "it's"),)) is False
    assert one(cursor, "SELECT (1, 'a') IN %s", (((1, "a"), (2, "b")),)) is True
    cursor.execute(
        "SELECT n FROM generate_series(1, 9) n WHERE n IN %(these)s AND n NOT IN %(those)s ORDER BY n",
        {"these": (1, 2, 3, 4), "those": (2, 3)},
    )
    assert cursor.fetchall() == [(1,), (4,)]


def test_lists_for_any(cursor: Any) -> None:
    assert one(cursor, "SELECT 2 = ANY(%s)", ([1, 2, 3],)) is True
    assert one(cursor, "SELECT 'b' = ANY(%s)", (["a", "b"],)) is True
    assert one(cursor, "SELECT 4 = ANY(%s)", ([],)) is False
    cursor.execute("SELECT oid FROM pg_type WHERE oid = ANY(%s) ORDER BY oid", ([23, 25],))
    assert cursor.fetchall() == [(23,), (25,)]


def test_types_are_inferred_from_where_a_value_goes(cursor: Any) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE inferred (i int2, big int8, n numeric(6,2), f float8, t text, v varchar(10), "
        "d date, ts timestamptz, u uuid, j jsonb, b bytea, flag bool, iv interval, a int[], ip inet) ON COMMIT DROP"
    )
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    cursor.execute(
        "INSERT INTO inferred VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            "1",
            2,
            "3.456",
            4,
            "five",
            "six",
            "2026-03-01",
            moment.isoformat(),
            str(uuid.UUID(int=7)),
            '{"k": 8}',
            b"9",
            "yes",
            timedelta(hours=1),
            "{1,2}",
            "10.0.0.1",
        ),
    )
    cursor.execute("SELECT i, big, n, f, t, v, d, ts, j, flag, iv, a, ip FROM inferred")
    assert cursor.fetchone() == (
        1,
        2,
        Decimal("3.46"),
        4.0,
        "five",
        "six",
        date(2026, 3, 1),
        moment,
        {"k": 8},
        True,
        timedelta(hours=1),
        [1, 2],
        "10.0.0.1",
    )


def test_where_sql_wants_a_literal(cursor: Any) -> None:
    # psycopg2 writes values into the text, so they may stand where Postgres takes no parameters.
    assert one(cursor, "SELECT INTERVAL %s", ("1 hour",)) == timedelta(hours=1)
    assert one(cursor, "SELECT DATE %s", ("2026-01-02",)) == date(2026, 1, 2)
    cursor.execute("SELECT n FROM generate_series(1, 3) n ORDER BY 1 LIMIT %s OFFSET %s", (1, 1))
    assert cursor.fetchall() == [(2,)]
    cursor.execute("SET LOCAL statement_timeout = %s", (12345,))
    assert one(cursor, "SHOW statement_timeout") == "12345ms"
    cursor.execute("SET LOCAL application_name TO %s", ("it's \\ me",))
    assert one(cursor, "SHOW application_name") == "it's \\ me"
    cursor.execute("CREATE TEMPORARY TABLE literal (x text DEFAULT %s) ON COMMIT DROP", ("it's",))
    cursor.execute("INSERT INTO literal DEFAULT VALUES RETURNING x")
    assert cursor.fetchone() == ("it's",)


def test_several_statements_in_one(cursor: Any) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE several (x int) ON COMMIT DROP; INSERT INTO several VALUES (%s), (%s); SELECT sum(x) FROM several;",
        (1, 2),
    )
    assert cursor.fetchall() == [(3,)]


def test_one_value_for_several_types(cursor: Any) -> None:
    # With $1 in both places Postgres would have to find one type for both.
    cursor.execute("SELECT %(v)s::text, %(v)s::int, %(v)s::numeric", {"v": "12"})
    assert cursor.fetchone() == ("12", 12, Decimal(12))
    cursor.execute("SELECT %(v)s::text, %(v)s + 1", {"v": 5})
    assert cursor.fetchone() == ("5", 6)


def test_untyped_values_alone(cursor: Any) -> None:
    cursor.execute("SELECT %s, %s, %s, %s, %s", ("a", None, 1, 2.5, b"\x00\xff"))
    row = cursor.fetchone()
    assert row[:4] == ("a", None, 1, Decimal("2.5")) or row[:4] == ("a", None, 1, 2.5)
    assert bytes(row[4]) == b"\x00\xff"
    cursor.execute("SELECT coalesce(%s, %s), concat(%s, %s), greatest(%s, %s)", (None, "x", "a", 1, 3, 7))
    assert cursor.fetchone() == ("x", "a1", 7)
    cursor.execute("SELECT json_build_object('k', %s, 'n', %s), to_jsonb(%s::text)", ("v", 1, "t"))
    assert cursor.fetchone() == ({"k": "v", "n": 1}, "t")
    cursor.execute("SELECT CASE WHEN %s THEN %s ELSE %s END", (True, "yes", "no"))
    assert cursor.fetchone() == ("yes",)
    cursor.execute("SELECT * FROM (VALUES (%s, %s), (%s, %s)) v (a, b) ORDER BY a", (2, "b", 1, "a"))
    assert cursor.fetchall() == [(1, "a"), (2, "b")]


def test_arithmetic_with_dates(cursor: Any) -> None:
    cursor.execute(
        "SELECT %s - interval '1 day', %s + %s, %s - %s",
        (datetime(2026, 1, 2), date(2026, 1, 1), timedelta(days=1), date(2026, 1, 3), date(2026, 1, 1)),
    )
    assert cursor.fetchone() == (datetime(2026, 1, 1), datetime(2026, 1, 2), 2)
    assert one(cursor, "SELECT now() - %s > now() - %s", (timedelta(hours=1), timedelta(hours=2))) is True
    assert one(cursor, "SELECT extract(year FROM %s)::int", (date(2026, 1, 1),)) == 2026


# Sizes and characters


@pytest.mark.parametrize(
    "text", ["", "it's", 'say "hi"', "back\\slash", "\\'", "a\nb\tc\r\n", "Ünïcödé ß 漢字 🦀", "\u202e\u200b", "%s"]
)
def test_text_arrives_as_it_is(cursor: Any, text: str) -> None:
    assert one(cursor, "SELECT %s", (text,)) == text
    assert one(cursor, "SELECT %s::text || %s", (text, text)) == text + text
    cursor.execute("SELECT %s::text[]", ([text, None, text],))
    assert cursor.fetchone() == ([text, None, text],)


def test_large_values(cursor: Any) -> None:
    text, octets = "ü" * 2_000_000, bytes(range(256)) * 12_000
    assert one(cursor, "SELECT %s", (text,)) == text
    assert bytes(one(cursor, "SELECT %s", (octets,))) == octets
    assert one(cursor, "SELECT array_length(%s, 1)", (list(range(50_000)),)) == 50_000


def test_more_parameters_than_the_protocol_has(cursor: Any) -> None:
    # The protocol counts parameters in 16 bits; psycopg2 sends none.
    assert (
        one(cursor, "SELECT count(*) FROM (VALUES " + ", ".join(["(%s)"] * 70_000) + ") v", list(range(70_000)))
        == 70_000
    )


def test_nul_in_text_is_refused_before_anything_is_sent(driver: Driver, connection: Any, cursor: Any) -> None:
    cursor.execute("SELECT 1")
    with pytest.raises(ValueError, match="NUL"):
        cursor.execute("SELECT %s", ("a\x00b",))
    assert one(cursor, "SELECT 2") == 2


# Mistakes


@pytest.mark.parametrize(
    ("statement", "parameters", "error"),
    [
        ("SELECT %s, %s", (1,), IndexError),
        ("SELECT %s", (1, 2), TypeError),
        ("SELECT %(a)s", {"b": 1}, KeyError),
        ("SELECT %(a)s", (1,), TypeError),
        ("SELECT %s", {"a": 1}, TypeError),
        ("SELECT %s", "ab", TypeError),
        ("SELECT %d", (1,), ValueError),
        ("SELECT %x", (1,), ValueError),
        ("SELECT 5 % 3, %s", (1,), IndexError),
        ("SELECT %", (1,), ValueError),
        ("SELECT %(a", {"a": 1}, None),
        ("SELECT %s", (object(),), None),
        ("SELECT %s", 5, TypeError),
    ],
)
def test_wrong_parameters_leave_the_transaction_usable(
    driver: Driver, cursor: Any, statement: str, parameters: Any, error: type[Exception] | None
) -> None:
    assert one(cursor, "SELECT 1") == 1
    with pytest.raises((error or driver.module.ProgrammingError, driver.module.ProgrammingError)) as caught:
        cursor.execute(statement, parameters)
    assert str(caught.value)
    assert one(cursor, "SELECT 2") == 2


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ((1,), "tuple index out of range: more placeholders than values (1)"),
        ([], "list index out of range: more placeholders than values (0)"),
        ((1, 2, 3), "not all arguments converted during string formatting: placeholders: 2, values: 3"),
    ],
)
def test_wrong_number_of_parameters_is_told(driver: Driver, cursor: Any, parameters: Any, words: str) -> None:
    """psycopg2 tells the first half."""
    told = words if driver.ours else words.split(":")[0]
    with pytest.raises((driver.module.ProgrammingError, IndexError, TypeError)) as caught:
        cursor.execute("SELECT %s, %s", parameters)
    assert str(caught.value) == told


def test_value_of_no_known_type_is_named(driver: Driver, cursor: Any) -> None:
    class Wheel:
        pass

    with pytest.raises(driver.module.ProgrammingError, match="can't adapt type 'Wheel'"):
        cursor.execute("SELECT %s", (Wheel(),))


def test_empty_statement(driver: Driver, cursor: Any) -> None:
    for statement in ("", "   ", ";", "-- nothing"):
        with pytest.raises(driver.module.ProgrammingError, match="can't execute an empty query"):
            cursor.execute(statement)


# mogrify


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-1, " -1"),
        (2.5, "2.5"),
        (-2.5, " -2.5"),
        (float("nan"), "'NaN'::float"),
        (float("inf"), "'Infinity'::float"),
        (Decimal("1.50"), "1.50"),
        (Decimal("NaN"), "'NaN'::numeric"),
        ("it's", "'it''s'"),
        ("back\\slash", "'back\\slash'"),
        ("", "''"),
        (b"\x00'\\", "'\\x00275c'::bytea"),
        (date(2026, 1, 2), "'2026-01-02'::date"),
        (datetime(2026, 1, 2, 3, 4, 5), "'2026-01-02T03:04:05'::timestamp"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "'2026-01-02T03:04:05+00:00'::timestamptz"),
        (timedelta(days=1, seconds=2, microseconds=3), "'1 days 2.000003 seconds'::interval"),
        ([1, None, 2], "ARRAY[1,NULL,2]"),
        ([], "'{}'"),
        ([[1], [2]], "ARRAY[ARRAY[1],ARRAY[2]]"),
        ((1, "a"), "(1, 'a')"),
        (["a", None], "ARRAY['a',NULL]"),
    ],
)
def test_mogrify_writes_literals(driver: Driver, cursor: Any, value: Any, literal: str) -> None:
    if driver.ours and "\\" in literal:
        # Right also where standard_conforming_strings is off; psycopg2 asks the connection whether it is.
        literal = " E" + literal.replace("\\", "\\\\")
    assert cursor.mogrify("SELECT %s", (value,)) == f"SELECT {literal}".encode()


def test_mogrify_of_a_statement(cursor: Any) -> None:
    assert cursor.mogrify("SELECT '%%', %(a)s -- %(a)s", {"a": "x"}) == b"SELECT '%', 'x' -- 'x'"
    assert cursor.mogrify("SELECT '%%'") == b"SELECT '%%'"


# psycopg2.sql


def test_composed_statements(driver: Driver, cursor: Any) -> None:
    sql = driver.submodule("sql")
    cursor.execute('CREATE TEMPORARY TABLE "odd ""name" (id serial, "a b" int, c text) ON COMMIT DROP')
    table = sql.Identifier('odd "name')
    columns = ["a b", "c"]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Placeholder() * 2),
        sql.Identifier("c"),
    )
    cursor.execute(statement, (1, "it's"))
    assert cursor.fetchone() == ("it's",)
    cursor.execute(sql.SQL("SELECT {}, {v} FROM {t}").format(sql.Literal("100%"), v=sql.Literal(5), t=table))
    assert cursor.fetchall() == [("100%", 5)]
    named = sql.SQL("SELECT {}").format(sql.Placeholder("x"))
    cursor.execute(named, {"x": 3})
    assert cursor.fetchone() == (3,)
    assert statement.as_string(cursor).startswith('INSERT INTO "odd ""name" ("a b", "c") VALUES (%s, %s)')


# Values of which a part is anybody's text


def test_scope_of_an_address_is_text(driver: Driver, connection: Any, cursor: Any) -> None:
    if not driver.ours:
        pytest.skip("psycopg2 takes addresses once register_ipaddress() has been called")
    address = ipaddress.ip_address("fe80::1%x'::inet, 'injected' --")
    assert cursor.mogrify("SELECT %s", (address,)) == b"SELECT 'fe80::1%x''::inet, ''injected'' --'::inet"
    with pytest.raises(driver.module.DataError):
        cursor.execute("SELECT %s", (address,))
    connection.rollback()
    assert one(cursor, "SELECT host(%s)", (ipaddress.ip_address("fe80::1"),)) == "fe80::1"


def test_own_words_of_a_subclass_stay_a_value(driver: Driver, cursor: Any) -> None:
    class Identity(uuid.UUID):
        def __str__(self) -> str:
            return "x', 'injected"

    class Number(Decimal):
        def __str__(self) -> str:
            return "1, 'injected', 1"

    if driver.ours:
        assert cursor.mogrify("SELECT %s", (Identity(int=1),)) == b"SELECT 'x'', ''injected'::uuid"
        assert cursor.mogrify("SELECT %s", (Number(1),)) == b"SELECT 'NaN'::numeric"


def test_lists_that_are_too_deep(driver: Driver, cursor: Any) -> None:
    if not driver.ours:
        pytest.skip("psycopg2 ends the process or raises RecursionError")
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    for value in (deep, endless, (endless,)):
        with pytest.raises(driver.module.DataError, match="deep"):
            cursor.execute("SELECT %s", (value,))
    assert one(cursor, "SELECT %s", ([[[1], [2]]],)) == [[[1], [2]]]
    # Python takes it apart without recursion only this way.
    while deep:
        deep = deep.pop()


def test_statement_with_nul(driver: Driver, connection: Any, cursor: Any) -> None:
    if not driver.ours:
        pytest.skip("psycopg2 sends what comes before it")
    with pytest.raises(driver.module.ProgrammingError, match="NUL"):
        cursor.execute("SELECT 'a\0b'")
    assert not connection.closed
    assert one(cursor, "SELECT 1") == 1
