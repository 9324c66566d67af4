"""A Postgres cluster and PgBouncers of a test's own: fresh directories, free ports of the loopback, gone at the end.

`Cluster` and `Bouncer` are context managers, used by these tests and by benches. What they start ends with the process
that started it, also if that is killed.
"""

from __future__ import annotations

import ctypes
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = REPOSITORY / "etc" / "pgbouncer"

# The application's user, database and password, as in etc/pgbouncer/userlist.txt: nothing but tests uses them.
USER = DATABASE = "autoshop"
PASSWORD = "change-this-password"

START_SECONDS = 30.0
STOP_SECONDS = 20.0

PR_SET_PDEATHSIG = 1


class ServiceError(Exception):
    """A service does not start or stop; the message has its last words."""


class Service(AbstractContextManager["Service"]):
    """A program in the foreground with a directory of its own, ended by its pid."""

    # What the program takes as "end now, in order".
    stop_signal = signal.SIGINT

    def __init__(self, name: str) -> None:
        # Not below a test's own directory: those are closed to the user that Postgres runs as under root.
        self.directory = Path(tempfile.mkdtemp(prefix=f"ferricorn-{name}-"))
        self.host = "127.0.0.1"
        self.port = free_port()
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def command(self) -> list[str]:
        """How the program is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Returns when it takes connections."""
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dying_with_parent(self.stop_signal),
                **as_user(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.takes_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self._name} does not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def takes_connections(self) -> bool:
        """Whether somebody listens on the port."""
        return listens(self.host, self.port)

    def stop(self, number: int | None = None) -> None:
        """Ends the program with this signal; KILL for one that stays."""
        if self._process is None:
            return
        end(self._process, self.stop_signal if number is None else number)
        self._process = None

    def restart(self, number: int | None = None) -> None:
        """Same place, new process."""
        self.stop(number)
        self.start()

    def close(self) -> None:
        """The end: no process and no directory is left."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the program has written so far."""
        return (self.directory / "log").read_text(errors="replace") if (self.directory / "log").exists() else ""

    def url(self, database: str = DATABASE, user: str = USER, password: str = PASSWORD) -> str:
        """The connection string for a client."""
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{database}"


class Cluster(Service):
    """Postgres with SCRAM passwords over TCP, and the superuser `postgres` trusted on the socket in its directory."""

    def __init__(self, *, max_connections: int = 100, **settings: str) -> None:
        super().__init__("postgres")
        self._settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "max_connections": str(max_connections),
            # The data lives as long as the test: nothing needs to survive a power cut.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "log_line_prefix": "%m [%p] %q%a ",
            **settings,
        }

    def start(self) -> None:
        """The first start makes the cluster, its user and its database."""
        fresh = not (self.directory / "data").exists()
        if fresh:
            hand_over(self.directory)
            self._make()
        super().start()
        if fresh:
            self.superuser(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            # It ends its own backends in tests, and looks at pg_stat_activity.
            self.superuser(f"GRANT pg_monitor, pg_signal_backend TO {USER}")
            self.superuser(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def _make(self) -> None:
        arguments = ["--pgdata=data", "--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256"]
        made = subprocess.run(
            [program("initdb"), *arguments, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            cwd=self.directory,
            capture_output=True,
            text=True,
            **as_user(),
        )
        if made.returncode != 0:
            raise ServiceError(f"initdb failed:\n{made.stderr[-2000:]}")

    def command(self) -> list[str]:
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.directory / "data"), *settings]

    def takes_connections(self) -> bool:
        """It listens before it is ready, so it is asked."""
        try:
            self.superuser("SELECT 1")
        except ServiceError:
            return False
        return True

    def superuser(self, statement: str, database: str = "postgres") -> str:
        """Runs a statement with all rights, past any PgBouncer; gives what psql prints."""
        connection = ["--host", str(self.directory), "--port", str(self.port), "--username", "postgres"]
        run = subprocess.run(
            [program("psql"), *connection, "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement],
            capture_output=True,
            text=True,
        )
        if run.returncode != 0:
            raise ServiceError(run.stderr.strip())
        return run.stdout.strip()


class Bouncer(Service):
    """PgBouncer with the configuration that we ship, in front of a cluster."""

    # It keeps nothing, and its gentler ends wait for clients to leave or mean different things in different versions.
    stop_signal = signal.SIGKILL

    def __init__(self, cluster: Service, binary: str = "pgbouncer", **settings: str) -> None:
        super().__init__("pgbouncer")
        self._cluster = cluster
        self._binary = binary
        self._settings = settings

    def start(self) -> None:
        shutil.copy(SHIPPED / "userlist.txt", self.directory)
        (self.directory / "pgbouncer.ini").write_text(self.configuration(), encoding="utf-8")
        hand_over(self.directory)
        super().start()

    def configuration(self) -> str:
        """What differs from the shipped file is where things are, and what a test wants to see differ."""
        text = (SHIPPED / "pgbouncer.ini").read_text(encoding="utf-8")
        upstream = f"host={self._cluster.host} port={self._cluster.port}"
        text = replaced(
            text, "host=127.0.0.1 port=5432 dbname=autoshop", f"{upstream} dbname={DATABASE}\n* = {upstream}"
        )
        changes = {
            "listen_port": str(self.port),
            "unix_socket_dir": str(self.directory),
            "auth_file": str(self.directory / "userlist.txt"),
            "logfile": str(self.directory / "pgbouncer.log"),
            "pidfile": str(self.directory / "pid"),
            **self._settings,
        }
        for name, value in changes.items():
            lines = [line for line in text.splitlines() if line.startswith(f"{name} =")]
            text = replaced(text, lines[0], f"{name} = {value}") if lines else f"{text}{name} = {value}\n"
        return text

    def command(self) -> list[str]:
        return [program(self._binary), str(self.directory / "pgbouncer.ini")]


def program(name: str) -> str:
    """The path of one of Postgres' or PgBouncer's programs: Debian keeps some of them off PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = str(versions[-1]) if versions else shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise ServiceError(f"{name} is not installed; tests/databases.sh installs it.")
    return found


def newer_pgbouncer() -> str:
    """A PgBouncer of 1.21 or later, which is built if need be; ServiceError says why there is none."""
    run = subprocess.run([str(REPOSITORY / "tests" / "pgbouncer.sh")], capture_output=True, text=True)
    if run.returncode != 0:
        raise ServiceError(run.stderr.strip().splitlines()[-1])
    return run.stdout.strip()


def install() -> None:
    """Postgres and PgBouncer, where they are missing."""
    run = subprocess.run([str(REPOSITORY / "tests" / "databases.sh")], stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise ServiceError(run.stderr.strip().splitlines()[-1])


def user() -> str:
    """Neither program runs as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def as_user() -> dict[str, object]:
    """Arguments of subprocess that change to that user, if we can."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(user())
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def hand_over(directory: Path) -> None:
    """Gives a directory and its files to that user."""
    if os.geteuid() == 0:
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, user())


def dying_with_parent(number: int) -> Callable[[], None]:
    """Asks the kernel for this signal when whoever started the service is gone, also by KILL."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, int(number))


def replaced(text: str, old: str, new: str) -> str:
    """A change that finds nothing to change is an error: the shipped file was edited."""
    if old not in text:
        raise ServiceError(f"There is no {old!r} in {SHIPPED / 'pgbouncer.ini'}.")
    return text.replace(old, new)


def end(process: subprocess.Popen[bytes], number: int) -> None:
    """Ends the leader of a session with this signal; KILL for what stays of the session."""
    process.send_signal(number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def free_port() -> int:
    """A port that the kernel has just found free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
