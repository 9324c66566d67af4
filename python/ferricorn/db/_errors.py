"""The exceptions of DB-API, and how they are made of what the server says."""

from __future__ import annotations

from typing import Any, Final

from ferricorn.db._sqlstates import NAMES

# How much of a statement's line an error shows.
_LINE_WIDTH: Final = 60


class Diagnostics:
    """Everything that the server has said about an error, field by field; what it did not say is None."""

    severity: str | None = None
    severity_nonlocalized: str | None = None
    sqlstate: str | None = None
    message_primary: str | None = None
    message_detail: str | None = None
    message_hint: str | None = None
    statement_position: str | None = None
    internal_position: str | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    datatype_name: str | None = None
    constraint_name: str | None = None
    source_file: str | None = None
    source_line: str | None = None
    source_function: str | None = None

    def __init__(self, fields: dict[str, str | None] | None = None) -> None:
        self.__dict__.update(fields or {})


class Warning(Exception):  # noqa: A001 - DB-API's name
    """Something that is worth a word; nothing raises it."""


class Error(Exception):
    """Everything that can go wrong with the database."""

    pgcode: str | None = None
    """The server's code (SQLSTATE), if it was the server that refused."""
    pgerror: str | None = None
    """The server's words."""
    cursor: Any = None
    """The cursor that it happened to."""
    _fields: dict[str, str | None] | None = None

    @property
    def diag(self) -> Diagnostics:
        """The server's words, field by field."""
        return Diagnostics(self._fields)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != "cursor"}
        return type(self), self.args, state


class InterfaceError(Error):
    """The module was not used as it can be."""


class DatabaseError(Error):
    """The database refused, or is not there."""


class DataError(DatabaseError):
    """A value that does not fit."""


class OperationalError(DatabaseError):
    """The database is not as it should be, or cannot be reached."""


class IntegrityError(DatabaseError):
    """What relates rows to each other would be broken."""


class InternalError(DatabaseError):
    """The transaction, or the server, is in no state to do this."""


class ProgrammingError(DatabaseError):
    """The statement is wrong."""


class NotSupportedError(DatabaseError):
    """This cannot be done here."""


class QueryCanceledError(OperationalError):
    """The statement was ended from outside, or by a timeout of the server's."""


class TransactionRollbackError(OperationalError):
    """The transaction could not go on beside others; to run it again may help."""


class PoolTimeout(OperationalError):
    """All connections are lent, and none came back in time."""


class InvalidSettings(OperationalError, ProgrammingError):
    """What was said of the database makes no sense, so nobody was asked. psycopg2 has one class or the other, by what it is."""


class ParameterIndexError(ProgrammingError, IndexError):
    """A statement wants more values than there are. It was not sent."""


class ParameterKeyError(ProgrammingError, KeyError):
    """A statement wants a value by a name that there is not. It was not sent."""


class ParameterTypeError(ProgrammingError, TypeError):
    """The values are not what the statement wants. It was not sent."""


class ParameterValueError(ProgrammingError, ValueError):
    """A placeholder is none. The statement was not sent."""


class ParameterDataError(DataError, ValueError):
    """A value cannot be part of a statement. It was not sent."""


_BY_CLASS: Final[dict[str, type[DatabaseError]]] = {
    **dict.fromkeys(["08", "28", "34", "26", "27", "53", "54", "55", "57", "58", "HV"], OperationalError),
    **dict.fromkeys(["20", "21", "3D", "3F", "42", "44"], ProgrammingError),
    **dict.fromkeys(["24", "25", "2B", "2D", "2F", "38", "39", "3B", "F0", "P0", "XX"], InternalError),
    "0A": NotSupportedError,
    "22": DataError,
    "23": IntegrityError,
    "40": TransactionRollbackError,
}


def base_of(code: str) -> type[DatabaseError]:
    """Return DB-API's class for an error code."""
    if code == "57014":
        return QueryCanceledError
    return _BY_CLASS.get(code[:2], DatabaseError)


BY_CODE: Final[dict[str, type[DatabaseError]]] = {
    code: type(name, (base_of(code),), {"__module__": "ferricorn.db.errors", "__doc__": f"SQLSTATE {code}."})
    for code, name in NAMES.items()
}


def from_server(fields: dict[str, str | None], words: str | None, statement: str | None) -> Error:
    """Make the exception for what the server has said. `words` are ours, if there was no connection yet."""
    code = fields.get("sqlstate") or ""
    error: Error
    if words is None:
        text = _compose(fields, statement)
        error = BY_CODE.get(code, base_of(code))(text)
        error.pgerror = f"{fields['severity']}:  {text}"
    else:
        error = OperationalError(words)
        error.pgerror = words
    error.pgcode = code
    error._fields = fields
    return error


def _compose(fields: dict[str, str | None], statement: str | None) -> str:
    lines = [fields["message_primary"] or ""]
    if fields.get("statement_position") and statement:
        lines += _show_place(statement, int(fields["statement_position"] or 1))
    for word, name in (("DETAIL", "message_detail"), ("HINT", "message_hint"), ("QUERY", "internal_query"), ("CONTEXT", "context")):
        if fields.get(name):
            lines.append(f"{word}:  {fields[name]}")
    return "\n".join(lines) + "\n"


def _show_place(statement: str, position: int) -> list[str]:
    """The line of the statement, with a mark below."""
    before = statement[: position - 1]
    number = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1)
    line = statement.split("\n")[number - 1].rstrip("\r").replace("\t", " ")
    head = f"LINE {number}: "
    if len(line) > _LINE_WIDTH:
        start = max(0, min(column - _LINE_WIDTH // 2, len(line) - _LINE_WIDTH))
        shown = line[start : start + _LINE_WIDTH]
        if start > 0:
            head += "..."
        if start + _LINE_WIDTH < len(line):
            shown += "..."
        line, column = shown, column - start
    return [head + line, " " * (len(head) + column) + "^"]
