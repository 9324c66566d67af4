"""What ferricorn.db is made of: connections on loan, results, values as SQL and back. DB-API is what ferricorn.db makes of it.

Its exceptions are those of ferricorn.db. Statements release the interpreter's lock while they wait.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, final

# What stands in for values: in the order of `%s`, or by the names of `%(name)s`.
_Values: TypeAlias = Sequence[Any] | Mapping[str, Any]

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | str: ...

class _Writable(Protocol):
    def write(self, data: Any, /) -> object: ...

def status() -> list[dict[str, Any]]:
    """The pools of this process, one for each database: see ferricorn.db.status()."""

def settings() -> list[tuple[str, str, str, str]]:
    """The table of settings: name, variable of the environment, default, meaning."""

def split_dsn(dsn: str) -> list[tuple[str, str]]:
    """The keywords and values of a connection string, be it a URL or `key=value` pairs; ProgrammingError if it is neither."""

def literal(value: object) -> str:
    """One value as SQL; ProgrammingError if it cannot be adapted."""

def set_adapter(adapters: dict[type, Callable[[Any], Any]]) -> None:
    """Keep the dict that register_adapter() fills. The first one stays."""

def decode_text(oid: int, text: str, cursor: object) -> Any:
    """The value that a column of this type would have for this text; the cursor is passed on to casters."""

def set_caster(casters: dict[int, Callable[[str | None, Any], Any]]) -> None:
    """Keep the dict that register_type() fills, by the numbers of types. The first one stays."""

@final
class Rows:
    """What a statement has returned. A shape is 0 for tuples, 1 for dicts, 2 for lists."""

    @property
    def columns(self) -> list[tuple[str, int, int, int, int, int]] | None:
        """Name, type, size, modifier, table and number in it of each column; None if there is no result."""
    @property
    def outcome(self) -> tuple[bool, int, str | None]:
        """Whether there is a result; rows returned or affected, -1 where none are counted; the server's word for what was done."""
    @property
    def statement(self) -> str:
        """What was sent."""
    def one(self, shape: int, cursor: object) -> Any:
        """The next row, or None; ProgrammingError if there is no result."""
    def many(self, shape: int, cursor: object, most: int | None = None) -> list[Any]:
        """As many rows as there are, at most `most`."""
    def seek(self, number: int) -> bool:
        """Go to a row; say whether it is there."""

@final
class Source:
    """A database as it was named: names of settings and their values, beyond the environment."""

    def __new__(cls, said: Sequence[tuple[str, str]]) -> Source: ...
    def open(self, file: str, line: int) -> Session:
        """Take a connection from this process's pool. `file` and `line` are where that is done.

        ProgrammingError if what was said makes no sense, OperationalError if the database is away, PoolTimeout if no connection was
        free in time.
        """

@final
class Session:
    """A connection on loan from the pool of this process."""

    def close(self) -> None:
        """Give the connection back; what is not committed is rolled back."""
    @property
    def closed(self) -> int:
        """0 while it is open, 1 once it was closed, 2 if it has broken."""
    # What opens a transaction; None for autocommit. It can only be set.
    opening: str | None
    @staticmethod
    def mogrify(query: str | bytes, values: _Values | None = None) -> str:
        """The statement with its values put in."""
    def execute(self, query: str | bytes, values: _Values | None = None) -> Rows:
        """Run a statement with these values."""
    def execute_many(self, query: str | bytes, values: Iterable[_Values]) -> int:
        """Run a statement for each of these values; return how many rows were affected."""
    def copy(self, statement: str, file: _Readable | _Writable, size: int) -> Rows:
        """Run `COPY`, from a file in pieces of `size`, or to one."""
    def cancel(self) -> None:
        """Ask the server to end what runs at this moment; from any thread."""
    def end(self, words: str) -> None:
        """End the transaction with these words, if there is one."""
    def transaction(self) -> int:
        """0 without one, 1 while a statement runs, 2 in one, 3 in one that has failed, 4 without a connection: as libpq has it."""
    def parameter(self, name: str) -> str | None:
        """A parameter of the session's that the server reports."""
    def process(self) -> int | None:
        """The number of the server's process."""
    def take_notices(self) -> list[str]:
        """What the server has remarked since this was asked last."""
    def facts(self) -> tuple[str, int, str, str] | None:
        """Host, port, database and user."""
