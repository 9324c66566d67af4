"""Where syslog listens, and the handlers that send log lines there."""

from __future__ import annotations

import logging
import logging.handlers
import re
import socket
from typing import Any

SYSLOG_FACILITIES = {
    **{f"local{number}": 16 + number for number in range(8)},
    "auth": 4,
    "authpriv": 10,
    "cron": 9,
    "daemon": 3,
    "ftp": 11,
    "kern": 0,
    "lpr": 6,
    "mail": 2,
    "news": 7,
    "security": 4,
    "syslog": 5,
    "user": 1,
    "uucp": 8,
}

SYSLOG_PORT = 514

Address = str | tuple[str, int]


def parse_syslog_address(address: str) -> tuple[socket.SocketKind | None, Address]:
    """Return the kind of socket, None for whatever answers, and the address of it."""
    scheme, found, rest = address.partition("://")
    if found and scheme == "unix":
        path, _, kind = rest.partition("#")
        return {"dgram": socket.SOCK_DGRAM, "stream": socket.SOCK_STREAM}.get(kind), path
    kinds = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    if not found or scheme not in kinds:
        raise RuntimeError(
            f"invalid syslog address {address!r}: it must be udp://HOST:PORT, tcp://HOST:PORT or unix://PATH"
        )
    return kinds[scheme], _host_and_port(rest)


def _host_and_port(text: str) -> tuple[str, int]:
    parts = re.fullmatch(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>.*))?", text)
    if parts is None:
        raise RuntimeError(f"{text!r} is not a valid host and port of syslog.")
    host = parts["host"] if parts["v6"] is None else parts["v6"]
    port = parts["port"]
    if port is not None and not port.isdigit():
        raise RuntimeError(f"{port!r} is not a valid port number of syslog.")
    return host.lower() if text else "localhost", SYSLOG_PORT if port is None else int(port)


def syslog_handler(cfg: Any, line_format: str, name: str) -> logging.Handler:
    """Return a handler for the lines of the log called `name`; what keeps it from being made is a RuntimeError."""
    facility = SYSLOG_FACILITIES.get(cfg.syslog_facility.lower())
    if facility is None:
        known = ", ".join(sorted(SYSLOG_FACILITIES))
        raise RuntimeError(
            f"unknown facility name {cfg.syslog_facility!r} in syslog_facility: it must be one of {known}"
        )
    kind, address = parse_syslog_address(cfg.syslog_addr)
    try:
        handler = logging.handlers.SysLogHandler(address=address, facility=facility, socktype=kind)
    except OSError as error:
        raise RuntimeError(f"syslog at {cfg.syslog_addr} cannot be reached: {error}") from error
    prefix = cfg.syslog_prefix or cfg.proc_name.replace(":", ".")
    handler.setFormatter(logging.Formatter(f"gunicorn.{prefix}.{name}: {line_format}"))
    return handler
