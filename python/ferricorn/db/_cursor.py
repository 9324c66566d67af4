"""Cursors, as DB-API and psycopg2 have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from ferricorn._ferricorn import db as _db
from ferricorn.db import _errors

# Shapes of rows, as the Rust side numbers them.
TUPLE: Final = 0
DICT: Final = 1
LIST: Final = 2

_NUMERIC: Final = 1700
# The modifier of a type with a length is so much more than the length.
_HEADER: Final = 4

# The outcome of no statement.
_NOTHING: Final = (False, -1, None)

_Values = Sequence[Any] | Mapping[str, Any] | None


class Column(tuple):
    """DB-API's description of a column; with names, and with the table that it comes from."""

    table_oid: int | None
    table_column: int | None

    def __new__(cls, facts: tuple[str, int, int, int, int, int]) -> Column:
        name, type_code, size, modifier, table, number = facts
        precision = scale = None
        internal: int | None = size
        if modifier >= _HEADER:
            modifier -= _HEADER
        if type_code == _NUMERIC and modifier >= 0:
            precision, scale = modifier >> 16, modifier & 0xFFFF
        if size < 0:
            internal = precision if precision is not None else modifier
        made = super().__new__(cls, (name, type_code, None, internal, precision, scale, None))
        made.table_oid = table or None
        made.table_column = number or None
        return made

    name = property(lambda self: self[0])
    type_code = property(lambda self: self[1])
    display_size = property(lambda self: self[2])
    internal_size = property(lambda self: self[3])
    precision = property(lambda self: self[4])
    scale = property(lambda self: self[5])
    null_ok = property(lambda self: self[6])

    def __repr__(self) -> str:
        return f"Column(name={self[0]!r}, type_code={self[1]!r})"


class Completed(str):
    """A statement with its values in it, and what they were put into: the log of slow statements shows no values."""

    template: Any

    def __new__(cls, text: str, template: Any) -> Completed:
        made = super().__new__(cls, text)
        made.template = template
        return made


class cursor:  # noqa: N801 - psycopg2's name
    """Runs statements and fetches what they return."""

    # What rows are made of.
    _shape = TUPLE
    # What makes rows of a result of their values is made by this, if anything is.
    _maker: Any = None
    # What has been registered for this cursor alone, or for its connection.
    _casters: dict[int, Any] | None = None

    arraysize = 1
    itersize = 2000
    """How many rows a cursor of the server's fetches at once while it is iterated over."""

    def __init__(self, connection: Any, name: str | None = None) -> None:
        self.connection = connection
        self.name = name
        self.scrollable: bool | None = None
        self.withhold = False
        self.row_factory: Any = None
        self.tzinfo_factory: Any = None
        self._casters = connection._casters
        self._closed = False
        self._rows: _db.Rows | None = None
        # Makes a row of its values; None where they are one.
        self._make: Callable[[Any], Any] | None = None
        self._description: tuple[Column, ...] | None = None
        self._declared = False
        self.rowcount = -1
        self.rownumber = 0
        self.lastrowid = 0
        self.statusmessage: str | None = None

    # Running

    def execute(self, query: Any, vars: _Values = None) -> None:  # noqa: A002 - psycopg2's name
        """Run a statement, with these values for its placeholders."""
        if type(query) is not str:
            query = self._as_text(query)
        # Whether the connection is open its session knows.
        if self._closed or self.name is not None:
            self._check_open()
            query = self._declaration(query, vars)
            vars = None  # noqa: A001
        try:
            self._take(self.connection._session.execute(query, vars))
        except _errors.Error as error:
            self._take(None)
            error.cursor = self
            raise
        if self.name is not None:
            self._declared = True
            self.rowcount = -1

    def executemany(self, query: Any, vars_list: Iterable[Any]) -> None:
        """Run a statement for each of these values; many go out together."""
        query = self._as_text(query)
        self._check_open()
        if self.name is not None:
            raise _errors.ProgrammingError("can't call .executemany() on named cursors")
        self._take(None)
        try:
            self.rowcount = self.connection._session.execute_many(query, vars_list)
        except _errors.Error as error:
            error.cursor = self
            raise

    def callproc(self, procname: str, parameters: _Values = None) -> _Values:
        """Call a function of the database's: its result is to be fetched."""
        if self.name is not None:
            raise _errors.ProgrammingError("can't call .callproc() on named cursors")
        if isinstance(parameters, Mapping):
            names = [f"{_escape(quote(name))} := %s" for name in parameters]
            values: Sequence[Any] = list(parameters.values())
        else:
            values = list(parameters or ())
            names = ["%s"] * len(values)
        self.execute(f"SELECT * FROM {_escape(procname)}({','.join(names)})", values)
        return parameters

    def mogrify(self, query: Any, vars: _Values = None) -> bytes:  # noqa: A002 - psycopg2's name
        """Return the statement as it would be sent."""
        self._check_open()
        return _db.Session.mogrify(self._as_text(query), vars).encode()

    def _as_text(self, query: Any) -> Any:
        as_string = getattr(query, "as_string", None)
        return query if as_string is None else as_string(self.connection)

    def _take(self, rows: _db.Rows | None) -> None:
        self._rows = rows
        self._description = None
        self.rownumber = 0
        has_columns, self.rowcount, self.statusmessage = _NOTHING if rows is None else rows.outcome
        if self._maker is not None:
            self._make = self._maker() if has_columns else None

    @property
    def query(self) -> bytes | None:
        """The last statement, as it was sent."""
        return None if self._rows is None else self._rows.statement.encode()

    # Fetching

    @property
    def description(self) -> tuple[Column, ...] | None:
        """The columns of the result; None without a result."""
        if self._description is None and self._rows is not None:
            columns = self._rows.columns
            self._description = None if columns is None else tuple(map(Column, columns))
        return self._description

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        if self.name is not None:
            self._fetch("FORWARD 1")
        row = self._result().one(self._shape, self)
        if row is None:
            return None
        self.rownumber += 1
        return row if self._make is None else self._make(row)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows, `arraysize` if nothing is said."""
        size = self.arraysize if size is None else size
        if self.name is not None:
            self._fetch(f"FORWARD {int(size)}")
        return self._many(size)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        if self.name is not None:
            self._fetch("FORWARD ALL")
        return self._many(None)

    def _many(self, size: int | None) -> list[Any]:
        rows = self._result().many(self._shape, self, size)
        self.rownumber += len(rows)
        make = self._make
        return rows if make is None else [make(row) for row in rows]

    def _result(self) -> _db.Rows:
        rows = self._rows
        if rows is None or self._closed or self.connection._session.closed == 1:
            self._check_open()
            raise _errors.ProgrammingError("no results to fetch")
        return rows

    def __iter__(self) -> Iterator[Any]:
        if self.name is None:
            # The first row is made when it is asked for.
            while (row := self.fetchone()) is not None:
                yield row
            return
        while rows := self.fetchmany(self.itersize):
            yield from rows
            if len(rows) < self.itersize:
                return

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move within the result."""
        self._check_open()
        if mode not in ("relative", "absolute"):
            raise _errors.ProgrammingError("scroll mode must be 'relative' or 'absolute'")
        if self.name is not None:
            self._check_declared()
            self._run(f"MOVE {'ABSOLUTE' if mode == 'absolute' else 'RELATIVE'} {int(value)} FROM {self._quoted_name()}")
            return
        target = self.rownumber + value if mode == "relative" else value
        if not 0 <= target < max(self.rowcount, 1) or self._rows is None or not self._rows.seek(target):
            raise _errors.ProgrammingError("scroll destination out of bounds")
        self.rownumber = target

    # Cursors of the server's

    def _quoted_name(self) -> str:
        return quote(self.name or "")

    def _declaration(self, query: Any, values: _Values) -> str:
        if self._declared:
            raise _errors.ProgrammingError("can't call .execute() on named cursors more than once")
        if self.connection.autocommit and not self.withhold:
            raise _errors.ProgrammingError("can't use a named cursor outside of transactions")
        scroll = "" if self.scrollable is None else "SCROLL " if self.scrollable else "NO SCROLL "
        hold = "WITH HOLD" if self.withhold else "WITHOUT HOLD"
        statement = _db.Session.mogrify(query, values)
        return Completed(f"DECLARE {self._quoted_name()} {scroll}CURSOR {hold} FOR {statement}", query)

    def _check_declared(self) -> None:
        if not self._declared:
            raise _errors.ProgrammingError("no results to fetch")

    def _fetch(self, what: str) -> None:
        self._check_open()
        self._check_declared()
        number = self.rownumber
        self._run(f"FETCH {what} FROM {self._quoted_name()}")
        self.rownumber = number

    def _run(self, statement: str) -> None:
        try:
            self._take(self.connection._session.execute(statement))
        except _errors.Error as error:
            error.cursor = self
            raise

    # In bulk

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY ... FROM STDIN or TO STDOUT, from or to a file."""
        self._check_open()
        if self.name is not None:
            raise _errors.ProgrammingError("can't call .copy_expert() on named cursors")
        statement = self._as_text(sql)
        if isinstance(statement, bytes):
            statement = statement.decode()
        try:
            self._take(self.connection._session.copy(statement, file, size))
        except _errors.Error as error:
            error.cursor = self
            raise

    def copy_from(
        self,
        file: Any,
        table: str,
        sep: str = "\t",
        null: str = "\\N",
        size: int = 8192,
        columns: Iterable[str] | None = None,
    ) -> None:
        """Read rows from a file into a table."""
        self.copy_expert(_copy(table, columns, "FROM STDIN", sep, null), file, size)

    def copy_to(
        self, file: Any, table: str, sep: str = "\t", null: str = "\\N", columns: Iterable[str] | None = None
    ) -> None:
        """Write a table's rows to a file."""
        self.copy_expert(_copy(table, columns, "TO STDOUT", sep, null), file)

    # Life

    def close(self) -> None:
        """Be done with it; a cursor of the server's ends there, too."""
        if self._closed:
            return
        if self._declared and not self.connection.closed and self.connection.get_transaction_status() in (0, 2):
            self._declared = False
            if self.withhold or self.connection.get_transaction_status() == 2:
                self._run(f"CLOSE {self._quoted_name()}")
        self._closed = True
        self._rows = None

    @property
    def closed(self) -> bool:
        """Whether it, or its connection, is closed."""
        return self._closed or bool(self.connection.closed)

    def _check_open(self) -> None:
        if self._closed:
            raise _errors.InterfaceError("cursor already closed")
        self.connection._check_open()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # What DB-API wants to be there

    def setinputsizes(self, sizes: Any) -> None:
        """Do nothing: sizes are not needed."""
        self._check_open()

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing: sizes are not needed."""
        self._check_open()

    def nextset(self) -> None:
        """Refuse: there is one result."""
        raise _errors.NotSupportedError("not supported by PostgreSQL")

    def __repr__(self) -> str:
        return f"<cursor object at {id(self):#x}; closed: {int(self._closed)}>"


def quote(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _escape(sql: str) -> str:
    """Return SQL without anything that would be a placeholder."""
    return sql.replace("%", "%%")


def _copy(table: str, columns: Iterable[str] | None, direction: str, sep: str, null: str) -> str:
    names = "" if columns is None else " (" + ",".join(map(quote, columns)) + ")"
    return f"COPY {quote(table)}{names} {direction} WITH DELIMITER AS {_db.literal(sep)} NULL AS {_db.literal(null)}"
