"""What all benches do alike: their end, their turns, what they install, and the words for the machine they ran on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

Contestant = TypeVar("Contestant")


class BenchError(Exception):
    """No table today; the message is one sentence, and the server's last words when it has some."""


def run(bench: Callable[[], str], *failures: type[Exception]) -> int:
    """Prints a bench's table to standard output, or to standard error why there is none; gives the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    expected: tuple[type[Exception], ...] = (BenchError, *failures)
    try:
        table = bench()
    except expected as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; there is no table.", file=sys.stderr)
        return 130
    print(table)
    return 0


def in_turn(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """The order of a round: it turns with the rounds, so that nobody always comes after the same neighbour."""
    turn = number % len(contestants)
    return [*contestants[turn:], *contestants[:turn]]


# Preparing


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


# Asking and telling


def spread(figures: Sequence[float], form: str) -> str:
    """Their median, and between what they lie."""
    return f"{median(figures):{form}} ({min(figures):{form}} to {max(figures):{form}})"


def chosen(parser: argparse.ArgumentParser, option: str, text: str, known: list[str]) -> tuple[str, ...]:
    """The words of a list with commas, each of them known and there once."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        parser.error(f"{option} takes {', '.join(known)}; not {', '.join(unknown) or 'nothing'}")
    return words


def machine(venv: Path) -> str:
    """Processor, cores, kernel and Python of the venv."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    python = subprocess.run([str(venv / "bin" / "python"), "-V"], capture_output=True, text=True).stdout.strip()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, {python}"
