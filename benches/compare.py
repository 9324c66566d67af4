"""`make bench`: Ferricorn beside Gunicorn, Granian and bjoern, on one machine in one run.

Each server has one worker and core A for itself; wrk has core B. A measurement starts a fresh server,
warms it up, loads it over 32 keep-alive connections and ends it; the servers take turns round by round,
so that a machine which gets slower or faster meanwhile does so to all of them. Figures are medians over
the rounds; ratios are taken within a round and then their median.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import wrk
from bench import BenchError, chosen, in_turn, install, installed, machine, run, spread
from servers import APPS_DIRECTORY, cpu_seconds, memory_mebibytes, serving

CONNECTIONS = 32

# What each application must answer; a fast wrong answer is no result.
APPS = {"hello": b"Hello, world!", "flask_json": b'"message":"Hello, world!"'}

@dataclass(frozen=True)
class Contestant:
    """One server: how to get it and how to start it with one worker on a port."""

    name: str
    # What pip installs when it is missing; None: it is ours and `make` builds it.
    requirement: str | None
    # Executable, application ("module:attribute") and port give the command line.
    command: Callable[[Path, str, int], list[str]]
    # The executable's name in the venv's bin.
    executable: str


def gunicorn_command(executable: Path, application: str, port: int) -> list[str]:
    """One command line for Gunicorn and Ferricorn: that is the point of a drop-in."""
    bind = f"127.0.0.1:{port}"
    return [str(executable), "--bind", bind, "--workers", "1", "--worker-class", "sync", application]


def granian_command(executable: Path, application: str, port: int) -> list[str]:
    """The fastest of the combinations tried: HTTP/1 only, no websockets, one multi-threaded runtime.

    A blocking thread is what runs the application, so one of them is one worker's share. The single-threaded
    runtime and smaller backpressure values were no faster, or slower.
    """
    return [
        *(str(executable), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--blocking-threads", "1", "--runtime-mode", "mt", "--http", "1", "--no-ws"),
        application,
    ]


def bjoern_command(executable: Path, application: str, port: int) -> list[str]:
    """A library without a command line; the script is its documented use."""
    return [str(executable), str(APPS_DIRECTORY / "serve_bjoern.py"), application, "127.0.0.1", str(port)]


CONTESTANTS = (
    Contestant("ferricorn", None, gunicorn_command, "ferricorn"),
    Contestant("gunicorn", "gunicorn==27.0.1", gunicorn_command, "gunicorn"),
    Contestant("granian", "granian", granian_command, "granian"),
    Contestant("bjoern", "bjoern-binary", bjoern_command, "python"),
)


@dataclass(frozen=True)
class Measurement:
    """One server under one load."""

    # Good answers only: an error that is quick must not look like speed.
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    # Of the server's whole process tree, so that helper processes and threads count.
    cpu_microseconds: float
    # Proportional set size of the tree right after the load: shared pages count once.
    memory_mebibytes: float
    # Answers with a status of 400 or more, and connections that failed, were cut or timed out.
    failed: int
    broken: int


@dataclass(frozen=True)
class Plan:
    """What the command line asked for, and where things are."""

    contestants: tuple[Contestant, ...]
    apps: tuple[str, ...]
    rounds: int
    seconds: int
    warm_up_seconds: int
    venv: Path
    ferricorn: Path
    # One core for the server, another for wrk.
    cores: tuple[int, int]

    def executable(self, contestant: Contestant) -> Path:
        """Ours may lie anywhere; the peers are in the venv."""
        return self.ferricorn if contestant.requirement is None else self.venv / "bin" / contestant.executable


def compare() -> str:
    """The table; the progress goes to standard error."""
    plan = parse_arguments()
    install_what_is_missing(plan)
    versions = find_versions(plan)
    return render(plan, versions, measure_everything(plan))


# Measuring

Results = dict[str, list[dict[str, Measurement]]]


def measure_everything(plan: Plan) -> Results:
    """For each application a list of rounds, each with one measurement of every server."""
    results: Results = {}
    for app in plan.apps:
        rounds = results.setdefault(app, [])
        for number in range(1, plan.rounds + 1):
            order = in_turn(plan.contestants, number)
            rounds.append({contestant.name: measure(plan, contestant, app) for contestant in order})
            figures = ", ".join(f"{name} {m.requests_per_second:,.0f}/s" for name, m in rounds[-1].items())
            print(f"{app}, round {number} of {plan.rounds}: {figures}", file=sys.stderr, flush=True)
    return results


def measure(plan: Plan, contestant: Contestant, app: str) -> Measurement:
    """A fresh server for every measurement: the luck of one process's memory layout is not the server's speed."""
    executable, under = plan.executable(contestant), on_core(plan.cores[1])

    def command(port: int) -> list[str]:
        return [*on_core(plan.cores[0]), *contestant.command(executable, f"{app}:application", port)]

    with serving(command, APPS[app], f"{contestant.name} did not serve.") as server:
        wrk.load(server.port, CONNECTIONS, plan.warm_up_seconds, under=under)
        before = cpu_seconds(server.pid)
        report = wrk.load(server.port, CONNECTIONS, plan.seconds, under=under)
        used = cpu_seconds(server.pid) - before
        memory = memory_mebibytes(server.pid)
    good = int(report["requests"] - report["failed"])
    if good <= 0:
        raise BenchError(f"{contestant.name} gave no good answer to {app} under load.")
    return Measurement(
        requests_per_second=good / report["seconds"],
        p50_milliseconds=report["p50"] / 1000,
        p99_milliseconds=report["p99"] / 1000,
        cpu_microseconds=used / good * 1e6,
        memory_mebibytes=memory,
        failed=int(report["failed"]),
        broken=int(report["broken"]),
    )


def on_core(number: int) -> list[str]:
    """Comes before a command that is to have this core for itself."""
    return ["taskset", "-c", str(number)]


# Preparing


def install_what_is_missing(plan: Plan) -> None:
    """Peers into the venv by pip, wrk by apt; Ferricorn itself must be there."""
    if any(c.requirement is None for c in plan.contestants) and not plan.ferricorn.exists():
        raise BenchError(f"There is no {plan.ferricorn}; build it first or name it with --ferricorn.")
    requirements = [c.requirement for c in plan.contestants if c.requirement]
    if "flask_json" in plan.apps:
        requirements.append("flask")
    install(plan.venv, requirements)
    wrk.install()


def find_versions(plan: Plan) -> dict[str, str]:
    """Ours says its own; of the peers pip knows."""
    names = [c.requirement.partition("==")[0] for c in plan.contestants if c.requirement]
    have = installed(plan.venv, names)
    versions = {}
    for contestant in plan.contestants:
        if contestant.requirement is None:
            said = subprocess.run([str(plan.ferricorn), "--version"], capture_output=True, text=True)
            versions[contestant.name] = (said.stdout.split() or ["unknown"])[-1].rstrip(")")
        else:
            versions[contestant.name] = have[contestant.requirement.partition("==")[0]] or "unknown"
    return versions


# Telling


def render(plan: Plan, versions: dict[str, str], results: Results) -> str:
    """The Markdown that README shows, with what somebody needs who wants to repeat it."""
    first = plan.contestants[0].name
    servers = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        f"Machine: {machine(plan.venv)}.",
        f"Servers: {servers}; one worker each, pinned to one core; wrk with {CONNECTIONS} connections on another;"
        f" rounds: {plan.rounds} of {plan.seconds} s.",
        "",
        f"| app | server | requests/s (min to max) | {first} / it | p50 ms | p99 ms | CPU µs/request | memory MiB (PSS)"
        " | bad answers | connection errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for app, rounds in results.items():
        lines += [row(app, contestant.name, first, rounds) for contestant in plan.contestants]
    return "\n".join(lines)


def row(app: str, name: str, first: str, rounds: list[dict[str, Measurement]]) -> str:
    """One server's line. Errors are added up over the rounds, because a median would hide the rare ones."""
    own = [results[name] for results in rounds]
    speeds = [m.requests_per_second for m in own]
    ratio = median(results[first].requests_per_second / results[name].requests_per_second for results in rounds)
    cells = [
        app,
        name,
        spread(speeds, ",.0f"),
        f"{ratio:.2f}" if name != first else "",
        f"{median(m.p50_milliseconds for m in own):.2f}",
        f"{median(m.p99_milliseconds for m in own):.2f}",
        f"{median(m.cpu_microseconds for m in own):.1f}",
        f"{median(m.memory_mebibytes for m in own):.1f}",
        f"{sum(m.failed for m in own)}",
        f"{sum(m.broken for m in own)}",
    ]
    return f"| {' | '.join(cells)} |"


def parse_arguments() -> Plan:
    """Which servers and applications, how long, and where the servers are."""
    parser = argparse.ArgumentParser(description="Compare Ferricorn with its peers under the same load.")
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--servers", default=",".join(names), help="with commas; ratios are of the first one listed")
    parser.add_argument("--apps", default=",".join(APPS), help="with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of load in one round")
    parser.add_argument("--quick", action="store_true", help="one round of one second: whether it works, not how fast")
    parser.add_argument("--venv", type=Path, default=Path(sys.prefix), help="where the peers are, or get installed")
    parser.add_argument("--ferricorn", type=Path, default=Path(sys.executable).parent / "ferricorn", metavar="PATH")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    servers = chosen(parser, "--servers", arguments.servers, names)
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    return Plan(
        contestants=tuple(by_name[name] for name in servers),
        apps=chosen(parser, "--apps", arguments.apps, list(APPS)),
        rounds=1 if arguments.quick else arguments.rounds,
        seconds=1 if arguments.quick else arguments.seconds,
        warm_up_seconds=1,
        venv=arguments.venv.absolute(),
        ferricorn=arguments.ferricorn.absolute(),
        cores=two_cores(),
    )


def two_cores() -> tuple[int, int]:
    """The first two cores this process may use: 0 and 1 on a machine that is not divided up."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("The bench needs two cores: one for the server and one for wrk.")
    return cores[0], cores[1]


if __name__ == "__main__":
    sys.exit(run(compare))
