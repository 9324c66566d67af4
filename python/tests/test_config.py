"""`ferricorn.config`, and what of `ferricorn.util` it is made of, side by side with the original."""

from __future__ import annotations

import copy
import os
import pickle
from typing import Any

import gunicorn.config
import gunicorn.util
import pytest
from ferricorn import config, util
from ferricorn.config import KNOWN_SETTINGS, Config, Setting, make_settings
from ferricorn.glogging import Logger
from ferricorn.instrument.statsd import Statsd
from ferricorn.workers.gthread import ThreadWorker
from ferricorn.workers.sync import SyncWorker


def both() -> tuple[Config, gunicorn.config.Config]:
    return Config(), gunicorn.config.Config()


def outcome(call: Any, *arguments: Any) -> Any:
    """Return what a call returns, or the kind of what it raises."""
    try:
        return call(*arguments)
    except Exception as error:
        return type(error)


def test_the_defaults_are_those_of_the_original() -> None:
    """Value by value, and printed line by line."""
    ours, theirs = both()
    own = [name for name, setting in ours.settings.items() if setting.section == config.OWN_SECTION]
    assert list(ours.settings) == [*theirs.settings, *own]
    assert str(ours) == str(theirs)
    for name in theirs.settings:
        value = theirs.settings[name].get()
        if not callable(value):
            assert ours.settings[name].get() == value, name


def test_settings_describe_themselves_as_those_of_the_original_do() -> None:
    """Section and flags, and how the flags are used."""
    ours, theirs = both()
    for name, setting in theirs.settings.items():
        for attribute in ("name", "section", "cli", "action", "nargs", "const"):
            assert getattr(ours.settings[name], attribute) == getattr(setting, attribute), (name, attribute)
        assert ours.settings[name].short == ours.settings[name].desc != ""


def test_environment_variables_change_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """PORT, WEB_CONCURRENCY and FORWARDED_ALLOW_IPS; a bad one is a sentence."""
    monkeypatch.setenv("PORT", "5000")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8,*")
    cfg = Config()
    assert (cfg.bind, cfg.workers, cfg.forwarded_allow_ips) == (["0.0.0.0:5000"], 3, ["10.0.0.0/8", "*"])
    monkeypatch.setenv("WEB_CONCURRENCY", "many")
    with pytest.raises(ValueError, match="WEB_CONCURRENCY.*whole number"):
        Config()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bind", "127.0.0.1:0"),
        ("bind", ["unix:/a", "b:1"]),
        ("workers", "0x3"),
        ("timeout", True),
        ("reload", "TRUE"),
        ("accesslog", " - "),
        ("statsd_host", "localhost:9"),
        ("statsd_host", "unix:///a"),
        ("user", "root"),
        ("forwarded_allow_ips", "10.0.0.1, ::1"),
        ("chdir", "/"),
        ("proxy_protocol", True),
        ("logconfig_dict", {"formatters": {"a": {"()": dict}}}),
        ("worker_class", SyncWorker),
        ("logger_class", lambda: Logger),
        ("raw_env", ["A=1"]),
        ("workers", "many"),
        ("workers", -1),
        ("workers", None),
        ("accesslog", 5),
        ("reload", "yes"),
        ("header_map", "x"),
        ("secure_scheme_headers", []),
        ("no_such_setting", 1),
    ],
)
def test_set_takes_what_the_original_takes(name: str, value: Any) -> None:
    """The value is the same afterwards, or it is refused by both."""
    ours, theirs = both()
    left, right = outcome(ours.set, name, value), outcome(theirs.set, name, value)
    assert (left is None) == (right is None), (left, right)
    if right is None:
        assert ours.settings[name].get() == theirs.settings[name].get()


def test_a_bad_value_is_named_in_a_sentence() -> None:
    """Setting, value and what is wrong."""
    cfg = Config()
    with pytest.raises(ValueError) as caught:
        cfg.set("timeout", "soon")
    assert str(caught.value) == "`timeout = 'soon'`: must be a whole number"
    with pytest.raises(AttributeError, match="^No configuration setting for: wrokers$"):
        cfg.set("wrokers", 2)


def test_settings_are_read_as_attributes_and_not_assigned() -> None:
    """Other attributes are nobody's business."""
    cfg = Config()
    with pytest.raises(AttributeError, match="Invalid access!"):
        cfg.workers = 3
    with pytest.raises(AttributeError, match="^No configuration setting for: wrokers$"):
        cfg.wrokers
    cfg.note = "mine"
    assert (cfg.workers, cfg.note, "workers" in cfg.settings) == (1, "mine", True)


def test_said_is_what_was_set_as_it_was_given() -> None:
    """By `set` of either kind; not what was adopted or is a default."""
    cfg = Config.of({"workers": 4, "bind": ["a:1"]})
    assert (cfg.workers, cfg.bind, cfg.said()) == (4, ["a:1"], {})
    cfg.set("bind", "b:1")
    cfg.settings["timeout"].set("7")
    cfg.set("accesslog", None)
    assert cfg.said() == {"bind": "b:1", "timeout": "7", "accesslog": None}
    assert (cfg.bind, cfg.timeout) == (["b:1"], 7)


def test_derived_attributes() -> None:
    """Those that the original derives from other settings, each as it does."""
    ours, theirs = both()
    said = {
        "bind": ["unix:/a", "fd://3", "[::1]:80", "HOST"],
        "raw_env": ["A=1=2", "B="],
        "raw_paste_global_conf": [r"a\=b=c\=d", "e=f"],
        "forwarded_allow_ips": "10.0.0.0/8,*,::1",
        "proxy_allow_ips": "*",
        "user": 7,
        "group": 8,
        "keyfile": "k",
        "threads": 2,
        "default_proc_name": "shop",
    }
    for name, value in said.items():
        ours.set(name, value)
        theirs.set(name, value)
    names = ["address", "env", "paste_global_conf", "uid", "gid", "is_ssl", "ssl_options", "sendfile", "reuse_port"]
    for name in [*names, "proc_name", "worker_class_str"]:
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("forwarded_allow_networks", "proxy_allow_networks"):
        assert getattr(ours, name)() == getattr(theirs, name)(), name
    ours.set("proc_name", "named")
    assert ours.proc_name == "named"
    assert ours.env_orig == os.environ


def test_sendfile_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable counts where the setting is not set."""
    ours, theirs = both()
    for word in ("1", "YES", "no", ""):
        monkeypatch.setenv("SENDFILE", word)
        assert ours.sendfile == theirs.sendfile
    ours.set("sendfile", True)
    assert ours.sendfile is False


def test_a_pair_that_is_none_is_refused() -> None:
    """Where it can be said, and where it comes from elsewhere."""
    with pytest.raises(ValueError, match="KEY=VALUE"):
        Config().set("raw_env", ["A"])
    with pytest.raises(RuntimeError, match="environment setting 'A' invalid"):
        Config.of({"raw_env": ["A"]}).env


def test_worker_classes() -> None:
    """By alias, by gunicorn's path and as a class; threads make the sync worker a gthread one."""
    for said, found in [
        ("sync", SyncWorker),
        ("gthread", ThreadWorker),
        ("gunicorn.workers.sync.SyncWorker", SyncWorker),
        ("ferricorn.workers.gthread.ThreadWorker", ThreadWorker),
        (ThreadWorker, ThreadWorker),
    ]:
        assert Config.of({"worker_class": said}).worker_class is found
    threaded = Config.of({"threads": 2})
    assert (threaded.worker_class, threaded.worker_class_str) == (ThreadWorker, "gthread")
    assert Config.of({"worker_class": SyncWorker}).worker_class_str == "SyncWorker"


def test_logger_classes() -> None:
    """The default is ours, under any name, and the one for statsd where there is a host."""
    for said in ("gunicorn.glogging.Logger", "ferricorn.glogging.Logger", "simple", Logger):
        assert Config.of({"logger_class": said}).logger_class is Logger
    assert Config.of({"statsd_host": ("localhost", 8125)}).logger_class is Statsd
    mine = type("Mine", (Logger,), {"install": classmethod(lambda cls: setattr(cls, "installed", True))})
    assert Config.of({"statsd_host": ("localhost", 8125), "logger_class": mine}).logger_class is mine
    assert mine.installed


@pytest.mark.parametrize(
    ("uri", "error", "words"),
    [
        ("no_such_module.Logger", RuntimeError, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("nothing", RuntimeError, "no entry point 'nothing'"),
        ("egg:no-such-distribution#x", RuntimeError, "no-such-distribution"),
        ("ferricorn.glogging.Nothing", AttributeError, "'ferricorn.glogging' has no attribute 'Nothing'"),
    ],
)
def test_a_class_that_is_not_there_is_named(uri: str, error: type[Exception], words: str) -> None:
    """In one sentence."""
    with pytest.raises(error) as caught:
        util.load_class(uri)
    assert str(caught.value).startswith(f"class uri {uri!r} invalid or not found: ")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_module_that_raises_is_told_with_its_place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names file and line."""
    (tmp_path / "raising_logger.py").write_text("x = 1\nraise LookupError('out of order')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match=r"LookupError: out of order \(.*raising_logger.py, line 2\)"):
        util.load_class("raising_logger.Logger")


def test_idle_hooks_do_nothing() -> None:
    """They take what they are called with; `pre_request` logs, `ssl_context` makes the default."""
    ours, theirs = both()
    for name, setting in theirs.settings.items():
        if callable(setting.get()):
            hook = ours.settings[name].get()
            assert util.get_arity(hook) == gunicorn.util.get_arity(setting.get())
            if name not in ("pre_request", "ssl_context"):
                assert hook(*[None] * util.get_arity(hook)) is None
    assert ours.ssl_context(ours, lambda: "context") == "context"


def test_a_configuration_can_be_copied() -> None:
    """A copy is changed by itself."""
    cfg = Config()
    copied = copy.deepcopy(cfg)
    copied.set("workers", 5)
    assert (cfg.workers, copied.workers) == (1, 5)
    alone = cfg.settings["workers"].copy()
    alone.set(6)
    assert cfg.workers == 1
    with pytest.raises(AttributeError):
        pickle.loads(pickle.dumps(Config.__new__(Config))).workers


def test_a_program_can_have_a_setting_of_its_own() -> None:
    """It is checked by its own validator, and is part of every configuration made after it."""

    class Colour(Setting):
        name = "colour"
        section = "Mine"
        cli = ["--colour"]
        validator = config.validate_string
        default = " red "
        desc = """
            The colour.

            More about it.
            """

    try:
        cfg = Config()
        assert (cfg.colour, cfg.settings["colour"].short) == ("red", "The colour.")
        cfg.set("colour", " blue")
        assert cfg.colour == "blue"
        with pytest.raises(TypeError, match="must be a text, not 5"):
            cfg.set("colour", 5)
        assert cfg.parser().parse_args(["--colour", "green"]).colour == "green"
    finally:
        KNOWN_SETTINGS.remove(Colour)
    assert "colour" not in make_settings() and "bind" not in make_settings(ignore=["bind"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["app"],
        ["-w4", "-b", "a:1", "--bind=b:1", "shop:app", "--reload"],
        ["--umask", "022", "--no-sendfile", "--proxy-protocol"],
        ["--proxy-protocol", "v1", "-e", "A=1", "--keep-alive", "3", "-k", "gthread"],
    ],
)
def test_the_parser_reads_as_the_original_does(arguments: list[str]) -> None:
    """Option by option. The number of workers stays text: it may be `auto`."""
    ours, theirs = (vars(cfg.parser().parse_args(arguments)) for cfg in both())
    ours["workers"] = ours["workers"] and int(ours["workers"])
    ours["umask"] = ours["umask"] if ours["umask"] is None else int(ours["umask"])
    assert {name: ours[name] for name in theirs} == theirs


def test_arguments_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are split as a shell does it."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "-w 2 --name 'a b'")
    assert Config().get_cmd_args_from_env() == ["-w", "2", "--name", "a b"]


@pytest.mark.parametrize("name", ["bool", "dict", "pos_int", "string", "list_string", "string_to_list", "class"])
def test_validators_judge_as_those_of_the_original(name: str) -> None:
    """What they return, and what they refuse."""
    ours, theirs = (getattr(module, f"validate_{name}") for module in (config, gunicorn.config))
    for value in [
        None,
        True,
        "true",
        " x ",
        "a, b,,",
        "0x1f",
        "-1",
        3,
        -3,
        2.5,
        {},
        {"a": 1},
        [],
        [" a ", "b"],
        [5],
        SyncWorker,
    ]:
        if name == "list_string" and value in (True, 3, -3, 2.5, {"a": 1}, SyncWorker):
            # Iterated by both as it comes.
            continue
        left, right = outcome(ours, value), outcome(theirs, value)
        if isinstance(right, type) and issubclass(right, Exception):
            assert isinstance(left, type) and issubclass(left, Exception), value
        else:
            assert left == right, value


def test_validate_callable() -> None:
    """Functions of so many arguments, named or given."""
    assert config.validate_callable(1)("os.path.basename") is os.path.basename
    assert config.validate_callable(-1)(outcome) is outcome
    for bad in [
        "basename",
        "os.path.nothing",
        "no_such_module.x",
        5,
        os.path.commonprefix.__class__,
        lambda a, b: None,
    ]:
        with pytest.raises(TypeError):
            config.validate_callable(1)(bad)


ADDRESSES = ["a:1", "HOST", "[::1]:80", "[::1]", ":9", "tcp://x:1", "unix:/a/b", "unix://a", "unix:///a", "fd://3", ""]
BAD_ADDRESSES = ["fd://x", "a:b", "a:", "[::1]:x"]


@pytest.mark.parametrize("netloc", ADDRESSES + BAD_ADDRESSES)
def test_addresses_are_parsed_as_the_original_does(netloc: str) -> None:
    """Also with the port that another protocol has."""
    for port in ("8000", "8125"):
        assert outcome(util.parse_address, netloc, port) == outcome(gunicorn.util.parse_address, netloc, port)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("is_ipv6", ("::1",)),
        ("is_ipv6", ("127.0.0.1",)),
        ("http_date", (0,)),
        ("is_hoppish", (" Transfer-Encoding",)),
        ("is_hoppish", ("Content-Type",)),
        ("to_bytestring", ("ä",)),
        ("to_bytestring", (b"a", "ascii")),
        ("to_bytestring", (5,)),
        ("bytes_to_str", (b"\xe4",)),
        ("unquote_to_wsgi_str", ("a%C3%A4%2",)),
        ("split_request_uri", ("//a/b?c#d",)),
        ("split_request_uri", ("http://h/b?c",)),
        ("is_glob_pattern", ("a/*.py",)),
        ("is_glob_pattern", ("a.py",)),
        ("get_arity", (lambda a, /, b, *c, d: None,)),
        ("get_username", (0,)),
        ("has_fileno", (object(),)),
        ("getcwd", ()),
        ("unlink", ("/no/such/file",)),
        ("check_is_writable", ("/no/such/file",)),
    ],
)
def test_functions_return_what_those_of_the_original_do(name: str, arguments: tuple[Any, ...]) -> None:
    """Or raise the same."""
    assert outcome(getattr(util, name), *arguments) == outcome(getattr(gunicorn.util, name), *arguments)


def test_warnings_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Of one line, and of two."""
    for text in ("one", "one\ntwo"):
        util.warn(text)
        ours = capsys.readouterr().err
        gunicorn.util.warn(text)
        assert ours == capsys.readouterr().err


def test_import_app(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is an AppImportError, which the server knows."""
    from ferricorn._loading import NotAnApplication
    from ferricorn.errors import AppImportError

    (tmp_path / "imported_app.py").write_text("def application(environ, start_response): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert callable(util.import_app("imported_app"))
    with pytest.raises(AppImportError, match="'nothing'") as caught:
        util.import_app("imported_app:nothing")
    assert isinstance(caught.value, NotAnApplication)
