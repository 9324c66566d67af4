"""A connection on loan, as DB-API and psycopg2 have it."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Final

from ferricorn._ferricorn import db as _db
from ferricorn.db import _errors
from ferricorn.db._cursor import cursor as _cursor
from ferricorn.db._types import casters

ISOLATION_LEVEL_AUTOCOMMIT: Final = 0
ISOLATION_LEVEL_READ_COMMITTED: Final = 1
ISOLATION_LEVEL_REPEATABLE_READ: Final = 2
ISOLATION_LEVEL_SERIALIZABLE: Final = 3
ISOLATION_LEVEL_READ_UNCOMMITTED: Final = 4
ISOLATION_LEVEL_DEFAULT: Final = None

STATUS_READY: Final = 1
STATUS_BEGIN: Final = 2

_LEVELS: Final = {
    ISOLATION_LEVEL_READ_UNCOMMITTED: "READ UNCOMMITTED",
    ISOLATION_LEVEL_READ_COMMITTED: "READ COMMITTED",
    ISOLATION_LEVEL_REPEATABLE_READ: "REPEATABLE READ",
    ISOLATION_LEVEL_SERIALIZABLE: "SERIALIZABLE",
}
# No transaction, as the session's own word for its state.
_IDLE: Final = 0


class connection:  # noqa: N801 - psycopg2's name
    """A connection of the pool's, until `close()`, which gives it back.

    A transaction begins with the first statement, and ends with `commit()` or `rollback()`. Whatever is not committed when
    the connection is given back is rolled back.
    """

    Warning = _errors.Warning
    Error = _errors.Error
    InterfaceError = _errors.InterfaceError
    DatabaseError = _errors.DatabaseError
    DataError = _errors.DataError
    OperationalError = _errors.OperationalError
    IntegrityError = _errors.IntegrityError
    InternalError = _errors.InternalError
    ProgrammingError = _errors.ProgrammingError
    NotSupportedError = _errors.NotSupportedError

    encoding: Final = "UTF8"
    protocol_version: Final = 3
    # What has been registered for this connection alone.
    _casters: dict[int, Any] | None = None

    def __init__(self, session: _db.Session, dsn: str = "", cursor_factory: Any = None) -> None:
        self._session = session
        self.dsn = dsn
        self.cursor_factory = cursor_factory
        self._autocommit = False
        self._isolation_level: int | None = ISOLATION_LEVEL_DEFAULT
        self._readonly: bool | None = None
        self._deferrable: bool | None = None
        self._notices: list[str] = []
        # Within its own `with`.
        self._entered = False

    # Statements

    def cursor(
        self,
        name: str | None = None,
        cursor_factory: Any = None,
        withhold: bool = False,
        scrollable: bool | None = None,
    ) -> Any:
        """Return a new cursor; with a name it is one of the server's, which fetches as it goes."""
        self._check_open()
        factory = cursor_factory or self.cursor_factory or _cursor
        made = factory(self) if name is None else factory(self, name=name)
        if name is not None:
            made.withhold = withhold
            made.scrollable = scrollable
        return made

    def commit(self) -> None:
        """End the transaction; what it has done stays."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """End the transaction; what it has done is undone."""
        self._end("ROLLBACK")

    def _end(self, words: str) -> None:
        self._check_open()
        self._session.end(words)

    def cancel(self) -> None:
        """End the statement that another thread waits for."""
        # Nothing is asked that would have to wait for that statement.
        self._session.cancel()

    def reset(self) -> None:
        """Roll back, and go back to the connection's first settings."""
        self.rollback()
        self._autocommit = False
        self._isolation_level = ISOLATION_LEVEL_DEFAULT
        self._readonly = self._deferrable = None
        self._choose_opening()

    def __enter__(self) -> connection:
        self._check_open()
        if self._entered:
            raise _errors.ProgrammingError("the connection cannot be re-entered recursively")
        self._entered = True
        self._choose_opening()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered = False
        if self.closed:
            return
        try:
            if kind is None:
                self.commit()
            else:
                self.rollback()
        finally:
            self._choose_opening()

    # Life

    def close(self) -> None:
        """Give the connection back. An open transaction is rolled back."""
        self._session.close()

    @property
    def closed(self) -> int:
        """0 while it is open, 1 after `close()`, 2 if it has broken."""
        return self._session.closed

    def _check_open(self) -> None:
        if self._session.closed == 1:
            raise _errors.InterfaceError("connection already closed")

    # Transactions

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._check_idle("autocommit")
        self._autocommit = bool(value)
        self._choose_opening()
        self._check_meaning()

    @property
    def isolation_level(self) -> int | None:
        """How much transactions see of each other; None for the server's own choice."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, value: int | str | None) -> None:
        self._check_idle("isolation_level")
        self._isolation_level = _level(value)
        self._choose_opening()

    @property
    def readonly(self) -> bool | None:
        """Whether transactions may only read; None for the server's own choice."""
        return self._readonly

    @readonly.setter
    def readonly(self, value: bool | str | None) -> None:
        self._check_idle("readonly")
        self._readonly = _switch(value)
        self._choose_opening()
        self._check_meaning()

    @property
    def deferrable(self) -> bool | None:
        """Whether a transaction may wait for the moment when it disturbs nobody; None for the server's own choice."""
        return self._deferrable

    @deferrable.setter
    def deferrable(self, value: bool | str | None) -> None:
        self._check_idle("deferrable")
        self._deferrable = _switch(value)
        self._choose_opening()
        self._check_meaning()

    def set_session(
        self,
        isolation_level: int | str | None = None,
        readonly: bool | str | None = None,
        deferrable: bool | str | None = None,
        autocommit: bool | None = None,
    ) -> None:
        """Choose what the next transactions are like; what is None stays as it is."""
        self._check_idle("set_session")
        if isolation_level is not None:
            self._isolation_level = _level(isolation_level)
        if readonly is not None:
            self._readonly = _switch(readonly)
        if deferrable is not None:
            self._deferrable = _switch(deferrable)
        if autocommit is not None:
            self._autocommit = bool(autocommit)
        self._choose_opening()
        self._check_meaning()

    def set_isolation_level(self, level: int | None) -> None:
        """Choose a level by its number, 0 for autocommit. An open transaction is rolled back."""
        self._check_open()
        if level is not None and not 0 <= level <= ISOLATION_LEVEL_READ_UNCOMMITTED:
            raise ValueError("isolation level must be between 0 and 4")
        self.rollback()
        self._autocommit = level == ISOLATION_LEVEL_AUTOCOMMIT
        if level != ISOLATION_LEVEL_AUTOCOMMIT:
            self._isolation_level = level
        self._choose_opening()

    def _check_idle(self, what: str) -> None:
        self._check_open()
        if self._session.transaction() != _IDLE:
            raise _errors.ProgrammingError(f"{what} cannot be used inside a transaction")

    def _choose_opening(self) -> None:
        words = ["BEGIN"]
        if self._isolation_level is not None:
            words.append(f"ISOLATION LEVEL {_LEVELS[self._isolation_level]}")
        if self._readonly is not None:
            words.append("READ ONLY" if self._readonly else "READ WRITE")
        if self._deferrable is not None:
            words.append("DEFERRABLE" if self._deferrable else "NOT DEFERRABLE")
        # A block of the connection's is a transaction, also with autocommit.
        self._session.opening = None if self._autocommit and not self._entered else " ".join(words)

    def _check_meaning(self) -> None:
        """Refuse what would have no effect: it is a transaction's, and there would be none."""
        if self._autocommit and (self._readonly or self._deferrable):
            raise _errors.NotSupportedError(
                "read-only and deferrable are a transaction's here, and with autocommit there is none: begin one, or set "
                "default_transaction_read_only in the DSN's options"
            )

    # What there is to know

    @property
    def status(self) -> int:
        """STATUS_READY or STATUS_BEGIN."""
        self._check_open()
        return STATUS_READY if self._session.transaction() == _IDLE else STATUS_BEGIN

    def get_transaction_status(self) -> int:
        """Return one of TRANSACTION_STATUS_*."""
        return self._session.transaction()

    def get_backend_pid(self) -> int:
        """Return the server's process, as it, or PgBouncer, has called it."""
        self._check_open()
        return self._session.process() or 0

    def get_parameter_status(self, parameter: str) -> str | None:
        """Return a parameter that the server reports: `server_version`, `TimeZone`."""
        self._check_open()
        return self._session.parameter(parameter)

    @property
    def server_version(self) -> int:
        """The server's version as a number: 150004."""
        numbers = re.findall(r"\d+", (self.get_parameter_status("server_version") or "0").split(" ")[0])
        major, minor = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
        return major * 10000 + minor

    @property
    def notices(self) -> list[str]:
        """What the server has remarked: the last 50. To empty the list is up to the application."""
        self._notices += self._session.take_notices()
        del self._notices[:-50]
        return self._notices

    @notices.setter
    def notices(self, value: list[str]) -> None:
        self._session.take_notices()
        self._notices = value

    def get_dsn_parameters(self) -> dict[str, str]:
        """Return where this connection leads, without its password."""
        self._check_open()
        facts = self._session.facts()
        if facts is None:
            return {}
        host, port, database, user = facts
        return {"host": host, "port": str(port), "dbname": database, "user": user}

    @property
    def info(self) -> ConnectionInfo:
        """The same as attributes."""
        return ConnectionInfo(self)

    def set_client_encoding(self, encoding: str) -> None:
        """Accept UTF-8, the only encoding that is spoken here."""
        self._check_open()
        if encoding.lower().replace("-", "").replace("_", "") not in ("utf8", "unicode"):
            raise _errors.NotSupportedError(f"client encoding {encoding!r}: only UTF8 is spoken here")

    @property
    def string_types(self) -> dict[int, Any]:
        """The casters in force."""
        return {**casters, **(self._casters or {})}

    def __repr__(self) -> str:
        return f"<connection object at {id(self):#x}; dsn: {self.dsn!r}, closed: {self.closed}>"


def _level(value: int | str | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and value in _LEVELS:
        return value
    if isinstance(value, str):
        name = value.upper()
        if name == "DEFAULT":
            return None
        for number, words in _LEVELS.items():
            if words == name:
                return number
    raise ValueError(f"bad value for isolation_level: {value!r}")


def _switch(value: bool | str | None) -> bool | None:
    if isinstance(value, str) and value.lower() == "default":
        return None
    return None if value is None else bool(value)


class ConnectionInfo:
    """What there is to know about a connection."""

    def __init__(self, source: connection) -> None:
        parameters = source.get_dsn_parameters()
        self.host = parameters.get("host")
        self.port = int(parameters.get("port", 0))
        self.dbname = parameters.get("dbname")
        self.user = parameters.get("user")
        self.password = None
        self.dsn_parameters = parameters
        self.server_version = source.server_version
        self.backend_pid = source.get_backend_pid()
        self.transaction_status = source.get_transaction_status()
        self.protocol_version = 3
        self.parameter_status = source.get_parameter_status
