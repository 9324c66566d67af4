"""The pool of a native application, in the auto shop's: the same settings, the same limit, the same log as for ferricorn.db."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from .services import REPOSITORY, Bouncer, Cluster
from .serving import Serving

DATABASE = "native_shop"


class NativeServing(Serving):
    """The native shop instead of `ferricorn app:application`."""

    def __init__(self, dsn: str, *arguments: str, **environment: str) -> None:
        super().__init__(dsn, *arguments, **environment)
        program = REPOSITORY / "target" / "debug" / "autoshop-native"
        self._command = [str(program), "--bind", f"127.0.0.1:{self.port}", *arguments]


@pytest.fixture(scope="module", autouse=True)
def shop(cluster: Cluster) -> Iterator[None]:
    """The program is built, and there is a database with the shop's rows."""
    build = ["cargo", "build", "--quiet", "--locked", "--package", "autoshop-native"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    cluster.superuser(f"CREATE DATABASE {DATABASE} OWNER autoshop")
    environment = {**os.environ, "DATABASE_URL": cluster.url(DATABASE), "SHOP_DRIVER": "psycopg2"}
    subprocess.run([sys.executable, str(REPOSITORY / "examples/autoshop/seed.py")], env=environment, check=True)
    yield
    cluster.superuser(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def connections(cluster: Cluster, name: str) -> int:
    """Of the server that calls itself so, at the database."""
    return int(cluster.superuser(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"))


def test_settings_from_toml(cluster: Cluster) -> None:
    serving = NativeServing("", "-c", "ferricorn.toml")
    (serving.directory / "ferricorn.toml").write_text(
        f'[db]\nurl = "{cluster.url(DATABASE)}"\napplication_name = "from-toml"\npool_max = 1\n', encoding="utf-8"
    )
    with serving as server:
        assert server.get("/api/customers/7")[0] == 200
        assert connections(cluster, "from-toml") == 1


def test_slow_statements_are_logged(cluster: Cluster) -> None:
    """One that waits for a lock for longer than the threshold is: with its place, without its values."""
    holder = psycopg2.connect(cluster.url(DATABASE))
    with NativeServing(cluster.url(DATABASE), SLOW_QUERY_THRESHOLD="100") as server:
        with holder.cursor() as cursor:
            cursor.execute("LOCK customers IN ACCESS EXCLUSIVE MODE")
        client = server.ask("/api/customers/7531")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > '0.2 s'"
        server.wait_until("it has waited for long enough", lambda: cluster.superuser(f"{waiting} AND datname = '{DATABASE}'"))
        holder.rollback()
        (line,) = server.wait_until("the line", lambda: server.lines("Slow query:", "WHERE customers.id = $1"))
        client.close()
        assert "WARNING" in line and "records.rs:" in line and "7531" not in line
    holder.close()


def test_pgbouncer_in_transaction_mode(bouncer: Bouncer) -> None:
    """More clients than connections, each statement on whichever the next is."""
    url = bouncer.url(DATABASE)
    with NativeServing(url, "--workers", "2", DB_POOL_MAX="8") as server, ThreadPoolExecutor(16) as crowd:
        paths = [f"/api/{kind}/{n % 10 + 1}" for n in range(100) for kind in ("customers", "vehicles", "work-orders")]
        answers = list(crowd.map(server.get, paths))
        assert {status for status, _ in answers} == {200}
        assert all(f'"id":{path.rpartition("/")[2]},' in body for path, (_, body) in zip(paths, answers, strict=True))


def test_budget_of_the_whole_server(cluster: Cluster) -> None:
    """Both workers get on with fewer connections than either may have."""
    url = cluster.url(DATABASE)
    arguments = ("--workers", "2", "--db-connections", "2")
    with NativeServing(url, *arguments, DB_POOL_MAX="4", PGAPPNAME="budget") as server, ThreadPoolExecutor(8) as crowd:
        counts = []
        for _ in range(3):
            asked = [crowd.submit(server.get, f"/api/customers/{n}") for n in range(1, 41)]
            while not all(one.done() for one in asked):
                counts.append(connections(cluster, "budget"))
            assert {one.result()[0] for one in asked} == {200}
        assert 1 <= max(counts) <= 2


def test_transaction_of_a_statement_that_nobody_waited_for(cluster: Cluster) -> None:
    """A handler that is dropped at its deadline may have sent BEGIN: the next borrower is in no transaction for it."""
    run = ["cargo", "run", "--quiet", "--locked", "--package", "ferricorn", "--example", "forsaken"]
    environment = {**os.environ, "DATABASE_URL": cluster.url(DATABASE), "DB_POOL_MAX": "1"}
    found = subprocess.run(run, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True)
    assert found.stdout == "None\n"
