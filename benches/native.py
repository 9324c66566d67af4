"""`make bench-native`: the native auto shop under its server beside the same router in one plain process, with axum's own loop.

Two workers of one thread each against one process of two threads, with as many connections to Postgres in sum. Everything shares the
machine: database, server and wrk. A measurement starts a fresh server, warms it up, loads it over keep-alive connections and ends it;
the two take turns round by round. Figures are medians over the rounds; ratios are taken within a round and then their median.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "python" / "tests"))

import wrk  # noqa: E402
from bench import BenchError, in_turn, run, spread  # noqa: E402
from database.services import Cluster, ServiceError, install  # noqa: E402
from rows import seed  # noqa: E402
from servers import Server, memory_mebibytes, serving  # noqa: E402

# The plain program has as many threads.
WORKERS = 2
# Of each worker; the plain process has what all workers have.
POOL_MAX = 10
CONNECTIONS = 32
# One thread of wrk's is slower than either server with /api/health: then wrk is measured, while a part of the machine is idle.
CLIENT_THREADS = 2
WARM_UP_SECONDS = 1
OURS, PLAIN = "autoshop-native", "plain axum"
# What is asked for, and what must be in the answer.
ENDPOINTS = {"/api/health": b'"status":"ok"', "/api/customers/7": b'"id":7'}


@dataclass(frozen=True)
class Measurement:
    """One server under one load."""

    # Good answers only.
    requests_per_second: float
    p50: float
    p99: float
    # Proportional set sizes of all its processes right after the load, added up.
    memory: float
    errors: int


@dataclass(frozen=True)
class Plan:
    """What the command line asked for."""

    rounds: int
    seconds: int
    programs: Path

    def command(self, name: str, port: int) -> list[str]:
        """How it is started."""
        address = f"127.0.0.1:{port}"
        if name == PLAIN:
            return [str(self.programs / "examples" / "plain"), address]
        return [str(self.programs / "autoshop-native"), "--bind", address, "--workers", str(WORKERS)]


# For each path the rounds, each with one measurement of both.
Results = dict[str, list[dict[str, Measurement]]]


def compare() -> str:
    """The table; the progress goes to standard error."""
    plan = parse_arguments()
    install()
    wrk.install()
    with Cluster(max_connections=100) as cluster:
        seed(cluster)
        environment = {**os.environ, "DATABASE_URL": cluster.url(), "SHOP_DRIVER": "psycopg2"}
        results = {path: [measure_both(plan, path, n, environment) for n in range(plan.rounds)] for path in ENDPOINTS}
    return render(plan, results)


def measure_both(plan: Plan, path: str, number: int, environment: dict[str, str]) -> dict[str, Measurement]:
    """One round; who comes first alternates."""
    measured = {}
    for name in in_turn((OURS, PLAIN), number):
        with running(plan, name, path, environment) as server:
            wrk.load(server.port, CONNECTIONS, WARM_UP_SECONDS, path=path, threads=CLIENT_THREADS)
            report = wrk.load(server.port, CONNECTIONS, plan.seconds, path=path, threads=CLIENT_THREADS)
            memory = memory_mebibytes(server.pid)
        measured[name] = Measurement(
            requests_per_second=(report["requests"] - report["failed"]) / report["seconds"],
            p50=report["p50"] / 1000,
            p99=report["p99"] / 1000,
            memory=memory,
            errors=int(report["failed"] + report["broken"]),
        )
        figures = f"{measured[name].requests_per_second:,.0f}/s, p99 {measured[name].p99:.1f} ms"
        print(f"{path}, round {number + 1}: {name}: {figures}", file=sys.stderr, flush=True)
    return measured


def running(plan: Plan, name: str, path: str, environment: dict[str, str]) -> AbstractContextManager[Server]:
    """A fresh server, once it has given the right answer."""
    pool_max = POOL_MAX * WORKERS if name == PLAIN else POOL_MAX
    return serving(
        lambda port: plan.command(name, port),
        ENDPOINTS[path],
        f"{name} did not answer {path}.",
        path=path,
        cwd=None,
        env={**environment, "DB_POOL_MAX": str(pool_max)},
    )


def render(plan: Plan, results: Results) -> str:
    """The Markdown that docs/performance.md shows."""
    lines = [
        f"{CONNECTIONS} connections of {CLIENT_THREADS} client threads; {os.cpu_count()} cores;"
        f" rounds: {plan.rounds} of {plan.seconds} s.",
        "",
        "| request | server | requests/s | of plain axum's (min to max) | p50 ms | p99 ms | memory MiB | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for path, rounds in results.items():
        ratios = [both[OURS].requests_per_second / both[PLAIN].requests_per_second for both in rounds]
        compared = spread(ratios, ".2f")
        for name in (OURS, PLAIN):
            own = [both[name] for both in rounds]
            cells = [
                f"`{path}`",
                name,
                f"{median(m.requests_per_second for m in own):,.0f}",
                compared if name == OURS else "",
                f"{median(m.p50 for m in own):.2f}",
                f"{median(m.p99 for m in own):.1f}",
                f"{median(m.memory for m in own):.1f}",
                f"{sum(m.errors for m in own)}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def parse_arguments() -> Plan:
    """How long, how often, and where the programs are."""
    parser = argparse.ArgumentParser(description="Compare a native application with plain axum.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="how long a measurement is (default: 5)")
    parser.add_argument("--programs", type=Path, default=REPOSITORY / "target" / "release", help="where cargo has put them")
    given = parser.parse_args()
    if min(given.rounds, given.seconds) < 1:
        raise BenchError("--rounds and --seconds must be at least 1.")
    plan = Plan(given.rounds, given.seconds, given.programs)
    for program in (plan.command(OURS, 0)[0], plan.command(PLAIN, 0)[0]):
        if not Path(program).exists():
            raise BenchError(f"There is no {program}; build it first.")
    return plan


if __name__ == "__main__":
    sys.exit(run(compare, ServiceError))
