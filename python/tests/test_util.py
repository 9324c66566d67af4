"""`ferricorn.util`: what changes descriptors and processes; what only returns something is in `test_config`."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import gunicorn.util
import pytest
from ferricorn import util

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def printed(module: str, script: str) -> str:
    """Return what a script prints that has a module as `util`."""
    command = [sys.executable, "-c", f"from {module} import util\nimport os, sys\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_descriptors_are_closed_on_exec_and_do_not_block() -> None:
    """By number and as a socket."""
    with socket.socket() as sock:
        sock.set_inheritable(True)
        util.close_on_exec(sock)
        assert not sock.get_inheritable()
        sock.set_inheritable(True)
        util.close_on_exec(sock.fileno())
        assert not sock.get_inheritable()
        util.set_non_blocking(sock)
        assert not os.get_blocking(sock.fileno())
    util.close(sock)


def test_a_close_that_fails_is_survived() -> None:
    """The socket is gone either way."""

    class Gone:
        def close(self) -> None:
            raise OSError("gone")

    util.close(Gone())


@pytest.mark.parametrize("data", [b"", b"abc" * 10, "ä"])
def test_pieces_are_written_as_the_original_does(data: Any) -> None:
    """As a chunk."""
    received = []
    for module in (util, gunicorn.util):
        left, right = socket.socketpair()
        with left, right:
            module.write(left, data, chunked=True)
            module.write(left, b"plain")
            received.append(right.recv(4096))
    assert received[0] == received[1]


def test_files(tmp_path: Path) -> None:
    """Removed, given away, looked at."""
    file = tmp_path / "file"
    util.check_is_writable(str(file))
    assert file.read_text() == ""
    util.chown(file, os.getuid(), os.getgid())
    util.unlink(file)
    util.unlink(file)
    util.unlink("/etc/passwd/x")
    assert not file.exists()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        util.unlink(tmp_path / "folder")


def test_the_current_directory_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That in PWD, if it is the same directory."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "link")
    for named in (str(tmp_path / "link"), "/", "/no/such/directory"):
        monkeypatch.setenv("PWD", named)
        assert util.getcwd() == gunicorn.util.getcwd()
    monkeypatch.delenv("PWD")
    assert util.getcwd() == gunicorn.util.getcwd() == str(tmp_path / "real")


@needs_root
@pytest.mark.parametrize(
    "arguments", ["65534, 65533", "65534, 65533, True", "0, 65533", "65534, 0", "4242, 65533, True"]
)
def test_a_process_becomes_who_the_original_would(arguments: str) -> None:
    """User, group, and the user's groups."""
    script = f"util.set_owner_process({arguments})\nprint(os.getresuid(), os.getresgid(), sorted(os.getgroups()))"
    assert printed("ferricorn", script) == printed("gunicorn", script)


def test_a_daemon_has_no_terminal_and_no_parent() -> None:
    """Its output goes nowhere, or where it went if that is asked for."""
    script = """
reader, writer = os.pipe()
caller, session = os.getpid(), os.getsid(0)
if os.fork() == 0:
    util.daemonize({})
    print("printed", flush=True)
    mask = os.umask(0)
    said = f"{{os.getsid(0) != session}} {{os.getpid() != os.getsid(0)}} {{mask}} {{os.fstat(0).st_rdev}}"
    os.write(writer, said.encode())
    os._exit(0)
os.close(writer)
print(os.read(reader, 100).decode() + os.read(reader, 100).decode())
"""
    for inherits, output in (("", ""), ("True", "printed\n")):
        ours = printed("ferricorn", script.format(inherits))
        assert ours == printed("gunicorn", script.format(inherits))
        assert ours.startswith(f"{output}True True {0o022} ")


def test_seed_makes_numbers_of_ones_own() -> None:
    """Two processes that were forked alike differ."""
    random.seed(1)
    expected = random.random()
    random.seed(1)
    util.seed()
    assert random.random() != expected


def test_an_application_that_fails() -> None:
    """Answers with the text."""
    started: list[Any] = []
    assert util.make_fail_app("wröng")({}, lambda *said: started.append(said)) == ["wröng".encode()]
    assert started == [("500 Internal Server Error", [("Content-Type", "text/plain"), ("Content-Length", "6")])]


def test_an_exception_is_raised_again() -> None:
    """With its traceback; a missing one is made."""
    try:
        raise LookupError("first")
    except LookupError as error:
        caught = error
    with pytest.raises(LookupError, match="first") as again:
        util.reraise(LookupError, caught, caught.__traceback__)
    assert again.value is caught
    with pytest.raises(KeyError):
        util.reraise(KeyError, None)
