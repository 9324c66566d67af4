"""The server and its service manager: notifications, the watchdog, sockets that are passed and kept.

The tests play the service manager: they bind NOTIFY_SOCKET, pass sockets, and keep those that are left with them.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""

PATIENCE = 20.0

# Passes a descriptor to a command as a service manager does.
PASSES = """
import os, sys
number, names, *command = sys.argv[1:]
os.dup2(int(number), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Manager:
    """A service manager's end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(PATIENCE)
        self.stored: dict[str, int] = {}
        self.heard: list[dict[str, str]] = []

    def next(self) -> dict[str, str]:
        """Wait for a notification; a socket that comes with it is kept."""
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(16))
        said = dict(line.split("=", 1) for line in data.decode().splitlines())
        for _, _, rights in ancillary:
            self.stored[said["FDNAME"]] = array.array("i", rights)[0]
        self.heard.append(said)
        return said

    def wait(self, name: str) -> dict[str, str]:
        """Wait for a notification that says something under this name."""
        while True:
            said = self.next()
            if name in said:
                return said


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    for number in made.stored.values():
        os.close(number)
    made.socket.close()


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    passed: socket.socket | int | None = None,
    names: str = "",
    ends: int = 0,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; `passed` is handed to it as the first descriptor, as a service manager does. It `ends` with that."""
    (folder / "shop.py").write_text(APPLICATION)
    number = passed if isinstance(passed, int) or passed is None else passed.fileno()
    command = [str(Path(sys.executable).with_name("ferricorn")), *arguments, "shop"]
    if number is not None:
        command = [sys.executable, "-c", PASSES, str(number), names, *command]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environment,
        pass_fds=[number] if number is not None else [],
        stderr=(folder / "stderr").open("ab"),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == ends, (folder / "stderr").read_text()


def port_of(folder: Path) -> int:
    """Return the port of the last line about it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = [line for line in (folder / "stderr").read_text().splitlines() if "Listening at: http" in line]
        if lines:
            return int(lines[-1].split("http://127.0.0.1:")[1].split()[0])
        time.sleep(0.01)
    raise AssertionError("no server listens")


def test_each_change_of_state_is_notified(manager: Manager, tmp_path: Path) -> None:
    """READY when it serves, RELOADING and READY around a reload, be it in vain, STOPPING."""
    with serving(tmp_path, "-b", "127.0.0.1:0", NOTIFY_SOCKET=str(manager.path)) as server:
        assert manager.wait("READY") == {"READY": "1", "STATUS": "ferricorn is serving"}
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.send_signal(signal.SIGHUP)
        begun = manager.wait("RELOADING")
        assert int(begun["MONOTONIC_USEC"]) >= before
        assert manager.wait("READY")["STATUS"] == "ferricorn is serving"
        (tmp_path / "gunicorn.conf.py").write_text("workers = (\n")
        server.send_signal(signal.SIGHUP)
        manager.wait("RELOADING")
        assert "The last reload failed" in manager.wait("READY")["STATUS"]
        server.send_signal(signal.SIGTERM)
        assert manager.wait("STOPPING") == {"STOPPING": "1"}


def test_the_watchdog_is_fed(manager: Manager, tmp_path: Path) -> None:
    """Twice in the time that it was given, whether or not anything happens."""
    with serving(tmp_path, "-b", "127.0.0.1:0", NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="400000"):
        manager.wait("READY")
        for _ in range(3):
            assert manager.wait("WATCHDOG") == {"WATCHDOG": "1"}


def test_nobody_is_fed_who_does_not_watch(manager: Manager, tmp_path: Path) -> None:
    """The variables of another process's watchdog are none of ours."""
    watched = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    with serving(tmp_path, "-b", "127.0.0.1:0", NOTIFY_SOCKET=str(manager.path), **watched) as server:
        manager.wait("READY")
        server.send_signal(signal.SIGTERM)
        manager.wait("STOPPING")
    assert not any("WATCHDOG" in said for said in manager.heard)


def test_a_passed_socket_is_served(tmp_path: Path) -> None:
    """Whatever --bind says; a client that came first is served, too."""
    with socket.create_server(("127.0.0.1", 0)) as passed:
        client = socket.create_connection(passed.getsockname())
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with serving(tmp_path, "-b", "127.0.0.1:1", passed=passed), client:
            client.settimeout(PATIENCE)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.0 200 OK") and answer.endswith(b"hello")


def test_sockets_outlive_a_restart(manager: Manager, tmp_path: Path) -> None:
    """They stay with the service manager: a client that comes while no server runs is served by the next."""
    with serving(tmp_path, "-b", "127.0.0.1:0", NOTIFY_SOCKET=str(manager.path)):
        manager.wait("READY")
        port = port_of(tmp_path)
    [(name, kept)] = manager.stored.items()
    assert name == "ferricorn-127.0.0.1=0"
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with serving(tmp_path, "-b", "127.0.0.1:0", passed=kept, names=name), client:
        client.settimeout(PATIENCE)
        assert b"".join(iter(lambda: client.recv(4096), b"")).endswith(b"hello")


def test_a_kept_socket_outlives_a_killed_master(manager: Manager, tmp_path: Path) -> None:
    """Its workers leave, and the socket stays as it is for the next start."""
    notified = {"NOTIFY_SOCKET": str(manager.path)}
    with serving(tmp_path, "-b", "127.0.0.1:0", ends=-signal.SIGKILL, **notified) as server:
        manager.wait("READY")
        port = port_of(tmp_path)
        server.kill()
        server.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while "Worker exiting" not in (tmp_path / "stderr").read_text():
            assert time.monotonic() < deadline, "the worker does not leave"
            time.sleep(0.01)
    [(name, kept)] = manager.stored.items()
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with serving(tmp_path, "-b", "127.0.0.1:0", passed=kept, names=name), client:
        client.settimeout(PATIENCE)
        assert b"".join(iter(lambda: client.recv(4096), b"")).endswith(b"hello")


def test_a_kept_socket_is_not_wanted_for_ever(manager: Manager, tmp_path: Path) -> None:
    """One that was kept for an address which the settings do not name any more is closed."""
    with serving(tmp_path, "-b", "127.0.0.1:0", NOTIFY_SOCKET=str(manager.path)):
        manager.wait("READY")
        old = port_of(tmp_path)
    [(name, kept)] = manager.stored.items()
    (tmp_path / "stderr").write_text("")
    with serving(tmp_path, "-b", "127.0.0.1:0", passed=kept, names=name.replace("=0", "=99")):
        assert port_of(tmp_path) != old


def test_the_manager_follows_an_upgrade(manager: Manager, tmp_path: Path) -> None:
    """MAINPID names the new master when the old one stops for it; the new one is then the one that notifies."""
    with serving(tmp_path, "-b", "127.0.0.1:0", "--pid", "server.pid", NOTIFY_SOCKET=str(manager.path)) as server:
        manager.wait("READY")
        port = port_of(tmp_path)
        server.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + PATIENCE
        while (tmp_path / "stderr").read_text().count("Booting worker") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        new = int(manager.wait("MAINPID")["MAINPID"])
        assert server.wait(PATIENCE) == 0
    assert manager.wait("READY")["STATUS"] == "ferricorn is serving"
    assert not any("STOPPING" in said for said in manager.heard)
    assert urlopen(f"http://127.0.0.1:{port}/").read() == b"hello"
    os.kill(new, signal.SIGTERM)
    assert manager.wait("STOPPING") == {"STOPPING": "1"}
    while Path(f"/proc/{new}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
