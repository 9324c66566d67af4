"""The functions of `gunicorn.util` that configuration files, loggers and programs use."""

from __future__ import annotations

import email.utils
import fcntl
import importlib
import importlib.metadata
import inspect
import io
import os
import pwd
import random
import re
import socket
import sys
import time
import urllib.parse
from types import TracebackType
from typing import Any, Callable, NoReturn

from ferricorn import _loading
from ferricorn.errors import AppImportError
from ferricorn.workers import SUPPORTED_WORKERS

DEFAULT_PORT = "8000"

# Headers that belong to one connection, and the two that a server gives itself.
hop_headers = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailers transfer-encoding upgrade".split()
) | {"server", "date"}


def import_app(module: str) -> Callable[..., Any]:
    """Import `module`, `module:name` or `module:factory(literal, ...)`; AppImportError says what is missing."""
    try:
        return _loading.load(module, False)
    except _loading.NotAnApplication as error:
        raise AppImportError(str(error)) from error


def load_class(uri: Any, default: str = "gunicorn.workers.sync.SyncWorker", section: str = "gunicorn.workers") -> Any:
    """Return a class by its dotted path, its short name, or `egg:distribution#name`; a class is returned as it is.

    Paths into gunicorn lead to the server's own class of that name, if it has one.
    """
    if inspect.isclass(uri):
        return uri
    try:
        if uri.startswith("egg:"):
            distribution, _, name = uri.removeprefix("egg:").partition("#")
            return load_entry_point(distribution, section, name or default)
        uri = SUPPORTED_WORKERS.get(uri.lstrip("#"), uri)
        module, _, name = uri.rpartition(".")
        if not module:
            return load_entry_point("gunicorn", section, uri)
        found = importlib.import_module(_our_module(module))
    except Exception as error:
        raise RuntimeError(f"class uri {uri!r} invalid or not found: {_described(error)}") from error
    try:
        return getattr(found, name)
    except AttributeError:
        raise AttributeError(f"class uri {uri!r} invalid or not found: {module!r} has no attribute {name!r}") from None


def _our_module(name: str) -> str:
    from ferricorn._standins import counterpart

    return counterpart(name) or name


def _described(error: BaseException) -> str:
    """Say what was raised, and where if that was in somebody's code."""
    text = f"{type(error).__name__}: {error}"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename if trace is not None else ""
    if trace is None or file.startswith("<frozen") or os.path.dirname(file) == os.path.dirname(importlib.__file__):
        return text
    return f"{text} ({file}, line {trace.tb_lineno})"


def load_entry_point(distribution: str, group: str, name: str) -> Any:
    """Load what an installed distribution offers under this name."""
    for entry in importlib.metadata.distribution(distribution).entry_points:
        if (entry.group, entry.name) == (group, name):
            return entry.load()
    raise ImportError(f"{distribution} has no entry point {name!r} in the group {group!r}")


def get_arity(function: Callable[..., Any]) -> int:
    """Return how many positional arguments a function names: those with a default too, no `*arguments`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds for parameter in inspect.signature(function).parameters.values())


# Addresses.


def is_ipv6(address: str) -> bool:
    """Return whether this is an IPv6 address."""
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return False
    return True


def parse_address(netloc: str, default_port: str = DEFAULT_PORT) -> str | int | tuple[str, int]:
    """Return a pair of host and port, the path of a unix socket, or the number of a descriptor."""
    if netloc.startswith("unix:"):
        return netloc.removeprefix("unix:").removeprefix("//")
    if netloc.startswith("fd://"):
        number = netloc.removeprefix("fd://")
        if not number.strip().isdigit():
            raise RuntimeError(f"{number!r} is not a valid file descriptor.")
        return int(number)
    host, port = _split_netloc(netloc.removeprefix("tcp://"), default_port)
    try:
        return host.lower(), int(port)
    except ValueError:
        raise RuntimeError(f"{port!r} is not a valid port number.") from None


def _split_netloc(netloc: str, default_port: str) -> tuple[str, str]:
    bracketed = re.match(r"[^\[\]]*\[(?P<host>[^\]]*)\](?::(?P<port>.*))?", netloc)
    if bracketed is not None:
        port = bracketed["port"]
        return bracketed["host"], default_port if port is None else port
    host, colon, rest = netloc.partition(":")
    if colon:
        return host, rest.partition(":")[0]
    return netloc or "0.0.0.0", default_port


# Descriptors and sockets.


def close_on_exec(descriptor: Any) -> None:
    """Let no program that is started inherit a descriptor."""
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def set_non_blocking(descriptor: Any) -> None:
    """Let no call on a descriptor wait."""
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)


def close(sock: Any) -> None:
    """Close a socket, whatever state it is in."""
    try:
        sock.close()
    except OSError:
        # It is gone either way.
        return


def write_chunk(sock: socket.socket, data: bytes | str) -> None:
    """Send a piece of a chunked body."""
    piece = data.encode("utf-8") if isinstance(data, str) else data
    sock.sendall(b"%X\r\n%s\r\n" % (len(piece), piece))


def write(sock: socket.socket, data: bytes, chunked: bool = False) -> None:
    """Send a piece of a body."""
    if chunked:
        write_chunk(sock, data)
    else:
        sock.sendall(data)


def has_fileno(stream: Any) -> bool:
    """Return whether a file has a descriptor, which some only pretend to."""
    try:
        stream.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        return False
    return True


# Files and processes.


def getcwd() -> str:
    """Return the current directory, by the name in `PWD` where that is the same directory."""
    actual = os.getcwd()
    named = os.environ.get("PWD")
    try:
        return named if named and os.path.samefile(named, actual) else actual
    except OSError:
        return actual


def chown(path: Any, uid: int, gid: int) -> None:
    """Give a file to a user and a group."""
    os.chown(path, uid, gid)


def unlink(path: Any) -> None:
    """Remove a file; it need not exist."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


def check_is_writable(path: Any) -> None:
    """RuntimeError: the file cannot be opened for appending."""
    try:
        with open(path, "a"):
            return
    except OSError as error:
        raise RuntimeError(f"{path!r} isn't writable [{error!r}]") from error


def is_glob_pattern(value: str) -> bool:
    """Return whether a path is a pattern."""
    return any(letter in value for letter in "*?[")


def get_username(uid: int) -> str:
    """Return the name of a user; KeyError if there is none."""
    return pwd.getpwuid(uid).pw_name


def set_owner_process(uid: int, gid: int, initgroups: bool = False) -> None:
    """Become this user and group; with `initgroups` also take the user's other groups."""
    if gid:
        name = _name_or_none(uid) if uid and initgroups else None
        if name is not None:
            os.initgroups(name, gid)
        elif gid != os.getgid():
            os.setgid(gid)
    if uid and uid != os.getuid():
        os.setuid(uid)


def _name_or_none(uid: int) -> str | None:
    try:
        return get_username(uid)
    except KeyError:
        return None


def daemonize(enable_stdio_inheritance: bool = False) -> None:
    """Leave terminal and parent behind. With the argument, output that goes to no terminal stays where it goes."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.umask(0o022)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        kept = enable_stdio_inheritance and descriptor > 0 and not os.isatty(descriptor)
        if not kept and descriptor != nowhere:
            os.dup2(nowhere, descriptor)
    if nowhere > 2:
        os.close(nowhere)


def seed() -> None:
    """Give this process random numbers of its own."""
    random.seed(os.urandom(64))


# Texts.


def http_date(timestamp: float | None = None) -> str:
    """Return a time, now by default, as headers have it."""
    return email.utils.formatdate(time.time() if timestamp is None else timestamp, usegmt=True)


def is_hoppish(header: str) -> bool:
    """Return whether a header belongs to one connection only."""
    return header.lower().strip() in hop_headers


def to_bytestring(value: str | bytes, encoding: str = "utf8") -> bytes:
    """Return a text as bytes; bytes stay what they are."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value.encode(encoding)


def bytes_to_str(value: str | bytes) -> str:
    """Return bytes as the text WSGI makes of them; a text stays what it is."""
    return value if isinstance(value, str) else value.decode("latin-1")


def unquote_to_wsgi_str(text: str) -> str:
    """Decode percent signs to the text WSGI makes of the bytes."""
    return urllib.parse.unquote_to_bytes(text).decode("latin-1")


def split_request_uri(uri: str) -> urllib.parse.SplitResult:
    """Split a request target; a path may begin with two slashes."""
    if not uri.startswith("//"):
        return urllib.parse.urlsplit(uri)
    parts = urllib.parse.urlsplit("." + uri)
    return parts._replace(path=parts.path[1:])


def warn(message: str) -> None:
    """Print a warning to stderr in a way that is seen."""
    first, *others = message.splitlines() or [""]
    lines = [f"WARNING: {first}", *others]
    print("!!!", *(f"!!! {line}" for line in lines), "!!!\n", sep="\n", file=sys.stderr, flush=True)


def make_fail_app(message: str | bytes) -> Callable[..., Any]:
    """Return an application that answers every request with status 500 and this text."""
    body = to_bytestring(message)

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response("500 Internal Server Error", headers)
        return [body]

    return application


def reraise(kind: type[BaseException], value: BaseException | None, trace: TracebackType | None = None) -> NoReturn:
    """Raise an exception again, with the traceback it had."""
    raise (kind() if value is None else value).with_traceback(trace)
