"""What psycopg2 has in its module of this name, as far as it is here."""

from __future__ import annotations

from typing import Any, Final

from ferricorn._ferricorn import db as _db
from ferricorn.db._connection import (
    ISOLATION_LEVEL_AUTOCOMMIT,
    ISOLATION_LEVEL_DEFAULT,
    ISOLATION_LEVEL_READ_COMMITTED,
    ISOLATION_LEVEL_READ_UNCOMMITTED,
    ISOLATION_LEVEL_REPEATABLE_READ,
    ISOLATION_LEVEL_SERIALIZABLE,
    STATUS_BEGIN,
    STATUS_READY,
    ConnectionInfo,
    connection,
)
from ferricorn.db._cursor import Column, cursor, quote
from ferricorn.db._errors import Diagnostics, ProgrammingError, QueryCanceledError, TransactionRollbackError
from ferricorn.db._types import (
    Adapted,
    AsIs,
    Binary,
    TypeObject,
    adapt,
    adapters,
    new_array_type,
    new_type,
    register_adapter,
    register_type,
)
from ferricorn.db._types import casters as string_types

__all__ = [
    "ISOLATION_LEVEL_AUTOCOMMIT",
    "ISOLATION_LEVEL_DEFAULT",
    "ISOLATION_LEVEL_READ_COMMITTED",
    "ISOLATION_LEVEL_READ_UNCOMMITTED",
    "ISOLATION_LEVEL_REPEATABLE_READ",
    "ISOLATION_LEVEL_SERIALIZABLE",
    "STATUS_BEGIN",
    "STATUS_IN_TRANSACTION",
    "STATUS_READY",
    "TRANSACTION_STATUS_ACTIVE",
    "TRANSACTION_STATUS_IDLE",
    "TRANSACTION_STATUS_INERROR",
    "TRANSACTION_STATUS_INTRANS",
    "TRANSACTION_STATUS_UNKNOWN",
    "AsIs",
    "Binary",
    "Column",
    "ConnectionInfo",
    "Diagnostics",
    "ISQLQuote",
    "QueryCanceledError",
    "QuotedString",
    "TransactionRollbackError",
    "adapt",
    "adapters",
    "connection",
    "cursor",
    "make_dsn",
    "new_array_type",
    "new_type",
    "parse_dsn",
    "quote_ident",
    "register_adapter",
    "register_type",
    "string_types",
]

STATUS_IN_TRANSACTION: Final = STATUS_BEGIN
TRANSACTION_STATUS_IDLE: Final = 0
TRANSACTION_STATUS_ACTIVE: Final = 1
TRANSACTION_STATUS_INTRANS: Final = 2
TRANSACTION_STATUS_INERROR: Final = 3
TRANSACTION_STATUS_UNKNOWN: Final = 4

QuotedString = Adapted
UNICODE: Final = TypeObject((19, 18, 25, 1042, 1043), "UNICODE", lambda value, cursor: value)
UNICODEARRAY: Final = new_array_type((1002, 1003, 1009, 1014, 1015), "UNICODEARRAY", UNICODE)


class ISQLQuote:
    """The protocol of objects that say their own SQL: what `__conform__` is asked for."""


def parse_dsn(dsn: str) -> dict[str, str]:
    """Return a connection string's keywords and values."""
    return dict(_db.split_dsn(dsn))


def make_dsn(dsn: str | None = None, **keywords: Any) -> str:
    """Return a connection string of keywords, laid over another."""
    pairs = parse_dsn(dsn) if dsn else {}
    if "database" in keywords:
        if "dbname" in keywords:
            raise TypeError("you can't specify both 'database' and 'dbname' arguments")
        keywords["dbname"] = keywords.pop("database")
    pairs |= {name: str(value) for name, value in keywords.items() if value is not None}
    made = " ".join(f"{name}={_dsn_value(value)}" for name, value in pairs.items())
    _db.split_dsn(made)
    return made


def _dsn_value(value: str) -> str:
    if value and not any(character.isspace() or character in "\\'" for character in value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_ident(name: str, scope: object = None) -> str:
    """Return a name as SQL has it, whatever is in it."""
    if "\0" in name:
        raise ProgrammingError("a name cannot contain NUL (0x00) characters")
    return quote(name)
