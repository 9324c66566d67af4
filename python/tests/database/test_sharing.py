"""One connection and several users at once: threads, the handler of a signal, the file of a copy, a forked process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .forking import in_a_child
from .services import Cluster
from .test_faults import eventually, running
from .test_parameters import one

db = pytest.importorskip("ferricorn.db")


@pytest.fixture
def connection(cluster: Cluster) -> Iterator[Any]:
    """Past PgBouncer."""
    connection = db.connect(cluster.url(), pool_mode="direct")
    yield connection
    connection.close()


class Source:
    """A file that calls back before each of its lines."""

    def __init__(self, lines: int, before: Any) -> None:
        self._lines, self._before = lines, before

    def read(self, size: int) -> bytes:
        if self._lines == 0:
            return b""
        self._lines -= 1
        self._before()
        return b"1\n"


class Sink:
    """One that calls back before it takes anything."""

    def __init__(self, before: Any) -> None:
        self._before = before

    def write(self, data: bytes) -> None:
        self._before()


def copy(cursor: Any, way: str, before: Any) -> None:
    """A copy of 20 lines in several pieces."""
    if way == "in":
        cursor.execute("CREATE TEMP TABLE copied (a int) ON COMMIT DROP")
        cursor.copy_expert("COPY copied FROM STDIN", Source(20, before))
    else:
        cursor.copy_expert("COPY (SELECT repeat('x', 60000) FROM generate_series(1, 20)) TO STDOUT", Sink(before))


@pytest.mark.parametrize("way", ["in", "out"])
def test_others_wait_for_the_end_of_a_copy(connection: Any, way: str) -> None:
    got: list[Any] = []
    begun = threading.Event()

    def ask() -> None:
        begun.set()
        got.append(one(connection.cursor(), "SELECT 5"))

    other = threading.Thread(target=ask, daemon=True)

    def before() -> None:
        if not begun.is_set():
            other.start()
            begun.wait()

    cursor = connection.cursor()
    copy(cursor, way, before)
    assert cursor.rowcount == 20
    other.join(20)
    assert got == [5]


@pytest.mark.parametrize("way", ["in", "out"])
def test_file_of_a_copy_cannot_use_its_connection(connection: Any, way: str) -> None:
    cursor = connection.cursor()
    with pytest.raises(db.InterfaceError, match="this very thread"):
        copy(cursor, way, lambda: connection.cursor().execute("SELECT 1"))
    connection.rollback()
    connection.close()


@pytest.mark.parametrize("deed", ["rollback", "commit", "close", "get_backend_pid"])
def test_handler_of_a_signal_cannot_use_the_connection_that_it_interrupts(
    cluster: Cluster, connection: Any, deed: str
) -> None:
    def handle(*_: Any) -> None:
        getattr(connection, deed)()

    words = f"interrupted by {deed}"
    before = signal.signal(signal.SIGUSR1, handle)
    try:

        def interrupt() -> None:
            eventually("the statement runs", lambda: running(cluster, words))
            os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(db.InterfaceError, match="this very thread"):
            connection.cursor().execute(f"SELECT pg_sleep(60), '{words}'")
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    connection.rollback()
    assert one(connection.cursor(), "SELECT 1") == 1


def test_fork_while_another_thread_uses_the_connection(cluster: Cluster, connection: Any) -> None:
    def suffer() -> None:
        with pytest.raises(db.OperationalError, match="user request"):
            connection.cursor().execute("SELECT pg_sleep(60), 'during a fork'")

    busy = threading.Thread(target=suffer)
    busy.start()
    eventually("the statement runs", lambda: running(cluster, "during a fork"))

    def use() -> str:
        for deed in (connection.get_backend_pid, lambda: connection.notices, connection.get_dsn_parameters):
            with pytest.raises(db.InterfaceError, match="forked"):
                deed()
        connection.close()
        return "refused"

    assert in_a_child(use) == "refused"
    connection.cancel()
    busy.join()
