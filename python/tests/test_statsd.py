"""`ferricorn.instrument.statsd`: its datagrams, side by side with the original's."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gunicorn.instrument.statsd
import pytest
from ferricorn.config import Config
from ferricorn.instrument.statsd import Statsd

BOTH = (Statsd, gunicorn.instrument.statsd.Statsd)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Give the loggers back as they were."""
    kept = {
        log: (log.handlers[:], log.level, log.propagate)
        for log in map(logging.getLogger, ("gunicorn.error", "gunicorn.access"))
    }
    yield
    for log, (handlers, level, propagate) in kept.items():
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


class Sink:
    """A statsd server: keeps what it is sent."""

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(10)

    def received(self, log: Any) -> list[str]:
        """Return everything up to a last metric."""
        log.gauge("last", 1)
        found: list[str] = []
        while "last" not in "".join(found):
            found.append(self.socket.recv(4096).decode("ascii"))
        return found[:-1]


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink(socket.AF_INET, ("127.0.0.1", 0))
    yield made
    made.socket.close()


def logger(kind: type[Any], host: Any, **values: Any) -> Any:
    return kind(Config.of({"statsd_host": host, "user": os.geteuid(), "group": os.getegid(), **values}))


def exercise(log: Any) -> None:
    """Send one metric of every kind that there is."""
    for level in ("critical", "error", "warning", "info", "debug"):
        getattr(log, level)("said %s", level)
    try:
        raise LookupError("raised")
    except LookupError:
        log.exception("failed")
    log.log("info", "said")
    for kind in ("gauge", "counter", "histogram", "timer", "nonsense"):
        log.info("", extra={"metric": f"shop.{kind}", "value": 0, "mtype": kind})
        log.debug("with text", extra={"metric": f"shop.{kind}", "value": 2.5, "mtype": kind})
    for incomplete in (
        {"metric": "a", "value": 1},
        {"metric": "a", "mtype": "gauge"},
        {"value": 1, "mtype": "gauge"},
        {},
    ):
        log.info("", extra=incomplete)
    log.gauge("a", 5)
    log.increment("a", 1)
    log.increment("a", 2, 0.5)
    log.decrement("a", 3)
    log.timer("a", 1.25)
    log.histogram("a", 7)
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1"}
    for status in ("200 OK", b"404 Not Found", 500):
        for elapsed in (
            timedelta(microseconds=1_124_470),
            timedelta(seconds=2),
            timedelta(microseconds=7),
            timedelta(0),
        ):
            log.access(SimpleNamespace(status=status, sent=0, headers=[]), {}, environ, elapsed)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"statsd_prefix": "shop", "dogstatsd_tags": "a:b,c"},
        {"statsd_prefix": "shop.."},
        {"statsd_prefix": "s"},
        {"statsd_prefix": ".s"},
        {"statsd_prefix": "..."},
    ],
)
def test_datagrams_are_those_of_the_original(sink: Sink, values: dict[str, Any]) -> None:
    """One by one, with each prefix and with tags."""
    received = []
    for kind in BOTH:
        log = logger(kind, sink.socket.getsockname(), errorlog="/dev/null", accesslog="/dev/null", **values)
        exercise(log)
        received.append(sink.received(log))
    assert received[0] == received[1]
    assert len(received[0]) == 54


def test_the_wire_format(sink: Sink) -> None:
    """What a dashboard was built on."""
    log = logger(Statsd, sink.socket.getsockname(), errorlog="/dev/null", statsd_prefix="shop", dogstatsd_tags="a:b,c")
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1"}
    log.access(SimpleNamespace(status="404 Not Found", headers=[]), {}, environ, timedelta(microseconds=1_124_470))
    log.warning("beware")
    assert sink.received(log) == [
        "shop.gunicorn.request.duration:1124.47|ms|#a:b,c",
        "shop.gunicorn.requests:1|c|@1.0|#a:b,c",
        "shop.gunicorn.request.status.404:1|c|@1.0|#a:b,c",
        "shop.gunicorn.log.warning:1|c|@1.0|#a:b,c",
    ]


def test_a_metric_without_text_is_no_line(sink: Sink, tmp_path: Path) -> None:
    """With text it is a line, too."""
    log = logger(Statsd, sink.socket.getsockname(), errorlog=str(tmp_path / "log"))
    metric = {"metric": "a", "value": 1, "mtype": "gauge"}
    log.info("", extra=metric)
    assert (tmp_path / "log").read_text() == ""
    log.info("text", extra=metric)
    assert (tmp_path / "log").read_text().endswith("[INFO] text\n")
    assert sink.received(log) == ["a:1|g", "a:1|g"]


def test_other_sockets_will_do(tmp_path: Path) -> None:
    """A unix socket, and IPv6."""
    places: list[tuple[socket.AddressFamily, Any]] = [(socket.AF_UNIX, str(tmp_path / "statsd"))]
    if socket.has_ipv6:
        places.append((socket.AF_INET6, ("::1", 0)))
    for family, address in places:
        sink = Sink(family, address)
        try:
            log = logger(
                Statsd, sink.socket.getsockname() if family == socket.AF_UNIX else sink.socket.getsockname()[:2]
            )
            log.increment("a", 1)
            assert sink.received(log) == ["a:1|c|@1.0"]
        finally:
            sink.socket.close()


def test_an_absent_server_is_survived(tmp_path: Path) -> None:
    """One line says so, and the lines of the server go on."""
    log = logger(Statsd, str(tmp_path / "nobody"), errorlog=str(tmp_path / "log"))
    log.increment("a", 1)
    log.error("said")
    first, second = (tmp_path / "log").read_text().splitlines()
    assert f"[WARNING] statsd at {tmp_path}/nobody cannot be reached, no metrics are sent: " in first
    assert second.endswith("[ERROR] said")


def test_a_server_that_goes_away_is_survived(tmp_path: Path) -> None:
    """The application is told nothing, the error log is."""
    sink = Sink(socket.AF_UNIX, str(tmp_path / "statsd"))
    log = logger(Statsd, str(tmp_path / "statsd"), errorlog=str(tmp_path / "log"))
    sink.socket.close()
    log.increment("a", 1)
    log.gauge("ä", 1)
    text = (tmp_path / "log").read_text()
    assert text.count("[WARNING] Error sending message to statsd\nTraceback") == 2
    log.info("%d", "not a number", extra={"metric": "a", "value": Unprintable(), "mtype": "gauge"})
    assert "[WARNING] Failed to log to statsd\nTraceback" in (tmp_path / "log").read_text()


class Unprintable:
    """A value that cannot be written."""

    def __str__(self) -> str:
        raise LookupError("unprintable")


def test_the_original_takes_our_configuration(sink: Sink) -> None:
    """As every class that derives from it."""
    cfg = Config.of({"statsd_host": sink.socket.getsockname(), "logger_class": BOTH[1], "errorlog": "/dev/null"})
    log = cfg.logger_class(cfg)
    log.increment("a", 1)
    assert isinstance(log, BOTH[1]) and sink.received(log) == ["a:1|c|@1.0"]
