"""The shop under Ferricorn's reference command line: deploys and recycling lose no request."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[1]
PATIENCE = 30.0
DEPLOYS = 6
CUSTOMERS = 50


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Shop:
    """The running server."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.error_log = folder / "error.log"
        self.process = subprocess.Popen(
            [
                *(Path(sys.executable).parent / "ferricorn", "--bind", f"127.0.0.1:{self.port}"),
                *"--workers 4 --worker-class sync --worker-connections 1000 --max-requests 200".split(),
                *"--max-requests-jitter 100 --timeout 30 --keep-alive 2 --preload --access-logfile".split(),
                *(folder / "access.log", "--error-logfile", self.error_log),
                *"--log-level warning --capture-output backend.wsgi:application".split(),
            ],
            cwd=SHOP,
            env={**os.environ, "DATABASE_URL": database_url, "JWT_SECRET": "a secret for the tests only"},
        )

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Waits for a condition; fails when the server ends before it holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, f"the server ended before: {what}\n{self.error_log.read_text()}"
            assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain for: {what}"
            time.sleep(0.02)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def workers(self) -> set[int]:
        """The master's children that call themselves workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child) for child in children if b"worker" in command_line(child)}

    def deploy(self) -> None:
        """One HUP, to the end: none of the workers of before is left."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        self.wait_until("new workers", lambda: len(now := self.workers()) == 4 and not now & before)


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    server = Shop(tmp_path, database_url)
    try:
        server.wait_until("the first answer", lambda: server.answers() and len(server.workers()) == 4)
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            assert server.process.wait(PATIENCE) == 0
        finally:
            server.process.kill()


class Customer(threading.Thread):
    """Asks again and again, on one connection or on a new one each time, and checks each answer."""

    def __init__(self, port: int, keeps: bool, over: threading.Event) -> None:
        super().__init__()
        self.port, self.keeps, self.over = port, keeps, over
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        wanted = 0
        while not self.over.is_set():
            wanted = wanted % CUSTOMERS + 1
            self.outcomes[self.ask(connection, wanted)] += 1
            if not self.keeps:
                connection.close()
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, wanted: int) -> str:
        try:
            connection.request("GET", f"/api/customers/{wanted}")
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{type(error).__name__}: {error}"
        if answer.status != 200:
            return f"status {answer.status}"
        return "right" if json.loads(body)["id"] == wanted else "another customer's answer"


def test_six_deploys_lose_no_request(shop: Shop) -> None:
    over = threading.Event()
    customers = [Customer(shop.port, keeps, over) for keeps in (True, False) * 4]
    for customer in customers:
        customer.start()
    try:
        for _ in range(DEPLOYS):
            shop.deploy()
    finally:
        over.set()
        for customer in customers:
            customer.join()
    outcomes = sum((customer.outcomes for customer in customers), Counter())
    print(dict(outcomes))
    assert set(outcomes) == {"right"}
    # Each deploy and each worker's share of 200 to 300 requests has come to an end under load.
    assert outcomes["right"] > 300
    assert shop.error_log.read_text() == ""
