"""What breaks, breaks one request: the pool heals by itself, nobody gets another's transaction, nothing is done twice."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from .forking import in_a_child
from .services import PASSWORD, Bouncer, Cluster
from .stalling import Stalling
from .test_parameters import one

db = pytest.importorskip("ferricorn.db")

PATIENCE = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """Tests restart it and kill its backends."""
    with Cluster() as server:
        yield server


@pytest.fixture(params=["direct", "pgbouncer"])
def dsn(request: pytest.FixtureRequest, server: Cluster) -> Iterator[str]:
    """The way to it."""
    if request.param == "direct":
        yield server.url()
    else:
        with Bouncer(server) as bouncer:
            yield bouncer.url()


def eventually(what: str, holds: Callable[[], Any]) -> Any:
    """Waits for a truth; an error of the database's is not one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(db.OperationalError):
            found = holds()
            if found:
                return found
        assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain for: {what}"
        time.sleep(0.02)


def ask(dsn: str, statement: str = "SELECT 1", **settings: Any) -> Any:
    """One statement in a lease of its own."""
    with db.get_db_connection(dsn, **settings) as connection:
        return one(connection.cursor(), statement)


def running(server: Cluster, text: str) -> list[int]:
    """The backends that are in such a statement."""
    pids = server.superuser(
        f"SELECT pid FROM pg_stat_activity WHERE query LIKE '%{text}%' AND state = 'active' AND pid <> pg_backend_pid()"
    )
    return [int(pid) for pid in pids.split()]


# Connections that end


def test_connection_cut_while_idle_is_noticed(server: Cluster, dsn: str) -> None:
    pid = ask(dsn, "SELECT pg_backend_pid()")
    server.superuser(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert eventually("another connection", lambda: ask(dsn, "SELECT pg_backend_pid()")) != pid


def test_connection_cut_in_a_transaction(server: Cluster, dsn: str) -> None:
    connection = db.connect(dsn)
    cursor = connection.cursor()
    pid = one(cursor, "SELECT pg_backend_pid()")
    server.superuser(f"SELECT pg_terminate_backend({pid}, 5000)")
    with pytest.raises(db.OperationalError):
        cursor.execute("SELECT 1")
    assert connection.closed
    with pytest.raises((db.InterfaceError, db.OperationalError)):
        cursor.execute("SELECT 1")
    connection.close()
    assert eventually("another connection", lambda: ask(dsn)) == 1


def test_crash_of_a_backend(server: Cluster, dsn: str) -> None:
    """Postgres ends all its sessions when one of its processes crashes, and takes a moment to come back."""
    pid = ask(dsn, "SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGKILL)
    eventually("the crash has been noticed", lambda: "terminated by signal 9" in server.log())
    eventually("the recovery", lambda: ask(dsn, "SELECT pg_backend_pid()") != pid)
    assert ask(dsn) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_restart_of_postgres(server: Cluster, dsn: str, number: int) -> None:
    connection = db.connect(dsn)
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    server.restart(number)
    with pytest.raises(db.OperationalError):
        cursor.execute("SELECT 1")
    connection.close()
    assert eventually("the server is back", lambda: ask(dsn)) == 1


def test_restart_of_pgbouncer(server: Cluster) -> None:
    with Bouncer(server) as bouncer:
        connection = db.connect(bouncer.url())
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        bouncer.restart()
        with pytest.raises(db.OperationalError):
            cursor.execute("SELECT 1")
        connection.close()
        assert eventually("PgBouncer is back", lambda: ask(bouncer.url())) == 1


def test_idle_connections_that_the_server_ends(server: Cluster) -> None:
    dsn = server.url() + "?options=-c%20idle_session_timeout%3D300"
    first = ask(dsn, "SELECT pg_backend_pid()")
    eventually(
        "the server has ended it", lambda: not server.superuser(f"SELECT 1 FROM pg_stat_activity WHERE pid = {first}")
    )
    assert ask(dsn, "SELECT pg_backend_pid()") != first


def test_no_statement_runs_twice(server: Cluster, dsn: str) -> None:
    server.superuser(
        "DROP SEQUENCE IF EXISTS runs; CREATE SEQUENCE runs OWNED BY NONE; GRANT ALL ON runs TO autoshop", "autoshop"
    )
    statement = "SELECT nextval('runs'), pg_sleep(30)"
    for cut in range(3):
        connection = db.connect(dsn)
        cursor = connection.cursor()
        failure: list[BaseException] = []

        def run(cursor: Any = cursor, failure: list[BaseException] = failure) -> None:
            try:
                cursor.execute(statement)
            except db.Error as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        (pid,) = eventually("the statement runs", lambda: running(server, "nextval"))
        server.superuser(f"SELECT pg_terminate_backend({pid}, 5000)")
        thread.join(PATIENCE)
        assert isinstance(failure[0], db.OperationalError)
        connection.close()
        assert eventually("the pool is well", lambda: ask(dsn, "SELECT last_value FROM runs")) == cut + 1


# A network that says nothing


def test_new_connections_time_out(server: Cluster) -> None:
    with Stalling((server.host, server.port)) as proxy:
        proxy.stall()
        start = time.monotonic()
        with pytest.raises(db.OperationalError, match=f"127.0.0.1:{proxy.port}"):
            ask(proxy.url(), connect_timeout=1)
        assert time.monotonic() - start < PATIENCE
        proxy.go_on()
        assert eventually("the network is back", lambda: ask(proxy.url(), connect_timeout=1)) == 1


def test_connection_that_stalls_does_not_hold_who_gives_it_back(server: Cluster) -> None:
    with Stalling((server.host, server.port)) as proxy:
        settings = {"connect_timeout": 1, "pool_max": 2, "pool_timeout": 5}
        connection = db.connect(proxy.url(), **settings)
        connection.cursor().execute("SELECT 1")
        proxy.stall()
        ended = threading.Thread(target=connection.close)
        ended.start()
        ended.join(PATIENCE)
        assert not ended.is_alive()
        proxy.go_on()
        assert eventually("the network is back", lambda: ask(proxy.url(), **settings)) == 1


# Too few connections


def test_exhausted_pool(server: Cluster) -> None:
    settings = {"pool_max": 2, "pool_timeout": 1, "application_name": "exhausted"}
    lent = [db.connect(server.url(), **settings) for _ in range(2)]
    with pytest.raises(db.PoolTimeout) as caught:
        db.connect(server.url(), **settings)
    message = str(caught.value)
    assert isinstance(caught.value, db.OperationalError)
    assert (
        "DB_POOL_TIMEOUT" in message and "2 of 2" in message and "test_faults.py" in message and PASSWORD not in message
    )
    for connection in lent:
        connection.close()
    assert ask(server.url(), **settings) == 1


def test_waiting_for_a_connection_ends_when_there_is_one(server: Cluster) -> None:
    settings = {"pool_max": 1, "pool_timeout": 20, "application_name": "waiting"}
    first = db.connect(server.url(), **settings)
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(ask(server.url(), **settings)))
    thread.start()
    eventually("somebody waits", lambda: any(pool["waiting"] for pool in db.status()))
    first.close()
    thread.join(PATIENCE)
    assert got == [1]


def test_connection_that_nobody_has_any_more_comes_back(server: Cluster) -> None:
    settings = {"pool_max": 1, "pool_timeout": 5, "application_name": "forgotten"}
    connection = db.connect(server.url(), **settings)
    connection.cursor().execute("SELECT 1")
    del connection
    gc.collect()
    assert ask(server.url(), **settings) == 1


def test_many_threads_share_a_pool(server: Cluster) -> None:
    settings = {"pool_max": 3, "pool_timeout": 20, "application_name": "shared"}
    sums: list[int] = []

    def work() -> None:
        sums.append(sum(ask(server.url(), f"SELECT {number}", **settings) for number in range(20)))

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sums == [190] * 12
    assert int(server.superuser("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shared'")) <= 3


# What must not reach the next one


def test_next_user_gets_no_transaction(server: Cluster, dsn: str) -> None:
    settings = {"pool_max": 1, "pool_timeout": 5, "application_name": "next"}
    endings: list[Callable[[Any], Any]] = [
        lambda cursor: None,
        lambda cursor: cursor.execute("SELECT 1/0"),
        lambda cursor: cursor.execute("SAVEPOINT s"),
        lambda cursor: cursor.execute("SET LOCAL work_mem = '1MB'"),
        lambda cursor: cursor.execute("SELECT set_config('search_path', 'nowhere', true)"),
        lambda cursor: cursor.execute("DECLARE c CURSOR FOR SELECT 1"),
        lambda cursor: cursor.execute("LOCK TABLE left_behind IN ACCESS EXCLUSIVE MODE"),
    ]
    with db.get_db_connection(dsn, **settings) as connection:
        connection.cursor().execute("CREATE TABLE IF NOT EXISTS left_behind (x int)")
        connection.commit()
    for ending in endings:
        connection = db.connect(dsn, **settings)
        cursor = connection.cursor()
        cursor.execute("INSERT INTO left_behind VALUES (1)")
        with suppress(db.Error):
            ending(cursor)
        connection.close()
        with db.get_db_connection(dsn, **settings) as connection:
            cursor = connection.cursor()
            assert connection.get_transaction_status() == 0
            assert one(cursor, "SELECT count(*) FROM left_behind") == 0
            assert one(cursor, "SHOW search_path") == '"$user", public'


def test_cursor_of_a_connection_given_back_is_dead(server: Cluster) -> None:
    settings = {"pool_max": 1, "pool_timeout": 5, "application_name": "dead"}
    connection = db.connect(server.url(), **settings)
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    connection.close()
    with db.get_db_connection(server.url(), **settings) as other:
        other.cursor().execute("SELECT 2")
        with pytest.raises(db.InterfaceError):
            cursor.execute("SELECT 3")


# Interrupting


def test_cancel_from_another_thread(server: Cluster, dsn: str) -> None:
    connection = db.connect(dsn)
    cursor = connection.cursor()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            cursor.execute("SELECT pg_sleep(60), 'to cancel'")
        except db.Error as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually("the statement runs", lambda: running(server, "to cancel"))
    connection.cancel()
    thread.join(PATIENCE)
    assert failure[0].pgcode == "57014"  # type: ignore[attr-defined]
    connection.rollback()
    assert one(cursor, "SELECT 1") == 1
    connection.close()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that starts something in the background has it ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_the_wait_and_the_statement(server: Cluster) -> None:
    connection = db.connect(server.url())
    cursor = connection.cursor()

    def interrupt() -> None:
        eventually("the statement runs", lambda: running(server, "to interrupt"))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        cursor.execute("SELECT pg_sleep(60), 'to interrupt'")
    thread.join()
    eventually("the statement has ended", lambda: not running(server, "to interrupt"))
    connection.close()
    assert ask(server.url()) == 1


# Forking


def test_fork(server: Cluster) -> None:
    connection = db.connect(server.url())
    cursor = connection.cursor()
    pid = one(cursor, "SELECT pg_backend_pid()")

    def use() -> str:
        with pytest.raises(db.Error):
            cursor.execute("SELECT 1")
        connection.close()
        return "shared" if ask(server.url(), "SELECT pg_backend_pid()") == pid else "own"

    assert in_a_child(use) == "own"
    assert one(cursor, "SELECT pg_backend_pid()") == pid
    connection.close()


# Bad input


def test_where_the_database_is_not(server: Cluster) -> None:
    secret = "a-secret-of-the-test"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        cases = {
            f"postgresql://autoshop:{secret}@127.0.0.1:{port}/autoshop": [f"127.0.0.1:{port}", "autoshop", "refused"],
            f"postgresql://autoshop:{secret}@127.0.0.1:{server.port}/autoshop": [
                str(server.port),
                "password authentication failed",
            ],
            f"postgresql://autoshop:{PASSWORD}@127.0.0.1:{server.port}/absent": [
                str(server.port),
                '"absent" does not exist',
            ],
            f"postgresql://autoshop:{secret}@does-not-exist.invalid/autoshop": ["does-not-exist.invalid"],
            f"host=/nowhere user=autoshop password={secret} dbname=autoshop": ["/nowhere"],
        }
        for dsn, words in cases.items():
            with pytest.raises(db.OperationalError) as caught:
                ask(dsn, connect_timeout=5)
            message = str(caught.value)
            assert all(word in message for word in words), message
            assert secret not in message and PASSWORD not in message and secret not in repr(caught.value)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://autoshop:a-secret@127.0.0.1:none/autoshop", "port of dsn: not a port from 1 to 65535"),
        ("host=127.0.0.1 port=65536", "port of dsn: not a port from 1 to 65535"),
        ("host=127.0.0.1 sslmode=perhaps", "sslmode of dsn: expected one of disable,"),
        ("postgresql://autoshop:a-secret@127.0.0.1/autoshop?sslmod=require", 'invalid connection option "sslmod"'),
        ("postgresql://autoshop:a-secret@[::1/autoshop", "invalid dsn: a [ without its ]"),
        ("a-secret", "invalid dsn: a keyword without a value"),
    ],
)
def test_what_is_said_of_the_database_makes_no_sense(dsn: str, words: str) -> None:
    """A program that answers an OperationalError with "come again later" does so here, and psycopg2's class is right as well."""
    for use in (db.connect, ask):
        with pytest.raises(db.OperationalError) as caught:
            use(dsn)
        assert isinstance(caught.value, db.ProgrammingError)
        assert words in str(caught.value) and "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://a:secret/x@h/y",
        "postgresql://a:p?secret=x@h/y",
        "postgresql://a@h/y?keepalives_count=secret",
        "postgresql://a:secret@[x",
        "postgresql://a:secret@h:port/x",
        "nonsense",
        "host=x secret",
    ],
)
def test_dsn_that_is_none(dsn: str) -> None:
    with pytest.raises((db.ProgrammingError, db.OperationalError)) as caught:
        ask(dsn)
    assert "secret" not in str(caught.value)


def test_passwords_are_not_shown(server: Cluster) -> None:
    connection = db.connect(server.url())
    shown = [
        repr(connection),
        connection.dsn,
        str(connection.get_dsn_parameters()),
        repr(db.status()),
        str(vars(connection.info)),
    ]
    connection.close()
    assert not any(PASSWORD in text for text in shown)
