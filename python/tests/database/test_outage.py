"""A database that is away: few attempts, quick answers, and back in use when it is there; networks that swallow everything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from .services import Cluster
from .serving import Serving
from .stalling import Stalling
from .test_faults import ask, eventually

db = pytest.importorskip("ferricorn.db")

# What a pause between two attempts takes at least, once there have been some.
PAUSE = 0.5
# Attempts before that: each pause is twice the one before.
GROWING = 5


@pytest.mark.parametrize("threads", [1, 8])
def test_few_attempts_while_the_database_is_away(cluster: Cluster, threads: int) -> None:
    with Stalling((cluster.host, cluster.port)) as proxy:
        proxy.refuse()
        failures: list[str] = []

        def want() -> None:
            for _ in range(200 // threads):
                try:
                    ask(proxy.url())
                except db.OperationalError as error:
                    failures.append(str(error))

        began = time.monotonic()
        wanting = [threading.Thread(target=want) for _ in range(threads)]
        for thread in wanting:
            thread.start()
        for thread in wanting:
            thread.join()
        assert len(failures) == 200 and all(str(proxy.port) in words for words in failures)
        assert any("next try in" in words for words in failures)
        assert proxy.accepted <= threads + GROWING + (time.monotonic() - began) / PAUSE
        proxy.go_on()
        assert eventually("it is used again", lambda: ask(proxy.url())) == 1
        before = proxy.accepted
        assert [ask(proxy.url()) for _ in range(20)] == [1] * 20
        assert proxy.accepted == before


def test_connections_that_are_there_are_lent_during_an_outage(cluster: Cluster) -> None:
    settings = {"pool_max": 2, "application_name": "outage"}
    with Stalling((cluster.host, cluster.port)) as proxy:
        assert ask(proxy.url(), **settings) == 1
        proxy.refuse()
        first = db.connect(proxy.url(), **settings)
        for _ in range(5):
            with pytest.raises(db.OperationalError):
                db.connect(proxy.url(), **settings)
        first.close()
        assert ask(proxy.url(), **settings) == 1


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue is full: the kernel answers no further SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(50):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.skip("this kernel has room for everybody")
        yield listener.getsockname()[1]


def test_host_that_does_not_answer_at_all() -> None:
    with black_hole() as port:
        with pytest.raises(db.OperationalError, match="DB_CONNECT_TIMEOUT") as caught:
            ask(f"postgresql://a@127.0.0.1:{port}/b", connect_timeout=0.5)
        assert str(port) in str(caught.value)


@pytest.mark.parametrize("kind", ["", "--threads 3"], ids=["sync", "gthread"])
def test_statement_whose_answer_never_comes(cluster: Cluster, kind: str) -> None:
    """The request ends with its deadline, though not even a request to cancel gets through; the pool heals."""
    with Stalling((cluster.host, cluster.port)) as proxy:
        words = [*kind.split(), "--request-timeout", "0.5"]
        with Serving(proxy.url(), *words, DB_CONNECT_TIMEOUT="0.5", DB_POOL_MAX="2") as server:
            before = server.get("/pid")
            assert before[0] == 200
            proxy.stall()
            assert server.get("/count")[0] in (503, 504)
            proxy.go_on()
            answer: Any = server.wait_until("it is well", lambda: [found for found in [server.get("/pid")] if found[0] == 200])
            assert answer[0] != before
