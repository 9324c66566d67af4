"""`ferricorn.app`: programs that embed the server, up to where the server takes over, and once all the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ferricorn import _ferricorn
from ferricorn.app import base, wsgiapp
from ferricorn.app.base import Application, BaseApplication
from ferricorn.app.wsgiapp import WSGIApplication
from ferricorn.config import Config


class Standalone(BaseApplication):
    """The pattern of the documentation."""

    def __init__(self, application: Any, options: dict[str, Any]) -> None:
        self.options = options
        self.application = application
        self.loaded = 0
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name.lower(), value)

    def load(self) -> Any:
        self.loaded += 1
        return self.application


class Configured(Application):
    """A program that takes the command line, too."""

    proposal: dict[str, Any] | None = None
    seen: Any = None

    def init(self, parser: Any, opts: Any, args: list[str]) -> dict[str, Any] | None:
        self.seen = (parser.prog, opts.workers, args)
        return self.proposal


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes this process one that was called with these arguments, and no others in the environment."""
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)

    def call(*said: str) -> None:
        monkeypatch.setattr(sys, "argv", ["serve.py", *said])

    return call


def hook(server: Any) -> None:
    """A hook, as an option."""


def test_a_program_says_its_settings() -> None:
    """As they were given, in the server's terms; the command line does not count."""
    program = Standalone("app", {"BIND": "127.0.0.1:0", "workers": 2, "when_ready": hook, "proc_name": None})
    assert program.cfg.said() == {"bind": "127.0.0.1:0", "workers": 2, "when_ready": hook, "proc_name": None}
    assert (program.cfg.bind, program.reads_arguments, program.name()) == (["127.0.0.1:0"], False, "gunicorn")
    assert [program.wsgi(), program.wsgi(), program.loaded] == ["app", "app", 1]


def test_a_program_can_be_configured_anew_and_take_the_outcome() -> None:
    """`reload` begins with the defaults; `adopt` is for settings of all sources."""
    program = Standalone("app", {"workers": 2})
    program.options = {"timeout": 7}
    program.reload()
    assert (program.cfg.workers, program.cfg.timeout) == (1, 7)
    cfg = Config.of({"workers": 9})
    program.adopt(cfg)
    assert program.cfg is cfg


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workers": "many"}, "`workers = 'many'`: must be a whole number or auto"),
        ({"wrokers": 2}, "No configuration setting for: wrokers"),
    ],
)
def test_a_bad_option_ends_the_program(
    options: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 1 and one sentence."""
    with pytest.raises(SystemExit) as caught:
        Standalone(None, options)
    assert (caught.value.code, capsys.readouterr().err) == (1, f"\nError: {sentence}\n\n")


def test_what_a_program_does_not_override_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """In place of a bare NotImplementedError."""
    with pytest.raises(SystemExit):
        BaseApplication()
    assert "BaseApplication must override load_config()" in capsys.readouterr().err
    unloadable = type("Unloadable", (BaseApplication,), {"load_config": lambda self: None})()
    with pytest.raises(NotImplementedError, match=r"Unloadable must override load\(\)"):
        unloadable.wsgi()


def test_flags_beat_what_init_returns(arguments: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line and in the environment. What flags say is seen, and is not the program's own word."""
    arguments("--workers", "3", "more", "--explain-config")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--timeout 5 --workers 4")
    Configured.proposal = {"WORKERS": 7, "timeout": 8, "keepalive": 9}
    program = Configured(prog="serve")
    assert program.seen == ("serve", "3", ["more"])
    assert program.cfg.said() == {"keepalive": 9}
    assert (program.cfg.workers, program.cfg.timeout, program.cfg.keepalive) == (3, 5, 9)
    assert program.reads_arguments


def test_files_can_be_loaded_by_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By path or module name; what is no setting is passed over."""
    (tmp_path / "loaded_conf.py").write_text("workers = 6\nbind = 'a:1'\nanything = 5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    class Loading(Application):
        where = ""

        def load_config(self) -> None:
            self.load_config_from_file(self.where)

    for where in ("loaded_conf.py", "file:loaded_conf.py", "python:loaded_conf"):
        Loading.where = where
        assert Loading().cfg.said() == {"bind": "a:1", "workers": 6}
    Loading.where = "nothing.py"
    with pytest.raises(SystemExit):
        Loading()


def test_an_application_can_change_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And imports from there."""
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", list(sys.path))
    program = type("Changing", (Application,), {"load_config": lambda self: self.cfg.set("chdir", str(tmp_path))})()
    program.chdir()
    assert os.getcwd() == sys.path[0] == str(tmp_path)


def test_the_command_lines_application(
    arguments: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first argument, else `wsgi_app`, which the server may have found in a file."""
    (tmp_path / "named_app.py").write_text("def application(e, s): ...\ndef other(e, s): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments("named_app:other", "--name", "shop")
    program = WSGIApplication()
    assert (program.app_uri, program.name(), program.cfg.proc_name) == ("named_app:other", "named_app:other", "shop")
    assert program.wsgi().__name__ == "other"
    arguments()
    program = WSGIApplication()
    program.adopt(Config.of({"wsgi_app": "named_app"}))
    assert program.wsgi().__name__ == "application"
    with pytest.raises(Exception, match="No application module specified."):
        WSGIApplication().load()


def test_a_paste_file_is_an_application(
    arguments: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found from the directory the program was started in."""
    (tmp_path / "shop.ini").write_text("[app:main]\n")
    monkeypatch.chdir(tmp_path)
    loaded: list[Any] = []
    monkeypatch.setattr("ferricorn._loading.load_from_paste", lambda *arguments: loaded.append(arguments))
    arguments("--paste", "shop.ini#main", "--paste-global", "a=b")
    program = WSGIApplication()
    monkeypatch.chdir("/")
    program.load()
    assert loaded == [(f"{tmp_path}/shop.ini#main", {"a": "b"})]
    assert program.name() == f"{tmp_path}/shop.ini"


# run()


def test_a_mold_is_the_program_itself(arguments: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the command line where that counts, and exits with the server's status."""
    monkeypatch.setenv(base.MOLD_VARIABLE, "7")
    arguments("-w", "2", "app")
    Configured.proposal = None
    for program, taken in ((Standalone(None, {}), []), (Configured(), ["-w", "2", "app"])):
        calls: list[Any] = []
        monkeypatch.setattr(_ferricorn, "main", lambda *said: calls.append(said) or 3)
        with pytest.raises(SystemExit) as caught:
            program.run()
        assert (caught.value.code, calls) == (3, [("ferricorn", taken, [], program)])


class Replaced(Exception):
    """The process would be another program now."""


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what runs a program that was started by this command, and returns the command that starts it anew."""
    started: list[Any] = []

    def execv(*command: Any) -> None:
        started.append(command)
        raise Replaced

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.delenv(base.MOLD_VARIABLE, raising=False)
    monkeypatch.setenv(base.AGAIN_VARIABLE, "")

    def run(*command: str, main_file: str | None = None) -> list[str]:
        monkeypatch.setattr(sys, "orig_argv", ["python", *command])
        main = type(sys)("__main__")
        if main_file is not None:
            main.__file__ = main_file
        monkeypatch.setitem(sys.modules, "__main__", main)
        with pytest.raises(Replaced):
            Standalone(None, {}).run()
        assert started.pop() == (sys.executable, [sys.executable, "-m", "ferricorn"])
        again = json.loads(os.environ[base.AGAIN_VARIABLE])
        assert again[0] == sys.executable
        return again[1:]

    return run


def test_the_program_makes_room_for_a_master(replaced: Callable[..., list[str]]) -> None:
    """Which is told how to start the program anew: wherever the process is by now, with options of the interpreter."""
    script = "/srv/shop/serve.py"
    assert replaced("-u", "serve.py", "a", "serve.py", main_file=script) == ["-u", script, "a", "serve.py"]
    assert replaced("-m", "shop.serve", "x", main_file="/srv/shop/serve.py") == ["-m", "shop.serve", "x"]
    assert replaced("-c", "run()", main_file=None) == ["-c", "run()"]


def test_a_program_that_has_no_command_is_told(
    replaced: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interactive interpreter, and a process of multiprocessing."""
    import multiprocessing.process

    with pytest.raises(SystemExit) as caught:
        replaced()
    assert caught.value.code == 1
    assert "an interactive interpreter has not" in capsys.readouterr().err
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: object())
    with pytest.raises(SystemExit):
        replaced("serve.py", main_file="/serve.py")
    assert "a process of multiprocessing has not" in capsys.readouterr().err


def test_run_serves_the_command_line(arguments: Callable[..., None], replaced: Callable[..., list[str]]) -> None:
    """`run` of `gunicorn.app.wsgiapp`, as scripts call it that make up the arguments."""
    arguments("shop:app")
    with pytest.raises(Replaced):
        wsgiapp.run()
    assert json.loads(os.environ[base.AGAIN_VARIABLE])[0] == sys.executable


SERVE = """
import sys
from ferricorn.app.wsgiapp import WSGIApplication

class Shop(WSGIApplication):
    def load_config(self):
        super().load_config()
        self.cfg.set("proc_name", "shop")

    def load(self):
        application = super().load()
        print("loaded with", self.cfg.workers, self.cfg.timeout, self.cfg.proc_name, file=sys.stderr, flush=True)
        return application

if __name__ == "__main__":
    Shop().run()
"""

NAMED = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


def test_a_program_serves_with_settings_of_all_sources(tmp_path: Path) -> None:
    """File, command line and its own; TERM ends it with 0."""
    (tmp_path / "serve.py").write_text(SERVE)
    (tmp_path / "named.py").write_text(NAMED)
    (tmp_path / "gunicorn.conf.py").write_text("wsgi_app = 'named'\nworkers = 1\ntimeout = 11\nproc_name = 'other'\n")
    command = [sys.executable, "serve.py", "--bind", "127.0.0.1:0", "--timeout=12"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        lines: list[str] = []
        for line in server.stderr:
            lines.append(line)
            if "loaded with" in line:
                break
        assert lines[-1] == "loaded with 1 12 shop\n", "".join(lines)
        (listening,) = [line for line in lines if "Listening at: " in line]
        url = listening.partition("Listening at: ")[2].split()[0]
        with urllib.request.urlopen(url, timeout=10) as response:
            assert response.read() == b"served"
        server.send_signal(signal.SIGTERM)
        rest = server.stderr.read()
        assert server.wait(20) == 0, rest
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        if server.stderr is not None:
            server.stderr.close()
