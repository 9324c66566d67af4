"""ferricorn.db within the server: a request's connections end with it, and what happens to the database is seen from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from .services import PASSWORD, Bouncer, Cluster, Service
from .serving import APPLICATION, Serving

db = pytest.importorskip("ferricorn.db")

# Threads or not: the two ways in which a worker calls an application.
KINDS = pytest.mark.parametrize("kind", ["", "--threads 3"], ids=["sync", "gthread"])
ROUTES = pytest.mark.parametrize("route", ["cluster", "bouncer"], ids=["direct", "pgbouncer"])

@pytest.fixture(autouse=True)
def leaked(cluster: Cluster) -> None:
    """The table that the application writes to."""
    with psycopg2.connect(cluster.url()) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS leaked; CREATE TABLE leaked (x int)")
    connection.close()


@pytest.fixture
def database(request: pytest.FixtureRequest, route: str) -> Service:
    """Where the application is told to go."""
    service: Service = request.getfixturevalue(route)
    return service


def sleeping(cluster: Cluster, mark: str) -> bool:
    """Whether a backend is in the application's long statement."""
    return bool(
        cluster.superuser(
            f"SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%{mark}%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
    )


def connections(cluster: Cluster) -> int:
    """The application's, at the database."""
    return int(cluster.superuser("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ferricorn'"))


@KINDS
@ROUTES
def test_connections_are_kept(cluster: Cluster, database: Service, kind: str) -> None:
    with Serving(database.url(), *kind.split()) as server:
        assert {server.get("/pid")[0] for _ in range(20)} == {200}
        if database is cluster:
            assert len({server.get("/pid")[1] for _ in range(20)}) == 1
        assert server.get("/nested") == (200, "3")
        assert server.get("/stream")[1].split() == [str(n) for n in range(1, 1001)]


@KINDS
@ROUTES
def test_request_timeout_cancels_a_statement(cluster: Cluster, database: Service, kind: str) -> None:
    """The wait for a statement ends on the main thread and in others; the worker and its connections go on."""
    with Serving(database.url(), "--request-timeout", "0.5", *kind.split()) as server:
        assert server.get("/sleep?late")[0] == 504
        server.wait_until("the end of the statement", lambda: not sleeping(cluster, "late"))
        assert server.lines("GET /sleep has taken", "(request_timeout) and is ended")
        assert server.get("/nested") == (200, "3")
        assert not server.lines("asks for a successor")


@KINDS
@ROUTES
def test_lease_that_outlives_its_request(cluster: Cluster, database: Service, kind: str) -> None:
    with Serving(database.url(), *kind.split(), DB_POOL_MAX="1", DB_POOL_TIMEOUT="5") as server:
        line = next(n for n, text in enumerate(APPLICATION.splitlines(), 1) if "here it is taken" in text)
        for turn in range(1, 4):
            assert server.get("/leak?path") == (200, "leaked")
            server.wait_until("the warning", lambda turn=turn: len(server.lines(f"app.py:{line}")) == turn)
            assert server.get("/count") == (200, "0")
        assert "WARNING" in server.lines(f"app.py:{line}")[0] and "/leak" in server.lines(f"app.py:{line}")[0]


@KINDS
@ROUTES
def test_failed_transaction_ends_with_its_request(database: Service, kind: str) -> None:
    with Serving(database.url(), *kind.split(), DB_POOL_MAX="1", DB_POOL_TIMEOUT="5") as server:
        for _ in range(3):
            assert server.get("/fail")[0] == 503
            assert server.get("/count") == (200, "0")


@KINDS
@ROUTES
def test_client_that_leaves_cancels_its_statement(cluster: Cluster, database: Service, kind: str) -> None:
    mark = f"gone-{kind}-{database.port}".replace(" ", "")
    with Serving(database.url(), *kind.split()) as server:
        client = server.ask(f"/sleep?{mark}")
        server.wait_until("the statement runs", lambda: sleeping(cluster, mark))
        client.close()
        server.wait_until("it is cancelled", lambda: not sleeping(cluster, mark))
        assert server.get("/pid")[0] == 200


@KINDS
def test_worker_that_is_killed_for_its_silence_leaves_no_statement(cluster: Cluster, kind: str) -> None:
    mark = f"silent-{kind}".replace(" ", "")
    with Serving(cluster.url(), *kind.split(), "--timeout", "1") as server:
        client = server.ask(f"/sleep?{mark}")
        server.wait_until("the statement runs", lambda: sleeping(cluster, mark))
        if not kind:
            server.wait_until("it is cancelled", lambda: not sleeping(cluster, mark))
            server.wait_until("another worker answers", lambda: server.get("/pid")[0] == 200)
        client.close()


@KINDS
def test_quick_stop_cancels(cluster: Cluster, kind: str) -> None:
    mark = f"stopped-{kind}".replace(" ", "")
    with Serving(cluster.url(), *kind.split()) as server:
        with server.ask(f"/sleep?{mark}"):
            server.wait_until("the statement runs", lambda: sleeping(cluster, mark))
            server.process.send_signal(signal.SIGINT)
            server.process.wait(20)
    for _ in range(100):
        if not sleeping(cluster, mark):
            break
        cluster.superuser("SELECT pg_sleep(0.1)")
    assert not sleeping(cluster, mark)


@KINDS
def test_threads_of_the_applications_own(cluster: Cluster, kind: str) -> None:
    """They ask while the main thread waits for them."""
    with Serving(cluster.url(), *kind.split()) as server:
        for _ in range(3):
            assert server.get("/threaded") == (200, "3")


@KINDS
def test_one_bound_for_main_thread_and_others(cluster: Cluster, kind: str) -> None:
    """They have connections of their own, and together no more than DB_POOL_MAX, also of those that rest."""
    application = """
import threading
from contextlib import ExitStack
from ferricorn import db

def use():
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(db.get_db_connection()).cursor().execute("SELECT 1")
        sizes.append(db.status()[0]["size"])

sizes = []

def application(environ, start_response):
    if environ["PATH_INFO"] == "/main":
        use()
    else:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    body = str(max(sizes)).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
    name = f"bound-{kind}".replace(" ", "")
    count = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"
    with Serving(cluster.url(), *kind.split(), application=application, DB_POOL_MAX="3", PGAPPNAME=name) as server:
        for path in ["/main", "/thread"] * 5:
            assert server.get(path) == (200, "3")
            # A backend takes a moment to notice that its client has gone.
            server.wait_until("no more than three", lambda: int(cluster.superuser(count)) <= 3)


def test_database_that_comes_later() -> None:
    """The server starts, each use fails with words, and the log tells of each change once."""
    later = Cluster()
    try:
        with Serving(later.url(), DB_CONNECT_TIMEOUT="2") as server:
            answers = [server.get("/pid") for _ in range(5)]
            assert {status for status, _ in answers} == {503}
            assert all(f"127.0.0.1:{later.port}" in body and PASSWORD not in body for _, body in answers)
            assert len(server.lines(str(later.port))) == 1 and PASSWORD not in server.log()
            later.start()
            server.wait_until("the database is used", lambda: server.get("/pid")[0] == 200)
            server.wait_until("the log says so", lambda: len(server.lines(str(later.port))) == 2)
            later.stop()
            server.wait_until("it is missed", lambda: [server.get("/pid")[0] for _ in range(3)] == [503] * 3)
            assert len(server.lines(f"127.0.0.1:{later.port}", "refused")) <= 2
            later.start()
            server.wait_until("it is used again", lambda: server.get("/pid")[0] == 200)
    finally:
        later.close()


def test_restart_of_postgres_under_load() -> None:
    with Cluster() as cluster, Bouncer(cluster) as bouncer, Serving(bouncer.url(), "--workers", "2") as server:
        assert server.get("/pid")[0] == 200
        for number in (signal.SIGINT, signal.SIGQUIT):
            cluster.restart(number)
            answers: list[int] = []

            def well(answers: list[int] = answers) -> bool:
                answers.append(server.get("/pid")[0])
                return answers[-5:] == [200] * 5

            server.wait_until("all is well", well)
            assert set(answers) <= {200, 503}


def test_slow_statements_are_logged(cluster: Cluster) -> None:
    with Serving(cluster.url(), SLOW_QUERY_THRESHOLD="100") as server:
        assert server.get("/slow?x=1")[0] == 200
        (line,) = server.wait_until("the line", lambda: server.lines("pg_sleep(0.2)"))
        line_number = next(
            n for n, text in enumerate(APPLICATION.splitlines(), 1) if "cursor.execute(statement" in text
        )
        assert "/slow" in line and f"app.py:{line_number}" in line and "a secret parameter" not in line
        assert server.get("/pid")[0] == 200 and not server.lines("pg_backend_pid")


@pytest.mark.parametrize("way", ["values", "batch", "many", "named", "bytes"])
def test_slow_statements_are_logged_without_values_in_bulk(cluster: Cluster, way: str) -> None:
    application = """
from ferricorn import db
from ferricorn.db.extras import execute_batch, execute_values
from urllib.parse import parse_qs

SLOW = "SELECT pg_sleep(0.2), "

def values(cursor, rows): execute_values(cursor, SLOW + "x FROM (VALUES %s) v (x)", rows)
def batch(cursor, rows): execute_batch(cursor, SLOW + "%s", rows)
def many(cursor, rows): cursor.executemany(SLOW + "%s", rows)
def named(cursor, rows):
    with cursor.connection.cursor("named") as named:
        named.execute(SLOW + "count(*) FROM generate_series(1, 10) n, pg_sleep(0.2) WHERE 'x' <> %s", rows[0])
        named.fetchall()
def plain(cursor, rows): cursor.execute((SLOW + "%s").encode(), rows[0])

def application(environ, start_response):
    with db.get_db_connection() as connection:
        {"bytes": plain}.get(environ["QUERY_STRING"], globals().get(environ["QUERY_STRING"]))(connection.cursor(), [("a secret parameter",)])
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
    with Serving(cluster.url(), application=application, SLOW_QUERY_THRESHOLD="100") as server:
        assert server.get(f"/?{way}")[0] == 200
        server.wait_until("the line", lambda: server.lines("Slow query"))
        assert "a secret parameter" not in server.log()
        if way != "named":
            assert server.lines("Slow query", "SELECT pg_sleep(0.2)")


def test_budget_of_the_whole_server(cluster: Cluster) -> None:
    """Over all workers, and over the overlap of a reload."""
    # Statements of servers that other tests have killed may go on for a while.
    others = connections(cluster)
    most = 0
    with Serving(cluster.url(), "--workers", "2", "--threads", "4", "--db-connections", "4") as server:
        clients = [server.ask("/count") for _ in range(20)]
        for turn in range(3):
            for _ in range(10):
                assert server.get("/count") == (200, "0")
                most = max(most, connections(cluster))
            if turn < 2:
                server.process.send_signal(signal.SIGHUP)
        for client in clients:
            client.close()
    assert 1 <= most <= others + 4


def test_start_says_how_many_connections_there_may_be(cluster: Cluster) -> None:
    with Serving(cluster.url(), "--workers", "3", "--log-level", "info", DB_POOL_MAX="50") as server:
        assert server.get("/pid")[0] == 200
        server.wait_until("the sum is said", lambda: server.lines("150"))
        server.wait_until("the warning", lambda: server.lines("WARNING", "max_connections"))


def test_preloaded_application_does_not_connect(cluster: Cluster) -> None:
    application = APPLICATION + "\ntry:\n    db.connect()\nexcept db.Error as error:\n    print('REFUSED', error, flush=True)\n"
    with Serving(cluster.url(), "--preload", application=application) as server:
        server.wait_until("it is refused", lambda: server.lines("REFUSED", "worker"))
        assert server.get("/pid")[0] == 200


def test_password_is_not_printed(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "ferricorn.toml").write_text(f'[db]\nurl = "{cluster.url()}"\n', encoding="utf-8")
    (tmp_path / "app.py").write_text("application = None\n", encoding="utf-8")
    command = [
        str(Path(sys.executable).parent / "ferricorn"),
        "--print-config",
        "-c",
        "ferricorn.toml",
        "app:application",
    ]
    for environment in ({}, {"DATABASE_URL": cluster.url(), "POSTGRES_PASSWORD": PASSWORD}):
        run = subprocess.run(command, cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True)
        assert PASSWORD not in run.stdout + run.stderr


def test_settings_from_toml(cluster: Cluster) -> None:
    serving = Serving("", "-c", "ferricorn.toml")
    (serving.directory / "ferricorn.toml").write_text(
        f'[db]\nurl = "{cluster.url()}"\npool_max = 3\n', encoding="utf-8"
    )
    with serving as server:
        assert server.get("/pid")[0] == 200
        assert "'max_size': 3" in server.get("/status")[1]


def numbers(line: str) -> dict[str, int]:
    """What a line about the pools says of how often something happened."""
    return {name: int(number) for name, number in re.findall(r"(queries|errors|pool timeouts) (\d+)", line)}


@KINDS
def test_monitoring_says_what_all_workers_have_done(cluster: Cluster, kind: str) -> None:
    """Statements of a worker that is gone count as well, and none counts twice; the last line comes with the end."""
    words = ["--workers", "2", *kind.split(), "--log-level", "info"]
    settings = {"ENABLE_PERFORMANCE_MONITORING": "true", "DB_POOL_MAX": "1", "DB_POOL_TIMEOUT": "1"}
    with Serving(cluster.url(), *words, **settings) as server:
        for _ in range(7):
            assert server.get("/pid")[0] == 200
        server.process.send_signal(signal.SIGHUP)
        server.wait_until("both are new", lambda: len(server.lines("Booting worker")) == 4)
        for _ in range(5):
            assert server.get("/count")[0] == 200
        assert server.get("/fail")[0] == 503
        assert server.get("/nested")[0] == 503
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        [line] = server.lines("Database, last")
    assert "[INFO]" in line and "query times p50 0." in line and " ms, p99 " in line
    # The rollback of /fail is nobody's statement.
    assert numbers(line) == {"queries": 7 + 5 + 1, "errors": 1, "pool timeouts": 1}
    assert re.search(r"acquire times p50 \d+\.\d\d ms, p95", line)
    most = re.search(r"connections \d+ open, \d+ idle, at most (\d)", line)
    assert most and 1 <= int(most[1]) <= 4
    assert line.endswith("waiting in one worker at most 1")


@pytest.mark.parametrize("settings", [{}, {"ENABLE_PERFORMANCE_MONITORING": "off"}, {"ENABLE_PERFORMANCE_MONITORING": "1"}])
def test_no_line_without_monitoring_or_without_traffic(cluster: Cluster, settings: dict[str, str]) -> None:
    with Serving(cluster.url(), "--log-level", "debug", **settings) as server:
        if settings.get("ENABLE_PERFORMANCE_MONITORING") != "1":
            assert server.get("/pid")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert server.lines("Shutting down: Master") and not server.lines("Database, last")


def test_monitoring_for_statsd(cluster: Cluster) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(10)
        place = f"127.0.0.1:{statsd.getsockname()[1]}"
        with Serving(cluster.url(), "--statsd-host", place, ENABLE_PERFORMANCE_MONITORING="on") as server:
            assert server.get("/pid")[0] == 200
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 0
        heard = {}
        while "ferricorn.db.acquire.p99" not in heard:
            name, _, value = statsd.recv(1024).decode().partition(":")
            heard[name] = value
    assert heard["ferricorn.db.queries"] == "1|c" and heard["ferricorn.db.errors"] == "0|c"
    assert re.fullmatch(r"[\d.]+\|g", heard["ferricorn.db.query.p50"])
    assert {"ferricorn.db.connections", "ferricorn.db.connections.idle", "ferricorn.db.pool_timeouts"} <= heard.keys()


def test_status_of_a_script_has_what_was_measured(cluster: Cluster) -> None:
    connection = db.connect(cluster.url(), application_name="measured")
    connection.autocommit = True
    fresh = db.status()[-1]
    assert (fresh["queries"], fresh["query_p50_ms"]) == (0, None)
    cursor = connection.cursor()
    cursor.execute("SELECT pg_sleep(0.05)")
    for _ in range(8):
        cursor.execute("SELECT 1")
    with pytest.raises(db.Error):
        cursor.execute("SELECT 1/0")
    connection.close()
    status = db.status()[-1]
    assert (status["leases"], status["queries"], status["errors"]) == (1, 10, 1)
    assert status["query_p99_ms"] > 30 > status["query_p50_ms"] > 0
    assert status["acquire_p50_ms"] > 0
