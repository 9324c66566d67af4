"""What the Rust side gives to Python: the program, and the objects of a WSGI call."""

from collections.abc import Iterable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, TypeAlias, TypedDict, final

from ferricorn._ferricorn import db as db
from ferricorn.app.base import BaseApplication

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

VERSION: Final[str]
def main(
    program: str, arguments: Sequence[str], command: Sequence[str], application: BaseApplication | None = None
) -> int:
    """Run the program; return its exit status. In a worker it does not return.

    `arguments` are the operator's, without the program's own name. `command` starts this program again. `application`
    is the program that embeds the server, if one does.
    """

class RequestTimeout(BaseException):
    """Raised in the application when it has taken longer for a request than `request_timeout` allows.

    No `except Exception` catches it. When it leaves the application its client gets 504.
    """

def end_late_call(_signal: int, _frame: FrameType | None) -> None:
    """Handle the signal that interrupts the main thread: raise RequestTimeout if the call that it is in is to end."""

def is_interruptible() -> bool:
    """Say whether a signal may raise SystemExit in what runs on the main thread now."""

class _SettingRow(TypedDict):
    """A row of the settings table."""

    name: str
    section: str
    flags: list[str]
    kind: str
    """What it takes: bool, bool_off, int, auto_int, count, seconds, str, list, files, names, addresses, choice, optional_choice, class,
    statsd_host, directory, user, group, map, hook or any."""
    choices: list[str]
    """The words of a choice."""
    bare: str | None
    """What the flag of an optional choice means without a word."""
    arity: int | None
    """How many arguments a hook takes."""
    default: Any
    """What it is when nobody says anything; the qualified name of a hook's function."""
    meaning: str

def settings_table() -> list[_SettingRow]:
    """All settings, in the order of the table."""

def default_settings() -> dict[str, Any]:
    """What every setting but the hooks is in this process when nobody says anything.

    ValueError: an environment variable has a value that its setting does not take.
    """

def checked_setting(name: str, value: Any) -> Any:
    """A value as the setting takes it.

    ValueError: it does not take this one, in a sentence. AttributeError: there is no such setting.
    """

@final
class FileWrapper:
    """`wsgi.file_wrapper`: iterates over a file in blocks."""

    def __new__(cls, filelike: _Readable, blksize: int = 8192) -> FileWrapper: ...
    @property
    def filelike(self) -> Any:
        """The wrapped object."""

    @property
    def blksize(self) -> int:
        """Bytes per block."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None:
        """Close the wrapped object if it can be closed."""

@final
class Input:
    """`wsgi.input`: a request body that has fully arrived. Made by the server only."""

    def read(self, size: int | None = None) -> bytes: ...
    def readline(self, size: int | None = None) -> bytes: ...
    def readlines(self, size: int | None = None) -> list[bytes]: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...

@final
class ErrorStream:
    """`wsgi.errors`: text that goes to the error log as it is. Made by the server only."""

    def write(self, text: str) -> int: ...
    def writelines(self, lines: Iterable[str]) -> None: ...
    def flush(self) -> None: ...

@final
class StartResponse:
    """`start_response` of one request. Made by the server only."""

    def __call__(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: _ExcInfo | None = None
    ) -> Any:
        """Take status and headers; return `write`."""

    def early_hints(self, headers: Iterable[tuple[str | bytes, str | bytes]]) -> None:
        """Tell the client of headers that the response will have (103 Early Hints)."""
    def write(self, data: bytes) -> None:
        """Send a piece of the body before what the application returns."""

@final
class ClientSocket:
    """`gunicorn.socket`: becomes a `socket.socket` at the first use of an attribute. Made by the server only."""

    def __getattr__(self, name: str) -> Any: ...
