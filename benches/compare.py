"""`make bench`: Ferricorn beside Gunicorn, Granian and bjoern, on one machine in one run.

Each server has one worker and core A for itself; wrk has core B. A measurement starts a fresh server,
warms it up, loads it over 32 keep-alive connections and ends it; the servers take turns round by round,
so that a machine which gets slower or faster meanwhile does so to all of them. Figures are medians over
the rounds; ratios are taken within a round and then their median.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

APPS_DIRECTORY = Path(__file__).resolve().parent / "apps"
CONNECTIONS = 32
START_SECONDS = 20.0
STOP_SECONDS = 10.0

# What each application must answer; a fast wrong answer is no result.
APPS = {"hello": b"Hello, world!", "flask_json": b'"message":"Hello, world!"'}

# The figures as wrk counted them, not as it rounds them for people.
REPORT_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nREPORT {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"failed":%d,"broken":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class BenchError(Exception):
    """No table today; the message is one sentence, and the server's last words when it has some."""


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


def main() -> int:
    """Prints the table to standard output and the progress to standard error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        plan = parse_arguments()
        install_what_is_missing(plan)
        versions = find_versions(plan)
        results = measure_everything(plan)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; there is no table.", file=sys.stderr)
        return 130
    print(render(plan, versions, results))
    return 0


# Measuring

Results = dict[str, list[dict[str, Measurement]]]


def measure_everything(plan: Plan) -> Results:
    """For each application a list of rounds, each with one measurement of every server."""
    results: Results = {}
    for app in plan.apps:
        rounds = results.setdefault(app, [])
        for number in range(1, plan.rounds + 1):
            # The order turns with the rounds too: nobody always comes after the same neighbour.
            turn = number % len(plan.contestants)
            order = plan.contestants[turn:] + plan.contestants[:turn]
            rounds.append({contestant.name: measure(plan, contestant, app) for contestant in order})
            figures = ", ".join(f"{name} {m.requests_per_second:,.0f}/s" for name, m in rounds[-1].items())
            print(f"{app}, round {number} of {plan.rounds}: {figures}", file=sys.stderr, flush=True)
    return results


def measure(plan: Plan, contestant: Contestant, app: str) -> Measurement:
    """A fresh server for every measurement: the luck of one process's memory layout is not the server's speed."""
    with running_server(plan, contestant, app) as (pid, port):
        load(plan, port, plan.warm_up_seconds)
        before = cpu_seconds(pid)
        report = load(plan, port, plan.seconds)
        used = cpu_seconds(pid) - before
        memory = memory_mebibytes(pid)
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


@contextmanager
def running_server(plan: Plan, contestant: Contestant, app: str) -> Iterator[tuple[int, int]]:
    """Yields pid and port once the application has answered correctly; afterwards the server is gone."""
    port = free_port()
    command = contestant.command(plan.executable(contestant), f"{app}:application", port)
    with serving(contestant.name, ["taskset", "-c", str(plan.cores[0]), *command], port, APPS[app]) as pid:
        yield pid, port


@contextmanager
def serving(name: str, command: Sequence[str], port: int, expected: bytes) -> Iterator[int]:
    """The same for any command that serves on a port of its choice."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=APPS_DIRECTORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not answers(process, port, expected):
                log.seek(0)
                words = log.read().decode(errors="replace").strip()[-2000:]
                raise BenchError(f"{name} did not serve.\n{words}".strip())
            yield process.pid
        finally:
            stop(process)


def answers(process: subprocess.Popen[bytes], port: int, expected: bytes, path: str = "/") -> bool:
    """Waits for the right answer; False when the server ends, or time does, before it comes."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection,
        ):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status == 200 and expected in response.read()
        time.sleep(0.02)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM first; what is then left of the server's session is killed."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def load(plan: Plan, port: int, seconds: int) -> dict[str, float]:
    """One run of wrk. A server that closes each connection costs wrk a new one, and that is part of the result."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT_SCRIPT)
        script.flush()
        run = subprocess.run(
            [
                *("taskset", "-c", str(plan.cores[1]), "wrk", "-t", "1", "-c", str(CONNECTIONS)),
                *("-d", f"{seconds}s", "--latency", "-s", script.name, f"http://127.0.0.1:{port}/"),
            ],
            capture_output=True,
            text=True,
        )
    for line in run.stdout.splitlines():
        if line.startswith("REPORT "):
            report: dict[str, float] = json.loads(line.removeprefix("REPORT "))
            return report
    raise BenchError(f"wrk gave no report: {(run.stderr or run.stdout).strip()}")


def free_port() -> int:
    """A port that the kernel has just found free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# What /proc knows of a server: its first process and all that descend from it


def process_tree(root: int) -> list[int]:
    """The pids, by walking the parents of everything that runs."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(stat_fields(int(entry.name))[1]), []).append(int(entry.name))
    tree = [root]
    for pid in tree:
        tree.extend(children.get(pid, ()))
    return tree


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat after the name, which may hold blanks and parentheses: the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with that of children which have ended since."""
    ticks = 0
    for pid in process_tree(root):
        with suppress(OSError):
            ticks += sum(int(field) for field in stat_fields(pid)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mebibytes(root: int) -> float:
    """The tree's proportional set sizes, added up."""
    kibibytes = 0
    for pid in process_tree(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


# Preparing


def install_what_is_missing(plan: Plan) -> None:
    """Peers into the venv by pip, wrk by apt; Ferricorn itself must be there."""
    if any(c.requirement is None for c in plan.contestants) and not plan.ferricorn.exists():
        raise BenchError(f"There is no {plan.ferricorn}; build it first or name it with --ferricorn.")
    requirements = [c.requirement for c in plan.contestants if c.requirement]
    if "flask_json" in plan.apps:
        requirements.append("flask")
    install(plan.venv, requirements)
    if shutil.which("wrk") is None:
        run_or_fail(["apt-get", "install", "--yes", "wrk"], "wrk is missing and apt-get cannot install it")


def install(venv: Path, requirements: Sequence[str]) -> None:
    """Makes the venv, and puts into it what it lacks."""
    if not (venv / "bin" / "python").exists():
        run_or_fail([sys.executable, "-m", "venv", str(venv)], "A venv for the peers cannot be made")
    have = installed(venv, [r.partition("==")[0] for r in requirements])
    missing = [r for r in requirements if have[r.partition("==")[0]] is None]
    if missing:
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *missing]
        run_or_fail(pip, f"pip cannot install {' '.join(missing)}")


def run_or_fail(command: Sequence[str], sentence: str) -> None:
    """Quiet unless it fails; then the sentence, with the last line of what the program said."""
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise BenchError(f"{sentence}: {error.strerror}.") from None
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise BenchError(f"{sentence}: {' '.join(last) or f'exit status {result.returncode}'}")


def installed(venv: Path, names: Sequence[str]) -> dict[str, str | None]:
    """Versions in the venv, which need not be the one that this runs in."""
    program = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: have.get(n) for n in sys.argv[1:]}))"
    )
    result = subprocess.run(
        [str(venv / "bin" / "python"), "-c", program, *names], capture_output=True, text=True, check=True
    )
    versions: dict[str, str | None] = json.loads(result.stdout)
    return versions


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
        f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})",
        f"{ratio:.2f}" if name != first else "",
        f"{median(m.p50_milliseconds for m in own):.2f}",
        f"{median(m.p99_milliseconds for m in own):.2f}",
        f"{median(m.cpu_microseconds for m in own):.1f}",
        f"{median(m.memory_mebibytes for m in own):.1f}",
        f"{sum(m.failed for m in own)}",
        f"{sum(m.broken for m in own)}",
    ]
    return f"| {' | '.join(cells)} |"


def machine(venv: Path) -> str:
    """Processor, cores, kernel and Python of the venv."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    python = subprocess.run([str(venv / "bin" / "python"), "-V"], capture_output=True, text=True).stdout.strip()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, {python}"


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


def chosen(parser: argparse.ArgumentParser, option: str, text: str, known: list[str]) -> tuple[str, ...]:
    """The words of a list with commas, each of them known and there once."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        parser.error(f"{option} takes {', '.join(known)}; not {', '.join(unknown) or 'nothing'}")
    return words


def two_cores() -> tuple[int, int]:
    """The first two cores this process may use: 0 and 1 on a machine that is not divided up."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("The bench needs two cores: one for the server and one for wrk.")
    return cores[0], cores[1]


if __name__ == "__main__":
    sys.exit(main())
