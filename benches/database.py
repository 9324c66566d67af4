"""`make bench-db`: the auto shop's query endpoints under load, with the ways in which an application comes to its connections.

Postgres and PgBouncer are the bench's own, with the configuration of etc/pgbouncer. Everything shares the machine: database,
PgBouncer, server and wrk, as on a small host. A measurement starts a fresh server, warms it up, loads it with so many keep-alive
users and ends it; the contestants take turns round by round. Figures are medians over the rounds, errors are sums. What the
application does without any server, called in a loop by as many processes, is the limit for all of them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg2

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "python" / "tests"), str(REPOSITORY / "benches" / "apps")]

import acquire  # noqa: E402
import no_server  # noqa: E402
import one_connection  # noqa: E402
import wrk  # noqa: E402
from bench import BenchError, in_turn, run, run_or_fail, spread  # noqa: E402
from database.services import Bouncer, Cluster, ServiceError, install  # noqa: E402
from rows import seed  # noqa: E402
from servers import Server, serving  # noqa: E402

WORKERS = 4
THREADS = 4
# Of each process, or of each process's threads together.
POOL_MAX = 10
# In seconds: a warm-up ends with as many requests unanswered as there are users.
SETTLING = 1

REQUESTS = """
local paths, turn = {PATHS}, 0
request = function()
  turn = turn + 1
  return wrk.format("GET", string.format(paths[turn % #paths + 1], turn % 10 + 1))
end
""".replace("PATHS", ", ".join(f'"{path}"' for path in no_server.PATHS))


@dataclass(frozen=True)
class Contestant:
    """A server, a driver, and the way to the database."""

    server: str
    driver: str
    # "each": a connection for each request; "pool": the shop's pool.
    connections: str
    # "direct" or "pgbouncer".
    route: str
    command: Callable[[Path, int], list[str]]

    @property
    def name(self) -> str:
        """The row's first cell."""
        how = "a connection per request" if self.connections == "each" else "pool"
        driver = self.driver if self.driver == "ferricorn.db" else f"{self.driver}, {how}"
        return f"{self.server} + {driver}, {'PgBouncer' if self.route == 'pgbouncer' else 'direct'}"


def flask_command(binaries: Path, port: int) -> list[str]:
    """Threads without end, as `flask run` has them."""
    return [str(binaries / "flask"), "--app", "shop:application", "run", "--port", str(port), "--with-threads"]


def gunicorn_command(program: str, *options: str) -> Callable[[Path, int], list[str]]:
    """The same words for Gunicorn and Ferricorn."""
    return lambda binaries, port: [
        *(str(binaries / program), "--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), *options),
        *("--log-level", "warning", "shop:application"),
    ]


def granian_command(binaries: Path, port: int) -> list[str]:
    """As many workers, with one thread for the application each."""
    return [
        *(str(binaries / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(WORKERS), "--blocking-threads", "1", "--runtime-mode", "mt", "--http", "1", "--no-ws"),
        *("--log-level", "warning", "--backlog", "2048", "shop:application"),
    ]


SYNC = gunicorn_command("gunicorn", "--worker-class", "sync")
GTHREAD = gunicorn_command("gunicorn", "--worker-class", "gthread", "--threads", str(THREADS))
FERRICORN = gunicorn_command("ferricorn")

CONTESTANTS = (
    Contestant("flask run", "psycopg2", "each", "direct", flask_command),
    Contestant("gunicorn sync", "psycopg2", "each", "direct", SYNC),
    Contestant("gunicorn sync", "psycopg2", "pool", "direct", SYNC),
    Contestant("gunicorn sync", "psycopg2", "pool", "pgbouncer", SYNC),
    Contestant("gunicorn gthread", "psycopg2", "pool", "direct", GTHREAD),
    Contestant("gunicorn gthread", "psycopg2", "pool", "pgbouncer", GTHREAD),
    Contestant("granian", "psycopg2", "pool", "direct", granian_command),
    Contestant("granian", "psycopg2", "pool", "pgbouncer", granian_command),
    Contestant("ferricorn", "psycopg2", "pool", "direct", FERRICORN),
    Contestant("ferricorn", "psycopg2", "pool", "pgbouncer", FERRICORN),
    Contestant("ferricorn", "ferricorn.db", "pool", "direct", FERRICORN),
    Contestant("ferricorn", "ferricorn.db", "pool", "pgbouncer", FERRICORN),
)


@dataclass(frozen=True)
class Measurement:
    """One contestant under one load."""

    requests_per_second: float
    p50: float
    p95: float
    p99: float
    # Answers with a status of 400 or more, and connections that failed, were cut or timed out.
    errors: int
    # The most that Postgres had open at a time.
    connections: int
    # Until a request had its connection; None if no request came that far.
    acquire_p99: float | None


@dataclass(frozen=True)
class Plan:
    """What the command line asked for, and where things are."""

    contestants: tuple[Contestant, ...]
    users: tuple[int, ...]
    rounds: int
    seconds: int
    binaries: Path
    alone: bool


@dataclass(frozen=True)
class Database:
    """The services that everybody shares."""

    cluster: Cluster
    bouncer: Bouncer

    def url(self, route: str) -> str:
        """Where the shop is told to go."""
        return (self.bouncer if route == "pgbouncer" else self.cluster).url()

    def socket_url(self) -> str:
        """The way past TCP."""
        address = f"@{self.cluster.host}:{self.cluster.port}/"
        return f"{self.cluster.url().replace(address, '@/')}?host={self.cluster.directory}&port={self.cluster.port}"


def compare() -> str:
    """The tables; the progress goes to standard error."""
    plan = parse_arguments()
    install_what_is_missing(plan)
    with Cluster(max_connections=100) as cluster, Bouncer(cluster) as bouncer:
        database = Database(cluster, bouncer)
        seed(cluster)
        urls = {route: database.url(route) for route in ("direct", "pgbouncer")}
        ways = {"direct": urls["direct"], "Unix socket": database.socket_url(), "pgbouncer": urls["pgbouncer"]}
        alone = one_connection.measure_one_connection(plan.binaries, ways, plan.rounds) if plan.alone else []
        results = measure_everything(plan, database)
        limits = measure_limits(plan, database)
    return "\n\n".join(filter(None, [one_connection.render(alone), render(plan, results), render_limits(limits)]))


# Measuring

Results = dict[int, list[dict[str, Measurement]]]


def measure_everything(plan: Plan, database: Database) -> Results:
    """For each number of users a list of rounds, each with one measurement of every contestant."""
    results: Results = {}
    for users in plan.users:
        rounds = results.setdefault(users, [])
        for number in range(1, plan.rounds + 1):
            rounds.append({})
            for contestant in in_turn(plan.contestants, number):
                measured = measure(plan, database, contestant, users)
                rounds[-1][contestant.name] = measured
                figures = f"{measured.requests_per_second:,.0f}/s, p95 {measured.p95:.0f} ms, errors {measured.errors}"
                print(f"{users} users, round {number}: {contestant.name}: {figures}", file=sys.stderr, flush=True)
    return results


def measure(plan: Plan, database: Database, contestant: Contestant, users: int) -> Measurement:
    """A fresh server for every measurement; the warm-up is with as many users, for it opens the connections."""
    with tempfile.TemporaryDirectory(prefix="ferricorn-bench-") as directory:
        histograms = Path(directory)
        with running_server(plan, database, contestant, histograms) as server, watched(database.cluster) as most:
            load(server, users, 1)
            time.sleep(SETTLING)
            for file in histograms.iterdir():
                # Emptied and not removed: a process has it mapped.
                file.write_bytes(bytes(file.stat().st_size))
            report = load(server, users, plan.seconds)
        waited = acquire.read(histograms, 0.99)
    good = report["requests"] - report["failed"]
    return Measurement(
        requests_per_second=max(good, 0) / report["seconds"],
        p50=report["p50"] / 1000,
        p95=report["p95"] / 1000,
        p99=report["p99"] / 1000,
        errors=int(report["failed"] + report["broken"]),
        connections=most[0],
        acquire_p99=None if waited is None else waited * 1000,
    )


def measure_limits(plan: Plan, database: Database) -> dict[tuple[str, str], list[float]]:
    """Calls per second without any server, by driver and way, a figure for each round."""
    ways = [(driver, route) for driver in ("psycopg2", "ferricorn.db") for route in ("direct", "pgbouncer")]
    limits: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for number in range(1, plan.rounds + 1):
        for driver, route in in_turn(ways, number):
            limits[driver, route].append(measure_limit(plan, shop_environment(database, route, driver, "pool")))
    return limits


def measure_limit(plan: Plan, environment: dict[str, str]) -> float:
    """As many processes as there are workers call the application at the same time."""
    command = [str(plan.binaries / "python"), str(REPOSITORY / "benches" / "no_server.py"), str(plan.seconds)]
    with ExitStack() as stack:
        pipe = subprocess.PIPE
        start = lambda: subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)  # noqa: E731
        callers = [stack.enter_context(start()) for _ in range(WORKERS)]
        if any(caller.stdout.readline() != "ready\n" for caller in callers):
            raise BenchError("The shop could not be called without a server; what it said stands above.")
        for caller in callers:
            caller.stdin.write("\n")
            caller.stdin.flush()
        return sum(int(caller.stdout.readline()) for caller in callers) / plan.seconds


def shop_environment(database: Database, route: str, driver: str, connections: str) -> dict[str, str]:
    """What the shop is told."""
    return {
        **os.environ,
        "DATABASE_URL": database.url(route),
        "JWT_SECRET": secrets.token_urlsafe(32),
        "SHOP_DRIVER": driver,
        "SHOP_CONNECTIONS": connections,
        "DB_POOL_MAX": str(POOL_MAX),
    }


def running_server(
    plan: Plan, database: Database, contestant: Contestant, histograms: Path
) -> AbstractContextManager[Server]:
    """A fresh server, once the shop has answered out of its database."""
    environment = shop_environment(database, contestant.route, contestant.driver, contestant.connections)
    return serving(
        lambda port: contestant.command(plan.binaries, port),
        b'"id":7',
        f"{contestant.name} did not serve the shop.",
        path="/api/customers/7",
        env={**environment, "BENCH_ACQUIRE": str(histograms)},
    )


@contextmanager
def watched(cluster: Cluster) -> Iterator[list[int]]:
    """The largest number of the shop's connections that Postgres has had meanwhile, looked at five times a second."""
    most, ended = [0], threading.Event()

    def look() -> None:
        watcher = psycopg2.connect(host=str(cluster.directory), port=cluster.port, user="postgres", dbname="postgres")
        watcher.autocommit = True
        with watcher.cursor() as cursor:
            while not ended.wait(0.2):
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'autoshop'")
                most[0] = max(most[0], cursor.fetchone()[0])
        watcher.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def load(server: Server, users: int, seconds: int) -> dict[str, float]:
    """One run of wrk."""
    return wrk.load(server.port, users, seconds, "--timeout", "30s", requests=REQUESTS)


# Preparing


def install_what_is_missing(plan: Plan) -> None:
    """Postgres, PgBouncer and wrk by apt, granian by pip; Ferricorn itself must be there."""
    install()
    if any(c.server == "ferricorn" for c in plan.contestants) and not (plan.binaries / "ferricorn").exists():
        raise BenchError(f"There is no {plan.binaries / 'ferricorn'}; build it first.")
    if any(c.server == "granian" for c in plan.contestants) and not (plan.binaries / "granian").exists():
        run_or_fail([str(plan.binaries / "python"), "-m", "pip", "install", "--quiet", "granian"], "granian is missing")
    wrk.install()


# Telling


def render(plan: Plan, results: Results) -> str:
    """The Markdown that README shows."""
    lines = [
        f"{WORKERS} workers ({THREADS} threads each with gthread), DB_POOL_MAX {POOL_MAX}; everything on {os.cpu_count()} cores;"
        f" rounds: {plan.rounds} of {plan.seconds} s.",
        "",
        "| users | server, driver and way | requests/s | p50 ms | p95 ms | p99 ms | errors | connections | acquire p99 ms |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for users, rounds in results.items():
        lines += [row(users, contestant.name, [r[contestant.name] for r in rounds]) for contestant in plan.contestants]
    return "\n".join(lines)


def render_limits(limits: dict[tuple[str, str], list[float]]) -> str:
    """The sentence below the table."""
    figures = [
        f"{spread(rates, ',.0f')} with {driver}"
        f" {'through PgBouncer' if route == 'pgbouncer' else 'direct'}"
        for (driver, route), rates in limits.items()
    ]
    return (
        f"Without any server and any client, {WORKERS} processes that call the application in a loop make so many calls/s:"
        f" {', '.join(figures)}."
    )


def row(users: int, name: str, own: list[Measurement]) -> str:
    """One contestant's line. Errors are added up over the rounds, because a median would hide the rare ones."""
    acquired = [m.acquire_p99 for m in own if m.acquire_p99 is not None]
    cells = [
        str(users),
        name,
        f"{median(m.requests_per_second for m in own):,.0f}",
        *(f"{median(figures):.0f}" for figures in zip(*((m.p50, m.p95, m.p99) for m in own), strict=True)),
        f"{sum(m.errors for m in own)}",
        f"{max(m.connections for m in own)}",
        f"{median(acquired):.2f}" if acquired else "",
    ]
    return f"| {' | '.join(cells)} |"


def parse_arguments() -> Plan:
    """Which contestants, how many users, how long."""
    parser = argparse.ArgumentParser(description="Compare ways to serve an application that asks a database.")
    parser.add_argument("--only", default="", metavar="TEXT", help="contestants whose row has this in its name")
    parser.add_argument("--users", default="10,100,500", help="with commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8, help="of load in one round")
    parser.add_argument("--quick", action="store_true", help="one round of one second: whether it works, not how fast")
    parser.add_argument("--under-load", action="store_true", help="leave the single connection out")
    parser.add_argument("--binaries", type=Path, default=Path(sys.executable).parent, help="where the servers are")
    arguments = parser.parse_args()
    contestants = tuple(contestant for contestant in CONTESTANTS if arguments.only in contestant.name)
    if not contestants:
        parser.error(f"no row has {arguments.only!r} in its name")
    return Plan(
        contestants=contestants,
        users=tuple(int(users) for users in arguments.users.split(",")),
        rounds=1 if arguments.quick else arguments.rounds,
        seconds=1 if arguments.quick else arguments.seconds,
        binaries=arguments.binaries.absolute(),
        alone=not arguments.under_load,
    )


if __name__ == "__main__":
    sys.exit(run(compare, ServiceError))
