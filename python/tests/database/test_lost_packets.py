"""Packets vanish between the pool and Postgres: the request in question gets an error in bounded time, the pool heals by itself,
nothing is done twice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from .losing import FAR, Losing
from .services import DATABASE, USER, Cluster
from .serving import APPLICATION, PATIENCE, Serving
from .test_faults import eventually, running

pytest.importorskip("ferricorn.db")

KINDS = pytest.mark.parametrize("kind", ["", "--threads 3"], ids=["sync", "gthread"])

# A silent connection is given up after 1 + 2 x 1 s, also when it takes nothing.
IMPATIENT = {
    "DB_KEEPALIVES_IDLE": "1", "DB_KEEPALIVES_INTERVAL": "1", "DB_KEEPALIVES_COUNT": "2", "DB_CONNECT_TIMEOUT": "1",
    "DB_POOL_MAX": "2",
}  # fmt: skip

INSERTING = """
def insert(query):
    with db.get_db_connection() as connection:
        connection.autocommit = True
        return one(connection, "INSERT INTO written SELECT %s FROM pg_sleep(1) RETURNING x", (query,))

routes["insert"] = insert
"""


class Distant(Cluster):
    """Takes clients from the other end of the wire, too."""

    def __init__(self) -> None:
        super().__init__()
        self.host = FAR
        self._settings["listen_addresses"] = "*"

    def _make(self) -> None:
        super()._make()
        with open(self.directory / "data" / "pg_hba.conf", "a", encoding="utf-8") as rules:
            rules.write("host all all samenet scram-sha-256\n")


@pytest.fixture(scope="module")
def wire() -> Iterator[Losing]:
    with Losing() as wire:
        yield wire


@pytest.fixture(scope="module")
def distant(wire: Losing) -> Iterator[Distant]:
    distant = Distant()
    try:
        with wire.inside("far"):
            distant.start()
        distant.superuser(f"CREATE TABLE written (x text); GRANT ALL ON written TO {USER}", DATABASE)
        yield distant
    finally:
        distant.close()


@pytest.fixture(autouse=True)
def near(wire: Losing) -> Iterator[None]:
    """Tests, their servers and their requests are at the near end."""
    with wire.inside("near"):
        yield


def written(distant: Distant, mark: str) -> int:
    """How often this was inserted."""
    return int(distant.superuser(f"SELECT count(*) FROM written WHERE x = '{mark}'", DATABASE))


def answer_to(client: socket.socket) -> str:
    """Head and body, when the answer is here."""
    client.settimeout(PATIENCE)
    text = b""
    while b"\r\n\r\n" not in text or not text.partition(b"\r\n\r\n")[2]:
        more = client.recv(65536)
        assert more, f"the answer broke off: {text!r}"
        text += more
    client.close()
    return text.decode()


def heals(server: Serving) -> None:
    """Whatever the pool still has that leads nowhere, it is used again without a restart."""
    server.wait_until("it is used again", lambda: server.get("/pid")[0] == 200)
    assert [server.get("/pid")[0] for _ in range(5)] == [200] * 5
    assert not server.lines("Worker exiting")


@KINDS
def test_in_the_middle_of_a_statement(wire: Losing, distant: Distant, kind: str) -> None:
    mark = f"middle{len(kind)}"
    with Serving(distant.url(), *kind.split(), application=APPLICATION + INSERTING, **IMPATIENT) as server:
        assert server.get("/pid")[0] == 200
        client = server.ask(f"/insert?{mark}")
        eventually("the statement runs", lambda: running(distant, mark))
        wire.lose()
        try:
            answer = answer_to(client)
        finally:
            wire.go_on()
        assert answer.startswith("HTTP/1.1 503") and "OperationalError" in answer and FAR in answer, answer
        heals(server)
        eventually("the statement is through", lambda: not running(distant, mark))
        assert written(distant, mark) == 1


@KINDS
def test_while_a_connection_rests(wire: Losing, distant: Distant, kind: str) -> None:
    mark = f"resting{len(kind)}"
    with Serving(distant.url(), *kind.split(), application=APPLICATION + INSERTING, **IMPATIENT) as server:
        assert server.get("/pid")[0] == 200
        wire.lose()
        try:
            # The first may use the connection that is there; whoever comes then has to make one.
            for _ in range(3):
                status, words = server.get(f"/insert?{mark}")
                assert status == 503 and words.startswith("OperationalError") and FAR in words, words
        finally:
            wire.go_on()
        heals(server)
        assert written(distant, mark) == 0


@KINDS
def test_while_connecting(wire: Losing, distant: Distant, kind: str) -> None:
    with Serving(distant.url(), *kind.split(), **IMPATIENT) as server:
        wire.lose()
        try:
            status, words = server.get("/pid")
            assert status == 503 and words.startswith("OperationalError") and "DB_CONNECT_TIMEOUT" in words, words
        finally:
            wire.go_on()
        heals(server)


@KINDS
def test_gap_that_tcp_bridges(wire: Losing, distant: Distant, kind: str) -> None:
    """An answer that was lost is sent again by the kernel: nobody notices but by the time it takes."""
    mark = f"gap{len(kind)}"
    with Serving(distant.url(), *kind.split(), application=APPLICATION + INSERTING) as server:
        client = server.ask(f"/insert?{mark}")
        eventually("the statement runs", lambda: running(distant, mark))
        wire.lose()
        try:
            eventually("its answer is lost", lambda: not running(distant, mark))
        finally:
            wire.go_on()
        answer = answer_to(client)
        assert answer.startswith("HTTP/1.1 200") and answer.endswith(mark), answer
        assert written(distant, mark) == 1
