"""`make bench-tail`: what short requests have to wait for, beside Gunicorn and Granian, on one machine in one run.

Two parts. In the first, four workers get short and long requests mixed over 64 keep-alive connections, at times that
do not depend on the answers (tail-load). In the second, one worker of ours gets short requests only, at first alone, then beside
5,000 idle connections and 500 clients that send a request byte by byte.

Each measurement has a fresh server; the servers take turns round by round. Figures are medians over the rounds, ratios
are taken within a round and then their median.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench import BenchError, chosen, in_turn, install, installed, machine, run, spread
from servers import Server, memory_mebibytes, serving

APP = "sleeper:application"
ANSWER = b"Hello, world!"
WORKERS = 4
CONNECTIONS = 64
# The crowd, and what it may cost a server that is to hold it.
IDLE = 5000
DRIBBLING = 500
ROOM = IDLE + DRIBBLING + 200
LOAD_PROGRAM = Path(__file__).resolve().parents[1] / "target" / "release" / "tail-load"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Contestant:
    """One server in one way to run it."""

    name: str
    # What pip installs when it is missing; None: it is ours.
    requirement: str | None
    # Executable, workers and port give the command line.
    command: Callable[[Path, int, int], list[str]]

    @property
    def executable(self) -> str:
        """Its name in a venv's bin."""
        return self.name.partition(" ")[0]


def gunicorn_command(*options: str) -> Callable[[Path, int, int], list[str]]:
    """One command line for Gunicorn and Ferricorn: that is the point of a drop-in."""

    def command(executable: Path, workers: int, port: int) -> list[str]:
        common = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--worker-connections", str(ROOM)]
        return [str(executable), *common, "--keep-alive", "120", *options, APP]

    return command


def granian_command(threads: int) -> Callable[[Path, int, int], list[str]]:
    """HTTP/1 only, as the others; a blocking thread is what runs the application."""

    def command(executable: Path, workers: int, port: int) -> list[str]:
        return [
            *(str(executable), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", str(workers), "--blocking-threads", str(threads), "--http", "1", "--no-ws", APP),
        ]

    return command


GTHREAD = ("--worker-class", "gthread", "--threads", "4")
CONTESTANTS = (
    Contestant("ferricorn sync", None, gunicorn_command()),
    Contestant("gunicorn sync", "gunicorn==27.0.1", gunicorn_command()),
    Contestant("granian 1 thread", "granian", granian_command(1)),
    Contestant("ferricorn gthread", None, gunicorn_command(*GTHREAD)),
    Contestant("gunicorn gthread", "gunicorn==27.0.1", gunicorn_command(*GTHREAD)),
    Contestant("granian 4 threads", "granian", granian_command(4)),
)


@dataclass(frozen=True)
class Load:
    """Requests per second, and which of them take long."""

    words: str
    rate: int
    slow_share: float
    milliseconds: int


LOADS = (
    Load("300/s, 3 % of them sleep 200 ms", 300, 0.03, 200),
    # Four workers that do one call at a time can take 1,600 of these: 50 ms for one in twenty.
    Load("960/s, 5 % of them sleep 50 ms: 60 % of capacity", 960, 0.05, 50),
)


@dataclass(frozen=True)
class Plan:
    """What the command line asked for."""

    contestants: tuple[Contestant, ...]
    rounds: int
    seconds: int
    venv: Path
    ferricorn: Path

    def executable(self, contestant: Contestant) -> Path:
        """Ours may lie anywhere; the peers are in the venv."""
        return self.ferricorn if contestant.requirement is None else self.venv / "bin" / contestant.executable


@dataclass(frozen=True)
class Crowded:
    """One server, alone, beside the crowd, and alone again: what the machine itself makes of the same measurement."""

    alone: dict[str, float]
    beside: dict[str, float]
    again: dict[str, float]
    kibibytes_per_connection: float


def compare() -> str:
    """The tables; the progress goes to standard error."""
    plan = parse_arguments()
    prepare(plan)
    mixed = {load: rounds(plan, plan.contestants, lambda c, load=load: measure(plan, c, load)) for load in LOADS}
    # Of the peers none gets that far: Gunicorn's threads wait for slow heads, Granian does not take so many.
    ours = [c for c in plan.contestants if c.requirement is None]
    crowded = rounds(plan, ours, lambda c: measure_crowd(plan, c)) if ours else []
    return render(plan, mixed, crowded)


def prepare(plan: Plan) -> None:
    """Everything that is needed is there, and the limit on open files is as high as it may be."""
    for program, remedy in ((plan.ferricorn, "make build"), (LOAD_PROGRAM, "cargo build --release -p tail-load")):
        if not program.exists():
            raise BenchError(f"There is no {program}: {remedy} makes it.")
    install(plan.venv, sorted({c.requirement for c in plan.contestants if c.requirement}))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * ROOM:
        raise BenchError(f"The bench needs {2 * ROOM} open files in a process, and the hard limit is {hard}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def rounds(plan: Plan, contestants: Sequence[Contestant], one: Callable[[Contestant], Result]) -> list[dict[str, Result]]:
    """A list of rounds, each with one measurement of every server."""
    results: list[dict[str, Result]] = []
    for number in range(1, plan.rounds + 1):
        results.append({contestant.name: one(contestant) for contestant in in_turn(contestants, number)})
        print(f"round {number} of {plan.rounds} is done", file=sys.stderr, flush=True)
    return results


def measure(plan: Plan, contestant: Contestant, load: Load) -> dict[str, float]:
    """A fresh server with four workers under a mixed load."""
    with running(plan, contestant, WORKERS) as server:
        options = ["--slow-share", str(load.slow_share), "--slow", f"/?ms={load.milliseconds}"]
        return ask(plan, server.port, load.rate, *options)


def measure_crowd(plan: Plan, contestant: Contestant) -> Crowded:
    """A fresh server with one worker, before, beside and after many clients that want nothing yet."""
    with running(plan, contestant, 1) as server:
        no_crowd = ["--slow-share", "0"]
        alone = ask(plan, server.port, LOADS[0].rate, *no_crowd)
        before = memory_mebibytes(server.pid)
        sizes: list[float] = []
        crowd = [*no_crowd, "--idle", str(IDLE), "--dribbling", str(DRIBBLING), "--wait"]
        weigh = lambda: sizes.append(memory_mebibytes(server.pid))  # noqa: E731
        beside = ask(plan, server.port, LOADS[0].rate, *crowd, gathered=weigh)
        again = ask(plan, server.port, LOADS[0].rate, *no_crowd)
    return Crowded(alone, beside, again, (sizes[0] - before) * 1024 / (IDLE + DRIBBLING))


def running(plan: Plan, contestant: Contestant, workers: int) -> AbstractContextManager[Server]:
    """A fresh server."""
    executable = plan.executable(contestant)
    return serving(
        lambda port: contestant.command(executable, workers, port), ANSWER, f"{contestant.name} did not serve."
    )


def ask(
    plan: Plan, port: int, rate: int, *options: str, gathered: Callable[[], None] | None = None
) -> dict[str, float]:
    """One run of tail-load. `gathered` is called when the crowd has come and the load has not begun."""
    command = [
        *(str(LOAD_PROGRAM), f"http://127.0.0.1:{port}", "--rate", str(rate), "--seconds", str(plan.seconds)),
        *("--connections", str(CONNECTIONS), *options),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        if gathered is not None and process.stdout is not None and process.stdout.readline() == "gathered\n":
            gathered()
        output, errors = process.communicate("\n")
    if process.returncode != 0:
        raise BenchError(f"tail-load gave no report: {errors.strip()}")
    report: dict[str, float] = json.loads(output.splitlines()[-1])
    return report


# Telling


def render(
    plan: Plan, mixed: dict[Load, list[dict[str, dict[str, float]]]], crowded: list[dict[str, Crowded]]
) -> str:
    """The Markdown of docs/performance.md, with what somebody needs who wants to repeat it."""
    peers = [c.requirement.partition("==")[0] for c in plan.contestants if c.requirement]
    versions = ", ".join(f"{name} {version}" for name, version in installed(plan.venv, peers).items())
    lines = [
        f"Machine: {machine(plan.venv)}, shared by servers and load. Peers: {versions}. Rounds: {plan.rounds} of"
        f" {plan.seconds} s.",
    ]
    for load, results in mixed.items():
        lines += [
            "",
            f"{WORKERS} workers, {CONNECTIONS} connections, {load.words}; latency of the others:",
            "",
            "| server | p50 ms | p99 ms (min to max) | p99 / first one's | connections opened per request"
            " | answers/s | failed |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *(row(c.name, plan.contestants[0].name, results) for c in plan.contestants),
        ]
    if not crowded:
        return "\n".join(lines)
    lines += [
        "",
        f"One worker, {LOADS[0].rate}/s short requests, alone and beside {IDLE} idle connections and {DRIBBLING} clients that"
        " send a head byte by byte:",
        "",
        "| server | p99 ms alone | p99 ms beside them | ratio (min to max) | alone again / alone (min to max)"
        " | KiB per connection | of them kept | failed |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(crowd_row(name, [results[name] for results in crowded]) for name in crowded[0]),
    ]
    return "\n".join(lines)


def row(name: str, first: str, results: list[dict[str, dict[str, float]]]) -> str:
    """One server's line. Failures are added up over the rounds, because a median would hide the rare ones."""
    own = [result[name] for result in results]
    p99 = [report["p99"] for report in own]
    cells = [
        name,
        f"{median(report['p50'] for report in own):.2f}",
        spread(p99, ".1f"),
        f"{median(result[name]['p99'] / result[first]['p99'] for result in results):.2f}" if name != first else "",
        f"{median(report['opened'] / report['answered'] for report in own):.3f}",
        f"{median(report['answered'] / report['seconds'] for report in own):.0f}",
        f"{sum(report['failed'] for report in own):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def crowd_row(name: str, own: list[Crowded]) -> str:
    """The same for the second part."""
    cells = [
        name,
        f"{median(result.alone['p99'] for result in own):.2f}",
        f"{median(result.beside['p99'] for result in own):.2f}",
        spread([result.beside["p99"] / result.alone["p99"] for result in own], ".2f"),
        spread([result.again["p99"] / result.alone["p99"] for result in own], ".2f"),
        f"{median(result.kibibytes_per_connection for result in own):.1f}",
        f"{min(result.beside['kept'] for result in own):.0f}",
        f"{sum(result.alone['failed'] + result.beside['failed'] + result.again['failed'] for result in own):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def parse_arguments() -> Plan:
    """Which servers, how long, and where they are."""
    parser = argparse.ArgumentParser(description="Compare how long short requests wait beside long ones.")
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--servers", default=",".join(names), help="with commas; ratios are to the first one listed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="of load in one measurement")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds: whether it works, not how fast")
    parser.add_argument("--venv", type=Path, default=Path(sys.prefix), help="where the peers are, or get installed")
    parser.add_argument("--ferricorn", type=Path, default=Path(sys.executable).parent / "ferricorn", metavar="PATH")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    by_name = {contestant.name: contestant for contestant in CONTESTANTS}
    return Plan(
        contestants=tuple(by_name[name] for name in chosen(parser, "--servers", arguments.servers, names)),
        rounds=1 if arguments.quick else arguments.rounds,
        seconds=2 if arguments.quick else arguments.seconds,
        venv=arguments.venv.absolute(),
        ferricorn=arguments.ferricorn.absolute(),
    )


if __name__ == "__main__":
    sys.exit(run(compare))
