"""What psycopg2 has in its module of this name, as far as it is here: cursors whose rows are dicts or named tuples, values
in bulk, types that have to be asked for."""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from ferricorn.db import _errors
from ferricorn.db._connection import connection
from ferricorn.db._cursor import DICT, LIST, Completed, cursor
from ferricorn.db._range import DateRange, DateTimeRange, DateTimeTZRange, NumericRange, Range
from ferricorn.db._types import Adapted, Json, new_array_type, new_type, register_adapter, register_type
from ferricorn.db.extensions import quote_ident

__all__ = [
    "CompositeCaster",
    "DateRange",
    "DateTimeRange",
    "DateTimeTZRange",
    "DictConnection",
    "DictCursor",
    "DictRow",
    "Inet",
    "Json",
    "NamedTupleConnection",
    "NamedTupleCursor",
    "NumericRange",
    "Range",
    "RealDictConnection",
    "RealDictCursor",
    "RealDictRow",
    "execute_batch",
    "execute_values",
    "quote_ident",
    "register_composite",
    "register_default_json",
    "register_default_jsonb",
    "register_inet",
    "register_ipaddress",
    "register_json",
    "register_uuid",
]

_UUID: Final = (2950,)
_UUID_ARRAY: Final = (2951,)
_JSON: Final = (114, 199)
_JSONB: Final = (3802, 3807)

RealDictRow = dict


class RealDictCursor(cursor):
    """Rows are dicts."""

    _shape = DICT


class DictRow(list):
    """A row whose values are found by number and by name."""

    __slots__ = ("_index",)

    def __init__(self, values: Iterable[Any], index: dict[str, int]) -> None:
        super().__init__(values)
        self._index = index

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key if isinstance(key, (int, slice)) else self._index[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key if isinstance(key, (int, slice)) else self._index[key], value)

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def keys(self) -> Iterator[str]:
        """Return the names of the columns."""
        return iter(self._index)

    def values(self) -> Iterator[Any]:
        """Return the values."""
        return (super(DictRow, self).__getitem__(number) for number in self._index.values())

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return names and values."""
        return ((name, super(DictRow, self).__getitem__(number)) for name, number in self._index.items())

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value by name, or the default if there is no such column."""
        return self[key] if key in self._index else default

    def copy(self) -> dict[str, Any]:  # type: ignore[override]
        """Return the row as a dict."""
        return dict(self.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return DictRow, (list(self), self._index)


class DictCursor(cursor):
    """Rows are lists whose values can be had by name, too."""

    _shape = LIST

    @property
    def index(self) -> dict[str, int]:
        """The columns' numbers by their names."""
        return {column.name: number for number, column in enumerate(self.description or ())}

    def _maker(self) -> Callable[[Any], DictRow]:
        index = self.index
        return lambda values: DictRow(values, index)


_NOT_IN_NAMES: Final = re.compile(r"[^\w]+")


@lru_cache(512)
def _record(names: tuple[str, ...]) -> Any:
    """Return a class of named tuples; what cannot be a name becomes one."""
    fields = []
    for name in names:
        field = _NOT_IN_NAMES.sub("_", name)
        fields.append("f" + field if not field or field[0] == "_" or field[0].isdigit() else field)
    return namedtuple("Record", fields, rename=True)


class NamedTupleCursor(cursor):
    """Rows are named tuples."""

    def _maker(self) -> Any:
        return _record(tuple(column.name for column in self.description or ()))._make


class RealDictConnection(connection):
    """A connection whose cursors give dicts."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.cursor_factory = self.cursor_factory or RealDictCursor


class DictConnection(connection):
    """A connection whose cursors give lists with names."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.cursor_factory = self.cursor_factory or DictCursor


class NamedTupleConnection(connection):
    """A connection whose cursors give named tuples."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.cursor_factory = self.cursor_factory or NamedTupleCursor


# In bulk


def _pages(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    page = []
    for value in values:
        page.append(value)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def execute_batch(cur: cursor, sql: Any, argslist: Iterable[Any], page_size: int = 100) -> None:
    """Run a statement for each of these values, so many at once."""
    for page in _pages(argslist, page_size):
        cur.execute(Completed(";".join(cur.mogrify(sql, values).decode() for values in page), cur._as_text(sql)))


def execute_values(
    cur: cursor,
    sql: Any,
    argslist: Iterable[Sequence[Any]],
    template: Any = None,
    page_size: int = 100,
    fetch: bool = False,
) -> list[Any] | None:
    """Run a statement whose only placeholder is for many rows: `INSERT INTO t (a, b) VALUES %s`."""
    text = cur._as_text(sql)
    before, after = _split_at_placeholder(text.decode() if isinstance(text, bytes) else text)
    row_template = cur._as_text(template)
    if isinstance(row_template, bytes):
        row_template = row_template.decode()
    result: list[Any] | None = [] if fetch else None
    for page in _pages(argslist, page_size):
        if row_template is None:
            row_template = "(" + ",".join(["%s"] * len(page[0])) + ")"
        rows = ",".join(cur.mogrify(row_template, values).decode() for values in page)
        cur.execute(Completed(before + rows + after, text))
        if result is not None:
            result.extend(cur.fetchall())
    return result


def _split_at_placeholder(sql: str) -> tuple[str, str]:
    parts: list[list[str]] = [[], []]
    found = False
    for token in re.split(r"(%.)", sql, flags=re.DOTALL):
        if token == "%s":
            if found:
                raise ValueError("the query contains more than one '%s' placeholder")
            found = True
        elif len(token) == 2 and token[0] == "%":
            if token != "%%":
                raise ValueError(f"unsupported format character: '{token[1]}'")
            parts[found].append("%")
        else:
            parts[found].append(token)
    if not found:
        raise ValueError("the query doesn't contain any '%s' placeholder")
    return "".join(parts[0]), "".join(parts[1])


# Types that have to be asked for


def register_uuid(oids: Any = None, conn_or_curs: Any = None) -> Any:
    """Have uuids come as `uuid.UUID`; without this they come as text. They can be sent in any case."""
    numbers, arrays = (_UUID, _UUID_ARRAY) if oids is None else ((oids,), ()) if isinstance(oids, int) else oids
    made = new_type(numbers, "UUID", lambda text, cursor: None if text is None else uuid.UUID(text))
    register_type(made, conn_or_curs)
    if arrays:
        register_type(new_array_type(arrays, "UUID[]", made), conn_or_curs)
    return made


def register_json(
    conn_or_curs: Any = None,
    globally: bool = False,
    loads: Callable[[str], Any] | None = None,
    oid: int | None = None,
    array_oid: int | None = None,
    name: str = "json",
) -> tuple[Any, Any]:
    """Have json come as `loads` makes it."""
    number, array = (oid, array_oid) if oid is not None else _JSONB if name == "jsonb" else _JSON
    load = loads or json.loads
    made = new_type((number,), name.upper(), lambda text, cursor: None if text is None else load(text))
    scope = None if globally else conn_or_curs
    register_type(made, scope)
    made_array = None
    if array is not None:
        made_array = new_array_type((array,), f"{name.upper()}ARRAY", made)
        register_type(made_array, scope)
    return made, made_array


def register_default_json(
    conn_or_curs: Any = None, globally: bool = False, loads: Callable[[str], Any] | None = None
) -> tuple[Any, Any]:
    """Have json come as `loads` makes it."""
    return register_json(conn_or_curs, globally, loads)


def register_default_jsonb(
    conn_or_curs: Any = None, globally: bool = False, loads: Callable[[str], Any] | None = None
) -> tuple[Any, Any]:
    """Have jsonb come as `loads` makes it."""
    return register_json(conn_or_curs, globally, loads, name="jsonb")


class Inet:
    """An address that is sent as inet."""

    def __init__(self, addr: str) -> None:
        self.addr = addr

    def getquoted(self) -> bytes:
        """Return the SQL."""
        return Adapted(self.addr).getquoted() + b"::inet"

    def __str__(self) -> str:
        return str(self.addr)

    def __repr__(self) -> str:
        return f"Inet({self.addr!r})"


def register_inet(oid: Any = None, conn_or_curs: Any = None) -> Any:
    """Have inet come as `Inet`; without this it comes as text."""
    numbers, arrays = ((869,), (1041,)) if oid is None else ((oid,), ())
    made = new_type(numbers, "INET", lambda text, cursor: None if text is None else Inet(text))
    register_type(made, conn_or_curs)
    if arrays:
        register_type(new_array_type(arrays, "INETARRAY", made), conn_or_curs)
    return made


def register_ipaddress(conn_or_curs: Any = None) -> None:
    """Have inet and cidr come, and be sent, as the `ipaddress` module's classes."""

    def interface(text: str | None, cursor: Any) -> Any:
        return None if text is None else ipaddress.ip_interface(text)

    def network(text: str | None, cursor: Any) -> Any:
        return None if text is None else ipaddress.ip_network(text)

    for number, array, name, cast in ((869, 1041, "INET", interface), (650, 651, "CIDR", network)):
        made = new_type((number,), name, cast)
        register_type(made, conn_or_curs)
        register_type(new_array_type((array,), f"{name}[]", made), conn_or_curs)
    kinds: tuple[type, ...] = (
        *(ipaddress.IPv4Interface, ipaddress.IPv4Network, ipaddress.IPv4Address),
        *(ipaddress.IPv6Interface, ipaddress.IPv6Network, ipaddress.IPv6Address),
    )
    for kind in kinds:
        register_adapter(kind, lambda value: Inet(str(value)))


class CompositeCaster:
    """Makes values of a composite type: named tuples of its attributes."""

    def __init__(
        self,
        name: str,
        oid: int,
        attrs: Sequence[tuple[str, int]],
        array_oid: int | None = None,
        schema: str | None = None,
    ) -> None:
        self.name = name
        self.schema = schema
        self.oid = oid
        self.array_oid = array_oid
        self.attnames = [attribute for attribute, _ in attrs]
        self.atttypes = [number for _, number in attrs]
        self.type = _record(tuple(self.attnames))
        self.typecaster = new_type((oid,), name, self.parse)
        self.array_typecaster = new_array_type((array_oid,), f"{name}ARRAY", self.typecaster) if array_oid else None

    def parse(self, text: str | None, cursor: Any) -> Any:
        """Return the value for what the server has sent."""
        if text is None:
            return None
        fields = list(_fields(text))
        if len(fields) != len(self.atttypes):
            raise _errors.DataError(
                f"expecting {len(self.atttypes)} components for the type {self.name}, {len(fields)} found instead"
            )
        return self.make([_db_decode(number, field, cursor) for number, field in zip(self.atttypes, fields)])

    def make(self, values: Sequence[Any]) -> Any:
        """Return a value for its attributes; for subclasses to do otherwise."""
        return self.type._make(values)


def _db_decode(number: int, text: str | None, cursor: Any) -> Any:
    from ferricorn._ferricorn import db as _db

    return None if text is None else _db.decode_text(number, text, cursor)


_FIELD: Final = re.compile(r'\(?(?:([,)])|"((?:[^"\\]|""|\\.)*)"[,)]|([^",)]+)[,)])', re.DOTALL)
_ESCAPED: Final = re.compile(r'(["\\])\1|\\(.)', re.DOTALL)


def _fields(text: str) -> Iterator[str | None]:
    for match in _FIELD.finditer(text):
        if match.group(1) is not None:
            yield None
        elif match.group(2) is not None:
            yield _ESCAPED.sub(lambda found: found.group(1) or found.group(2), match.group(2))
        else:
            yield match.group(3)


_COMPOSITE: Final = """
    SELECT t.oid, t.typarray, a.attname, a.atttypid, n.nspname
    FROM pg_type t
    JOIN pg_namespace n ON t.typnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = t.typrelid
    WHERE t.typname = %s AND (n.nspname = %s OR %s IS NULL AND pg_type_is_visible(t.oid))
      AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY n.nspname, a.attnum
"""


def register_composite(
    name: str, conn_or_curs: Any, globally: bool = False, factory: type[CompositeCaster] | None = None
) -> CompositeCaster:
    """Have values of a composite type come as named tuples; without this they come as text."""
    conn = conn_or_curs.connection if isinstance(conn_or_curs, cursor) else conn_or_curs
    schema, _, plain = name.rpartition(".")
    unopened = conn.get_transaction_status() == 0 and not conn.autocommit
    with cursor(conn) as asked:
        asked.execute(_COMPOSITE, (plain, schema or None, schema or None))
        rows = asked.fetchall()
    if unopened:
        conn.rollback()
    if not rows:
        raise _errors.ProgrammingError(f"PostgreSQL type '{name}' not found")
    oid, array_oid, _, _, found_in = rows[0]
    attributes = [(row[2], row[3]) for row in rows if row[0] == oid]
    caster = (factory or CompositeCaster)(plain, oid, attributes, array_oid=array_oid, schema=found_in)
    scope = None if globally else conn_or_curs
    register_type(caster.typecaster, scope)
    if caster.array_typecaster is not None:
        register_type(caster.array_typecaster, scope)
    return caster
