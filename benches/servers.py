"""The servers of a bench: started fresh, asked until they answer, ended; and what /proc knows of them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import BenchError

APPS_DIRECTORY = Path(__file__).resolve().parent / "apps"
START_SECONDS = 20.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Server:
    """One that has given the right answer."""

    pid: int
    port: int
    log: IO[bytes]

    def failed(self, sentence: str) -> BenchError:
        """The sentence, and what the server has said last."""
        return failure(sentence, self.log)


@contextmanager
def serving(
    command: Callable[[int], Sequence[str]],
    expected: bytes,
    sentence: str,
    *,
    path: str = "/",
    cwd: Path | None = APPS_DIRECTORY,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server that has answered `path` as expected; afterwards it is gone. The sentence is for one that does not get that far.

    The command is told the port.
    """
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command(port),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not answers(process, port, expected, path):
                raise failure(sentence, log)
            yield Server(process.pid, port, log)
        finally:
            stop(process)


def failure(sentence: str, log: IO[bytes]) -> BenchError:
    """The sentence, and the end of the log."""
    log.seek(0)
    words = log.read().decode(errors="replace").strip()[-2000:]
    return BenchError(f"{sentence}\n{words}".strip())


def answers(process: subprocess.Popen[bytes], port: int, expected: bytes, path: str) -> bool:
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
