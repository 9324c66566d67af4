"""Every type there and back, and what comes out of Postgres' own types."""

from __future__ import annotations

import importlib
import ipaddress
import math
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from .drivers import Driver
from .test_parameters import one

EAST = timezone(timedelta(hours=5, minutes=30))

VALUES = [
    (None, "text"),
    (True, "bool"),
    (False, "bool"),
    *[(n, "int2") for n in (0, -1, 32767, -32768)],
    *[(n, "int4") for n in (2**31 - 1, -(2**31))],
    *[(n, "int8") for n in (2**63 - 1, -(2**63))],
    *[(n, "numeric") for n in (10**40, -(10**40))],
    *[(x, "float8") for x in (0.0, -0.0, 1.5, -1e300, 5e-324, math.inf, -math.inf, 0.1)],
    *[(x, "float4") for x in (1.5, -0.25, math.inf)],
    *[
        (Decimal(d), "numeric")
        for d in ("0", "1.50", "-0.001", "1e20", "123456789.123456789", "0.00001", "1E-30", "10000", "100000000")
    ],
    ("text", "text"),
    ("", "text"),
    ("bpchar", "char(6)"),
    ("varchar", "varchar(10)"),
    ("name", "name"),
    (date(2026, 1, 2), "date"),
    (date(1, 1, 1), "date"),
    (date(9999, 12, 31), "date"),
    (time(1, 2, 3, 4), "time"),
    (time(0, 0), "time"),
    (time(23, 59, 59, 999999), "time"),
    (time(1, 2, 3, tzinfo=EAST), "timetz"),
    (datetime(2026, 1, 2, 3, 4, 5, 6), "timestamp"),
    (datetime(1, 1, 1), "timestamp"),
    (datetime(9999, 12, 31, 23, 59, 59, 999999), "timestamp"),
    (datetime(2026, 7, 2, 3, 4, 5, 6, tzinfo=timezone.utc), "timestamptz"),
    (datetime(1900, 1, 2, 3, 4, 5, tzinfo=EAST), "timestamptz"),
    (timedelta(0), "interval"),
    (timedelta(days=3, hours=4, microseconds=5), "interval"),
    (timedelta(days=-3, hours=4), "interval"),
    (timedelta(days=10000), "interval"),
    ([1, 2, None], "int[]"),
    ([], "int[]"),
    ([[1, 2], [3, None]], "int[]"),
    (["a", None, 'q"uo,te\\s{}', "NULL", "", " "], "text[]"),
    ([True, None], "bool[]"),
    ([Decimal("1.5"), None], "numeric[]"),
    ([1.5, None], "float8[]"),
    ([date(2026, 1, 2), None], "date[]"),
    ([datetime(2026, 1, 2, tzinfo=timezone.utc)], "timestamptz[]"),
    ([datetime(2026, 1, 2)], "timestamp[]"),
    ([timedelta(days=1)], "interval[]"),
]


@pytest.mark.parametrize(("value", "kind"), VALUES, ids=repr)
def test_there_and_back(cursor: Any, value: Any, kind: str) -> None:
    # CAST and not ::, which binds closer than the minus of a literal.
    got = one(cursor, f"SELECT CAST(%s AS {kind})", (value,))
    assert got == value and type(got) is (Decimal if kind == "numeric" else type(value))
    cursor.execute(f"CREATE TEMPORARY TABLE kept (x {kind}) ON COMMIT DROP")
    cursor.execute("INSERT INTO kept VALUES (%(x)s) RETURNING x", {"x": value})
    assert cursor.fetchone() == (value,)
    # An array has its type from its elements: 1.5 is a numeric.
    place = f"CAST(%s AS {kind})" if isinstance(value, list) else "%s"
    assert one(cursor, f"SELECT count(*) FROM kept WHERE x IS NOT DISTINCT FROM {place}", (value,)) == 1


def test_not_a_number(cursor: Any) -> None:
    assert math.isnan(one(cursor, "SELECT %s::float8", (math.nan,)))
    assert one(cursor, "SELECT %s::numeric", (Decimal("NaN"),)).is_nan()


def test_binary(cursor: Any) -> None:
    for octets in (b"", b"\x00'\\\xff", bytearray(b"ab"), memoryview(b"abc")):
        got = one(cursor, "SELECT %s::bytea", (octets,))
        assert isinstance(got, memoryview) and bytes(got) == bytes(octets)
    assert [bytes(part) for part in one(cursor, "SELECT %s::bytea[]", ([b"a\x00", b"'"],))] == [b"a\x00", b"'"]


def test_binary_constructor(driver: Driver, cursor: Any) -> None:
    assert bytes(one(cursor, "SELECT %s", (driver.module.Binary(b"\x00x"),))) == b"\x00x"


# JSON


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_json(driver: Driver, cursor: Any, kind: str) -> None:
    document = {"a": [1, 2.5, None, True, {"b": 'it\'s \\ "ü"'}], "": {}}
    got = one(cursor, f"SELECT %s::{kind}", (driver.extras.Json(document),))
    assert got == document
    cursor.execute(f"CREATE TEMPORARY TABLE documents (x {kind}) ON COMMIT DROP")
    cursor.execute(
        "INSERT INTO documents VALUES (%s), (%s) RETURNING x", (driver.extras.Json([]), driver.extras.Json(None))
    )
    assert cursor.fetchall() == [([],), (None,)]
    assert one(cursor, f"SELECT array['1'::{kind}, 'null', '[1]']") == [1, None, [1]]


def test_json_with_own_dumps(driver: Driver, cursor: Any) -> None:
    wrapped = driver.extras.Json(
        {"when": date(2026, 1, 2)}, dumps=lambda document: repr(str(document["when"])).replace("'", '"')
    )
    assert one(cursor, "SELECT %s::jsonb", (wrapped,)) == "2026-01-02"


def test_dict_needs_a_wrapper(driver: Driver, cursor: Any) -> None:
    with pytest.raises(driver.module.ProgrammingError, match="can't adapt type 'dict'"):
        cursor.execute("SELECT %s", ({"a": 1},))


# What psycopg2 wants registered first, and ferricorn.db knows


def test_uuid(driver: Driver, connection: Any, cursor: Any) -> None:
    value = uuid.UUID("12345678-1234-5678-1234-567812345678")
    if not driver.ours:
        driver.extras.register_uuid(conn_or_curs=connection)
    assert one(cursor, "SELECT %s::uuid", (value,)) == value
    assert one(cursor, "SELECT %s", (value,)) == value
    assert one(cursor, "SELECT %s::uuid[]", ([value],)) == [value]
    assert one(cursor, "SELECT %s = ANY(%s)", (value, [value])) is True


def test_networks(driver: Driver, cursor: Any) -> None:
    # psycopg2 gives text unless it was told otherwise.
    cursor.execute(
        "SELECT '10.1.2.3'::inet, '10.1.2.0/24'::cidr, '::1'::inet, '10.1.2.3/8'::inet, '08:00:2b:01:02:03'::macaddr"
    )
    assert cursor.fetchone() == ("10.1.2.3", "10.1.2.0/24", "::1", "10.1.2.3/8", "08:00:2b:01:02:03")
    if driver.ours:
        for value in (
            ipaddress.ip_address("10.1.2.3"),
            ipaddress.ip_interface("10.1.2.3/8"),
            ipaddress.ip_network("10.0.0.0/8"),
        ):
            assert one(cursor, "SELECT %s::inet::text", (value,)).startswith("10.")


# Enums, composites, domains, ranges


@pytest.fixture
def types(driver: Driver) -> Any:
    """Types of the database's own, seen by every connection."""
    connection = driver.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TYPE IF EXISTS part, mood CASCADE; CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy'); DROP DOMAIN IF EXISTS grade;"
            "CREATE DOMAIN grade AS int CHECK (VALUE BETWEEN 1 AND 6); CREATE TYPE part AS (name text, price numeric, feeling mood)"
        )
    connection.commit()
    connection.close()
    connection = driver.connect()
    yield connection.cursor()
    connection.close()


def test_enums(types: Any) -> None:
    assert one(types, "SELECT 'happy'::mood") == "happy"
    assert one(types, "SELECT %s::mood", ("it's ok",)) == "it's ok"
    types.execute("CREATE TEMPORARY TABLE felt (x mood, y mood[]) ON COMMIT DROP")
    types.execute("INSERT INTO felt VALUES (%s, %s::mood[]) RETURNING x", ("sad", ["happy", None]))
    assert types.fetchone() == ("sad",)
    assert one(types, "SELECT count(*) FROM felt WHERE x = %s AND x IN %s", ("sad", ("sad", "happy"))) == 1


def test_arrays_of_enums(driver: Driver, types: Any) -> None:
    # psycopg2 does not know the array type that Postgres made with the enum, and gives its text.
    expected = ["sad", None] if driver.ours else "{sad,NULL}"
    assert one(types, "SELECT ARRAY['sad', NULL]::mood[]") == expected


def test_python_enum_needs_its_value(driver: Driver, types: Any) -> None:
    class Mood(Enum):
        HAPPY = "happy"

    with pytest.raises(driver.module.ProgrammingError, match="can't adapt type 'Mood'"):
        types.execute("SELECT %s::mood", (Mood.HAPPY,))


def test_domains(driver: Driver, types: Any) -> None:
    assert one(types, "SELECT 5::grade") == 5
    with pytest.raises(driver.errors.CheckViolation):
        types.execute("SELECT %s::grade", (7,))


def test_composites(driver: Driver, types: Any) -> None:
    # As text, as long as nobody has registered the type.
    assert one(types, "SELECT ROW('it''s, \"x\"', 1.50, 'sad')::part") == '("it\'s, ""x""",1.50,sad)'
    assert one(types, "SELECT %s::part::text", (("a", Decimal("2.5"), "sad"),)) == "(a,2.5,sad)"
    assert one(types, "SELECT (%s::part).price", (("a", Decimal("2.5"), None),)) == Decimal("2.5")


def test_registered_composites(driver: Driver, types: Any) -> None:
    driver.extras.register_composite("part", types)
    got = one(types, "SELECT ROW('a', 1.50, 'sad')::part")
    assert got == ("a", Decimal("1.50"), "sad") and got.price == Decimal("1.50")
    assert one(types, "SELECT NULL::part") is None


def test_ranges(driver: Driver, cursor: Any) -> None:
    extras = driver.extras
    for value, kind in [
        (extras.NumericRange(1, 5), "int4range"),
        (extras.NumericRange(None, 10**12, "()"), "int8range"),
        (extras.NumericRange(Decimal("1.5"), Decimal("2.5"), "[]"), "numrange"),
        (extras.NumericRange(empty=True), "int4range"),
        (extras.DateRange(date(2026, 1, 1), date(2026, 2, 1)), "daterange"),
        (extras.DateTimeRange(datetime(2026, 1, 1), None), "tsrange"),
        (extras.DateTimeTZRange(datetime(2026, 1, 1, tzinfo=timezone.utc), None, "()"), "tstzrange"),
    ]:
        got = one(cursor, f"SELECT %s::{kind}", (value,))
        assert got == value and type(got) is type(value), kind
        assert got.isempty == value.isempty
    assert one(cursor, "SELECT 3 <@ %s::int4range", (extras.NumericRange(1, 5),)) is True
    assert one(cursor, "SELECT ARRAY['[1,3)'::int4range]") == [extras.NumericRange(1, 3)]


def test_the_bounds_of_a_range_stay_values(driver: Driver, cursor: Any) -> None:
    """Of a bound that is text nothing becomes part of the statement; psycopg2 writes it as it is."""
    if not driver.ours:
        return
    extras = driver.extras
    for text in ["1)', 'more', '", "1,2", '"', "\\", "it's"]:
        for value in (extras.NumericRange(text, None), extras.NumericRange(None, text)):
            cursor.execute("SELECT %s::text", (value,))
            ((got,),) = cursor.fetchall()
            assert got[1:-1].strip(",") == '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert one(cursor, "SELECT %s::int4range", (extras.NumericRange("1", "5"),)) == extras.NumericRange(1, 5)
    got = one(cursor, "SELECT %s::numrange", (extras.NumericRange(Decimal(1), float("inf")),))
    assert got == extras.NumericRange(Decimal(1), Decimal("Infinity"))


# What Python has no place for


@pytest.mark.parametrize(
    "literal",
    [
        "'infinity'::timestamp",
        "'-infinity'::timestamptz",
        "'0044-03-15 BC'::date",
        "'12000-01-01'::date",
        "'12000-01-01'::timestamp",
        "'294276-12-31'::timestamptz",
    ],
)
def test_dates_out_of_range(driver: Driver, connection: Any, cursor: Any, literal: str) -> None:
    # psycopg2 gives the largest and smallest datetime for infinity, which is not what the database said; ferricorn.db does not.
    if not driver.ours and "infinity" in literal:
        cursor.execute(f"SELECT {literal}")
        assert cursor.fetchone()[0].replace(tzinfo=None) in (datetime.max, datetime.min)
        return
    with pytest.raises((driver.module.DataError, *(() if driver.ours else (ValueError, OverflowError)))) as caught:
        cursor.execute(f"SELECT {literal}")
        cursor.fetchone()
    assert str(caught.value)
    assert one(cursor, "SELECT 1") == 1


def test_intervals_with_months(cursor: Any) -> None:
    # A month is thirty days and a year 365, as in psycopg2.
    assert one(cursor, "SELECT '1 year 2 mons 3 days 04:05:06.789'::interval") == timedelta(
        days=428, hours=4, minutes=5, seconds=6.789
    )
    assert one(cursor, "SELECT '-1 mons +2 days'::interval") == timedelta(days=-28)
    assert one(cursor, "SELECT '-00:00:00.000001'::interval") == timedelta(microseconds=-1)


def test_aware_datetimes_carry_the_session_offset(cursor: Any) -> None:
    for zone, hours in (("UTC", 0), ("Asia/Kolkata", 5.5), ("America/New_York", -5)):
        cursor.execute("SELECT set_config('TimeZone', %s, true)", (zone,))
        got = one(cursor, "SELECT '2026-01-15 12:00:00+00'::timestamptz")
        assert got == datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
        assert got.utcoffset() == timedelta(hours=hours)


def test_types_that_come_as_text(cursor: Any) -> None:
    for literal, text in [
        ("B'1010'::bit(4)", "1010"),
        ("B'101'::varbit", "101"),
        ("'12.34'::money", "$12.34"),
        ("'(1,2)'::point", "(1,2)"),
        ("'a'::\"char\"", "a"),
        ("'<a>b</a>'::xml", "<a>b</a>"),
        ("'fat & cat'::tsquery", "'fat' & 'cat'"),
        ("'cat:1'::tsvector", "'cat':1"),
        ("'pg_class'::regclass", "pg_class"),
        ("'16/B374D848'::pg_lsn", "16/B374D848"),
        ("'08:00:2b:01:02:03:04:05'::macaddr8", "08:00:2b:01:02:03:04:05"),
        ("'$.a'::jsonpath", '$."a"'),
        ("'[(0,0),(1,1)]'::lseg", "[(0,0),(1,1)]"),
        ("'<(0,0),1>'::circle", "<(0,0),1>"),
        ("'(1,1),(0,0)'::box", "(1,1),(0,0)"),
        ("'5'::xid", "5"),
        ("'(0,1)'::tid", "(0,1)"),
        ("'int4'::regtype", "integer"),
        ("ROW(1, 'a')", "(1,a)"),
        ("'{[1,3)}'::int4multirange", "{[1,3)}"),
        ("ARRAY['(1,2)'::point]", '{"(1,2)"}'),
    ]:
        assert one(cursor, f"SELECT {literal}") == text, literal


def test_oids_and_void(cursor: Any) -> None:
    cursor.execute("SELECT 42::oid, pg_sleep(0), ARRAY[1::oid], 'x'::unknown")
    assert cursor.fetchone() == (42, "", [1], "x")


def test_arrays_with_bounds_and_blanks(cursor: Any) -> None:
    assert one(cursor, "SELECT '[2:3]={7,8}'::int[]") == [7, 8]
    assert one(cursor, "SELECT ARRAY[NULL, NULL]::text[]") == [None, None]
    assert one(cursor, "SELECT '{}'::text[]") == []
    assert one(cursor, "SELECT ARRAY[[['a']]]") == [[["a"]]]
    assert one(cursor, "SELECT ARRAY['10.0.0.1'::inet]") in (["10.0.0.1"], "{10.0.0.1}")


@pytest.mark.parametrize("text", ["", "[", "[]", "é", "[1", "1,2]x"])
def test_range_that_is_none(text: str) -> None:
    """No server sends this; whatever does is answered with an error, not with the end of the process."""
    native = pytest.importorskip("ferricorn._ferricorn").db
    module = importlib.import_module("ferricorn.db")
    with pytest.raises(module.InterfaceError, match="is not a"):
        native.decode_text(3904, text, object())
