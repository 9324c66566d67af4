"""`ferricorn.glogging`: lines, handlers and configurations of `logging`, side by side with the original."""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gunicorn.glogging
import pytest
from ferricorn import glogging
from ferricorn.config import Config
from ferricorn.glogging import Logger, SafeAtoms, parse_syslog_address

NAMES = ("gunicorn.error", "gunicorn.access")

INI = """
[loggers]
keys=root,error
[handlers]
keys=out
[formatters]
keys=short
[logger_root]
level=WARNING
handlers=out
[logger_error]
level=INFO
handlers=out
propagate=0
qualname=gunicorn.error
[handler_out]
class=FileHandler
formatter=short
args=('%(here)s/ini.log',)
[formatter_short]
format=INI %(levelname)s %(message)s
"""


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Give the loggers back as they were, with the files of the test closed."""
    kept = {log: (log.handlers[:], log.level, log.propagate) for log in map(logging.getLogger, ("", *NAMES))}
    yield
    for log, (handlers, level, propagate) in kept.items():
        for handler in set(log.handlers) - set(handlers):
            handler.close()
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def made(logger_class: type[Any] = Logger, **values: Any) -> Any:
    return logger_class(Config.of({"user": os.geteuid(), "group": os.getegid(), **values}))


def request() -> tuple[Any, Any, dict[str, Any], timedelta]:
    """Return what `access` is called with."""
    credentials = base64.b64encode("jörg:secret".encode()).decode()
    environ = {
        "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/a?b=c",
        "PATH_INFO": "/a",
        "QUERY_STRING": "b=c",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": 'http://x/"quoted"',
        "HTTP_AUTHORIZATION": f"Basic {credentials}",
    }
    req = SimpleNamespace(headers=[("HOST", "localhost"), ("X-A", "1")], method="GET", uri="/a?b=c")
    resp = SimpleNamespace(status="200 OK", sent=7, headers=[("Content-Type", "text/plain")])
    return resp, req, environ, timedelta(seconds=2, microseconds=3456)


def test_lines_look_as_those_of_the_original(tmp_path: Path) -> None:
    """Every level, with arguments and with a traceback."""
    texts = []
    for logger_class, name in ((Logger, "ours"), (gunicorn.glogging.Logger, "theirs")):
        log = made(logger_class, errorlog=str(tmp_path / name), loglevel="debug")
        for level in ("critical", "error", "warning", "info", "debug"):
            getattr(log, level)("a %s", level)
        log.log("warning", "by name")
        log.log(logging.ERROR, "by number")
        log.log("nonsense", "by no name")
        try:
            raise LookupError("raised")
        except LookupError:
            log.exception("failed")
        text = (tmp_path / name).read_text()
        texts.append(re.sub(r'File ".*", line \d+', "File", re.sub(r"\d\d:\d\d:\d\d", "TIME", text)))
    assert texts[0] == texts[1]
    assert re.match(rf"\[\d{{4}}-\d\d-\d\d TIME [+-]\d{{4}}\] \[{os.getpid()}\] \[CRITICAL\] a critical\n", texts[0])


def test_the_level_is_the_settings(tmp_path: Path) -> None:
    """What is no level is info."""
    for name, level in [("ERROR", logging.ERROR), ("debug", logging.DEBUG), ("nonsense", logging.INFO)]:
        log = made(errorlog=str(tmp_path / "log"), loglevel=name)
        assert log.loglevel == log.error_log.level == level
        assert log.access_log.level == logging.INFO


def test_nothing_propagates_and_nothing_is_stacked(tmp_path: Path) -> None:
    """A second set-up takes the place of the first; handlers of others stay."""
    log = made(errorlog=str(tmp_path / "first"), accesslog="-")
    other = logging.NullHandler()
    log.error_log.addHandler(other)
    log.setup(Config.of({"errorlog": str(tmp_path / "second")}))
    assert other in log.error_log.handlers and len(log.error_log.handlers) == 2
    assert log.access_log.handlers == [] and not log.access_log_enabled
    assert (log.error_log.propagate, log.access_log.propagate) == (False, False)
    log.info("said")
    assert (tmp_path / "first").read_text() == ""
    assert "said" in (tmp_path / "second").read_text()


def test_a_dash_is_the_standard_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """stderr for the error log, stdout for the access log."""
    log = made(accesslog="-")
    log.error("to stderr")
    log.access(*request())
    captured = capsys.readouterr()
    assert "to stderr" in captured.err and "to stderr" not in captured.out
    assert captured.out.startswith("192.0.2.7 - jörg [")


def test_access_lines_are_those_of_the_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every atom, those that are missing, and the default template."""
    template = " ".join(f"%({letter})s" for letter in "hlurtsmUqHbBfaTDMLp")
    template += " %({host}i)s %({X-a}i)s %({content-TYPE}o)s %({raw_uri}e)s %({nothing}i)s %(nothing)s"
    for access_log_format in (template, Config().access_log_format):
        lines = []
        for logger_class in (Logger, gunicorn.glogging.Logger):
            monkeypatch.setattr(logger_class, "now", lambda self: "[now]")
            path = tmp_path / logger_class.__module__
            made(logger_class, accesslog=str(path), access_log_format=access_log_format).access(*request())
            lines.append(path.read_text().splitlines()[-1])
        assert lines[0] == lines[1]
    assert lines[0] == '192.0.2.7 - jörg [now] "GET /a?b=c HTTP/1.1" 200 7 "http://x/\\"quoted\\"" "-"'


@pytest.mark.parametrize(
    ("authorization", "status", "headers"),
    [
        ("Basic", 404, {"A": "b"}),
        ("Basic !", "500 Oh no", []),
        ("Bearer abc", "204", []),
        (base64.b64encode(b"\xff:x").decode(), "200 OK", []),
        ("basic " + base64.b64encode(b"\xff:x").decode(), "200 OK", []),
        ("basic " + base64.b64encode(b"name").decode(), "200 OK", [("A", "b")]),
    ],
)
def test_atoms_are_those_of_the_original(authorization: str, status: Any, headers: Any) -> None:
    """Also where a name cannot be read, with a dict of headers, and without a number of bytes."""
    _, _, environ, elapsed = request()
    environ["HTTP_AUTHORIZATION"] = authorization
    resp = SimpleNamespace(status=status, headers=headers)
    for seen in ({"HOST": "x"}, SimpleNamespace(headers={"HOST": "x"})):
        left, right = (made(kind).atoms(resp, seen, environ, elapsed) for kind in (Logger, gunicorn.glogging.Logger))
        left["t"] = right["t"]
        assert left == right


def test_the_time_is_that_of_the_original() -> None:
    """To the second: one of three tries does not cross one."""
    log, original = made(), made(gunicorn.glogging.Logger)
    assert any(log.now() == original.now() for _ in range(3))


def test_safe_atoms_escape_and_fill_in() -> None:
    """Quotes, names in any case, dashes."""
    atoms = SafeAtoms({"a": 'x"y', "n": 5, "{host}i": "h"})
    assert (atoms["a"], atoms["n"], atoms["{HOST}i"], atoms["b"], atoms["{b}o"]) == ('x\\"y', 5, "h", "-", "-")


def test_access_is_enabled_by_whatever_takes_its_lines() -> None:
    """As in the original."""
    for values in [{}, {"accesslog": "-"}, {"logconfig_dict": {"version": 1}}, {"logconfig_json": "/no/such/file"}]:
        enabled = [made(kind, **values).access_log_enabled for kind in (Logger, gunicorn.glogging.Logger)]
        assert enabled == [bool(values)] * 2
    syslog = {"syslog": True, "syslog_addr": "udp://127.0.0.1:9"}
    assert made(**syslog).access_log_enabled
    assert not made(**syslog, disable_redirect_access_to_syslog=True).access_log_enabled


def test_a_subclass_decides(tmp_path: Path) -> None:
    """Class attributes, atoms, the wrapper of atoms, set-up, and the methods that subclasses call."""

    class Loud(dict[str, Any]):
        def __getitem__(self, name: str) -> str:
            return str(super().__getitem__(name)).upper()

    class Mine(Logger):
        error_fmt = "MINE %(levelname)s %(message)s"
        access_fmt = "ACCESS %(message)s"
        atoms_wrapper_class = Loud

        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            self._set_handler(self.error_log, str(tmp_path / "moved"), logging.Formatter("MOVED %(message)s"))

        def atoms(self, *arguments: Any) -> dict[str, Any]:
            return {**super().atoms(*arguments), "shop": "auto"}

    log = made(
        Mine, errorlog=str(tmp_path / "log"), accesslog=str(tmp_path / "access"), access_log_format="%(shop)s %(m)s"
    )
    log.info("said")
    log.access(*request())
    assert (tmp_path / "log").read_text() == ""
    assert (tmp_path / "moved").read_text() == "MOVED said\n"
    assert (tmp_path / "access").read_text() == "ACCESS AUTO GET\n"


def test_what_an_access_line_raises_is_logged(tmp_path: Path) -> None:
    """The request goes on."""
    log = made(errorlog=str(tmp_path / "log"), accesslog="-")
    log.access_log = SimpleNamespace(info=lambda *arguments: 1 / 0)
    log.access(*request())
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Either log, in one sentence."""
    missing = str(tmp_path / "missing" / "log")
    for values in ({"errorlog": missing}, {"accesslog": missing}, {"errorlog": missing, "capture_output": True}):
        with pytest.raises(RuntimeError, match=rf"'{re.escape(missing)}' isn't writable \[FileNotFoundError"):
            made(**values)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_log_files_belong_to_the_workers_user(tmp_path: Path) -> None:
    """So that workers can reopen them."""
    made(errorlog=str(tmp_path / "log"), user=65534, group=65533)
    stat = (tmp_path / "log").stat()
    assert (stat.st_uid, stat.st_gid) == (65534, 65533)


def test_reopen_opens_every_file_of_every_named_logger(tmp_path: Path) -> None:
    """Those of the application too."""
    log = made(errorlog=str(tmp_path / "error"), accesslog=str(tmp_path / "access"))
    shop = logging.getLogger("shop.of.test_glogging")
    handler = logging.FileHandler(tmp_path / "shop")
    shop.addHandler(handler)
    try:
        for name in ("error", "access", "shop"):
            (tmp_path / name).rename(tmp_path / f"{name}.1")
        log.reopen_files()
        log.error("fresh")
        log.access(*request())
        shop.error("fresh")
        for name in ("error", "access", "shop"):
            assert (tmp_path / name).read_text() and not (tmp_path / f"{name}.1").read_text(), name
    finally:
        shop.removeHandler(handler)
        handler.close()


def test_a_file_that_is_not_open_yet_is_left_alone(tmp_path: Path) -> None:
    """A handler with a delay opens its file with the first line."""
    shop = logging.getLogger("delayed.of.test_glogging")
    handler = logging.FileHandler(tmp_path / "shop", delay=True)
    shop.addHandler(handler)
    try:
        log = made()
        log.reopen_files()
        log.close_on_exec()
        assert not (tmp_path / "shop").exists()
    finally:
        shop.removeHandler(handler)


def test_close_on_exec(tmp_path: Path) -> None:
    """No program that is started has the log files."""
    log = made(errorlog=str(tmp_path / "log"))
    number = log.error_log.handlers[-1].stream.fileno()
    os.set_inheritable(number, True)
    log.close_on_exec()
    assert fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_capture_output_follows_the_error_log(tmp_path: Path) -> None:
    """What is printed, by whatever means, goes to the file; also to the one that is there after a rotation."""
    script = """
import os, sys
from ferricorn.config import Config
from ferricorn.glogging import Logger
print("before")
log = Logger(Config.of({"errorlog": "log", "capture_output": True}))
print("printed", flush=True)
os.write(2, b"written\\n")
os.rename("log", "log.1")
os.mkdir("elsewhere")
os.chdir("elsewhere")
log.reopen_files()
print("printed again", flush=True)
os.write(2, b"written again\\n")
log.info("logged")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("before\n", "")
    assert (tmp_path / "log.1").read_text() == "printed\nwritten\n"
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[:2] == ["printed again", "written again"] and lines[2].endswith("[INFO] logged")


# Configurations of `logging`.


def test_defaults_of_dictionaries_are_those_of_the_original() -> None:
    """Deployments copy them and change one thing."""
    assert glogging.CONFIG_DEFAULTS == gunicorn.glogging.CONFIG_DEFAULTS
    assert glogging.SYSLOG_FACILITIES == gunicorn.glogging.SYSLOG_FACILITIES


def dictionary(path: Path) -> dict[str, Any]:
    return {
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path), "formatter": "short"}},
        "formatters": {"short": {"format": "DICT %(levelname)s %(message)s"}},
        "root": {"level": "INFO", "handlers": []},
        "loggers": {name: {"level": "INFO", "handlers": ["file"], "propagate": False} for name in NAMES},
    }


def test_a_dictionary_beats_json_which_beats_ini(tmp_path: Path) -> None:
    """The first that is set is the only one."""
    (tmp_path / "log.json").write_text(json.dumps(dictionary(tmp_path / "json")))
    (tmp_path / "log.ini").write_text(INI)
    values = {
        "logconfig": str(tmp_path / "log.ini"),
        "logconfig_json": str(tmp_path / "log.json"),
        "logconfig_dict": dictionary(tmp_path / "dict"),
    }
    for name, file in (("logconfig_dict", "dict"), ("logconfig_json", "json"), ("logconfig", "ini.log")):
        made(**values).info("said")
        assert (tmp_path / file).read_text().endswith(" INFO said\n")
        del values[name]
    assert len((tmp_path / "dict").read_text().splitlines()) == 1


def test_a_dictionary_lies_over_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """Key by key; the defaults stay what they are."""
    log = made(logconfig_dict={"formatters": {"generic": {"format": "SHORT %(message)s"}}})
    log.error("said")
    assert "SHORT said" in capsys.readouterr().err
    assert glogging.CONFIG_DEFAULTS == gunicorn.glogging.CONFIG_DEFAULTS


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"logconfig_dict": {"handlers": {"x": {"class": "no.such"}}}}, "`logconfig_dict`: .*handler 'x'.*no"),
        ({"logconfig_dict": {"version": 2}}, "`logconfig_dict`: .*version.*2"),
        ({"logconfig_json": "broken.json"}, "`logconfig_json = 'broken.json'`: .*line 1"),
        ({"logconfig_json": "list.json"}, "`logconfig_json = 'list.json'`: the file must hold an object"),
        ({"logconfig_json": "."}, "`logconfig_json = '.'`: .*directory"),
        ({"logconfig": "none.ini"}, "^log config 'none.ini' not found$"),
        ({"logconfig": "broken.ini"}, "`logconfig = 'broken.ini'`: there is no 'handler_none'"),
        ({"logconfig": "raising.ini"}, "`logconfig = 'raising.ini'`: .*division"),
        (
            {"syslog": True, "syslog_facility": "nonsense"},
            "unknown facility name 'nonsense' in syslog_facility: .*local0",
        ),
        ({"syslog": True, "syslog_addr": "nonsense"}, "invalid syslog address 'nonsense': .*udp://HOST:PORT"),
        (
            {"syslog": True, "syslog_addr": "tcp://127.0.0.1:1"},
            "syslog at tcp://127.0.0.1:1 cannot be reached: .*refused",
        ),
    ],
)
def test_what_cannot_be_applied_is_named(
    values: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, in one line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.ini").write_text("[loggers]\nkeys=root\n[formatters]\nkeys=\n[handlers]\nkeys=none\n")
    (tmp_path / "raising.ini").write_text(INI.replace("('%(here)s/ini.log',)", "(1 / 0,)"))
    with pytest.raises(RuntimeError, match=words) as caught:
        made(**values)
    assert "\n" not in str(caught.value)


def test_a_missing_json_file_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    """The original starts, too."""
    made(gunicorn.glogging.Logger, logconfig_json="/no/such/file")
    made(errorlog=str(tmp_path / "log"), logconfig_json="/no/such/file")
    assert "[WARNING] `logconfig_json = '/no/such/file'`: there is no such file" in (tmp_path / "log").read_text()


# Syslog.

SYSLOG_ADDRESSES = [
    "udp://HOST:5",
    "tcp://host",
    "udp://[::1]:7",
    "tcp://[::1]",
    "udp://",
    "udp://:9",
    "unix:///dev/log",
]


@pytest.mark.parametrize("address", SYSLOG_ADDRESSES + ["unix://a#dgram", "udp://h:x", "host:5", "http://h", ""])
def test_addresses_are_read_as_the_original_does(address: str) -> None:
    """Or refused as it does."""
    outcomes = []
    for parse in (parse_syslog_address, gunicorn.glogging.parse_syslog_address):
        try:
            outcomes.append(parse(address))
        except RuntimeError:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


def test_a_stream_may_be_asked_for() -> None:
    """The original tries both kinds of socket, and ends up with the same."""
    assert parse_syslog_address("unix://a#stream") == (socket.SOCK_STREAM, "a")


def test_datagrams_are_those_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both logs, with the prefix and without, at the priority of level and facility."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(10)
        where = f"udp://127.0.0.1:{sink.getsockname()[1]}"
        for values in ({"syslog_prefix": "shop"}, {"default_proc_name": "a:b", "syslog_facility": "LOCAL3"}):
            received = []
            for logger_class in (Logger, gunicorn.glogging.Logger):
                monkeypatch.setattr(logger_class, "now", lambda self: "[now]")
                log = made(logger_class, syslog=True, syslog_addr=where, **values)
                log.warning("a %s", "warning")
                log.access(*request())
                received.append([sink.recv(4096), sink.recv(4096)])
            assert received[0] == received[1]
        assert received[0][0].startswith(f"<156>gunicorn.a.b.error: [{os.getpid()}] a warning".encode())


def test_access_lines_may_be_kept_out_of_syslog() -> None:
    """The error log goes there all the same."""
    log = made(syslog=True, syslog_addr="udp://127.0.0.1:9", disable_redirect_access_to_syslog=True)
    assert (len(log.error_log.handlers), len(log.access_log.handlers)) == (2, 0)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_unix_socket_will_do(kind: socket.SocketKind, tmp_path: Path) -> None:
    """Of either kind, asked for or not."""
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, kind) as sink:
        sink.bind(str(path))
        sink.settimeout(10)
        if kind == socket.SOCK_STREAM:
            sink.listen()
        for suffix in ("", "#dgram" if kind == socket.SOCK_DGRAM else "#stream"):
            address = f"unix://{path}{suffix}"
            made(syslog=True, syslog_addr=address, disable_redirect_access_to_syslog=True).info("said")
            source = sink.accept()[0] if kind == socket.SOCK_STREAM else sink
            assert source.recv(4096).startswith(b"<14>gunicorn.gunicorn.error: [")
            if source is not sink:
                source.close()


# The original's logger with our configuration.


def test_the_original_logger_takes_our_configuration(tmp_path: Path) -> None:
    """A `logger_class` may derive from it where gunicorn is installed."""

    class Mine(gunicorn.glogging.Logger):
        error_fmt = "THEIRS %(message)s"

    cfg = Config.of({"logger_class": Mine, "errorlog": str(tmp_path / "log"), "accesslog": str(tmp_path / "access")})
    log = cfg.logger_class(cfg)
    log.info("said")
    log.access(*request())
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.reopen_files()
    log.close_on_exec()
    log.info("again")
    assert (tmp_path / "log.1").read_text() == "THEIRS said\n"
    assert (tmp_path / "log").read_text() == "THEIRS again\n"
    assert '"GET /a?b=c HTTP/1.1" 200 7' in (tmp_path / "access").read_text()
    made(Mine, logconfig_dict=dictionary(tmp_path / "dict")).info("by the dictionary")
    assert (tmp_path / "dict").read_text() == "DICT INFO by the dictionary\n"
